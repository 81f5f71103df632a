"""The commands that only look at a config start without the compiler behind them."""

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


def start(*arguments, root):
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT, *arguments], cwd=root, capture_output=True, text=True, timeout=60
    )
    found = json.loads(done.stdout.splitlines()[-1])
    assert not found["code"], done.stderr
    return {name.partition(".")[0] for name in found["modules"]}


@pytest.mark.parametrize(
    "arguments",
    [["--help"], ["fit", "--help"], ["validate", "configs/digits.yaml"], ["validate", "--data", "configs/digits.yaml"]],
    ids=" ".join,
)
def test_numba_is_not_imported(arguments, root):
    assert not start(*arguments, root=root) & {"numba", "llvmlite"}


def test_help_imports_neither_numpy_nor_pydantic_nor_rich(root):
    assert not start("--help", root=root) & {"numpy", "pydantic", "rich", "yaml"}


def test_validate_does_without_rich(root):
    assert "rich" not in start("validate", "configs/digits.yaml", root=root)
