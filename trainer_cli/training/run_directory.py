"""A run's facts in; its folder with config, manifest, metrics and summary out."""

from __future__ import annotations

import json
import math
import os
import platform
import re
import shlex
import subprocess
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from trainer_cli.errors import ConfigError, ResourceError
from trainer_cli.training.checkpoints import versions, write_atomically
from trainer_cli.training.run_lock import RunLock

MANIFEST = "manifest.json"


class RunDirectory:
    """The files of one run. `last`, the `previous` one and `best` are its checkpoints."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.last = path / "checkpoints" / "last.safetensors"
        self.previous = path / "checkpoints" / "previous.safetensors"
        self.best = path / "checkpoints" / "best.safetensors"
        self.metrics = path / "metrics.jsonl"
        self._lock: RunLock | None = None

    @property
    def way_on(self) -> str:
        """The words that tell how a run that ended goes on."""
        return f"go on with: trainer fit --resume {shlex.quote(str(self.path))}"

    def lock(self, command: Sequence[str] = ()) -> None:
        """Keep every other process from writing to the run. Raises ResourceError if one does."""
        self._lock = RunLock(self.path, shlex.join(command))

    def unlock(self) -> None:
        if self._lock is not None:
            self._lock.release()

    def write_config(self, text: str) -> None:
        write_atomically(self.path / "config.yaml", text.encode())

    @property
    def manifest(self) -> dict[str, Any] | None:
        """How the run was started; None if that is not known."""
        return _read_json(self.path / MANIFEST)

    def write_manifest(self, manifest: Mapping[str, Any]) -> None:
        """Write how the run was started; where that is known, add how it was resumed instead."""
        first = self.manifest
        if first is not None:
            manifest = {**first, "resumed": [*first.get("resumed", []), manifest]}
        write_atomically(self.path / MANIFEST, _json(manifest))

    def write_summary(self, summary: Mapping[str, Any]) -> None:
        write_atomically(self.path / "summary.json", _json(summary))

    def append_metrics(self, report: Mapping[str, Any]) -> None:
        """Add one line, at once visible to readers."""
        self._append(_line(report))

    def _append(self, text: str) -> None:
        try:
            with open(self.metrics, "a", encoding="utf-8") as file:
                file.write(text)
        except OSError as error:
            raise ResourceError(
                f"cannot write {self.metrics}: {error.strerror or error}",
                hint=f"free some disk space, then {self.way_on}",
            ) from error

    def rewrite_metrics(self, reports: Iterable[Mapping[str, Any]]) -> None:
        """Make the file hold exactly these lines: a resumed run drops what came after its checkpoint."""
        lines = "".join(map(_line, reports))
        if lines or self.metrics.exists():
            write_atomically(self.metrics, lines.encode())
        else:
            self._append("")  # an empty file is never half written


def _line(report: Mapping[str, Any]) -> str:
    return json.dumps({key: _finite(value) for key, value in report.items()}, allow_nan=False) + "\n"


def _finite(value: Any) -> Any:
    """JSON has no NaN: a metric without a value is null."""
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _read_json(path: Path) -> dict[str, Any] | None:
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return value if isinstance(value, dict) else None


def _json(value: Mapping[str, Any]) -> bytes:
    return (json.dumps(value, indent=2, ensure_ascii=False, allow_nan=False) + "\n").encode()


def create_run_directory(
    name: str,
    explicit: Path | None = None,
    manifest: Mapping[str, Any] | None = None,
    *,
    command: Sequence[str] = (),
    root: Path = Path("runs"),
    now: datetime | None = None,
) -> RunDirectory:
    """A new folder, locked, with its manifest: `explicit`, or `<root>/<name>/<UTC time>`.

    Raises ConfigError if it holds something already, ResourceError if it cannot be made.
    """
    try:
        path = _new_folder(name, root, now) if explicit is None else explicit
        path.mkdir(parents=True, exist_ok=True)
        _refuse_used(path)
        directory = RunDirectory(path)
        directory.lock(command)
        try:
            _refuse_used(path)  # by a process that was faster
            # Before all else: from now on the run can be resumed, whenever it is killed.
            directory.write_manifest(manifest or {})
            directory.last.parent.mkdir()
        except BaseException:
            directory.unlock()
            raise
    except OSError as error:
        raise ResourceError(
            f"cannot create a run directory at {explicit or root}: {error.strerror or error}",
            hint="choose a writable folder with --run-dir",
        ) from error
    return directory


def _new_folder(name: str, root: Path, now: datetime | None) -> Path:
    """Runs that start in the same second are told apart by whoever makes the folder first."""
    folder = root / (re.sub(r"[^\w.-]+", "-", name).strip(".-") or "run")
    folder.mkdir(parents=True, exist_ok=True)
    stamp = (now or datetime.now(UTC)).strftime("%Y%m%dT%H%M%SZ")
    number = 1
    while True:
        path = folder / (stamp if number == 1 else f"{stamp}-{number}")
        try:
            path.mkdir()
        except FileExistsError:
            number += 1
            continue
        return path


def _refuse_used(path: Path) -> None:
    """A process that was killed while it made the folder leaves a lock that nobody holds, and a part of a manifest."""
    found = sorted(entry.name for entry in path.iterdir() if not re.fullmatch(r"\.lock|\..*\.part", entry.name))
    if not found:
        return
    if "checkpoints" in found or MANIFEST in found:
        raise ConfigError(
            f"{path} already holds a run", hint=f"go on with it by --resume {path}, or choose another --run-dir"
        )
    raise ConfigError(f"{path} is not empty ({', '.join(found[:3])})", hint="choose an empty or a new --run-dir")


def open_run_directory(path: Path, command: Sequence[str] = ()) -> RunDirectory:
    """The folder of a run that is to go on, locked; what a killed process left half written is removed.

    Raises ConfigError if it is none, ResourceError if another process writes to it.
    """
    if not _is_run(path):
        raise ConfigError(f"{path} is no run directory: it has no checkpoints", hint="give the folder that `fit` made")
    directory = RunDirectory(path)
    directory.lock(command)
    with suppress(OSError):
        for leftover in (*path.glob(".*.part"), *path.glob("checkpoints/.*.part")):
            leftover.unlink()
    return directory


def _is_run(path: Path) -> bool:
    return (path / "checkpoints").is_dir() or (path / MANIFEST).is_file()


def latest_run(name: str, root: Path = Path("runs")) -> Path:
    """The newest run directory of a config that has a checkpoint."""
    folder = root / (re.sub(r"[^\w.-]+", "-", name).strip(".-") or "run")
    runs = [path.parents[1] for path in folder.glob("*/checkpoints/*.safetensors")]
    if not runs:
        hint = "make one with `trainer fit`, or give the folder of a run"
        raise ConfigError(f"there is no run with a checkpoint in {folder}", hint=hint)
    # Suffixes count runs of the same second: `-10` is newer than `-2`.
    return max(runs, key=_age_key)


def _age_key(path: Path) -> tuple[str, int]:
    stamp, _, number = path.name.partition("-")
    return stamp, int(number) if number.isdigit() else 1


def manifest(
    *, seed: int, target: str, threads: int | None, digest: str | None, config_folder: Path, command: Sequence[str]
) -> dict[str, Any]:
    """What the run was made of and on."""
    return {
        "started": datetime.now(UTC).isoformat(timespec="seconds"),
        "command": shlex.join(command) if command else None,
        "versions": versions(),
        "platform": system_name(),
        "cpu": cpu_model(),
        "cpus": available_cpus(),
        "target": target,
        "threads": threads if threads is not None else available_cpus(),
        "seed": seed,
        "data_digest": digest,
        "git": git_state(config_folder),
    }


def system_name() -> str:
    """`platform.platform()`, for which Linux need not be asked by a process: `uname -p` takes 3 ms."""
    if sys.platform != "linux":
        return platform.platform()
    system, library = os.uname(), "".join(platform.libc_ver())
    return "-".join([system.sysname, system.release, system.machine, *(["with", library] if library else [])])


def available_cpus() -> int:
    """Processors that this process may run on."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def cpu_model(cpuinfo: Path = Path("/proc/cpuinfo")) -> str:
    """The processor's name as far as the system tells."""
    try:
        for line in cpuinfo.read_text(encoding="utf-8", errors="replace").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    except OSError:
        pass
    if sys.platform == "darwin":
        return _output(["sysctl", "-n", "machdep.cpu.brand_string"]) or platform.machine()
    return platform.processor() or platform.machine()


_COMMIT = "# branch.oid "
"""What stands before a commit in the answer of `git status`, which says everything at once."""


def git_state(folder: Path, run: Callable[[Sequence[str]], str | None] | None = None) -> dict[str, Any] | None:
    """Commit of the repository that holds a folder and whether tracked files differ from it; None without one."""
    run = run or _output
    shown = ("--porcelain=v2", "--branch", "--no-ahead-behind", "--untracked-files=no")
    lines = (run(["git", "-C", str(folder), "status", *shown]) or "").splitlines()
    commit = next((line.removeprefix(_COMMIT) for line in lines if line.startswith(_COMMIT)), "(initial)")
    if commit == "(initial)":
        return None
    return {"commit": commit, "modified": any(not line.startswith("#") for line in lines)}


def _output(command: Sequence[str]) -> str | None:
    try:
        result = subprocess.run(command, capture_output=True, text=True, timeout=5, check=True)
    except (OSError, subprocess.SubprocessError):
        return None
    return result.stdout.strip()
