"""Nothing in; how this installation and machine are, check by check, with the command that mends each problem, out."""

from __future__ import annotations

import os
import platform
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Literal, NamedTuple, TypeAlias

from trainer_cli import __version__
from trainer_cli.training import cache_sizes, installation

if TYPE_CHECKING:
    from trainer_cli.training.state import Tensors

State: TypeAlias = Literal["ok", "note", "warning", "broken"]
"""`broken` means that something needed does not work; a `warning` costs time or results, a `note` is only to know."""

_LEAST_PYTHON = (3, 11)
_LEAST_FREE_BYTES = 200_000_000
_SAME = 1e-4
"""How far the weights of two targets may be apart after the training of the check."""
_CONFIG = {
    "name": "doctor",
    "data": {"type": "csv", "path": "doctor.csv", "target": "y"},
    "architecture": [{"type": "dense", "units": 3, "activation": "tanh"}, {"type": "dense", "units": 1}],
    "optimizer": "adam",
    "loss": "mean_squared_error",
    "fit": {"batch_size": 4},
}


class Check(NamedTuple):
    """One line of the report; `fix` is the command that mends it, `numbers` are what the words tell."""

    name: str
    state: State
    words: str
    fix: str | None = None
    numbers: dict[str, int] = {}


def examine() -> Iterator[Check]:
    """All checks, each as it is done. A check that fails for a reason of its own is reported as broken."""
    sections: tuple[Callable[[], Iterator[Check]], ...] = (
        _versions,
        _packages,
        _extras,
        _processor,
        _threads,
        _memory,
        _cache,
        _folders,
        _graphics,
        _native_code,
    )
    for section in sections:
        try:
            yield from section()
        except Exception as error:  # the doctor must not fall ill
            yield Check(section.__name__.strip("_").replace("_", " "), "broken", f"{type(error).__name__}: {error}")


def _versions() -> Iterator[Check]:
    yield Check("trainer", "ok", f"{__version__} in {Path(__file__).parents[1]}")
    words = f"{platform.python_version()} ({sys.executable})"
    if sys.version_info < _LEAST_PYTHON:
        yield Check("Python", "broken", f"{words}; 3.11 or newer is needed", "python3.12 -m venv .venv")
    else:
        yield Check("Python", "ok", words)
    yield Check("system", "ok", " ".join([platform.system(), platform.machine(), *platform.libc_ver()]).strip())


def _packages() -> Iterator[Check]:
    for package in installation.requirements():
        if package.problem is None:
            yield Check(package.name, "ok", str(package.installed))
        else:
            yield Check(package.name, "broken", package.problem, package.fix)


def _extras() -> Iterator[Check]:
    for extra in installation.extras():
        if extra.missing:
            words = f"{extra.purpose}; missing or too old: {', '.join(extra.missing)}"
            yield Check(f"extra {extra.name}", "note", words, f"pip install 'trainer-cli[{extra.name}]'")
        else:
            yield Check(f"extra {extra.name}", "ok", f"{extra.purpose}; installed")


def _processor() -> Iterator[Check]:
    from trainer_cli.targets.cpu.processor import processor
    from trainer_cli.training.run_directory import cpu_model

    found = processor()
    features = ", ".join(found.features) or "no vector features that are known here"
    yield Check("processor", "ok", f"{cpu_model()} ({found.name}): {features}; {found.floats} floats per vector")


def _threads() -> Iterator[Check]:
    from trainer_cli.targets.cpu.threads import available_cores, budget
    from trainer_cli.training.run_directory import available_cpus

    default, allowed, cores = available_cores(), available_cpus(), os.cpu_count() or 1
    words = f"{default} by default: {cores} in the machine, {allowed} allowed to this process"
    given = budget()
    if given is not None:
        words += f", {given[1]} by {given[0]}"
    if default < min(allowed, given[1] if given else allowed):
        words += f", {default} by the control group's quota"
    yield Check("threads", "ok", words)


def _memory() -> Iterator[Check]:
    from trainer_cli.data.room import free_bytes

    free = free_bytes()
    yield Check("memory", "ok", "unknown" if free is None else f"{free / 1e9:,.1f} GB free")


def _cache() -> Iterator[Check]:
    from trainer_cli.targets.cpu.cache import cache_folder

    folder = cache_folder()
    if folder is None:
        words = "no folder can be written, or it belongs to others: every start compiles anew"
        yield Check("cache", "warning", words, "export TRAINER_CACHE_DIR=/a/private/folder")
        return
    sizes = cache_sizes.cache_sizes(folder)
    numbers = {f"{name}_{field}": value for name, size in sizes.items() for field, value in size._asdict().items()}
    words = f"{folder}: {cache_sizes.words(sizes)}"
    if folder.is_relative_to(tempfile.gettempdir()) and "TRAINER_CACHE_DIR" not in os.environ:
        words += "; a temporary folder, since the home folder cannot be written"
        yield Check("cache", "note", words, "export TRAINER_CACHE_DIR=/a/lasting/folder", numbers)
    else:
        yield Check("cache", "ok", words, numbers=numbers)


def _folders() -> Iterator[Check]:
    here = Path.cwd()
    free = shutil.disk_usage(here).free
    words = f"{here}, {free / 1e9:,.1f} GB free"
    if not os.access(here, os.W_OK | os.X_OK):
        yield Check("folder", "warning", f"{words}; it cannot be written", "trainer fit … --run-dir /a/writable/folder")
    elif free < _LEAST_FREE_BYTES:
        yield Check("folder", "warning", f"{words}; checkpoints may not fit", "trainer fit … --run-dir /a/larger/disk")
    else:
        yield Check("folder", "ok", words)


def _graphics() -> Iterator[Check]:
    program = shutil.which("nvidia-smi")
    if program is None:
        yield Check("GPU", "ok", "none found, none is needed: trainer computes on the processor")
        return
    query = [program, "--query-gpu=name,memory.total,driver_version", "--format=csv,noheader"]
    try:
        done = subprocess.run(query, capture_output=True, text=True, timeout=10, check=True)
        found = "; ".join(line.strip() for line in done.stdout.splitlines() if line.strip())
    except (OSError, subprocess.SubprocessError) as error:
        found = f"nvidia-smi does not answer ({error})"
    yield Check("GPU", "note", f"{found or 'none'}; trainer computes on the processor")


def _native_code() -> Iterator[Check]:
    """Train a few steps of a small network on both targets, by the way that `fit` takes."""
    from trainer_cli.lazy import np

    began = time.perf_counter()
    native = _trained("cpu")
    seconds = time.perf_counter() - began
    defined = _trained("reference")
    furthest = max(float(np.max(np.abs(native[name] - defined[name]))) for name in defined)
    words = f"compiled or loaded, and trained, in {seconds:.1f} s; weights within {furthest:.0e} of their definition"
    if furthest <= _SAME:  # False for NaN
        yield Check("native code", "ok", words)
    else:
        yield Check("native code", "broken", words, "trainer fit … --target reference")


def _trained(target: str) -> Tensors:
    from trainer_cli.config.load import read_config
    from trainer_cli.lazy import np
    from trainer_cli.training.epoch import open_training_target
    from trainer_cli.training.preparation import plan_phases

    rows = "".join(f"{k % 7 - 3},{k % 5 - 2},{k % 3 - 1}\n" for k in range(24))
    with tempfile.TemporaryDirectory(prefix="trainer-doctor-") as folder:
        (Path(folder) / "doctor.csv").write_text(f"a,b,y\n{rows}", encoding="utf-8")
        (plan,) = plan_phases(read_config(_CONFIG, "doctor"), Path(folder))
    executable = open_training_target(target, None).compile(plan.program, batch_size=plan.fit.batch_size)
    executable.load(plan.program.initial_state(0))
    order = np.arange(plan.dataset.train.rows, dtype=np.int32)
    executable.train(plan.dataset.train, order, 0, plan.program.hyperparameters, 0)
    return dict(executable.state())
