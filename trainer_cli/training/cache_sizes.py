"""The cache's folder in; how much of the disk each part of it takes out: compiled kernels, plans, mapped data."""

from __future__ import annotations

import os
import stat
from pathlib import Path
from typing import NamedTuple

PARTS = {"kernels": "kernels", "plans": "plans", "data": "mapped data"}
"""The folders in the cache, and what they hold."""


class Size(NamedTuple):
    """Entries of a folder (files, or folders of files) and the bytes of all files in them."""

    entries: int = 0
    bytes: int = 0


def cache_sizes(folder: Path) -> dict[str, Size]:
    """The size of each part; files that vanish or cannot be read while they are counted are left out."""
    return {name: _size(folder / name) for name in PARTS}


def words(sizes: dict[str, Size]) -> str:
    """`kernels 7,486 (33.3 MB), mapped data 2 (4.1 GB)`, without what there is none of."""
    told = (f"{PARTS[name]} {size.entries:,} ({_told_bytes(size.bytes)})" for name, size in sizes.items() if size.bytes)
    return ", ".join(told) or "empty"


def _told_bytes(count: int) -> str:
    for unit, factor in (("GB", 1e9), ("MB", 1e6)):
        if count >= 0.05 * factor:
            return f"{count / factor:,.1f} {unit}"
    return f"{count / 1e3:,.1f} kB"


def _size(folder: Path) -> Size:
    entries = total = 0
    # Links are not followed: what they lead to is not in the cache.
    for place, folders, files in os.walk(folder):
        if Path(place) == folder:
            entries = sum(not name.startswith(".") for name in (*folders, *files))
        for name in files:
            try:
                found = os.lstat(os.path.join(place, name))
            except OSError:
                continue
            total += found.st_size if stat.S_ISREG(found.st_mode) else 0
    return Size(entries, total)
