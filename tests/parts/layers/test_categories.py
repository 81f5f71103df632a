"""Categories as layers: places in vocabularies and bins, what is refused, models that begin with whole numbers."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from pydantic import ValidationError

from tests.alike import assert_trains_alike
from tests.golden_layers import read_layer
from tests.layer_runs import refusal, run
from trainer_cli.errors import ConfigError

random = np.random.default_rng(2)
BINS: dict[str, Any] = {"type": "discretization", "bin_boundaries": [-1.0, 0.0, 2.5]}
LOOKUP: dict[str, Any] = {"type": "integer_lookup", "vocabulary": [12, 36, 1138, 42]}


def test_a_bin_begins_with_its_boundary() -> None:
    x = np.array([[-2.0, -1.0, -0.5], [0.0, 2.4, 2.5]])
    found, _ = run(BINS, x)
    np.testing.assert_array_equal(found, [[0, 1, 1], [2, 2, 3]])
    assert found.dtype.kind == "i"
    x = random.normal(size=(6, 5)) * 3
    np.testing.assert_array_equal(run(BINS, x)[0], np.digitize(x, [-1.0, 0.0, 2.5]))
    np.testing.assert_array_equal(run({**BINS, "output_mode": "count"}, x)[0].sum(1), 5)


def test_an_integer_lookup_counts_through_its_vocabulary() -> None:
    """The rows are those of Keras's documentation."""
    x = np.array([[12, 1138, 42], [42, 1000, 36]])
    found, _ = run(LOOKUP, x)
    np.testing.assert_array_equal(found, [[1, 3, 4], [4, 0, 2]])
    np.testing.assert_array_equal(run({**LOOKUP, "output_mode": "multi_hot"}, x)[0], [[0, 1, 0, 1, 1], [1, 0, 1, 0, 1]])
    masked, _ = run({**LOOKUP, "mask_token": 0}, np.array([[12, 0, 1138], [7, 42, 36]]))
    np.testing.assert_array_equal(masked, [[2, 0, 4], [1, 5, 3]])
    counted, _ = run({**LOOKUP, "mask_token": 0, "output_mode": "count"}, np.array([[12, 0, 12], [7, 8, 36]]))
    np.testing.assert_array_equal(counted, [[1, 0, 2, 0, 0, 0], [0, 2, 0, 1, 0, 0]])


def test_categories_of_the_input_are_checked_when_data_is_read() -> None:
    _, scope = run({"type": "category_encoding", "num_tokens": 4}, np.array([[0, 3]]))
    assert list(scope.bounds.values()) == [4]


@pytest.mark.parametrize(
    ("part", "shape", "words", "field"),
    [
        ({"type": "category_encoding", "num_tokens": 4}, (3,), "takes whole numbers", ()),
        (LOOKUP, (3,), "takes whole numbers", ()),
        (
            {"type": "normalization", "mean": [0.0, 1.0], "variance": 1.0},
            (3,),
            "2 numbers for the extents (3,)",
            ("mean",),
        ),
        ({"type": "normalization", "mean": 0.0, "variance": -1.0}, (3,), "not negative", ("variance",)),
        ({"type": "normalization", "mean": [0.0], "variance": 1.0, "axis": None}, (3,), "takes one number", ("mean",)),
    ],
    ids=str,
)
def test_inputs_that_do_not_fit_are_refused(part: Any, shape: Any, words: str, field: Any) -> None:
    problem = refusal(part, shape)
    assert words in problem.message
    assert problem.path == field


def test_arguments_that_make_no_sense_are_refused() -> None:
    for wrong, words in (
        ({**BINS, "bin_boundaries": [1.0, 1.0]}, "ascending"),
        ({**BINS, "bin_boundaries": []}, "at least 1"),
        ({**LOOKUP, "vocabulary": [1, 2, 1]}, "stands twice"),
        ({"type": "category_encoding", "num_tokens": 0}, "greater than 0"),
    ):
        with pytest.raises(ValidationError, match=words):
            read_layer(wrong)


def test_normalizing_and_turning_back_gives_the_input() -> None:
    x = random.normal(size=(4, 3, 2))
    part = {"type": "normalization", "axis": [1, 2], "mean": [*range(6)], "variance": [1.0, 2.0, 3.0, 4.0, 5.0, 6.0]}
    there, _ = run(part, x)
    np.testing.assert_allclose(there[:, 1, 0], (x[:, 1, 0] - 2.0) / np.sqrt(3.0))
    np.testing.assert_allclose(run({**part, "invert": True}, there)[0], x)


@pytest.mark.parametrize(
    "layers",
    [
        [{"type": "category_encoding", "num_tokens": 7}],
        [{**LOOKUP, "vocabulary": [3, 1], "output_mode": "count"}],
        [{**LOOKUP, "vocabulary": [3, 1, 4]}, {"type": "category_encoding", "num_tokens": 4, "output_mode": "count"}],
    ],
    ids=["categories", "vocabulary", "vocabulary and categories"],
)
def test_both_targets_learn_alike_from_whole_numbers(layers: list[Any]) -> None:
    first = {"type": "input", "shape": [5], "dtype": "int32"}
    assert_trains_alike([first, *layers, {"type": "dense", "units": 2}], inputs=(5,), rows=13, steps=4)


def test_both_targets_learn_alike_from_bins() -> None:
    layers = [{"type": "normalization", "mean": 0.1, "variance": 2.0}, {**BINS, "output_mode": "one_hot"}, "flatten"]
    assert_trains_alike([*layers, {"type": "dense", "units": 2}], inputs=(5,), rows=13, steps=4)


def test_whole_numbers_as_the_last_word_are_refused() -> None:
    from tests.programs import program

    with pytest.raises(ConfigError):
        program([BINS], inputs=(3,))
