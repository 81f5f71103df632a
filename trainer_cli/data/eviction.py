"""A folder of conversions in; those that were used least recently, and are in use by nobody, removed from it.

A process that maps a conversion holds a shared lock on its index until it ends, however it ends. What is locked is not
removed.
"""

from __future__ import annotations

import os
import re
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from trainer_cli.errors import ConfigError

LIMIT_VARIABLE = "TRAINER_DATA_CACHE_GB"
_LIMIT_GIGABYTES = 50.0
_ABANDONED_SECONDS = 24 * 3600
"""A conversion that nothing was added to for so long was killed."""

_CONVERSION = re.compile(r"[0-9a-f]{64}")

_in_use: dict[tuple[int, int], int] = {}
"""The descriptors that hold the locks of this process, by the device and number of the files."""


def limit_bytes() -> int:
    """The size that conversions may have together. Raises ConfigError for a value that is no size."""
    given = os.environ.get(LIMIT_VARIABLE, "")
    try:
        size = float(given) if given.strip() else _LIMIT_GIGABYTES
    except ValueError:
        size = -1.0
    if not 0 <= size < 1e9:
        message = f"the environment variable {LIMIT_VARIABLE} is `{given[:40]}`"
        raise ConfigError(message, hint=f"give a number of gigabytes, such as {_LIMIT_GIGABYTES:g}")
    return int(size * 1e9)


def use(index: Path) -> None:
    """Note that a conversion is used, now and by this process until it ends. Raises OSError if there is none."""
    while True:
        descriptor = os.open(index, os.O_RDONLY)
        status = os.fstat(descriptor)
        key = (status.st_dev, status.st_ino)
        if key in _in_use or not _locked(descriptor, shared=True):
            os.close(descriptor)
        else:
            _in_use[key] = descriptor
        # Whoever removes a folder holds the lock while it gets another name: what was locked may be gone.
        if os.path.samestat(status, os.stat(index)):
            break
    with suppress(OSError):  # of another user, or on a file system that can only be read
        os.utime(index)


def evict(folder: Path, index: str) -> None:
    """Remove the conversions that were used least recently until the others are within the limit.

    Those that a process uses stay, as many as there are. What cannot be removed stays as well.
    """
    limit = limit_bytes()
    found = sorted(_conversions(folder, index))
    total = sum(size for _, size, _ in found)
    for _, size, place in found:
        if total <= limit:
            return
        with _alone(place / index) as removable:
            if removable:
                # Renamed first: nobody shall find half of it.
                gone = place.with_name(f"{place.name}.{os.getpid()}.part")
                with suppress(OSError):
                    place.rename(gone)
                    total -= size
                import shutil

                shutil.rmtree(gone, ignore_errors=True)


def remove_abandoned(folder: Path) -> None:
    """Remove what killed processes left behind."""
    for path in folder.glob("*.part"):
        with suppress(OSError):
            if time.time() - max(each.stat().st_mtime for each in (path, *path.iterdir())) > _ABANDONED_SECONDS:
                import shutil

                shutil.rmtree(path, ignore_errors=True)


def _conversions(folder: Path, index: str) -> Iterator[tuple[float, int, Path]]:
    """When each was used last, its size and its place."""
    for place in folder.iterdir():
        with suppress(OSError):
            if _CONVERSION.fullmatch(place.name):
                size = sum(file.stat().st_size for file in place.iterdir())
                yield (place / index).stat().st_mtime, size, place


@contextmanager
def _alone(index: Path) -> Iterator[bool]:
    """Whether no process uses a conversion, none of which may begin to within the block."""
    try:
        descriptor = os.open(index, os.O_RDONLY)
    except OSError:
        yield False
        return
    try:
        yield _locked(descriptor, shared=False)
    finally:
        os.close(descriptor)


def _locked(descriptor: int, *, shared: bool) -> bool:
    """Whether the file is now locked: shared with others, for which it may be waited, or by this process alone."""
    try:
        import fcntl

        fcntl.flock(descriptor, fcntl.LOCK_SH if shared else fcntl.LOCK_EX | fcntl.LOCK_NB)
    except (ImportError, OSError):  # where files cannot be locked nothing is removed
        return False
    return True
