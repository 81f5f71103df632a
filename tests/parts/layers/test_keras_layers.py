"""Layers whose values, gradients and learned weights Keras has computed: the same on the reference and natively."""

from __future__ import annotations

from typing import Any

import pytest

from tests.golden_layers import GOLDEN, assert_as_keras, assert_natively_as_keras, stored

FILES = [stored(path.name) for path in sorted(GOLDEN.glob("keras_layers_*.json"))]
CASES: list[dict[str, Any]] = [case | {"file": file} for file in FILES for case in file["cases"]]
FIRST = list({case["part"]["type"]: case for case in reversed(CASES) if "value" in case}.values())
"""A case of each layer, for what takes long: every one is compiled."""


def named(case: dict[str, Any]) -> str:
    return " ".join(str(value) for value in case["part"].values())


@pytest.mark.parametrize("case", CASES, ids=named)
def test_the_reference_is_keras_s(case: dict[str, Any]) -> None:
    assert_as_keras(case, case["file"]["rate"], optimizer=case["file"]["optimizer"])


@pytest.mark.parametrize("case", FIRST, ids=named)
def test_float32_is_keras_s_to_five_digits(case: dict[str, Any]) -> None:
    assert_natively_as_keras(case, case["file"]["rate"], case["file"]["optimizer"])
