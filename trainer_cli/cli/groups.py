"""Lists of options that commands have in common in; what commands take, option by option, and calls of them out.

A command takes a list as one parameter, such as `rows: Rows`, and gets it filled in; whoever reads a line sees an
option for each of its fields instead, where the parameter stands. Such commands take all parameters by name: a list has
no default.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, get_args, get_type_hints

from trainer_cli.cli import options
from trainer_cli.cli.declared import REQUIRED, Misuse, Parameter

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
        """The model. Raises Misuse if the options contradict each other."""
        found = options.choose_model(self.model, self.config_option, self.weights, self.overrides)
        if self.data is not None and self.part is not None:
            raise Misuse("give either --data or --part", param_hint="--part")
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


def parameters(command: Callable[..., None]) -> list[Parameter]:
    """What a command takes, with the fields of its lists where these stand."""
    hints = get_type_hints(command, include_extras=True)
    found = []
    for name, parameter in inspect.signature(command).parameters.items():
        if fields := _fields(hints[name]):
            own = get_type_hints(hints[name], include_extras=True)
            found += [_parameter(field, own[field], default) for field, default in fields.items()]
        else:
            default = REQUIRED if parameter.default is parameter.empty else parameter.default
            found.append(_parameter(name, hints[name], default))
    return found


def _fields(hint: Any) -> Mapping[str, Any]:
    """The fields of a list of options and their defaults; nothing for the type of a single option."""
    return getattr(hint, "_field_defaults", {})


def _parameter(name: str, hint: Any, default: Any) -> Parameter:
    type_, declaration = get_args(hint)
    return Parameter(name, type_, declaration, default)


def call(command: Callable[..., None], given: Mapping[str, Any]) -> None:
    """Run a command with a value for each of its `parameters`."""
    rest = dict(given)
    for name, hint in get_type_hints(command).items():
        if fields := _fields(hint):
            rest[name] = hint(**{field: rest.pop(field) for field in fields})
    command(**rest)
