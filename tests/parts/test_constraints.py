"""Constraints: projections as in Keras, and that what is allowed stays as it is."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from tests.numeric import compute, whole
from trainer_cli.parts.constraint import Constraint
from trainer_cli.parts.families import CONSTRAINTS, read_part

WEIGHT = np.array([[3.0, 0.1, -0.5], [4.0, 0.0, 0.5]])


def constraint(**arguments: Any) -> Constraint:
    part = read_part(CONSTRAINTS, arguments)
    assert isinstance(part, Constraint)
    return part


def project(weight: Any, **arguments: Any) -> Any:
    part = constraint(**arguments)
    assert part.misfit(np.shape(weight)) is None
    return compute(part.project, whole(weight))


def test_keras_computes_the_same(keras: dict[str, Any]) -> None:
    assert {case["part"]["type"] for case in keras["constraints"]} == set(CONSTRAINTS.names())
    for case in keras["constraints"]:
        found = project(case["weight"], **case["part"])
        np.testing.assert_allclose(found, case["value"], rtol=1e-9, atol=1e-15, err_msg=str(case["part"]))


@pytest.mark.parametrize("name", CONSTRAINTS.names())
def test_projecting_twice_changes_nothing_more(name: str) -> None:
    once = project(WEIGHT, type=name)
    np.testing.assert_allclose(project(once, type=name), once, atol=1e-6)


def test_norms_end_within_their_bounds() -> None:
    assert np.linalg.norm(project(WEIGHT, type="max_norm"), axis=0) == pytest.approx([2.0, 0.1, 0.5**0.5], abs=1e-6)
    assert np.linalg.norm(project(WEIGHT, type="unit_norm"), axis=0) == pytest.approx([1.0, 1.0, 1.0], abs=1e-5)
    norms = np.linalg.norm(project(WEIGHT, type="min_max_norm", min_value=0.3, max_value=0.6), axis=0)
    assert norms == pytest.approx([0.6, 0.3, 0.6], abs=1e-5)
    norms = np.linalg.norm(project(WEIGHT, type="max_norm", max_value=1.0, axis=1), axis=1)
    assert norms == pytest.approx([1.0, 1.0], abs=1e-6)


def test_a_rate_goes_part_of_the_way() -> None:
    norms = np.linalg.norm(project(WEIGHT, type="min_max_norm", rate=0.25), axis=0)
    assert norms == pytest.approx([0.25 * 1 + 0.75 * 5, 0.1, 0.5**0.5], abs=1e-5)


def test_a_zero_vector_stays_zero() -> None:
    for name in CONSTRAINTS.names():
        np.testing.assert_array_equal(project(np.zeros((2, 3)), type=name), np.zeros((2, 3)))


def test_several_axes_and_negative_axes() -> None:
    kernel = np.random.default_rng(0).normal(size=(2, 2, 3, 4))
    found = project(kernel, type="unit_norm", axis=[0, 1, 2])
    assert np.sqrt((found**2).sum((0, 1, 2))) == pytest.approx(np.ones(4), abs=1e-5)
    np.testing.assert_array_equal(project(kernel, type="unit_norm", axis=-1), project(kernel, type="unit_norm", axis=3))


@pytest.mark.parametrize("axis", [1, -2, [0, 1]])
@pytest.mark.parametrize("name", ["max_norm", "min_max_norm", "unit_norm"])
def test_an_axis_that_the_weight_does_not_have_is_a_misfit(name: str, axis: Any) -> None:
    misfit = constraint(type=name, axis=axis).misfit((3,))
    missing = axis[1] if isinstance(axis, list) else axis
    assert misfit == f"`{name}` takes norms along axis {missing}, which the shape (3,) lacks"
    assert constraint(type=name, axis=axis).misfit((3, 4)) is None
