"""Installed packages: the name of one in, its version out, without importing it or reading what it says of itself.

A package lies beside a folder `<name>-<version>.dist-info`. `importlib.metadata` tells more, but takes 15 ms to import
and 2 ms for each package.
"""

from __future__ import annotations

import os
import sys
from contextlib import suppress
from functools import cache

_ENDING = ".dist-info"


def installed_version(name: str) -> str | None:
    """The version of a package; None where it is not installed."""
    known = _versions().get(_folder_name(name))
    if known is not None:
        return known
    # Some are installed in other ways.
    from importlib.metadata import PackageNotFoundError, version

    try:
        return version(name)
    except PackageNotFoundError:
        return None


@cache
def _versions() -> dict[str, str]:
    """The versions of all packages; of those that are there twice, the first, which is the one that is imported."""
    found: dict[str, str] = {}
    for folder in sys.path:
        with suppress(OSError):
            for entry in os.listdir(folder or "."):
                name, _, version = entry.removesuffix(_ENDING).partition("-")
                if version and entry.endswith(_ENDING):
                    found.setdefault(_folder_name(name), version)
    return found


def _folder_name(name: str) -> str:
    return name.replace("-", "_").replace(".", "_").lower()
