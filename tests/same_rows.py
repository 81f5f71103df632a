"""Two splits, or all that was prepared of two sources, in; a failed test, where they differ in any bit, out."""

from __future__ import annotations

import json

import numpy as np

from trainer_cli.data.prepare import Dataset
from trainer_cli.data.source import Split


def assert_same(found: Split | None, expected: Split | None) -> None:
    assert (found is None) == (expected is None)
    if found is not None and expected is not None:
        assert found.rows == expected.rows
        assert found.arrays.keys() == expected.arrays.keys()
        for name, values in expected.arrays.items():
            assert found.arrays[name].dtype == values.dtype
            assert np.array_equal(found.arrays[name], values), name


def assert_same_data(found: Dataset, expected: Dataset) -> None:
    assert json.dumps(found.encoding.to_json()) == json.dumps(expected.encoding.to_json())
    assert found.digest == expected.digest
    for name in ("train", "validation", "test"):
        assert_same(getattr(found, name), getattr(expected, name))
