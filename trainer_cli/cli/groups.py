"""Lists of options that commands have in common in; commands with one option for every field of such a list out.

A command takes a list as one parameter, such as `rows: Rows`, and gets it filled in; Typer sees an option for each of
its fields instead, where the parameter stands. Such commands take all parameters by name: a list has no default.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from functools import wraps
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, get_type_hints

import typer

from trainer_cli.cli import options

if TYPE_CHECKING:
    from trainer_cli.cli.options import ChosenModel
    from trainer_cli.data.source import PartName


class ConfigFile(NamedTuple):
    """A config, as an argument or an option, and what overrides its keys."""

    config: options.ConfigArgument = None
    config_option: options.ConfigOption = None
    overrides: options.SetOption = None

    @property
    def path(self) -> Path:
        return options.chosen(self.config, self.config_option)

    @property
    def given(self) -> tuple[str, ...]:
        return tuple(self.overrides or ())


class Rows(NamedTuple):
    """A trained model, and the rows that it is to be tried on."""

    model: options.ModelArgument = None
    config_option: options.ConfigOption = None
    weights: options.WeightsOption = None
    overrides: options.SetOption = None
    data: options.DataOption = None
    part: options.PartOption = None

    def chosen(self) -> ChosenModel:
        """The model. Raises BadParameter if the options contradict each other."""
        found = options.choose_model(self.model, self.config_option, self.weights, self.overrides)
        if self.data is not None and self.part is not None:
            raise typer.BadParameter("give either --data or --part", param_hint="--part")
        return found

    @property
    def part_name(self) -> PartName | None:
        return self.part.value if self.part else None


class Machine(NamedTuple):
    """What runs the network."""

    threads: options.ThreadsOption = None
    target: options.TargetOption = options.Target.CPU

    @property
    def settings(self) -> Mapping[str, Any]:
        """The arguments of the same names of what runs it."""
        return {"threads": self.threads, "target": self.target.value}


def spread(command: Callable[..., None]) -> Callable[..., None]:
    """The command as Typer is to see it: an option for each field of the lists that it takes."""
    hints = get_type_hints(command, include_extras=True)
    lists: dict[str, Any] = {name: hint for name, hint in hints.items() if hasattr(hint, "_field_defaults")}
    parameters = []
    for name, parameter in inspect.signature(command).parameters.items():
        if name in lists:
            of = lists[name]
            fields = get_type_hints(of, include_extras=True)
            parameters += [
                parameter.replace(name=field, annotation=fields[field], default=of._field_defaults[field])
                for field in of._fields
            ]
        else:
            parameters.append(parameter.replace(annotation=hints[name]))

    @wraps(command)
    def filled_in(**given: Any) -> None:
        for name, of in lists.items():
            given[name] = of(**{field: given.pop(field) for field in of._fields})
        command(**given)

    by_name = [parameter.replace(kind=inspect.Parameter.KEYWORD_ONLY) for parameter in parameters]
    filled_in.__signature__ = inspect.Signature(by_name)  # type: ignore[attr-defined]
    filled_in.__annotations__ = {parameter.name: parameter.annotation for parameter in by_name}
    return filled_in
