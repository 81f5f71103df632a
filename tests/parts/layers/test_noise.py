"""Layers with noise: the distribution of what they do in training, nothing in inference, both targets."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from tests.alike import assert_trains_alike
from tests.layer_runs import refusal, run
from tests.numeric import batch, check_gradients
from tests.scopes import LayerScope
from trainer_cli.ir.graph import Value
from trainer_cli.parts.families import LAYERS, read_part

random = np.random.default_rng(3)
LOWEST = -1.7580993408473766
"""The limit of selu below."""


def test_gaussian_noise_has_mean_zero_and_its_deviation() -> None:
    x = random.normal(size=(200, 500))
    noise = run({"type": "gaussian_noise", "stddev": 0.3}, x, training=True)[0] - x
    assert noise.mean() == pytest.approx(0.0, abs=0.005)
    assert noise.std() == pytest.approx(0.3, rel=0.01)
    # The shape is a normal distribution's: shares within one and two deviations, and no skew.
    assert (np.abs(noise) < 0.3).mean() == pytest.approx(0.6827, abs=0.01)
    assert (np.abs(noise) < 0.6).mean() == pytest.approx(0.9545, abs=0.005)
    assert (noise**3).mean() / 0.3**3 == pytest.approx(0.0, abs=0.05)
    assert np.abs(np.corrcoef(noise[:, 0::2].ravel(), noise[:, 1::2].ravel())[0, 1]) < 0.02


def test_gaussian_dropout_multiplies_by_numbers_around_one() -> None:
    x = np.full((200, 500), 2.0)
    factor = run({"type": "gaussian_dropout", "rate": 0.2}, x, training=True)[0] / 2.0
    assert factor.mean() == pytest.approx(1.0, abs=0.01)
    assert factor.std() == pytest.approx(np.sqrt(0.2 / 0.8), rel=0.01)


def test_alpha_dropout_keeps_mean_and_variance_of_normal_numbers() -> None:
    x = random.normal(size=(300, 400))
    found = run({"type": "alpha_dropout", "rate": 0.25}, x, training=True)[0]
    assert found.mean() == pytest.approx(0.0, abs=0.01)
    assert found.std() == pytest.approx(1.0, abs=0.01)
    factor = ((1 - 0.25) * (1 + 0.25 * LOWEST**2)) ** -0.5
    replaced = np.isclose(found, factor * LOWEST * (1 - 0.25))
    assert replaced.mean() == pytest.approx(0.25, abs=0.01)
    np.testing.assert_allclose(found[~replaced], (x * factor - factor * LOWEST * 0.25)[~replaced])


@pytest.mark.parametrize("dimensions", [1, 2, 3])
def test_spatial_dropout_drops_whole_channels(dimensions: int) -> None:
    part = {"type": f"spatial_dropout{dimensions}d", "rate": 0.25}
    x = random.uniform(1.0, 2.0, (50, *(3, 2, 4)[:dimensions], 40))
    found = run(part, x, training=True)[0]
    dropped = (found == 0).reshape(50, -1, 40)
    np.testing.assert_array_equal(dropped.any(1), dropped.all(1))
    assert dropped.mean() == pytest.approx(0.25, abs=0.03)
    np.testing.assert_allclose(found[found != 0], (x / 0.75)[found != 0])
    np.testing.assert_array_equal(run({**part, "rate": 1.0}, x, training=True)[0], 0.0)
    np.testing.assert_array_equal(run({**part, "rate": 0.0}, x, training=True)[0], x)


NOISY: list[dict[str, Any]] = [
    {"type": "spatial_dropout1d", "rate": 0.5},
    {"type": "gaussian_noise", "stddev": 0.5},
    {"type": "gaussian_dropout", "rate": 0.5},
    {"type": "alpha_dropout", "rate": 0.5},
]


@pytest.mark.parametrize("part", NOISY, ids=lambda part: part["type"])
def test_noise_is_new_at_every_step_and_absent_in_inference(part: dict[str, Any]) -> None:
    x = random.normal(size=(4, 5, 30))
    drawn = [run(part, x, training=True, step=step, seed=seed)[0] for step, seed in ((0, 0), (1, 0), (0, 1), (0, 0))]
    np.testing.assert_array_equal(drawn[0], drawn[3])
    assert not np.array_equal(drawn[0], drawn[1])
    assert not np.array_equal(drawn[0], drawn[2])
    np.testing.assert_array_equal(run(part, x)[0], x)


@pytest.mark.parametrize("part", NOISY, ids=lambda part: part["type"])
def test_gradients(part: dict[str, Any]) -> None:
    def build(x: Value) -> Value:
        result = read_part(LAYERS, part).trace(LayerScope(x.graph, training=True), x)  # type: ignore[attr-defined]
        assert isinstance(result, Value)
        return result

    check_gradients(_with_step(build), batch(random.normal(size=(2, 3, 2))))


def _with_step(build: Any) -> Any:
    """The same with the seed and the step of leaves that tests of numbers do not bind replaced by constants."""

    def fixed(x: Value) -> Value:
        graph = x.graph
        graph.seed = lambda: _integer(graph, 1)  # type: ignore[method-assign]
        graph.step = lambda: _integer(graph, 2)  # type: ignore[method-assign]
        result: Value = build(x)
        return result

    return fixed


def _integer(graph: Any, number: int) -> Value:
    value: Value = graph.emit("constant", value=number, dtype="int")
    return value


NETWORKS: list[tuple[list[Any], tuple[int, ...]]] = [
    (
        [
            {"type": "gaussian_noise", "stddev": 0.1},
            {"type": "dense", "units": 12, "activation": "selu"},
            {"type": "alpha_dropout", "rate": 0.2},
            {"type": "dense", "units": 9},
            {"type": "gaussian_dropout", "rate": 0.3},
        ],
        (5,),
    ),
    (
        [{"type": "spatial_dropout1d", "rate": 0.4}, {"type": "conv1d", "filters": 3, "kernel_size": 2}, "flatten"],
        (4, 3),
    ),
    (
        [
            {"type": "conv2d", "filters": 5, "kernel_size": 2},
            {"type": "spatial_dropout2d", "rate": 0.4},
            "global_average_pooling2d",
        ],
        (5, 4, 2),
    ),
    ([{"type": "spatial_dropout3d", "rate": 0.4}, "flatten"], (2, 3, 2, 3)),
]


@pytest.mark.parametrize(("layers", "shape"), NETWORKS, ids=["rows", "sequences", "images", "volumes"])
def test_both_targets_draw_and_learn_the_same(layers: list[Any], shape: tuple[int, ...]) -> None:
    assert_trains_alike([*layers, {"type": "dense", "units": 2}], inputs=shape, rows=13, steps=4)


def test_channels_need_places_to_be_dropped_at() -> None:
    assert "(steps, channels)" in refusal({"type": "spatial_dropout1d", "rate": 0.5}, (5,)).message


@pytest.mark.parametrize("name", ["dropout", "alpha_dropout"])
def test_a_noise_shape_drops_elements_together(name: str) -> None:
    x = random.uniform(1.0, 2.0, (30, 4, 5))
    part = {"type": name, "rate": 0.5, "noise_shape": [None, 1, None]}
    found = run(part, x, training=True)[0]
    changed = np.isclose(found, found.min()) if name == "alpha_dropout" else found == 0
    np.testing.assert_array_equal(changed, np.broadcast_to(changed[:, :1], changed.shape))
    assert changed.mean() == pytest.approx(0.5, abs=0.15)
    np.testing.assert_array_equal(
        run({**part, "noise_shape": [None, 4, None]}, x, training=True)[0],
        run({"type": name, "rate": 0.5}, x, training=True)[0],
    )
    for wrong in ([None, 1], [None, 2, 5], [1, None, None]):
        problem = refusal({**part, "noise_shape": wrong}, (4, 5))
        assert problem.path == ("noise_shape",)
