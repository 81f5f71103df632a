"""Every command has a help text that a newcomer can use, and every switch is known as one that takes no value."""

from __future__ import annotations

from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from trainer_cli.cli import app

FOLDER = Path(app.__file__).parent
GROUP = typer.main.get_command(app.application(app.COMMANDS))
MODULES = [path.stem for path in FOLDER.glob("*.py") if "\ndef command(" in path.read_text(encoding="utf-8")]


def test_every_module_with_a_command_is_one():
    assert sorted(app.COMMANDS) == sorted(MODULES)


@pytest.mark.parametrize("name", app.COMMANDS)
def test_the_help_has_an_example_and_explains_every_option(name):
    shown = CliRunner().invoke(app.application([name, "schema"]), [name, "--help"], terminal_width=100)
    assert shown.exit_code == 0
    assert f"Example:\n    trainer {name}" in shown.output
    command = GROUP.commands[name]
    for parameter in command.params:
        assert getattr(parameter, "help", None), f"{name}: {parameter.name} is not explained"


def test_switches_are_known_so_that_they_may_stand_before_the_command():
    found = {
        option
        for command in GROUP.commands.values()
        for parameter in command.params
        if getattr(parameter, "is_flag", False)
        for option in parameter.opts
    }
    assert found - {"--data"} <= set(app.SWITCHES)  # `--data` is a switch of `validate` and takes a file elsewhere
