"""Plain lines are read without Typer: to the same values as with it, and nothing that is not plain."""

from __future__ import annotations

import subprocess
import sys
from functools import wraps
from importlib import import_module
from pathlib import Path
from types import UnionType
from typing import get_args

import pytest

from trainer_cli.cli import app, groups, options
from trainer_cli.cli.declared import REQUIRED, Argument, Misuse
from trainer_cli.cli.plain import COMMANDS, plain


@pytest.fixture
def asked(monkeypatch):
    """The values that reach the commands, which do nothing."""
    found = []

    def replace(command):
        @wraps(command)
        def remember(**given):
            found.append(given)

        return remember

    for name in COMMANDS:
        module = import_module(f"trainer_cli.cli.{name}")
        monkeypatch.setattr(module, "command", replace(module.command))
    return found


def words(parameter) -> list[str]:
    """One plain way to write a parameter."""
    kinds = get_args(parameter.type) if isinstance(parameter.type, UnionType) else (parameter.type,)
    kind = next(each for each in kinds if each is not type(None))
    value = [str(list(kind)[-1])] if hasattr(kind, "__members__") else ["7"]
    if isinstance(parameter.declaration, Argument):
        return value
    return [parameter.declaration.flags[-1], *([] if kind is bool else value)]


def everything(name: str) -> list[list[str]]:
    """Lines of a command: with each of its options alone, and with all of them."""
    parameters = groups.parameters(import_module(f"trainer_cli.cli.{name}").command)
    needed = [word for each in parameters if each.default is REQUIRED for word in words(each)]
    more = [words(each) for each in parameters if each.default is not REQUIRED]
    together = [word for each in more for word in each]
    return [[name, *needed], *([name, *needed, *each] for each in more), [name, *needed, *together]]


LINES = [line for name in COMMANDS for line in everything(name)] + [
    line.split()
    for line in (
        "validate a.yaml --quiet --quiet -q",
        "validate --strict sub/a.yaml --set seed=1 --data --set fit.epochs=2",
        "validate a.yaml --set name=--x",
        "fit a.yaml --threads 1 --threads 007",
        "fit --set seed=1 --resume latest",
        'fit a.yaml --fail-if "loss>1" --fail-if b',
        "compare a b c --json",
        "report run -o page.html --part test",
    )
]


@pytest.mark.parametrize("line", LINES, ids=" ".join)
def test_a_plain_line_means_what_it_means_to_typer(line, asked):
    plain(line)()
    with pytest.raises(SystemExit) as leaving:
        app.run(line)
    assert leaving.value.code == 0
    own, typer = asked
    # Where nothing is given, Typer makes its own empty list of one that may be left out.
    assert repr(own) == repr(typer)


def test_the_values_are_of_the_types_that_are_declared(asked):
    plain(["fit", "a.yaml", "--threads", "2", "--target", "reference", "--set", "seed=1", "--json"])()
    (given,) = asked
    assert given["file"] == groups.ConfigFile(Path("a.yaml"), None, ["seed=1"])
    assert given["machine"] == groups.Machine(2, options.Target.REFERENCE)
    assert given["machine"].target is options.Target.REFERENCE
    assert (given["as_json"], given["quiet"], given["extend_epochs"]) == (True, False, 0)


@pytest.mark.parametrize(
    "line",
    [
        "",
        "--help",
        "trian a.yaml",
        "--json validate a.yaml",
        "validate --help",
        "validate a.yaml --help",
        "validate a.yaml b.yaml",
        "validate a.yaml --set",
        "validate a.yaml --set --json",
        "validate a.yaml --set=seed=1",
        "validate a.yaml --sett seed=1",
        "validate a.yaml -- b",
        "fit a.yaml --threads 0",
        "fit a.yaml --threads -1",
        "fit a.yaml --threads 1.0",
        "fit a.yaml --threads 1_0",
        "fit a.yaml --threads ²",
        "fit a.yaml --target gpu",
        "fit a.yaml --target CPU",
        "fit a.yaml --qu",
        "predict run --data -",
        "predict run -ofile",
        "export run",
        "show",
        "schema x",
    ],
)
def test_all_else_is_left_to_typer(line):
    assert plain(line.split()) is None


def test_an_empty_word_is_left_to_typer():
    assert plain(["validate", ""]) is None


@pytest.mark.parametrize("line", ["fit", "fit a.yaml --config b.yaml", "evaluate run --data a.csv --part test"])
def test_misuse_is_raised_before_anything_is_done(line):
    with pytest.raises(Misuse):
        plain(line.split())()


@pytest.mark.parametrize("line", ["validate config.yaml", "fit config.yaml --target reference"])
def test_a_plain_line_runs_without_typer(project, line):
    script = f"""
import sys
from trainer_cli.cli import main
sys.argv[1:] = {line.split()}
try:
    main.main()
except SystemExit as end:
    sys.exit(end.code or ("typer" in sys.modules) * 9)
"""
    done = subprocess.run([sys.executable, "-c", script], cwd=project.folder, env=project.environment(), check=False)
    assert done.returncode == 0


@pytest.mark.parametrize("quiet", [[], ["-q"]], ids=["told", "quiet"])
def test_a_plain_line_prints_what_one_for_typer_prints(project, quiet):
    own = project.run("validate", "config.yaml", "--set", "seed=1", "--strict", *quiet)
    typer = project.run("validate", "--set=seed=1", "--strict", "config.yaml", *quiet)
    assert (own.returncode, own.stdout, own.stderr) == (typer.returncode, typer.stdout, typer.stderr)
    assert own.stdout == ("" if quiet else "config.yaml: ok\n")
