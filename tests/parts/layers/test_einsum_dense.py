"""Einsum dense: what it has in common with other layers, first values of kernels, equations that cannot be."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from pydantic import ValidationError

from tests.alike import assert_trains_alike
from tests.golden_layers import read_layer
from tests.layer_runs import refusal, run

random = np.random.default_rng(4)


def layer(equation: str, shape: Any, **arguments: Any) -> dict[str, Any]:
    return {"type": "einsum_dense", "equation": equation, "output_shape": shape, **arguments}


def test_a_dense_layer_written_as_an_equation() -> None:
    x = random.normal(size=(2, 5, 3))
    ours, scope = run(layer("abc,cd->abd", [5, 4], activation="tanh"), x)
    np.testing.assert_allclose(ours, np.tanh(x @ scope.values["kernel"]))
    assert [each.type for each in scope.activated] == ["tanh"]
    elided, _ = run(layer("...c,cd->...d", 4, activation="tanh"), x)
    np.testing.assert_allclose(elided, ours)


def test_the_fans_of_a_kernel_follow_from_what_is_summed() -> None:
    """Axes that are summed over are inputs, all others outputs: as for the matrix that the kernel is."""
    _, scope = run(layer("abc,dec->abde", [1, 20, 30]), np.ones((1, 1, 400)))
    kernel = scope.values["kernel"]
    assert kernel.shape == (20, 30, 400)
    limit = np.sqrt(6 / (400 + 600))
    assert limit * 0.999 < np.abs(kernel).max() <= limit
    _, scope = run(layer("abc,dc->abd", [1, 3], kernel_initializer="orthogonal"), np.ones((1, 1, 3)))
    np.testing.assert_allclose(scope.values["kernel"] @ scope.values["kernel"].T, np.eye(3), atol=1e-12)


@pytest.mark.parametrize(
    ("part", "shape", "words", "field"),
    [
        (layer("ab,bc->ac", 4), (3, 2), "does not fit rows of shape (3, 2)", "equation"),
        (layer("abc,cd->abd", [4, 2]), (3,), "does not fit rows of shape (3,)", "equation"),
        (layer("...bc,cd->...bd", [4, 2]), (3,), "does not fit rows of shape (3,)", "equation"),
        (layer("abc,cd->abd", [4, 2]), (3, 5), "axis `b` is 3 in the input, not 4", "output_shape"),
        (layer("ab,bc->ac", 4, activation={"type": "softmax", "axis": 2}), (3,), "axis 2", "activation"),
    ],
    ids=str,
)
def test_inputs_that_do_not_fit_are_refused(part: Any, shape: Any, words: str, field: str) -> None:
    if field == "activation":
        from tests.programs import program
        from trainer_cli.errors import ConfigError

        with pytest.raises(ConfigError, match="axis 2") as caught:
            program([part], inputs=shape)
        assert caught.value.problems[0].path[-1] == "activation"
        return
    problem = refusal(part, shape)
    assert words in problem.message
    assert problem.path == (field,)


@pytest.mark.parametrize(
    ("part", "words"),
    [
        (layer("ab,bc", 4), "has the form"),
        (layer("...ab,bc->ac", 4), "stands once before or once behind"),
        (layer("aab,bc->ac", 4), "a letter stands twice in `aab`"),
        (layer("ab,bc->ad", 4), "the result has an axis `d`"),
        (layer("ab,bd->ac", 4), "the result has an axis `c`|the kernel has an axis `d`"),
        (layer("ab,bc->ca", 4), "the first axis is the batch"),
        (layer("ab,abc->ac", 4), "the first axis is the batch"),
        (layer("ab,bc->ac", [4, 5]), "`output_shape` holds 1 positive numbers, for `c`"),
        (layer("ab,bc->ac", 0), "`output_shape` holds 1 positive numbers"),
        (layer("ab,bc->ac", 4, bias_axes="b"), "`bias_axes` names `b`"),
        (layer("ab,bc->ac", 4, bias_axes="a"), "`bias_axes` names `a`"),
    ],
    ids=str,
)
def test_equations_that_cannot_be_are_refused(part: dict[str, Any], words: str) -> None:
    with pytest.raises(ValidationError, match=words):
        read_layer(part)


def test_both_targets_learn_alike() -> None:
    layers = [
        layer("abc,cde->abde", [5, 2, 3], bias_axes="de", activation="tanh", kernel_regularizer="l2"),
        layer("ab...,bf->af...", 4, bias_axes="f"),
        "flatten",
        layer("...x,xy->...y", 2, bias_axes="y", bias_constraint="non_neg"),
    ]
    assert_trains_alike(layers, inputs=(5, 4), rows=13, steps=4)
