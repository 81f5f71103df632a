"""Initializers: fans and spread as in Keras, exact values where there is no chance, reproducible draws."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from trainer_cli.ir.random import RandomStream
from trainer_cli.parts.families import INITIALIZERS, read_part
from trainer_cli.parts.initializer import Initializer, fans

NAMES = INITIALIZERS.names()


SHAPES: list[tuple[int, ...]] = [(), (1,), (5,), (4, 3), (3, 3, 2, 4)]


def initializer(**arguments: Any) -> Initializer:
    part = read_part(INITIALIZERS, arguments)
    assert isinstance(part, Initializer)
    return part


def draw(shape: tuple[int, ...], seed: int = 0, **arguments: Any) -> Any:
    return initializer(**arguments).values(shape, RandomStream(seed, "test"))


def test_keras_computes_the_same_fans(keras: dict[str, Any]) -> None:
    for case in keras["initializers"]["fans"]:
        assert list(fans(tuple(case["shape"]))) == case["fans"]
    assert fans(()) == (1.0, 1.0)


def test_keras_gives_the_same_values_where_there_is_no_chance(keras: dict[str, Any]) -> None:
    for case in keras["initializers"]["exact"]:
        np.testing.assert_array_equal(draw((2, 3), **case["part"]), case["value"])


def test_keras_spreads_as_far(keras: dict[str, Any]) -> None:
    for case in keras["initializers"]["spread"]:
        values = draw((300, 500), **case["part"])
        # 150,000 numbers: the standard deviation of a sample's is 0.2 % of it.
        assert values.std() == pytest.approx(case["std"], rel=0.01), case["part"]
        assert abs(values.mean()) < 5 * case["std"] / np.sqrt(values.size)
        bounded = "normal" not in case["part"]["type"] and case["part"].get("distribution") != "untruncated_normal"
        assert np.abs(values).max() == pytest.approx(case["largest"], rel=0.001 if bounded else 0.2), case["part"]


@pytest.mark.parametrize("name", NAMES)
def test_values_are_a_function_of_the_stream(name: str) -> None:
    first, again, other = (draw((6, 4), seed, type=name) for seed in (1, 1, 2))
    assert first.shape == (6, 4)
    assert first.dtype == np.float64
    np.testing.assert_array_equal(first, again)
    constant = name in ("zeros", "ones", "constant", "identity")
    assert np.array_equal(first, other) == constant


@pytest.mark.parametrize(
    ("name", "shape"), [(name, shape) for name in NAMES for shape in SHAPES if not initializer(type=name).misfit(shape)]
)
def test_any_shape_that_fits_can_be_filled(name: str, shape: tuple[int, ...]) -> None:
    values = draw(shape, type=name)
    assert values.shape == shape
    assert np.isfinite(values).all()


@pytest.mark.parametrize("name", ["glorot_normal", "he_normal", "lecun_normal", "truncated_normal"])
def test_normal_numbers_are_cut_at_two_deviations(name: str) -> None:
    values = draw((400, 400), type=name)
    scale = values.std() / 0.87962566103423978
    assert 1.95 < np.abs(values).max() / scale < 2.03


@pytest.mark.parametrize("shape", [(6, 6), (8, 3), (3, 8), (3, 3, 4, 5), (2, 2, 2, 30)])
def test_orthogonal_rows_or_columns_are_orthonormal(shape: tuple[int, ...]) -> None:
    matrix = draw(shape, type="orthogonal", gain=1.5).reshape(-1, shape[-1]) / 1.5
    rows, columns = matrix.shape
    product = matrix @ matrix.T if rows < columns else matrix.T @ matrix
    np.testing.assert_allclose(product, np.eye(min(rows, columns)), atol=1e-12)


def test_orthogonal_matrices_turn_either_way() -> None:
    # Without the signs of R's diagonal the first element would always be negative.
    signs = [np.sign(draw((2, 2), seed, type="orthogonal")[0, 0]) for seed in range(40)]
    assert 10 <= signs.count(1.0) <= 30


def test_shapes_that_cannot_be_filled_are_misfits() -> None:
    refused = {(name, shape) for name in NAMES for shape in SHAPES if initializer(type=name).misfit(shape) is not None}
    assert refused == {("identity", shape) for shape in SHAPES if len(shape) != 2} | {
        ("orthogonal", shape) for shape in SHAPES if len(shape) < 2
    }
    assert initializer(type="orthogonal").misfit((3,)) == "`orthogonal` needs two axes or more, not the shape (3,)"


def test_equal_bounds_and_zero_deviation_are_constants() -> None:
    np.testing.assert_array_equal(draw((3,), type="random_uniform", minval=0.5, maxval=0.5), np.full(3, 0.5))
    np.testing.assert_array_equal(draw((3,), type="random_normal", mean=0.5, stddev=0.0), np.full(3, 0.5))


def test_normal_distribution_means_the_truncated_one() -> None:
    given, meant = (draw((3, 4), type="variance_scaling", distribution=d) for d in ("normal", "truncated_normal"))
    np.testing.assert_array_equal(given, meant)
