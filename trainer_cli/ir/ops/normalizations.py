"""Normalizations: numbers in, the same numbers brought to a common scale along some axes out.

Attribute `axes`: ascending axis numbers, without the batch's. They are primitives for their gradients, which need the
result where a gradient of their parts, step by step, would keep every step. The compiler takes the parts from here
when gradients are made.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from trainer_cli.ir import language as ir
from trainer_cli.ir.graph import Value
from trainer_cli.ir.primitive import Array, Context, DType, Shape, define, require
from trainer_cli.lazy import np

FAMILY = "reduction"


def _shape(operands: Sequence[Value], attributes: Mapping[str, Any]) -> tuple[Shape, DType]:
    (x,), axes = operands, attributes["axes"]
    require(x.dtype == "float", f"does not take {x.dtype}")
    require(list(axes) == sorted(set(axes)), "axes must ascend")
    require(bool(axes) and int(x.batched) <= axes[0] and axes[-1] < x.rank, f"axes {axes} do not fit {x!r}")
    return x.shape, x.dtype


def _softmax_meaning(node: Value, context: Context, x: Array) -> Array:
    axes = node.attributes["axes"]
    exponential = np.exp(x - np.max(x, axis=axes, keepdims=True))
    return np.asarray(exponential / np.sum(exponential, axis=axes, keepdims=True))


def _softmax_gradient(node: Value, g: Value) -> tuple[Value]:
    return (node * (g - ir.reduce_sum(g * node, node.attributes["axes"], keepdims=True)),)


def _softmax_parts(x: Value, axes: Sequence[int]) -> Value:
    # A NaN among the numbers stays one, and with it the sum of their exponentials.
    exponential = ir.exp(x - ir.reduce_max(x, axes, keepdims=True, ignore_nan=True))
    # One division for all: as exact as one for each, since the sum is at least 1.
    return exponential * (1.0 / ir.reduce_sum(exponential, axes, keepdims=True))


def _standardize_meaning(node: Value, context: Context, x: Array) -> Array:
    axes = node.attributes["axes"]
    centred = x - np.mean(x, axis=axes, keepdims=True)
    variance = np.mean(np.square(centred), axis=axes, keepdims=True)
    return np.asarray(centred / np.sqrt(variance + x.dtype.type(node.attributes["epsilon"])))


def _standardize_gradient(node: Value, g: Value) -> tuple[Value]:
    # Of the sums, one is over what 1/√(variance + epsilon) passes on, one over what the mean does.
    axes = node.attributes["axes"]
    _, scale = _centred_and_scale(node.operands[0], axes, node.attributes["epsilon"])
    along = ir.reduce_mean(g * node, axes, keepdims=True)
    return ((g - node * along - ir.reduce_mean(g, axes, keepdims=True)) * scale,)


def _centred_and_scale(x: Value, axes: Sequence[int], epsilon: float) -> tuple[Value, Value]:
    # The mean goes first: squares of numbers far from 0 would lose the digits that the variance is made of.
    centred = x - ir.reduce_mean(x, axes, keepdims=True)
    variance = ir.reduce_mean(ir.square(centred), axes, keepdims=True)
    return centred, 1.0 / ir.sqrt(variance + epsilon)


def _standardize_parts(x: Value, axes: Sequence[int], epsilon: float) -> Value:
    centred, scale = _centred_and_scale(x, axes, epsilon)
    return centred * scale


define("softmax", FAMILY, _shape, _softmax_meaning, _softmax_gradient)
define("standardize", FAMILY, _shape, _standardize_meaning, _standardize_gradient)

PARTS: Mapping[str, Callable[..., Value]] = {"softmax": _softmax_parts, "standardize": _standardize_parts}
"""What writes a normalization as elementwise work and reductions, given its operand and its attributes."""
