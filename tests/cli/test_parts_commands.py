"""`trainer list` and `trainer explain`, as a user types them."""

from __future__ import annotations

import json
import re

import pytest

from trainer_cli.parts.families import FAMILIES, OPTIMIZERS


def test_list_shows_the_families_and_their_parts(project):
    done = project.run("list")
    assert done.returncode == 0, done.stderr
    assert [line.split()[0] for line in done.stdout.splitlines() if line[0] != " "][:2] == ["layers", "activations"]
    done = project.run("list", "optimizers")
    assert [line.split()[0] for line in done.stdout.splitlines() if line[0] != " "] == OPTIMIZERS.names()
    found = json.loads(project.run("list", "--json").stdout)
    assert list(found.values()) == [family.names() for family in FAMILIES]
    (mse,) = [each for each in json.loads(project.run("list", "losses", "--json").stdout) if "mse" in each["aliases"]]
    assert mse["name"] == "mean_squared_error"


def test_a_family_that_is_not_there_is_refused_with_the_nearest(project):
    done = project.run("list", "lyers")
    assert (done.returncode, done.stdout) == (2, "")
    assert "did you mean `layers`?" in done.stderr


def test_explain_gives_arguments_formula_and_source(project):
    done = project.run("explain", "adam", environment={"COLUMNS": "100"})
    assert done.returncode == 0, done.stderr
    assert "Kingma and Ba" in done.stdout
    assert "m ← m + (1 − β₁)(∇ − m)" in done.stdout
    assert re.search(r"learning_rate +number > 0 or schedule +0\.001 +step size α\n", done.stdout)
    assert max(map(len, done.stdout.splitlines())) <= 100
    assert "optimizer: adam" in done.stdout


def test_explain_shows_a_name_of_several_families_unless_one_is_picked(project):
    done = project.run("explain", "mse", "--json")
    assert [entry["family"] for entry in json.loads(done.stdout)] == ["losses", "metrics"]
    done = project.run("explain", "mse", "--family", "metrics", "--json")
    (entry,) = json.loads(done.stdout)
    assert (entry["family"], entry["arguments"][0]["name"]) == ("metrics", "name")


@pytest.mark.parametrize("arguments", [["Adaam"], ["adaam", "--family", "optimizers"]])
def test_explain_refuses_an_unknown_name_with_the_nearest(project, arguments):
    done = project.run("explain", *arguments)
    assert (done.returncode, done.stdout) == (2, "")
    assert "did you mean optimizer `adam`?" in done.stderr


def test_list_imports_no_part(project):
    """It reads the files: two hundred models would take seconds."""
    code = "import sys; from trainer_cli.cli.app import run\ntry: run(['list', 'layers'])\nexcept SystemExit: pass\n"
    code += "print(*[name for name in sys.modules if '.parts.layers.' in name or name in ('numpy', 'rich')])"
    import subprocess
    import sys

    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)
    assert done.stdout.splitlines()[-1] == ""
