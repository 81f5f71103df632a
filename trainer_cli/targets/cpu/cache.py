"""The plan cache: what decides the machine code of a unit, or a plan, in, names and bytes of files out.

A unit is one file, `<cache>/kernels/<digest>`, a plan another, `<cache>/plans/<digest>`: a SHA-256 checksum and the
bytes behind it. Plans that hold the same kernel share it. Nothing in a file is executed by Python when it is loaded;
damage means a slower start.
"""

from __future__ import annotations

import hashlib
import os
import stat
from collections.abc import Iterator
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

import llvmlite.binding as llvm

from trainer_cli.targets.cpu import processor
from trainer_cli.targets.installed import installed_version

if TYPE_CHECKING:
    from trainer_cli.targets.cpu.program import Unit

PACKAGE = Path(__file__).parent.parent.parent

CHECKSUM_BYTES = 32


def cache_folder() -> Path | None:
    """The folder of the cache: `$TRAINER_CACHE_DIR`, else the user's cache folder, else a private temporary one.

    None if none of them can be written.
    """
    return next(filter(_is_private_folder, _candidates()), None)


def _candidates() -> Iterator[Path]:
    """Folders in the order in which they are tried; a temporary one is looked for if it comes to that, by writing."""
    if chosen := os.environ.get("TRAINER_CACHE_DIR"):
        yield Path(chosen)
        return
    home = os.environ.get("XDG_CACHE_HOME")
    # A user without an entry in the list of users, as in some containers, has no home.
    with suppress(RuntimeError):
        yield (Path(home) if home else Path.home() / ".cache") / "trainer"

    import tempfile

    yield Path(tempfile.gettempdir()) / f"trainer-{os.getuid() if hasattr(os, 'getuid') else 'user'}"


def _is_private_folder(folder: Path) -> bool:
    """Whether a folder can be made and written, and belongs to this user: machine code is loaded from it."""
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        information = folder.stat()
    except OSError:
        return False
    if hasattr(os, "getuid"):
        foreign = information.st_uid not in (os.getuid(), 0)
        if foreign or (information.st_mode & stat.S_IWOTH and not information.st_mode & stat.S_ISVTX):
            return False
    return os.access(folder, os.W_OK | os.X_OK)


@cache
def _environment_digest() -> str:
    """A digest of everything besides the text that decides a unit's machine code."""
    return _digest_of("targets/cpu", "ir")


@cache
def plan_environment() -> str:
    """A digest of everything besides a graph and its inputs that decides a plan: the passes, which compute constants
    with NumPy, the writers of kernels, and what decides the machine code of units."""
    return _digest_of("targets/cpu", "ir", "compiler")


def _digest_of(*folders: str) -> str:
    """A digest of folders of the package, of the libraries that make code of them, and of the processor."""
    digest = hashlib.sha256()
    for folder in folders:
        for path in sorted((PACKAGE / folder).rglob("*.py")):
            digest.update(path.read_bytes())
    versions = [f"{name} {installed_version(name)}" for name in ("numba", "llvmlite", "numpy")]
    names = [llvm.get_default_triple(), processor.name(), processor.flags(), *versions]
    digest.update("\n".join(names).encode())
    return digest.hexdigest()


def unit_digest(unit: Unit) -> str:
    """The name of a unit's file."""
    return hashlib.sha256(f"{_environment_digest()}\n{unit.exports}\n{unit.text}".encode()).hexdigest()


def symbol(name: str, digest: str) -> str:
    """The name of an exported function in machine code."""
    return f"{name}_{digest[:32]}"


def read_entry(path: Path) -> bytes | None:
    """The content of a file; None if there is none. Raises ValueError if there is one and it is damaged."""
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        return None
    except OSError as error:
        raise ValueError(str(error)) from error
    checksum, kept = content[:CHECKSUM_BYTES], content[CHECKSUM_BYTES:]
    if hashlib.sha256(kept).digest() != checksum:
        raise ValueError("it is not the file that was written")
    return kept


def write_entry(path: Path, content: bytes) -> None:
    """Write a file as a whole: beside its place first, then by one rename. Raises OSError.

    Others may write the same one at the same time: whoever comes last stays.
    """
    import shutil
    import tempfile

    path.parent.mkdir(parents=True, exist_ok=True)
    if path.is_dir():
        shutil.rmtree(path)
    handle, beside = tempfile.mkstemp(prefix=".new-", dir=path.parent)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(hashlib.sha256(content).digest() + content)
        os.replace(beside, path)
    except BaseException:
        with suppress(FileNotFoundError):
            os.unlink(beside)
        raise
