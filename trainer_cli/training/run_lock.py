"""A run's folder in; the right to write to it, which ends with the process that holds it, out.

The operating system holds the lock (`flock`, or byte locks on Windows), so nothing stale is left by a process that was
killed: what stands in the file only names the holder. Where a file system has no locks, what stands there is compared
with the processes of this machine; two that begin in the same instant are then not told apart.
"""

from __future__ import annotations

import errno
import json
import os
import platform
import sys
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from trainer_cli.errors import ResourceError

FILE = ".lock"
_NO_LOCKS = (errno.ENOLCK, errno.EOPNOTSUPP, errno.ENOTSUP, errno.ENOSYS, errno.EINVAL)
_BEHIND = 1 << 20
"""The byte that is locked on Windows, where a locked one cannot be read: behind the words."""


class RunLock:
    """Held from its making to `release`, or to the end of the process. Raises ResourceError if another holds it."""

    def __init__(self, folder: Path, command: str = "") -> None:
        self._path = folder / FILE
        try:
            self._descriptor = self._take()
        except OSError as error:
            raise ResourceError(
                f"cannot write {self._path}: {error.strerror or error}", hint="choose a writable folder with --run-dir"
            ) from error
        holder = {
            "process": os.getpid(),
            "host": platform.node(),
            "began": _beginning(os.getpid()),
            "since": datetime.now(UTC).isoformat(timespec="seconds"),
            "command": command,
        }
        with suppress(OSError):  # on a full disk nobody is named, but the lock holds
            os.ftruncate(self._descriptor, 0)
            os.lseek(self._descriptor, 0, os.SEEK_SET)
            os.write(self._descriptor, json.dumps(holder).encode())

    def _take(self) -> int:
        while True:
            descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT, 0o644)
            try:
                found = _locked(descriptor)
                holder = _holder(descriptor)
                if found is False or (found is None and _alive(holder)):
                    raise ResourceError(
                        f"{self._path.parent} is being trained by {_words(holder)}",
                        hint="two cannot write to one run: wait for the other's end, or stop it first",
                    )
                if _is_same(descriptor, self._path):
                    return descriptor
            except BaseException:
                os.close(descriptor)
                raise
            os.close(descriptor)  # the holder removed the file between its opening and its locking

    def release(self) -> None:
        """Give the right back; the file goes too."""
        if self._descriptor < 0:
            return
        with suppress(OSError):
            if _is_same(self._descriptor, self._path):
                self._path.unlink()
        os.close(self._descriptor)
        self._descriptor = -1


def _locked(descriptor: int) -> bool | None:
    """True if the file is now locked, False if another process holds it, None if it cannot be locked here."""
    try:
        if sys.platform == "win32":
            import msvcrt

            os.lseek(descriptor, _BEHIND, os.SEEK_SET)
            msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)
        else:
            import fcntl

            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        return None if error.errno in _NO_LOCKS else False
    except ImportError:
        return None
    return True


def _is_same(descriptor: int, path: Path) -> bool:
    try:
        return os.path.samestat(os.fstat(descriptor), path.stat())
    except FileNotFoundError:
        return False


def _holder(descriptor: int) -> dict[str, Any]:
    """Who wrote the file; empty if nobody did, or its words are damaged."""
    try:
        os.lseek(descriptor, 0, os.SEEK_SET)
        found = json.loads(os.read(descriptor, 1 << 16))
    except (OSError, ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


def _alive(holder: dict[str, Any]) -> bool:
    """Whether the process that the file names still runs on this machine; of another machine nothing is known."""
    process = holder.get("process")
    if not isinstance(process, int) or holder.get("host") != platform.node() or process == os.getpid():
        return False
    if sys.platform == "win32":
        return False  # there is no asking without ending it
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except (OSError, OverflowError):
        pass
    return _beginning(process) == holder.get("began")  # its number may have gone to another since


def _beginning(process: int) -> str | None:
    """When a process began, as the system counts; None where it does not tell."""
    try:
        status = Path(f"/proc/{process}/stat").read_text(encoding="utf-8", errors="replace")
        return status.rpartition(")")[2].split()[19]
    except (OSError, IndexError):
        return None


def _words(holder: dict[str, Any]) -> str:
    if not holder:
        return "another process"
    command = f" (`{holder['command']}`)" if holder.get("command") else ""
    return f"process {holder.get('process')} on {holder.get('host')} since {holder.get('since')}{command}"
