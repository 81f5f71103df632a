"""The types of native code: a name and an LLVM type each; LLVM values with their types go in and out of intrinsics."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from llvmlite import ir


@dataclass(frozen=True)
class Type:
    """A type of native values. `rank` orders numbers: of two, the higher one is the type of their sum."""

    name: str
    llvm: Any
    rank: int = -1

    @property
    def is_float(self) -> bool:
        return self.name.startswith("float")

    @property
    def is_number(self) -> bool:
        return self.rank >= 0


@dataclass(frozen=True)
class PointerType(Type):
    """The address of elements of a type."""

    element: Type | None = None


@dataclass(frozen=True)
class TupleType(Type):
    """Several values that are handed on together."""

    items: tuple[Type, ...] = ()


def pointer_to(element: Type) -> PointerType:
    return PointerType(f"{element.name}*", element.llvm.as_pointer(), element=element)


def tuple_of(items: tuple[Type, ...]) -> TupleType:
    name = f"({', '.join(item.name for item in items)})"
    return TupleType(name, ir.LiteralStructType([item.llvm for item in items]), items=items)


BOOL = Type("bool", ir.IntType(1), 0)
UINT8 = Type("uint8", ir.IntType(8), 1)
INT32 = Type("int32", ir.IntType(32), 2)
UINT32 = Type("uint32", ir.IntType(32), 3)
WORD = Type("int64", ir.IntType(64), 4)
FLOAT = Type("float32", ir.FloatType(), 5)
DOUBLE = Type("float64", ir.DoubleType(), 6)
VOID = Type("void", ir.VoidType())

FLOAT_POINTER = pointer_to(FLOAT)
DOUBLE_POINTER = pointer_to(DOUBLE)
INT_POINTER = pointer_to(INT32)
BYTE_POINTER = pointer_to(UINT8)
WORD_POINTER = pointer_to(WORD)


@dataclass(frozen=True)
class Typed:
    """An LLVM value and its type.

    `known` is what a constant of the compilation is in Python; `factors` are the values whose product this one is.
    """

    type: Type
    value: Any
    known: int | None = None
    factors: tuple[Any, Any] | None = None


class Intrinsic:
    """A function that writes instructions: `write(builder, *arguments)` takes and gives `Typed` values, or gives None.

    `parameters` are the types that arguments are brought to; None takes any.
    """

    def __init__(self, write: Callable[..., Typed | None], parameters: tuple[Type | None, ...]) -> None:
        self.write = write
        self.parameters = parameters
        self.__name__ = write.__name__
        self.__doc__ = write.__doc__

    def __call__(self, *arguments: object) -> Any:
        raise TypeError(f"{self.__name__} exists inside native code alone")


def intrinsic(*parameters: Type | None) -> Callable[[Callable[..., Typed | None]], Any]:
    """Make an intrinsic of a function that writes its instructions."""
    return lambda write: Intrinsic(write, parameters)
