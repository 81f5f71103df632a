"""Attention without projections and with shared keys: what is seen, dropped and refused; both targets with dropout."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from pydantic import ValidationError

from tests.alike import assert_trains_alike
from tests.golden_layers import read_layer
from tests.layer_runs import refusal, run
from trainer_cli.parts.families import LAYERS

random = np.random.default_rng(12)
GROUPED: dict[str, Any] = {
    "type": "grouped_query_attention",
    "head_dim": 2,
    "num_query_heads": 4,
    "num_key_value_heads": 2,
}
PLAIN: list[dict[str, Any]] = [{"type": "attention"}, {"type": "additive_attention"}, GROUPED]


def named(part: dict[str, Any]) -> str:
    return str(part["type"])


@pytest.mark.parametrize("part", PLAIN, ids=named)
def test_shares_are_dropped_in_training_alone(part: dict[str, Any]) -> None:
    x, y = random.normal(size=(2, 5, 4)), random.normal(size=(2, 6, 4))
    plain = run(part, x, y)[0]
    dropping = {**part, "dropout": 0.5}
    np.testing.assert_array_equal(run(dropping, x, y)[0], plain)
    np.testing.assert_array_equal(run(part, x, y, training=True)[0], plain)
    drops = np.stack([run(dropping, x, y, training=True, step=step)[0] for step in range(300)])
    np.testing.assert_allclose(drops.mean(0), plain, atol=6 * drops.std() / np.sqrt(300))
    assert drops.std() > 0.01


@pytest.mark.parametrize("part", PLAIN, ids=named)
def test_a_causal_layer_does_not_see_what_comes_later(part: dict[str, Any]) -> None:
    x = random.normal(size=(1, 6, 4))
    changed = x.copy()
    changed[:, 4:] += 1.0
    first, second = (run({**part, "causal": True}, x, each)[0] for each in (x, changed))
    np.testing.assert_array_equal(first[:, :4], second[:, :4])
    assert not np.allclose(first[:, 4], second[:, 4])
    assert not np.allclose(*(run(part, x, each)[0][:, 0] for each in (x, changed)))


def test_a_causal_grouped_layer_with_a_window_sees_the_last_places_alone() -> None:
    x = random.normal(size=(1, 6, 4))
    part = {**GROUPED, "causal": True, "sliding_window": 2}
    for place in range(6):
        changed = x.copy()
        changed[:, place] += 1.0
        differs = ~np.isclose(run(part, x)[0], run(part, changed)[0]).all((0, 2))
        assert list(np.flatnonzero(differs)) == [at for at in (place, place + 1) if at < 6]


def test_as_many_keys_as_heads_are_multi_head_attention() -> None:
    x = random.normal(size=(2, 5, 4))
    ours, scope = run({**GROUPED, "num_key_value_heads": 4}, x)
    theirs, other = run({"type": "multi_head_attention", "num_heads": 4, "key_dim": 2}, x)
    assert {name: each.shape for name, each in scope.values.items()} == {
        name: each.shape for name, each in other.values.items()
    }
    np.testing.assert_allclose(ours, theirs, rtol=1e-12)


def test_a_scale_for_all_features_that_is_one_changes_nothing() -> None:
    x, y = random.normal(size=(2, 5, 4)), random.normal(size=(2, 6, 4))
    np.testing.assert_allclose(
        run({"type": "attention", "use_scale": True}, x, y)[0], run({"type": "attention"}, x, y)[0]
    )


@pytest.mark.parametrize(
    ("part", "shapes", "words"),
    [
        (PLAIN[0], [(4, 3), (5, 2)], "have vectors of different lengths"),
        (PLAIN[1], [(4, 3), (5, 2), (5, 4)], "have vectors of different lengths"),
        (PLAIN[0], [(4, 3), (5, 3), (6, 3)], "have different numbers of places"),
        (PLAIN[1], [(4, 3), (5,)], "its value has (5,)"),
        (GROUPED, [(5,)], "its input has (5,)"),
        (GROUPED, [(4, 3), (5, 3), (6, 3)], "have different numbers of places"),
    ],
    ids=str,
)
def test_shapes_that_do_not_fit_are_refused(part: dict[str, Any], shapes: list[tuple[int, ...]], words: str) -> None:
    assert words in refusal(part, *shapes).message


def test_arguments_that_make_no_sense_are_refused() -> None:
    for wrong in (
        {**GROUPED, "num_key_value_heads": 3},
        {**GROUPED, "sliding_window": 0},
        {**PLAIN[0], "dropout": 1.0},
    ):
        with pytest.raises(ValidationError):
            read_layer(wrong)


@pytest.mark.parametrize("name", ["GroupQueryAttention", "GroupedQueryAttention", "groupQueryAttention"])
def test_names_of_grouped_query_attention(name: str) -> None:
    assert LAYERS.canonical(name) == "grouped_query_attention"


@pytest.mark.parametrize("part", PLAIN, ids=named)
def test_both_targets_drop_and_learn_alike(part: dict[str, Any]) -> None:
    layers = [
        {"type": "dense", "units": 5, "name": "query"},
        {"type": "dense", "units": 5, "name": "value", "inputs": ["input"]},
        {**part, "inputs": ["query", "value"], "dropout": 0.3, "causal": True},
        "flatten",
        {"type": "dense", "units": 3, "activation": "softmax"},
    ]
    assert_trains_alike(layers, "sparse_categorical_crossentropy", inputs=(6, 4), undetermined=("key/bias",))
