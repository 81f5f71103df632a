"""The metadata of the installed package in; which packages it needs, which are there and which are wrong, out."""

from __future__ import annotations

import re
from collections.abc import Iterator
from importlib import import_module
from importlib.metadata import PackageNotFoundError, requires, version
from typing import NamedTuple

DISTRIBUTION = "trainer-cli"
_MODULES = {"pyyaml": "yaml"}
_NEEDED = ("typer", "pyyaml", "pydantic", "numpy", "numba", "rich", "safetensors")
"""What is needed at least, for a source folder that is not installed and so has no metadata."""
_REQUIREMENT = r"\s*([A-Za-z0-9][A-Za-z0-9._-]*)\s*(?:\[[^\]]*\])?\s*([^;]*)(?:;(.*))?"
_EXTRA = r"""extra\s*==\s*["']([^"']+)["']"""


class Package(NamedTuple):
    """A needed package; `problem` says what is wrong with it, `fix` how to mend that."""

    name: str
    installed: str | None
    problem: str | None = None
    fix: str | None = None


class Extra(NamedTuple):
    """An optional group of packages and those of it that are not installed."""

    name: str
    missing: tuple[str, ...]


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
    """The optional groups; none is known of a source folder that is not installed."""
    groups: dict[str, list[str]] = {}
    for requirement in _declared():
        if requirement.extra is not None:
            missing = groups.setdefault(requirement.extra, [])
            if _installed(requirement.name) is None:
                missing.append(requirement.name)
    return [Extra(name, tuple(missing)) for name, missing in groups.items()]


def _installed(name: str) -> str | None:
    # As in `checkpoints`, which cannot be imported where safetensors is what is broken.
    try:
        return version(name)
    except PackageNotFoundError:
        return None


def _declared() -> list[_Requirement]:
    try:
        lines = requires(DISTRIBUTION) or []
    except PackageNotFoundError:
        lines = list(_NEEDED)
    found = []
    for line in lines:
        match = re.fullmatch(_REQUIREMENT, line)
        if match:
            extra = re.search(_EXTRA, match.group(3) or "")
            found.append(_Requirement(match.group(1), match.group(2).strip(" ()"), extra.group(1) if extra else None))
    return found


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
