"""Regularizers: penalties as in Keras, and their gradients."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from tests.numeric import check_gradients, compute, compute_gradients, whole
from trainer_cli.parts.families import REGULARIZERS, read_part
from trainer_cli.parts.regularizer import Regularizer


def regularizer(**arguments: Any) -> Regularizer:
    part = read_part(REGULARIZERS, arguments)
    assert isinstance(part, Regularizer)
    return part


def test_keras_computes_the_same(keras: dict[str, Any]) -> None:
    assert {case["part"]["type"] for case in keras["regularizers"]} == set(REGULARIZERS.names())
    for case in keras["regularizers"]:
        found = compute(regularizer(**case["part"]).penalty, whole(case["weight"]))
        assert found.shape == ()
        np.testing.assert_allclose(found, case["value"], rtol=1e-9, err_msg=str(case["part"]))


@pytest.mark.parametrize("name", REGULARIZERS.names())
def test_gradient_is_what_finite_differences_say(name: str) -> None:
    arguments: dict[str, Any] = {"l1": 0.3, "l2": 0.2} if name == "l1_l2" else {name: 0.3}
    if name == "orthogonal_regularizer":
        arguments = {"factor": 0.3, "mode": "columns"}
    check_gradients(regularizer(type=name, **arguments).penalty, whole([[0.5, -1.5, 2.0], [-0.25, 3.0, 0.75]]))


def test_l1_does_not_push_a_weight_that_is_zero() -> None:
    (gradient,) = compute_gradients(regularizer(type="l1", l1=0.3).penalty, whole([0.0, 2.0, -2.0]))
    np.testing.assert_allclose(gradient, [0.0, 0.3, -0.3])


def test_l1_l2_is_the_sum_of_both() -> None:
    weight = whole([0.5, -1.5, 2.0])
    both = compute(regularizer(type="l1_l2", l1=0.1, l2=0.2).penalty, weight)
    parts = [
        compute(regularizer(type=name, **{name: rate}).penalty, weight) for name, rate in (("l1", 0.1), ("l2", 0.2))
    ]
    assert both == pytest.approx(sum(parts))


def test_orthogonal_vectors_cost_nothing_and_equal_ones_the_factor() -> None:
    part = regularizer(type="orthogonal_regularizer", factor=0.3)
    assert compute(part.penalty, whole(np.diag([1.0, -2.0, 0.5]))) == pytest.approx(0.0)
    assert compute(part.penalty, whole(np.outer([1.0, 2.0, -0.5], [1.0, 3.0]))) == pytest.approx(0.3)
    kernel = np.arange(24.0).reshape(2, 3, 4) - 7.0
    flat = compute(part.penalty, whole(kernel.reshape(6, 4)))
    assert compute(part.penalty, whole(kernel)) == pytest.approx(flat)
    assert compute(part.penalty, whole([1.0, 2.0])) == 0.0
