"""`validate` reads simple arguments without Typer: the same requests as with it, and nothing that is not simple."""

from __future__ import annotations

from pathlib import Path

import pytest

from trainer_cli.cli import app, check


@pytest.fixture
def asked(monkeypatch):
    """The requests that reach the check."""
    found = []

    def remember(request):
        found.append(request)
        return 0

    monkeypatch.setattr(check, "check", remember)
    return found


@pytest.mark.parametrize(
    "arguments",
    [
        ["a.yaml"],
        ["a.yaml", "--strict", "--data"],
        ["a.yaml", "--json", "-q"],
        ["a.yaml", "--quiet", "--quiet"],
        ["sub/a b.yaml", "--set", "seed=1", "--strict", "--set", "fit.epochs=2"],
        ["a.yaml", "--set", "name=--x"],
    ],
    ids=" ".join,
)
def test_simple_arguments_mean_what_they_mean_to_typer(arguments, asked):
    with pytest.raises(SystemExit) as leaving:
        app.run(["validate", *arguments])
    assert leaving.value.code == 0
    assert asked == [check.plain(["validate", *arguments])]


def test_a_request_holds_the_path_and_the_overrides():
    assert check.plain(["validate", "a.yaml", "--set", "seed=1"]) == check.Request(Path("a.yaml"), ("seed=1",))


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["--help"],
        ["--json", "validate", "a.yaml"],
        ["fit", "a.yaml"],
        ["validate"],
        ["validate", ""],
        ["validate", "--help"],
        ["validate", "a.yaml", "--help"],
        ["validate", "a.yaml", "b.yaml"],
        ["validate", "--config", "a.yaml"],
        ["validate", "--strict", "a.yaml"],
        ["validate", "a.yaml", "--set"],
        ["validate", "a.yaml", "--set", "--json"],
        ["validate", "a.yaml", "--set=seed=1"],
        ["validate", "a.yaml", "--sett", "seed=1"],
        ["validate", "a.yaml", "--", "b"],
    ],
    ids=" ".join,
)
def test_all_else_is_left_to_typer(arguments):
    assert check.plain(arguments) is None
