"""The plan cache: a plan's text in, the folder of its files out; damage means a slower start, never a failure.

A plan is three files in `<cache>/plans/<digest>/`: `plan.py` (the source), `plan.o` (the machine code) and `plan.json`
(the name of its entry point and a checksum of the code). Nothing in them is executed by Python when a plan is loaded.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import stat
import tempfile
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from importlib.metadata import version
from pathlib import Path

import llvmlite.binding as llvm

PACKAGE = Path(__file__).parent.parent.parent

ATTEMPTS = 100
"""Times that a plan is put in its place while others put theirs there."""


@dataclass(frozen=True)
class StoredPlan:
    """Machine code and the name of its entry point."""

    code: bytes
    symbol: str


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
    """A digest of everything besides the text that decides a plan's machine code."""
    digest = hashlib.sha256()
    for folder in ("targets/cpu", "ir"):
        for path in sorted((PACKAGE / folder).rglob("*.py")):
            digest.update(path.read_bytes())
    features = llvm.get_host_cpu_features().flatten()
    names = [llvm.get_default_triple(), llvm.get_host_cpu_name(), features, version("numba"), version("llvmlite")]
    digest.update("\n".join(names).encode())
    return digest.hexdigest()


def plan_digest(text: str) -> str:
    """The name of a plan's folder."""
    return hashlib.sha256(f"{_environment_digest()}\n{text}".encode()).hexdigest()


def read_plan(folder: Path) -> StoredPlan | None:
    """The plan of a folder; None if there is none. Raises ValueError if there is one and it is damaged."""
    try:
        description = json.loads((folder / "plan.json").read_text(encoding="utf-8"))
        code = (folder / "plan.o").read_bytes()
    except FileNotFoundError:
        return None
    except (OSError, ValueError) as error:
        raise ValueError(str(error)) from error
    if not isinstance(description, dict) or not isinstance(description.get("symbol"), str):
        raise ValueError("plan.json does not describe a plan")
    if hashlib.sha256(code).hexdigest() != description.get("sha256"):
        raise ValueError("plan.o is not the file that was written")
    return StoredPlan(code, description["symbol"])


def write_plan(folder: Path, text: str, plan: StoredPlan) -> None:
    """Write a plan's folder as a whole: beside its place first, then by one rename. Raises OSError.

    Others may write the same plan at the same time: whoever comes last stays.
    """
    folder.parent.mkdir(parents=True, exist_ok=True)
    beside = Path(tempfile.mkdtemp(prefix=".new-", dir=folder.parent))
    try:
        new = beside / "new"
        new.mkdir()
        (new / "plan.py").write_text(text, encoding="utf-8")
        (new / "plan.o").write_bytes(plan.code)
        description = {"symbol": plan.symbol, "sha256": hashlib.sha256(plan.code).hexdigest()}
        (new / "plan.json").write_text(json.dumps(description), encoding="utf-8")
        for attempt in range(ATTEMPTS):
            # A folder cannot be renamed onto one with files in it: that one is moved away first.
            with suppress(FileNotFoundError):
                folder.rename(beside / f"old-{attempt}")
            try:
                new.rename(folder)
                return
            except OSError:
                if attempt == ATTEMPTS - 1:
                    raise
    finally:
        shutil.rmtree(beside, ignore_errors=True)
