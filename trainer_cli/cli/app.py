"""The commands and their options, made into one Typer app; a command's work is imported when it runs, not before."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Sequence
from functools import wraps
from importlib import import_module
from typing import Annotated, Any

import typer

from trainer_cli.cli import groups
from trainer_cli.cli.declared import REQUIRED, Misuse, Option, Parameter
from trainer_cli.cli.plain import COMMANDS

EPILOG = (
    "Exit codes: 0 ok, 1 bug in trainer, 2 config, 3 data, 4 diverged, 5 gate failed, 6 environment, "
    "130 and 143 interrupted with a checkpoint written."
)

SWITCHES = (
    "--json",
    "--strict",
    "--quiet",
    "-q",
    "--source",
    "--given",
    "--tensors",
    "--force",
    "--dry-run",
    "--no-data",
    "--no-schema",
    "--help",
    "--version",
)


def application(commands: Iterable[str]) -> typer.Typer:
    """The Typer app with these commands; each is the function `command` of the module of its name."""
    names = list(commands)
    # Plain help text: Rich's panels would cost a third of the time that `--help` takes.
    app = typer.Typer(
        name="trainer",
        help="Trains neural networks declared in YAML, compiled to native code.",
        epilog=EPILOG,
        rich_markup_mode=None,
        pretty_exceptions_enable=False,
        add_completion=len(names) > 1,  # one command is made to be run, not to be looked at
        no_args_is_help=True,
    )
    app.callback()(_options)
    for name in names:
        app.command(name)(_spread(import_module(f"trainer_cli.cli.{name}").command))
    return app


def _spread(command: Callable[..., None]) -> Callable[..., None]:
    """The command as Typer is to see it: an option for each field of the lists that it takes."""

    @wraps(command)
    def called(**given: Any) -> None:
        try:
            groups.call(command, given)
        except Misuse as misuse:
            raise typer.BadParameter(misuse.words, param_hint=misuse.param_hint) from None

    by_name = [
        inspect.Parameter(
            parameter.name,
            inspect.Parameter.KEYWORD_ONLY,
            default=inspect.Parameter.empty if parameter.default is REQUIRED else parameter.default,
            annotation=Annotated[parameter.type, _declaration(parameter)],
        )
        for parameter in groups.parameters(command)
    ]
    called.__signature__ = inspect.Signature(by_name)  # type: ignore[attr-defined]
    called.__annotations__ = {parameter.name: parameter.annotation for parameter in by_name}
    return called


def _declaration(parameter: Parameter) -> Any:
    """Typer's own form of what a command declares."""
    declared = parameter.declaration
    if isinstance(declared, Option):
        return typer.Option(*declared.flags, metavar=declared.metavar, help=declared.help, min=declared.min)
    return typer.Argument(metavar=declared.metavar, help=declared.help, show_default=declared.show_default)


def _version(wanted: bool) -> None:
    if wanted:
        from trainer_cli import __version__

        typer.echo(__version__)
        raise typer.Exit


def _options(
    version: bool = typer.Option(
        False, "--version", callback=_version, is_eager=True, help="Show the version and exit."
    ),
) -> None:
    pass


def run(arguments: Sequence[str]) -> None:
    """Run one command; leaves by SystemExit."""
    ordered = command_first(arguments)
    # The others are made for the help text alone: each takes a millisecond.
    app = application(ordered[:1] if ordered[:1] and ordered[0] in COMMANDS else COMMANDS)
    app(ordered, prog_name="trainer")


def command_first(arguments: Sequence[str]) -> list[str]:
    """The same arguments with the command in front, so that options may stand before it too."""
    value_follows = False
    for position, argument in enumerate(arguments):
        if argument in COMMANDS and not value_follows:
            return [argument, *arguments[:position], *arguments[position + 1 :]]
        if argument == "--" or not (value_follows or argument.startswith("-")):
            break
        value_follows = not value_follows and "=" not in argument and argument not in SWITCHES
        # `--data` is a switch of `validate` and takes a file elsewhere.
        if argument == "--data" and arguments[position + 1 : position + 2] == ["validate"]:
            value_follows = False
    return list(arguments)
