"""The words behind `trainer` in; the command and its values out where these are plain, None for all else.

Plain is a command, then its values and flags as they are mostly written: `fit config.yaml --set seed=1 --json`. Help,
mistakes, `--threads=2`, and what stands before the command are Typer's, which reads plain lines to the same values.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from enum import StrEnum
from functools import partial
from importlib import import_module
from pathlib import Path
from types import UnionType
from typing import Any, get_args, get_origin

from trainer_cli.cli import groups
from trainer_cli.cli.declared import REQUIRED, Argument, Option, Parameter

COMMANDS = (
    "init",
    "fit",
    "validate",
    "evaluate",
    "predict",
    "compile",
    "profile",
    "config",
    "show",
    "export",
    "compare",
    "report",
    "list",
    "explain",
    "schema",
    "doctor",
)


def plain(arguments: Sequence[str]) -> Callable[[], None] | None:
    """The command, ready to be run; it may raise Misuse, whose words are Typer's to show."""
    if not arguments or arguments[0] not in COMMANDS:
        return None
    command = import_module(f"trainer_cli.cli.{arguments[0]}").command
    given = values(groups.parameters(command), arguments[1:])
    return None if given is None else partial(groups.call, command, given)


def values(parameters: Sequence[Parameter], arguments: Iterable[str]) -> dict[str, Any] | None:
    """A value for each parameter, None if the arguments are not plain."""
    given = {parameter.name: parameter.default for parameter in parameters}
    places = [parameter for parameter in parameters if isinstance(parameter.declaration, Argument)]
    flags = {
        flag: parameter
        for parameter in parameters
        if isinstance(parameter.declaration, Option)
        for flag in parameter.declaration.flags
    }
    words = iter(arguments)
    for word in words:
        parameter = flags.get(word)
        if parameter is None:
            if not places:
                return None
            parameter = places[0] if _several(places[0]) else places.pop(0)
        elif parameter.type is bool:
            given[parameter.name] = True
            continue
        else:
            word = next(words, "")
        value = None if not word or word.startswith("-") else _value(parameter, word)
        if value is None:
            return None
        if _several(parameter):
            before = given[parameter.name]
            given[parameter.name] = [*(before if isinstance(before, list) else ()), value]
        else:
            given[parameter.name] = value
    return None if REQUIRED in given.values() else given


def _type(parameter: Parameter) -> Any:
    """What is asked for where it is given: `Path` of `Path | None`."""
    kinds = get_args(parameter.type) if isinstance(parameter.type, UnionType) else (parameter.type,)
    return next(kind for kind in kinds if kind is not type(None))


def _several(parameter: Parameter) -> bool:
    return get_origin(_type(parameter)) is list


def _value(parameter: Parameter, word: str) -> Any:
    """The word as a value of the parameter's type, None if that is for Typer to judge."""
    kind = _type(parameter)
    if _several(parameter):
        (kind,) = get_args(kind)
    if kind in (str, Path):
        return kind(word)
    if kind is int and word.isascii() and word.isdecimal():
        least = getattr(parameter.declaration, "min", None)
        return int(word) if least is None or int(word) >= least else None
    if issubclass(kind, StrEnum) and word in list(kind):
        return kind(word)
    return None
