"""Reads the source of every module and fails on what the house forbids: upward imports, strange homes, huge files."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parent.parent / "trainer_cli"
ORDER = ("lazy", "errors", "ir", "parts", "data", "config", "compiler", "targets", "training", "reports", "cli")
HOMES = {
    "rich": ("reports", "cli"),
    "typer": ("cli",),
    "numpy": ("lazy", "targets"),  # `lazy` gives it to the rest, so that checking a config does without
    "llvmlite": ("targets",),
    "numba": ("targets",),
}
VAGUE = ("utils", "util", "helpers", "helper", "manager", "base", "common", "misc")
LONGEST = 400

MODULES = sorted(PACKAGE.rglob("*.py"))


def name_of(path: Path) -> str:
    return path.relative_to(PACKAGE).with_suffix("").as_posix()


def package_of(path: Path) -> str:
    """The first folder below `trainer_cli`, or the module itself; `python -m trainer_cli` is the command line's."""
    name = path.relative_to(PACKAGE).with_suffix("").parts[0]
    return "cli" if name == "__main__" else name


def imported(path: Path, tree: ast.AST) -> Iterator[tuple[int, str]]:
    """Line and dotted name of every import, inside functions too; relative ones made absolute."""
    here = ["trainer_cli", *path.relative_to(PACKAGE).parts[:-1]]
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield node.lineno, alias.name
        elif isinstance(node, ast.ImportFrom):
            module = node.module or ""
            if node.level:
                module = ".".join([*here[: len(here) - node.level + 1], *filter(None, [module])])
            for alias in node.names:
                yield node.lineno, f"{module}.{alias.name}"


def upward(path: Path, source: str) -> list[str]:
    """Imports of one module that point to a later package of ORDER, or to a library that lives elsewhere."""
    package = package_of(path)
    found = []
    for line, name in imported(path, ast.parse(source)):
        top, _, rest = name.partition(".")
        if top == "trainer_cli":
            other = rest.partition(".")[0]
            if other in ORDER and (package not in ORDER or ORDER.index(other) > ORDER.index(package)):
                found.append(f"{name_of(path)}:{line} imports {name}")
        elif top in HOMES and package not in HOMES[top]:
            found.append(f"{name_of(path)}:{line} imports {name}, which belongs in {' and '.join(HOMES[top])}")
    return found


@pytest.mark.parametrize("path", MODULES, ids=name_of)
def test_module_keeps_the_house_rules(path: Path):
    source = path.read_text(encoding="utf-8")
    tree = ast.parse(source)
    package = package_of(path)
    assert upward(path, source) == []
    assert package in ORDER or package == "__init__", f"{package} has no place in the order"
    assert not [part for part in Path(name_of(path)).parts if part in VAGUE or part.endswith("_utils")]
    assert ast.get_docstring(tree), "every module says what comes in and what goes out"
    assert len(source.splitlines()) <= LONGEST
    if package not in ("reports", "cli"):
        calls = [node for node in ast.walk(tree) if isinstance(node, ast.Call)]
        assert not [call.lineno for call in calls if isinstance(call.func, ast.Name) and call.func.id == "print"]


@pytest.mark.parametrize(
    ("module", "source", "complaint"),
    [
        ("ir/graph.py", "from trainer_cli.parts import layer", "ir/graph:1 imports trainer_cli.parts.layer"),
        ("ir/graph.py", "def f():\n    import trainer_cli.cli.app", "ir/graph:2 imports trainer_cli.cli.app"),
        ("data/csv.py", "from ..config import schema", "data/csv:1 imports trainer_cli.config.schema"),
        ("data/csv.py", "from trainer_cli import training", "data/csv:1 imports trainer_cli.training"),
        ("compiler/trace.py", "import numba", "compiler/trace:1 imports numba, which belongs in targets"),
        ("data/csv.py", "import numpy as np", "data/csv:1 imports numpy, which belongs in lazy and targets"),
        (
            "training/fit.py",
            "from rich.table import Table",
            "training/fit:1 imports rich.table.Table, which belongs in",
        ),
    ],
)
def test_an_upward_import_is_seen(module: str, source: str, complaint: str):
    (found,) = upward(PACKAGE / module, source)
    assert found.startswith(complaint)


def test_a_downward_import_is_allowed():
    source = "from ..ir import graph\nfrom trainer_cli.errors import ConfigError\nimport trainer_cli.data.csv\n"
    assert upward(PACKAGE / "training/fit.py", source) == []


def test_every_package_of_the_order_exists():
    assert {package_of(path) for path in MODULES} >= set(ORDER)
