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


@pytest.mark.parametrize(
    ("words", "position", "completed"),
    [
        ("trainer va", 1, ["validate"]),
        ("trainer fit --pro", 2, ["--progress"]),
        ("trainer fit --progress ", 3, ["auto", "plain", "rich", "none"]),
    ],
)
def test_the_shell_completes_commands_flags_and_values(project, words, position, completed):
    asked = {"_TRAINER_COMPLETE": "complete_bash", "COMP_WORDS": words, "COMP_CWORD": str(position)}
    done = project.run(environment=asked)
    assert done.stdout.split() == completed, done.stderr


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_the_script_of_a_shell_names_the_program(project, shell):
    done = project.run("--show-completion", shell)
    assert done.returncode == 0, done.stderr
    assert "_TRAINER_COMPLETE" in done.stdout


def test_the_completion_of_a_shell_is_installed_in_the_home_folder(project):
    done = project.run("--install-completion", "bash", environment={"HOME": str(project.folder)})
    assert done.returncode == 0, done.stderr
    assert "_TRAINER_COMPLETE" in (project.folder / ".bash_completions" / "trainer.sh").read_text()
    assert "trainer.sh" in (project.folder / ".bashrc").read_text()
