"""The plan cache: the text of a kernel's unit in, the file of its machine code out; damage means a slower start.

A unit is one file, `<cache>/kernels/<digest>`: the SHA-256 checksum of its machine code and the code. Plans that hold
the same kernel share it. Nothing in it is executed by Python when it is loaded.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import stat
import tempfile
from contextlib import suppress
from functools import cache
from importlib.metadata import version
from pathlib import Path

import llvmlite.binding as llvm

from trainer_cli.targets.cpu import processor
from trainer_cli.targets.cpu.program import Unit

PACKAGE = Path(__file__).parent.parent.parent

CHECKSUM_BYTES = 32


def cache_folder() -> Path | None:
    """The folder of the cache: `$TRAINER_CACHE_DIR`, else the user's cache folder, else a private temporary one.

    None if none of them can be written.
    """
    candidates = []
    chosen = os.environ.get("TRAINER_CACHE_DIR")
    if chosen:
        candidates.append(Path(chosen))
    else:
        home = os.environ.get("XDG_CACHE_HOME")
        # A user without an entry in the list of users, as in some containers, has no home.
        with suppress(RuntimeError):
            candidates.append((Path(home) if home else Path.home() / ".cache") / "trainer")
        candidates.append(Path(tempfile.gettempdir()) / f"trainer-{os.getuid() if hasattr(os, 'getuid') else 'user'}")
    for folder in candidates:
        if _is_private_folder(folder):
            return folder
    return None


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
    digest = hashlib.sha256()
    for folder in ("targets/cpu", "ir"):
        for path in sorted((PACKAGE / folder).rglob("*.py")):
            digest.update(path.read_bytes())
    names = [llvm.get_default_triple(), processor.name(), processor.flags(), version("numba"), version("llvmlite")]
    digest.update("\n".join(names).encode())
    return digest.hexdigest()


def unit_digest(unit: Unit) -> str:
    """The name of a unit's file."""
    return hashlib.sha256(f"{_environment_digest()}\n{unit.exports}\n{unit.text}".encode()).hexdigest()


def symbol(name: str, digest: str) -> str:
    """The name of an exported function in machine code."""
    return f"{name}_{digest[:32]}"


def read_unit(path: Path) -> bytes | None:
    """The machine code of a file; None if there is none. Raises ValueError if there is one and it is damaged."""
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        return None
    except OSError as error:
        raise ValueError(str(error)) from error
    checksum, code = content[:CHECKSUM_BYTES], content[CHECKSUM_BYTES:]
    if hashlib.sha256(code).digest() != checksum:
        raise ValueError("it is not the file that was written")
    return code


def write_unit(path: Path, code: bytes) -> None:
    """Write a unit's file as a whole: beside its place first, then by one rename. Raises OSError.

    Others may write the same unit at the same time: whoever comes last stays.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.is_dir():
        shutil.rmtree(path)
    handle, beside = tempfile.mkstemp(prefix=".new-", dir=path.parent)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(hashlib.sha256(code).digest() + code)
        os.replace(beside, path)
    except BaseException:
        with suppress(FileNotFoundError):
            os.unlink(beside)
        raise
