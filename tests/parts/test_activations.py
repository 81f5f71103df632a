"""Activations: values and gradients as in Keras, finite differences, stability far from 0, and identities."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from tests.numeric import batch, check_gradients, compute, compute_gradients, whole
from trainer_cli.ir.graph import BATCH
from trainer_cli.parts.activation import Activation
from trainer_cli.parts.families import ACTIVATIONS, read_part

NAMES = ACTIVATIONS.names()


def activation(**arguments: Any) -> Activation:
    part = read_part(ACTIVATIONS, arguments)
    assert isinstance(part, Activation)
    return part


def test_keras_computes_the_same_values_and_gradients(keras: dict[str, Any]) -> None:
    assert {case["part"]["type"] for case in keras["activations"]} == set(NAMES)
    for case in keras["activations"]:
        part, x = activation(**case["part"]), batch(case["x"])
        close = {"rtol": 1e-9, "atol": 1e-12} if case["precision"] == "float64" else {"rtol": 1e-6, "atol": 1e-6}
        value = compute(part.apply, x)
        np.testing.assert_allclose(value, case["value"], **close, err_msg=str(case["part"]))
        (gradient,) = compute_gradients(part.apply, x, cotangent=np.asarray(case["cotangent"]))
        np.testing.assert_allclose(gradient, case["gradient"], **close, err_msg=str(case["part"]))


VARIANTS = [
    *({"type": name} for name in NAMES),
    {"type": "relu", "max_value": 1.0, "negative_slope": 0.2, "threshold": 0.25},
    {"type": "gelu", "approximate": True},
    {"type": "softmax", "axis": 1},
    {"type": "log_softmax", "axis": -2},
    {"type": "sparsemax", "axis": 1},
    {"type": "threshold", "threshold": 0.5, "default_value": -1.0},
    {"type": "glu", "axis": 2},
]


@pytest.mark.parametrize("arguments", VARIANTS, ids=str)
def test_gradient_is_what_finite_differences_say(arguments: dict[str, Any]) -> None:
    x = np.random.default_rng(3).permutation(np.linspace(-3, 3, 24) + 0.017).reshape(2, 3, 4)
    check_gradients(activation(**arguments).apply, batch(x))


@pytest.mark.parametrize("name", [name for name in NAMES if name != "exponential"])
@pytest.mark.parametrize("precision", [np.float32, np.float64])
def test_values_and_gradients_stay_finite_far_from_zero(name: str, precision: Any) -> None:
    # The square of the largest of these is beyond the range of the type.
    largest = {np.float32: 1e30, np.float64: 1e200}[precision]
    x = np.array([[-largest, -1e4, -100.0, -20.0, -1.0, 0.0], [0.0, 1.0, 20.0, 100.0, 1e4, largest]])
    apply = activation(type=name).apply
    assert np.isfinite(compute(apply, batch(x), precision=precision)).all()
    (gradient,) = compute_gradients(apply, batch(x), precision=precision)
    assert np.isfinite(gradient).all()


@pytest.mark.parametrize("name", NAMES)
def test_values_lie_in_the_declared_interval(name: str) -> None:
    part = activation(type=name)
    low, high = part.interval
    x = np.random.default_rng(0).permutation(np.linspace(-60, 60, 6000))
    values = compute(part.apply, batch(x.reshape(-1, 4)))
    assert values.min() >= low
    assert values.max() <= high
    # The interval is no wider than need be, where it has an end.
    assert low == -np.inf or values.min() < low + 2e-2
    assert high == np.inf or values.max() > high - 2e-2


def test_arguments_move_the_interval() -> None:
    assert activation(type="relu", max_value=6.0).interval == (0.0, 6.0)
    assert activation(type="relu", negative_slope=0.1).interval[0] == -np.inf
    assert activation(type="elu", alpha=2.0).interval[0] == -2.0


# The gradient at 0 as Keras on JAX has it; relu6 as in TensorFlow and PyTorch.
AT_ZERO = {
    "elu": 1.0,
    "selu": 1.0507009873554805 * 1.6732632423543772,
    "relu": 0.0,
    "relu6": 0.0,
    "leaky_relu": 1.0,
    "softplus": 0.5,
    "softsign": 1.0,
    "hard_sigmoid": 1 / 6,
    "mish": np.tanh(np.log(2)),
    "swish": 0.5,
    "gelu": 0.5,
}


@pytest.mark.parametrize(("name", "slope"), AT_ZERO.items())
def test_gradient_at_zero(name: str, slope: float) -> None:
    (gradient,) = compute_gradients(activation(type=name).apply, batch([[0.0]]))
    np.testing.assert_allclose(gradient, [[slope]], rtol=1e-12)


def test_softmax_sums_to_one_along_its_axis_and_ignores_a_shift() -> None:
    x = np.random.default_rng(0).normal(size=(2, 3, 4)) * 5
    for axis in (1, 2, -1, -2):
        apply = activation(type="softmax", axis=axis).apply
        value = compute(apply, batch(x))
        np.testing.assert_allclose(value.sum(axis), 1.0)
        np.testing.assert_allclose(compute(apply, batch(x + 700.0)), value, rtol=1e-10)
        logarithm = compute(activation(type="log_softmax", axis=axis).apply, batch(x))
        np.testing.assert_allclose(np.exp(logarithm), value)


AXES = [(0, "the batch"), (-2, "the batch"), (2, "axes end at 1"), (-3, "axes end at 1"), (1, None), (-1, None)]


@pytest.mark.parametrize(("axis", "words"), AXES)
@pytest.mark.parametrize("name", ["softmax", "log_softmax", "sparsemax", "glu"])
def test_an_axis_that_cannot_be_is_a_misfit(name: str, axis: int, words: str | None) -> None:
    misfit = activation(type=name, axis=axis).misfit((BATCH, 4))
    assert misfit is None if words is None else misfit is not None and words in misfit


def test_other_activations_fit_every_shape() -> None:
    misfits = [name for name in NAMES if activation(type=name).misfit((BATCH,)) is not None]
    assert misfits == ["glu", "log_softmax", "softmax", "sparsemax"]


def test_glu_cuts_an_axis_into_halves_and_refuses_an_odd_one() -> None:
    x = np.random.default_rng(0).normal(size=(2, 6, 4))
    for axis, (first, second) in ((-1, (x[..., :2], x[..., 2:])), (1, (x[:, :3], x[:, 3:]))):
        value = compute(activation(type="glu", axis=axis).apply, batch(x))
        np.testing.assert_allclose(value, first / (1 + np.exp(-second)))
    assert activation(type="glu").misfit((BATCH, 6)) is None
    misfit = activation(type="glu").misfit((BATCH, 5))
    assert misfit is not None
    assert "axis -1 has 5 places" in misfit


def test_sparsemax_is_the_nearest_point_of_the_simplex() -> None:
    x = np.random.default_rng(0).normal(size=(5, 7))
    value = compute(activation(type="sparsemax").apply, batch(x))
    np.testing.assert_allclose(value.sum(1), 1.0)
    assert (value == 0).any()
    # Where it is not 0, it is x less one number for all; elsewhere x lies below that number.
    for row, found in zip(x, value, strict=True):
        tau = (row - found)[found > 0]
        np.testing.assert_allclose(tau, tau[0])
        assert (row[found == 0] <= tau[0]).all()
    np.testing.assert_allclose(compute(activation(type="sparsemax").apply, batch(np.ones((1, 4)))), 0.25)


def test_softplus_keeps_small_values() -> None:
    (value,) = compute(activation(type="softplus").apply, whole([-40.0]))
    assert value == pytest.approx(np.exp(-40.0), rel=1e-14)


def test_relations_between_activations() -> None:
    x = batch(np.linspace(-8, 8, 33)[:, None])
    sigmoid = compute(activation(type="sigmoid").apply, x)
    np.testing.assert_allclose(sigmoid, (1 + np.tanh(x.array / 2)) / 2)
    np.testing.assert_allclose(compute(activation(type="swish").apply, x), x.array * sigmoid)
    gelu, approximate = (compute(activation(type="gelu", approximate=flag).apply, x) for flag in (False, True))
    np.testing.assert_allclose(gelu, approximate, atol=5e-4)
    assert np.abs(gelu - approximate).max() > 1e-5
    np.testing.assert_array_equal(compute(activation(type="gelu_new").apply, x), approximate)
    relu6 = compute(activation(type="relu6").apply, x)
    np.testing.assert_array_equal(compute(activation(type="relu", max_value=6.0).apply, x), relu6)
