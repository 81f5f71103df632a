"""Elementwise primitives: operands of one shape in, a value of that shape out."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from trainer_cli.ir import language as ir
from trainer_cli.ir.graph import Value
from trainer_cli.ir.primitive import Array, Context, DType, GradientRule, Shape, define, require
from trainer_cli.lazy import np

FAMILY = "elementwise"
NUMBERS = ("float", "int")


def _shape_rule(count: int, accepts: tuple[str, ...], result: DType | None) -> Any:
    def rule(operands: Sequence[Value], attributes: Mapping[str, Any]) -> tuple[Shape, DType]:
        require(len(operands) == count, f"takes {count} operands")
        shape, dtype = operands[0].shape, operands[0].dtype
        for operand in operands:
            require(operand.shape == shape, "operands must have one shape")
            require(operand.dtype == dtype, "operands must have one type")
        require(dtype in accepts, f"does not take {dtype}")
        return shape, result or dtype

    return rule


def _unary(
    name: str,
    compute: Callable[[Array], Array],
    gradient: GradientRule | None,
    accepts: tuple[str, ...] = ("float",),
) -> None:
    define(name, FAMILY, _shape_rule(1, accepts, None), lambda node, context, x: compute(x), gradient)


def _binary(
    name: str,
    compute: Callable[[Array, Array], Array],
    gradient: GradientRule | None = None,
    accepts: tuple[str, ...] = NUMBERS,
    result: DType | None = None,
) -> None:
    define(name, FAMILY, _shape_rule(2, accepts, result), lambda node, context, a, b: compute(a, b), gradient)


def _numpy(name: str) -> Callable[..., Array]:
    """NumPy's function of that name, looked up when it is called, so that the table is made without NumPy."""

    def compute(*arrays: Array) -> Array:
        result: Array = getattr(np, name)(*arrays)
        return result

    return compute


def _logistic(x: Array) -> Array:
    # Both branches stay finite: exp is only taken of numbers that are not positive.
    exponential = np.exp(-np.abs(x))
    return np.asarray(np.where(x >= 0, 1 / (1 + exponential), exponential / (1 + exponential)), dtype=x.dtype)


def _erf(x: Array) -> Array:
    return np.asarray(np.vectorize(math.erf, otypes=[np.float64])(x) if x.size else x, dtype=x.dtype)


_unary("negate", _numpy("negative"), lambda node, g: (-g,), NUMBERS)
_unary("exp", _numpy("exp"), lambda node, g: (g * node,))
_unary("log", _numpy("log"), lambda node, g: (g / node.operands[0],))
_unary("log1p", _numpy("log1p"), lambda node, g: (g / (node.operands[0] + 1.0),))
_unary("expm1", _numpy("expm1"), lambda node, g: (g * (node + 1.0),))
_unary("sqrt", _numpy("sqrt"), lambda node, g: (g * 0.5 / node,))
_unary("tanh", _numpy("tanh"), lambda node, g: (g * (1.0 - node * node),))
_unary("logistic", _logistic, lambda node, g: (g * node * (1.0 - node),))
_unary(
    "erf",
    _erf,
    lambda node, g: (g * (2.0 / math.sqrt(math.pi)) * ir.exp(-ir.square(node.operands[0])),),
)
_unary("sin", _numpy("sin"), lambda node, g: (g * ir.cos(node.operands[0]),))
_unary("cos", _numpy("cos"), lambda node, g: (-(g * ir.sin(node.operands[0])),))
_unary("absolute", _numpy("abs"), lambda node, g: (g * ir.sign(node.operands[0]),), NUMBERS)
_unary("sign", _numpy("sign"), None, NUMBERS)
_unary("floor", _numpy("floor"), None)
_unary("stop_gradient", lambda x: x, None, ("float", "int", "bool"))


def _power_gradient(node: Value, g: Value) -> tuple[Value, Value]:
    base, exponent = node.operands
    # log is taken of 1 where the base is not positive: there the exponent has no gradient.
    positive = ir.greater(base, 0.0)
    log_base = ir.log(ir.select(positive, base, ir.ones_like(base)))
    # x⁰ is constant: without the select its derivative 0 · x⁻¹ would be NaN at x = 0.
    lowered = ir.select(ir.equal(exponent, 0.0), ir.ones_like(exponent), exponent - 1.0)
    d_base = g * exponent * ir.power(base, lowered)
    return d_base, ir.select(positive, g * node * log_base, ir.zeros_like(base))


def _chosen(node: Value, g: Value, first_wins: Callable[[Value, Value], Value]) -> tuple[Value, Value]:
    # Ties give their gradient to the second operand, so that max(x, 0) has gradient 0 at 0 as relu has in Keras.
    # The mask reads the result instead of the first operand: x > b exactly where max(x, b) > b, and the
    # pre-activation of a relu then needs no buffer.
    mask = first_wins(node, node.operands[1])
    zero = ir.zeros_like(g)
    return ir.select(mask, g, zero), ir.select(mask, zero, g)


_binary("add", _numpy("add"), lambda node, g: (g, g))
_binary("subtract", _numpy("subtract"), lambda node, g: (g, -g))
_binary("multiply", _numpy("multiply"), lambda node, g: (g * node.operands[1], g * node.operands[0]))
_binary(
    "divide",
    _numpy("divide"),
    lambda node, g: (g / node.operands[1], -(g * node / node.operands[1])),
    accepts=("float",),
)
_binary("power", _numpy("power"), _power_gradient, accepts=("float",))
_binary("maximum", _numpy("maximum"), lambda node, g: _chosen(node, g, ir.greater))
_binary("minimum", _numpy("minimum"), lambda node, g: _chosen(node, g, ir.less))
_binary("equal", _numpy("equal"), accepts=("float", "int", "bool"), result="bool")
_binary("not_equal", _numpy("not_equal"), accepts=("float", "int", "bool"), result="bool")
_binary("less", _numpy("less"), result="bool")
_binary("less_equal", _numpy("less_equal"), result="bool")
_binary("logical_and", _numpy("logical_and"), accepts=("bool",), result="bool")
_binary("logical_or", _numpy("logical_or"), accepts=("bool",), result="bool")
define("logical_not", FAMILY, _shape_rule(1, ("bool",), "bool"), lambda node, context, x: np.logical_not(x))


def _select_shape(operands: Sequence[Value], attributes: Mapping[str, Any]) -> tuple[Shape, DType]:
    require(len(operands) == 3, "takes a condition and two values")
    condition, a, b = operands
    require(condition.dtype == "bool", "the condition must be bool")
    require(condition.shape == a.shape == b.shape, "operands must have one shape")
    require(a.dtype == b.dtype, "both values must have one type")
    return a.shape, a.dtype


def _select_gradient(node: Value, g: Value) -> tuple[None, Value, Value]:
    condition = node.operands[0]
    zero = ir.zeros_like(g)
    return None, ir.select(condition, g, zero), ir.select(condition, zero, g)


define(
    "select",
    FAMILY,
    _select_shape,
    lambda node, context, condition, a, b: np.where(condition, a, b),
    _select_gradient,
)


def _cast_shape(operands: Sequence[Value], attributes: Mapping[str, Any]) -> tuple[Shape, DType]:
    require(attributes["dtype"] in ("float", "int", "bool"), "unknown type")
    return operands[0].shape, attributes["dtype"]


def _cast_meaning(node: Value, context: Context, x: Array) -> Array:
    return x.astype(context.dtype(node.dtype))


def _cast_gradient(node: Value, g: Value) -> tuple[Value | None]:
    return (g if node.operands[0].dtype == "float" and node.dtype == "float" else None,)


define("cast", FAMILY, _cast_shape, _cast_meaning, _cast_gradient)
