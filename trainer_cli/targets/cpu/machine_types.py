"""A function that writes instructions in, a Numba intrinsic of stated types out, beside the types that kernels use."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

from numba import extending
from numba.core import types

BOOL = types.boolean
INT32 = types.int32
WORD = types.intp
FLOAT = types.float32
DOUBLE = types.float64
VOID = types.void

FLOAT_POINTER = types.CPointer(types.float32)
DOUBLE_POINTER = types.CPointer(types.float64)
INT_POINTER = types.CPointer(types.int32)
BYTE_POINTER = types.CPointer(types.uint8)
WORD_POINTER = types.CPointer(types.intp)

Signature = Callable[..., Any]
"""Numba's context and the types of arguments in, a signature or None where there is none out."""


def intrinsic(*parameters: Any, result: Any = VOID) -> Callable[[Callable[..., Any]], Any]:
    """Make an intrinsic of `write(builder, *LLVM values)`, which takes arguments of these types.

    Whole numbers are brought to a whole type, others must be of the type that is asked for.
    """

    def signature(context: Any, *given: Any) -> Any:
        if not all(map(_fits, given, parameters)):
            return None
        return result(*parameters)

    return typed_intrinsic(signature, len(parameters))


def typed_intrinsic(signature: Signature, arity: int) -> Callable[[Callable[..., Any]], Any]:
    """Make an intrinsic of `write(builder, *LLVM values)` whose types the signature decides."""
    names = [inspect.Parameter("context", inspect.Parameter.POSITIONAL_OR_KEYWORD)]
    names += [inspect.Parameter(f"a{n}", inspect.Parameter.POSITIONAL_OR_KEYWORD) for n in range(arity)]

    def make(write: Callable[..., Any]) -> Any:
        def codegen(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
            value = write(builder, *arguments)
            return context.get_dummy_value() if value is None else value

        def typing(context: Any, *given: Any) -> Any:
            found = signature(context, *given)
            return None if found is None else (found, codegen)

        typing.__name__ = typing.__qualname__ = write.__name__
        typing.__doc__ = write.__doc__
        typing.__signature__ = inspect.Signature(names)  # type: ignore[attr-defined]
        return extending.intrinsic(typing)

    return make


def constant_intrinsic(result: Any = VOID) -> Callable[[Callable[[Any, int], Any]], Any]:
    """Make an intrinsic of `write(builder, number)`, whose argument is a constant of the compilation."""

    def make(write: Callable[[Any, int], Any]) -> Any:
        def typing(context: Any, number: Any) -> Any:
            if not isinstance(number, types.IntegerLiteral):
                return None

            def codegen(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
                value = write(builder, number.literal_value)
                return context.get_dummy_value() if value is None else value

            return result(number), codegen

        typing.__name__ = typing.__qualname__ = write.__name__
        typing.__doc__ = write.__doc__
        return extending.intrinsic(prefer_literal=True)(typing)

    return make


def _fits(given: Any, wanted: Any) -> bool:
    """Whether an argument can be brought to a type without loss of its nature."""
    plain = types.unliteral(given)
    if plain == wanted:
        return True
    whole = (types.Integer, types.Boolean)
    return isinstance(plain, whole) and isinstance(wanted, whole)
