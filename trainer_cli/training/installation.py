"""The metadata of the package in; which packages it needs, which are there and which are wrong, out.

Of a source folder they are read from its `pyproject.toml`: what was once installed from it may be of another day.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator
from contextlib import suppress
from importlib import import_module
from importlib.metadata import PackageNotFoundError, requires, version
from pathlib import Path
from typing import NamedTuple

import trainer_cli

DISTRIBUTION = "trainer-cli"
_MODULES = {"pyyaml": "yaml"}
_PURPOSES = {
    "arrow": "reads and writes Parquet and Arrow files",
    "images": "reads folders of images",
    "mlflow": "logs runs to MLflow",
    "plots": "draws curves as PNG pictures",
    "dev": "tests, types and style of trainer itself",
}
_REQUIREMENT = r"\s*([A-Za-z0-9][A-Za-z0-9._-]*)\s*(?:\[[^\]]*\])?\s*([^;]*)(?:;(.*))?"
_EXTRA = r"""extra\s*==\s*["']([^"']+)["']"""


class Package(NamedTuple):
    """A needed package; `problem` says what is wrong with it, `fix` how to mend that."""

    name: str
    installed: str | None
    problem: str | None = None
    fix: str | None = None


class Extra(NamedTuple):
    """An optional group of packages, what it is for, and those of it that are not installed or too old."""

    name: str
    missing: tuple[str, ...]

    @property
    def purpose(self) -> str:
        return _PURPOSES.get(self.name, "optional")


class _Requirement(NamedTuple):
    name: str
    bounds: str
    extra: str | None


def requirements() -> Iterator[Package]:
    """Every needed package, in the order of the metadata."""
    for requirement in _declared():
        if requirement.extra is None:
            yield _examined(requirement)


def extras() -> list[Extra]:
    """The optional groups, in the order of the metadata."""
    groups: dict[str, list[str]] = {}
    for requirement in _declared():
        if requirement.extra is not None:
            missing = groups.setdefault(requirement.extra, [])
            installed = _installed(requirement.name)
            if installed is None or not fits(installed, requirement.bounds):
                missing.append(requirement.name)
    return [Extra(name, tuple(missing)) for name, missing in groups.items()]


def _installed(name: str) -> str | None:
    # As in `checkpoints`, which cannot be imported where safetensors is what is broken.
    try:
        return version(name)
    except PackageNotFoundError:
        return None


def _declared() -> list[_Requirement]:
    lines = _source_lines(Path(trainer_cli.__file__).parents[1])
    with suppress(PackageNotFoundError):  # of a copy that nobody installed nothing is known
        lines = lines or requires(DISTRIBUTION) or []
    found = []
    for line in lines:
        match = re.fullmatch(_REQUIREMENT, line)
        if match:
            extra = re.search(_EXTRA, match.group(3) or "")
            found.append(_Requirement(match.group(1), match.group(2).strip(" ()"), extra.group(1) if extra else None))
    return found


def _source_lines(folder: Path) -> list[str]:
    """What the `pyproject.toml` of a source folder asks for, as metadata would say it; nothing elsewhere."""
    try:
        project = tomllib.loads((folder / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    except (OSError, ValueError, KeyError):
        return []
    if project.get("name") != DISTRIBUTION:
        return []
    optional = project.get("optional-dependencies", {})
    extras = [f'{line}; extra == "{name}"' for name, lines in optional.items() for line in lines]
    return [*project.get("dependencies", []), *extras]


def _examined(requirement: _Requirement) -> Package:
    name, bounds = requirement.name, requirement.bounds
    fix = f"pip install '{name}{bounds}'"
    installed = _installed(name)
    if installed is None:
        return Package(name, None, "not installed", fix)
    if not fits(installed, bounds):
        return Package(name, installed, f"{installed} is installed, {bounds} is needed", fix)
    try:
        import_module(_MODULES.get(name.lower(), name.lower().replace("-", "_")))
    except Exception as error:
        again = f"pip install --force-reinstall '{name}{bounds}'"
        return Package(name, installed, f"{installed} cannot be imported: {type(error).__name__}: {error}", again)
    return Package(name, installed)


def fits(installed: str, bounds: str) -> bool:
    """Whether a version lies within bounds such as `>=0.68,<0.70`; what is no plain comparison is taken to fit."""
    for bound in filter(None, (part.strip() for part in bounds.split(","))):
        match = re.fullmatch(r"(>=|<=|==|!=|>|<)\s*([0-9.]+)", bound)
        if match is None:
            continue
        length = max(installed.count("."), match.group(2).count(".")) + 1
        found, wanted = _numbers(installed, length), _numbers(match.group(2), length)
        holds = {
            ">=": found >= wanted,
            "<=": found <= wanted,
            "==": found == wanted,
            "!=": found != wanted,
            ">": found > wanted,
            "<": found < wanted,
        }
        if not holds[match.group(1)]:
            return False
    return True


def _numbers(text: str, length: int) -> tuple[int, ...]:
    """`0.68.1` → (0, 68, 1); what follows the digits of a part (`0rc1`) is left out."""
    parts = [int(found.group()) if (found := re.match(r"[0-9]+", part)) else 0 for part in text.split(".")]
    return tuple([*parts, *[0] * length][:length])
