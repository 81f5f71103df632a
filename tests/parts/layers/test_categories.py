"""Categories as layers: places in vocabularies and bins, what is refused, models that begin with whole numbers."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from pydantic import ValidationError

from tests.alike import assert_trains_alike
from tests.golden_layers import read_layer
from tests.layer_runs import refusal, run
from tests.native import NativeGraph, reference
from tests.scopes import LayerScope
from trainer_cli.errors import ConfigError
from trainer_cli.ir import language as ir
from trainer_cli.ir.graph import BATCH, Graph

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
    # As in Keras, padding has no place among indicators and counts.
    counted, _ = run({**LOOKUP, "mask_token": 0, "output_mode": "count"}, np.array([[12, 0, 12], [7, 8, 36]]))
    np.testing.assert_array_equal(counted, [[0, 2, 0, 0, 0], [2, 0, 1, 0, 0]])


def test_an_integer_lookup_weighs_turns_back_and_pads_as_keras_s_documentation_says() -> None:
    x = np.array([[12, 1138, 42, 42], [42, 7, 36, 7]])
    weighed = {**LOOKUP, "output_mode": "tf_idf", "idf_weights": [0.25, 0.75, 0.6, 0.4]}
    np.testing.assert_allclose(run(weighed, x)[0], [[0, 0.25, 0, 0.6, 0.8], [1.0, 0, 0.75, 0, 0.4]])
    whole = {**weighed, "vocabulary": [-1, *LOOKUP["vocabulary"]], "idf_weights": [0.9, 0.25, 0.75, 0.6, 0.4]}
    np.testing.assert_allclose(run(whole, x)[0], [[0, 0.25, 0, 0.6, 0.8], [1.8, 0, 0.75, 0, 0.4]])
    back, _ = run({**LOOKUP, "invert": True}, np.array([[1, 3, 4], [4, 0, 2], [5, -1, 9]]))
    np.testing.assert_array_equal(back, [[12, 1138, 42], [42, -1, 36], [-1, -1, -1]])
    there = {**LOOKUP, "mask_token": 0, "vocabulary": [0, -1, *LOOKUP["vocabulary"]]}
    places, _ = run(there, np.array([[12, 0, 1138], [7, 42, 36]]))
    np.testing.assert_array_equal(run({**there, "invert": True}, places)[0], [[12, 0, 1138], [-1, 42, 36]])
    padded, _ = run({**LOOKUP, "output_mode": "count", "max_tokens": 7, "pad_to_max_tokens": True}, x)
    np.testing.assert_array_equal(padded, [[0, 1, 0, 1, 2, 0, 0], [2, 0, 1, 0, 1, 0, 0]])


@pytest.mark.parametrize("count", [2, 7, 1_000_003])
def test_unknown_numbers_share_their_places_by_what_is_left_when_they_are_divided(count: int) -> None:
    """On both targets, for every whole number that 32 bits hold."""
    x = np.concatenate([random.integers(-(2**31), 2**31, (6, 40)), [[-(2**31), 2**31 - 1, 0, -1] * 10]]).astype(
        np.int32
    )
    graph = Graph()
    layer = read_layer({"type": "integer_lookup", "vocabulary": [2**31 - 2], "num_oov_indices": count})
    places = layer.trace(LayerScope(graph), graph.input("x", (BATCH, 40), "int"))
    graph.outputs["places"] = ir.cast(places, "float")
    expected = x.astype(np.int64) % count
    np.testing.assert_array_equal(reference(graph, {"x": x}, 7)["places"], expected)
    np.testing.assert_array_equal(NativeGraph(graph, 7).run({"x": x}, 7)["places"], expected)


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
        ({**LOOKUP, "mask_token": 42}, "`mask_token` stands in"),
        ({**LOOKUP, "oov_token": 42, "invert": True}, "`oov_token` stands in"),
        ({**LOOKUP, "output_mode": "tf_idf"}, "`idf_weights` are given for"),
        ({**LOOKUP, "idf_weights": [1.0] * 4}, "`idf_weights` are given for"),
        ({**LOOKUP, "output_mode": "tf_idf", "idf_weights": [1.0]}, "a number for each"),
        ({**LOOKUP, "invert": True, "output_mode": "count"}, "gives whole numbers"),
        ({**LOOKUP, "pad_to_max_tokens": True}, "needs `max_tokens`"),
        ({**LOOKUP, "max_tokens": 4}, "5 places, more than"),
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
