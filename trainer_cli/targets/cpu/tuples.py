"""Tuples of native values: a value in, the numbers and pointers that it is made of out, and back again."""

from __future__ import annotations

from typing import Any

from trainer_cli.targets.cpu.arithmetic import typed
from trainer_cli.targets.cpu.machine_types import TupleType, Type, Typed, tuple_of


def leaves_of(kind: Type) -> list[Type]:
    """What a type is made of, tuples taken apart."""
    return [leaf for item in kind.items for leaf in leaves_of(item)] if isinstance(kind, TupleType) else [kind]


def kind_of(value: Any) -> Type | int:
    """What an argument is to the function that takes it: of a type, or a constant."""
    return value if type(value) is int else type_of(value)


def type_of(value: Any) -> Type:
    """The type of a value, or of several together."""
    return tuple_of(tuple(map(type_of, value))) if isinstance(value, tuple) else typed(value).type


def taken_apart(value: Any) -> list[Any]:
    if isinstance(value, tuple):
        return [leaf for item in value for leaf in taken_apart(item)]
    return [typed(value).value]


def put_together(kind: Type, leaves: list[Any]) -> Any:
    if isinstance(kind, TupleType):
        return tuple(put_together(item, leaves) for item in kind.items)
    return Typed(kind, leaves.pop(0))
