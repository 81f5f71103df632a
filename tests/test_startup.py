"""The commands that only look at a config start without the compiler, the arrays and the tables behind them."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

SCRIPT = """
import json, sys
sys.argv = ["trainer", *sys.argv[1:]]
from trainer_cli.cli.main import main
try:
    main()
except SystemExit as leaving:
    code = leaving.code
print("\\n" + json.dumps({"code": code, "modules": sorted(sys.modules)}))
"""
ENTRY = "from trainer_cli.cli.main import start; start()"
WRONG = {
    "value": "architecture: [{type: dense, units: -1}]\n",
    "syntax": "architecture: [\n",
    "shapes": "architecture: [{type: input, shape: [4]}, {type: reshape, shape: [3]}]\n",
}


def start(*arguments, root, code=0):
    """The top-level packages that a command has imported when it ends."""
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT, *arguments], cwd=root, capture_output=True, text=True, timeout=60
    )
    found = json.loads(done.stdout.splitlines()[-1])
    assert (found["code"] or 0) == code, done.stderr
    return {name for name in found["modules"] if "." not in name}


@pytest.mark.parametrize(
    "arguments",
    [["--help"], ["fit", "--help"], ["validate", "configs/digits.yaml"], ["validate", "--data", "configs/digits.yaml"]],
    ids=" ".join,
)
def test_numba_is_not_imported(arguments, root):
    assert not start(*arguments, root=root) & {"numba", "llvmlite"}


def test_help_imports_neither_numpy_nor_pydantic_nor_rich(root):
    assert not start("--help", root=root) & {"numpy", "pydantic", "rich", "yaml"}


def test_the_help_of_a_command_imports_neither_numpy_nor_rich(root):
    assert not start("fit", "--help", root=root) & {"numpy", "rich", "yaml"}


CONFIGS = ("digits", "digits-phases", "iris", "diabetes", "fashion-mnist", "fashion-mnist-cnn")


@pytest.mark.parametrize("config", CONFIGS)
def test_validate_does_without_numpy_rich_and_typer(config, root):
    found = start("validate", f"configs/{config}.yaml", "--set", "seed=1", root=root)
    assert not found & {"numpy", "numba", "llvmlite", "rich", "typer"}


@pytest.mark.parametrize("wrong", WRONG)
def test_so_do_its_errors(wrong, root, tmp_path):
    (tmp_path / "config.yaml").write_text(WRONG[wrong])
    found = start("validate", str(tmp_path / "config.yaml"), root=root, code=2)
    assert not found & {"numpy", "numba", "llvmlite", "rich", "typer"}


@pytest.mark.parametrize(("config", "code"), [("configs/digits.yaml", 0), ("configs/none.yaml", 2)])
def test_the_process_ends_with_all_said(config, code, root):
    """`start` leaves at once: what was printed into a pipe must have arrived."""
    done = subprocess.run(
        [sys.executable, "-c", ENTRY, "validate", config], cwd=root, capture_output=True, text=True, timeout=60
    )
    assert done.returncode == code
    assert (done.stdout == f"{config}: ok\n") if code == 0 else ("no such file" in done.stderr)


@pytest.mark.parametrize(
    "before",
    [
        "import atexit, numpy; atexit.register(print, 'done')",
        "import threading as t; t.Thread(target=lambda: (t.main_thread().join(), print('done'))).start()",
    ],
    ids=["registered", "under way"],
)
def test_what_is_left_for_the_end_is_done(before, root):
    script = f"{before}\n{ENTRY}"
    arguments = [sys.executable, "-c", script, "validate", "configs/digits.yaml"]
    done = subprocess.run(arguments, cwd=root, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0
    assert done.stdout == "configs/digits.yaml: ok\ndone\n"
