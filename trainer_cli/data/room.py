"""What reading a file takes in; whether memory has room for it out, told before it is taken."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path

from trainer_cli.errors import DataError

_RESERVE = 1 << 27
"""What is left to the system, or a tenth of what was free at first if that is less."""
_ROWS_BETWEEN = 1 << 14

_HINT = "give the machine more memory; or `memory: mapped`, which reads in blocks"


def check_room(needed: int, place: str) -> None:
    """Raise DataError if memory cannot hold so many bytes, of the file or array at `place`."""
    free = free_bytes()
    if free is not None and needed > free:
        message = f"{place}: takes {gigabytes(needed)} of memory when it is read, {gigabytes(free)} are free"
        raise DataError(message, hint=_HINT)


class Room:
    """Watches over rows of which nobody knows how many there are: a small archive may unpack to more than memory."""

    def __init__(self, place: str) -> None:
        self._place = place
        free = free_bytes()
        self._reserve = 0 if free is None else min(_RESERVE, free // 10)
        self._next = _ROWS_BETWEEN

    def check(self, rows: int) -> None:
        """Look, now and then, whether there is room for more than these rows. Raises DataError."""
        if rows < self._next:
            return
        self._next = rows + _ROWS_BETWEEN
        free = free_bytes()
        if free is not None and free < self._reserve:
            raise DataError(f"{self._place}: its first {rows:,} rows take all memory that is free", hint=_HINT)


def gigabytes(size: int) -> str:
    """A size in words; a config may ask for more bytes than a float holds."""
    return f"{size / 1e9:,.1f} GB" if size < 10**24 else "a million billion GB"


def free_bytes(root: Path = Path("/")) -> int | None:
    """Memory that this process may still take: the machine's, or what its control group leaves; None if unknown."""
    found = [size for size in (_machine_bytes(root), *_group_bytes(root)) if size is not None]
    return min(found, default=None)


def _machine_bytes(root: Path) -> int | None:
    try:
        for line in (root / "proc/meminfo").read_text(encoding="ascii").splitlines():
            if line.startswith("MemAvailable:"):
                return int(line.split()[1]) * 1024
    except (OSError, ValueError):
        pass
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, ValueError, OSError):
        return None


def _group_bytes(root: Path) -> Iterable[int]:
    """Version 2 of control groups, as containers see their own."""
    folder = root / "sys/fs/cgroup"
    try:
        limit = (folder / "memory.max").read_text(encoding="ascii").strip()
        used = int((folder / "memory.current").read_text(encoding="ascii")) - _cached_bytes(folder)
        if limit != "max":
            yield max(0, int(limit) - used)
    except (OSError, ValueError):
        return


def _cached_bytes(folder: Path) -> int:
    """Pages of files, which count as used and are given up when memory is needed."""
    try:
        lines = (folder / "memory.stat").read_text(encoding="ascii").splitlines()
        return sum(int(line.split()[1]) for line in lines if line.startswith(("inactive_file ", "active_file ")))
    except (OSError, ValueError, IndexError):
        return 0
