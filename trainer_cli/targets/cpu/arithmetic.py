"""Arithmetic of native code: typed values and constants of Python in, the instructions that combine them out.

Whole numbers are computed in 64 bits; only `uint32` stays as it is and wraps. Division and remainder of whole numbers
are those of numbers that are not negative. A constant takes the type of what it meets, a float one among whole numbers
that of a double. A product to which something is added becomes one fused step here, the left one of two: left to LLVM,
the choice could be another one in a vector than alone. `nsz` is the only liberty in float arithmetic.
"""

from __future__ import annotations

import ast
import math
import operator
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from llvmlite import ir

from trainer_cli.targets.cpu.intrinsics import call, multiply_add
from trainer_cli.targets.cpu.machine_types import (
    BOOL,
    DOUBLE,
    FLOAT,
    INT32,
    UINT8,
    UINT32,
    WORD,
    Type,
    Typed,
)

FLAGS = ("nsz",)

NUMBERS: Mapping[Any, Type] = {
    np.float32: FLOAT,
    np.float64: DOUBLE,
    np.int32: INT32,
    np.int64: WORD,
    np.uint8: UINT8,
    np.uint32: UINT32,
    bool: BOOL,
    int: WORD,
    float: DOUBLE,
}
"""Types of Python and NumPy: as functions they convert, as types of constants they say what these are."""


class Builder(ir.IRBuilder):
    """Writes instructions; those of floats carry the flags."""


def _flagged(name: str) -> Any:
    plain = getattr(ir.IRBuilder, name)

    def write(self: Builder, *arguments: Any, **other: Any) -> Any:
        other.setdefault("flags", FLAGS)
        return plain(self, *arguments, **other)

    return write


for _name in ("fadd", "fsub", "fmul", "fdiv", "frem", "fneg", "fcmp_ordered", "fcmp_unordered"):
    setattr(Builder, _name, _flagged(_name))


def typed(value: Any) -> Typed:
    """A constant of Python as a value of its own type. Raises TypeError for what is no number."""
    if isinstance(value, Typed):
        return value
    kind = NUMBERS.get(type(value))
    if kind is None:
        raise TypeError(f"{value!r} is no number")
    known = int(value) if kind is WORD else None
    return Typed(kind, _constant(value, kind), known)


def _constant(value: Any, kind: Type) -> Any:
    return ir.Constant(kind.llvm, float(value) if kind.is_float else int(value))


def is_weak(value: Any) -> bool:
    """Whether a value is a constant of Python, which takes the type of what it meets."""
    return isinstance(value, (bool, int, float)) and not isinstance(value, np.generic)


def converted(builder: Any, value: Any, kind: Type) -> Typed:
    """A number in another type. Raises TypeError where there is none."""
    if is_weak(value) and kind.is_number:
        return Typed(kind, _constant(value, kind), int(value) if kind is WORD else None)
    value = typed(value)
    source = value.type
    if source == kind:
        return value
    if not (source.is_number and kind.is_number):
        raise TypeError(f"a {source.name} is no {kind.name}")
    return Typed(kind, _convert(builder, value.value, source, kind))


def _convert(builder: Any, value: Any, source: Type, kind: Type) -> Any:
    unsigned = source in (BOOL, UINT8, UINT32)
    if kind is BOOL:
        zero = ir.Constant(source.llvm, 0)
        return builder.fcmp_unordered("!=", value, zero) if source.is_float else builder.icmp_signed("!=", value, zero)
    if source.is_float and kind.is_float:
        return builder.fpext(value, kind.llvm) if kind is DOUBLE else builder.fptrunc(value, kind.llvm)
    if source.is_float:
        return builder.fptosi(value, kind.llvm)
    if kind.is_float:
        return builder.uitofp(value, kind.llvm) if unsigned else builder.sitofp(value, kind.llvm)
    if kind.llvm.width > source.llvm.width:
        return builder.zext(value, kind.llvm) if unsigned else builder.sext(value, kind.llvm)
    return builder.trunc(value, kind.llvm) if kind.llvm.width < source.llvm.width else value


def together(builder: Any, left: Any, right: Any, *, computing: bool = True) -> tuple[Typed, Typed]:
    """Two numbers in one type, that of their sum if they are computed with."""
    if is_weak(left) and is_weak(right):
        left, right = typed(left), typed(right)
    if is_weak(left) or is_weak(right):
        constant, other = (left, right) if is_weak(left) else (right, left)
        kind = typed(other).type
        if isinstance(constant, float) and not kind.is_float:
            kind = DOUBLE
    else:
        kind = max(typed(left).type, typed(right).type, key=lambda one: one.rank)
    if computing and kind in (BOOL, UINT8, INT32):
        kind = WORD
    return converted(builder, left, kind), converted(builder, right, kind)


_PYTHON: Mapping[type, Callable[[Any, Any], Any]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
    ast.FloorDiv: operator.floordiv,
    ast.Mod: operator.mod,
    ast.Pow: operator.pow,
    ast.LShift: operator.lshift,
    ast.RShift: operator.rshift,
    ast.BitAnd: operator.and_,
    ast.BitOr: operator.or_,
    ast.BitXor: operator.xor,
}
_FLOATS = {ast.Add: "fadd", ast.Sub: "fsub", ast.Mult: "fmul", ast.Div: "fdiv"}
_INTEGERS = {
    ast.Add: "add",
    ast.Sub: "sub",
    ast.Mult: "mul",
    ast.FloorDiv: "udiv",
    ast.Mod: "urem",
    ast.LShift: "shl",
    ast.RShift: "lshr",
    ast.BitAnd: "and_",
    ast.BitOr: "or_",
    ast.BitXor: "xor",
}
_BITWISE = (ast.BitAnd, ast.BitOr, ast.BitXor)
_COMPARISONS: Mapping[type, str] = {
    ast.Eq: "==",
    ast.NotEq: "!=",
    ast.Lt: "<",
    ast.LtE: "<=",
    ast.Gt: ">",
    ast.GtE: ">=",
}
_PYTHON_COMPARISONS: Mapping[type, Callable[[Any, Any], Any]] = {
    ast.Eq: operator.eq,
    ast.NotEq: operator.ne,
    ast.Lt: operator.lt,
    ast.LtE: operator.le,
    ast.Gt: operator.gt,
    ast.GtE: operator.ge,
}


def binary(builder: Any, kind: type, left: Any, right: Any) -> Any:
    """left ∘ right. Raises TypeError for types that have no such operation."""
    if is_weak(left) and is_weak(right):
        return _PYTHON[kind](left, right)
    one, other = together(builder, left, right, computing=kind not in _BITWISE)
    if kind is ast.Pow or (kind is ast.Div and not one.type.is_float):
        one, other = (converted(builder, x, x.type if x.type.is_float else DOUBLE) for x in (one, other))
    if kind is ast.Pow:
        return Typed(one.type, call(builder, _named("pow", one.type), one.type.llvm, [one.value, other.value]))
    names = _FLOATS if one.type.is_float else _INTEGERS
    if kind not in names:
        raise TypeError(f"{kind.__name__} of {one.type.name}")
    if one.type.is_float and kind in (ast.Add, ast.Sub) and (one.factors or other.factors):
        return Typed(one.type, _fused(builder, kind is ast.Sub, one, other))
    factors = (one.value, other.value) if one.type.is_float and kind is ast.Mult else None
    # Sums and products of places never leave the range of a word.
    flags = {"flags": ("nsw",)} if one.type is WORD and kind in (ast.Add, ast.Sub, ast.Mult) else {}
    return Typed(one.type, getattr(builder, names[kind])(one.value, other.value, **flags), factors=factors)


def _fused(builder: Any, subtracts: bool, one: Typed, other: Typed) -> Any:
    """The sum or difference of two numbers of which one at least is a product."""
    if one.factors is not None:
        return multiply_add(builder, *one.factors, builder.fneg(other.value) if subtracts else other.value)
    assert other.factors is not None
    left, right = other.factors
    return multiply_add(builder, builder.fneg(left) if subtracts else left, right, one.value)


def compare(builder: Any, kind: type, left: Any, right: Any) -> Any:
    """Whether a relation holds; with a NaN, only `!=` does."""
    if not isinstance(left, Typed) and not isinstance(right, Typed):
        return _PYTHON_COMPARISONS[kind](left, right)
    one, other = together(builder, left, right, computing=False)
    relation = _COMPARISONS[kind]
    if one.type.is_float:
        write = builder.fcmp_unordered if kind is ast.NotEq else builder.fcmp_ordered
    elif one.type in (BOOL, UINT8, UINT32):
        write = builder.icmp_unsigned
    else:
        write = builder.icmp_signed
    return Typed(BOOL, write(relation, one.value, other.value))


def negative(builder: Any, value: Any) -> Any:
    if is_weak(value):
        return -value
    value = typed(value)
    if value.type.is_float:
        return Typed(value.type, builder.fneg(value.value))
    return binary(builder, ast.Sub, 0, value)


def negation(builder: Any, value: Any) -> Any:
    if not isinstance(value, Typed):
        return not value
    return Typed(BOOL, builder.not_(converted(builder, value, BOOL).value))


def chosen(builder: Any, condition: Any, left: Any, right: Any) -> Any:
    """left where the condition holds, else right; both are computed."""
    if not isinstance(condition, Typed):
        return left if condition else right
    one, other = together(builder, left, right, computing=False)
    return Typed(one.type, builder.select(converted(builder, condition, BOOL).value, one.value, other.value))


def _named(name: str, kind: Type) -> str:
    return f"llvm.{name}.f{64 if kind is DOUBLE else 32}"


def mathematics(builder: Any, name: str, value: Any) -> Any:
    """A function of Python's `math`: LLVM's where it has one, else the C library's."""
    if is_weak(value):
        return getattr(math, name)(value)
    value = typed(value)
    if not value.type.is_float:
        value = converted(builder, value, DOUBLE)
    kind = value.type
    if name == "isfinite":
        size = call(builder, _named("fabs", kind), kind.llvm, [value.value])
        return Typed(BOOL, builder.fcmp_ordered("<", size, ir.Constant(kind.llvm, math.inf)))
    if name in ("exp", "log", "sin", "cos", "sqrt", "floor", "fabs"):
        return Typed(kind, call(builder, _named(name, kind), kind.llvm, [value.value]))
    if name in ("expm1", "log1p", "tanh", "erf"):
        return Typed(kind, call(builder, name if kind is DOUBLE else f"{name}f", kind.llvm, [value.value]))
    raise TypeError(f"math.{name} is not known here")


def magnitude(builder: Any, value: Any) -> Any:
    if is_weak(value):
        return abs(value)
    value = typed(value)
    if value.type.is_float:
        return mathematics(builder, "fabs", value)
    return chosen(builder, compare(builder, ast.Lt, value, 0), negative(builder, value), value)


def extreme(builder: Any, largest: bool, left: Any, right: Any) -> Any:
    """The larger or smaller of two numbers."""
    if is_weak(left) and is_weak(right):
        return max(left, right) if largest else min(left, right)
    relation = ast.Gt if largest else ast.Lt
    return chosen(builder, compare(builder, relation, left, right), left, right)
