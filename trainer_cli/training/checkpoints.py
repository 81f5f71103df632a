"""A run's state in, a `.safetensors` file out, and back; also weights from any such file into a program.

A file holds the weights as `<layer>/<weight>`, optimizer state as `<layer>/<weight>/<slot>`, and under names that
begin with `@` what only this program reads. Its header has one metadata key, `trainer`: JSON with all the rest. (One
key, because the safetensors package writes several in random order, and equal states should be equal files.)
"""

from __future__ import annotations

import hashlib
import io
import json
import os
import platform
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import IO, Any

from safetensors import SafetensorError, safe_open
from safetensors.numpy import save

from trainer_cli import __version__
from trainer_cli.errors import ConfigError, DataError, Problem, ResourceError
from trainer_cli.lazy import NDArray, np
from trainer_cli.targets.installed import installed_version
from trainer_cli.training.contracts import Program
from trainer_cli.training.state import Best, Binding, Counters, Patience, Plateau, RunState, Tensors

FORMAT_VERSION = 2
STEMS = ("last", "previous", "best")
"""The checkpoints of a run, besides the numbered ones: the newest first."""
_TOTALS = "@totals/"
_KEPT = "@kept/"


class CheckpointError(DataError):
    """A checkpoint cannot be read; the message names the file and the reason."""


@dataclass(frozen=True)
class WeightReport:
    """What a file of weights brought to a model."""

    path: Path
    matched: tuple[str, ...]
    missing: tuple[str, ...]  # weights of the model that are not in the file and keep their initial values
    unused: tuple[str, ...]  # tensors of the file that the model has no weight for


def versions() -> dict[str, str | None]:
    """Versions of everything that can influence a result."""
    packages = {name: installed_version(name) for name in ("numpy", "numba", "llvmlite", "safetensors")}
    return {"trainer": __version__, "python": platform.python_version(), **packages}


def write_atomically(path: Path, content: bytes, *, before: Path | None = None) -> None:
    """Write a file so that a reader, or a crash, finds the old content or the new, never a part of it.

    With `before` the old content stays under that name. Raises ResourceError.
    """
    with opened_atomically(path, before=before) as file:
        file.write(content)


@contextmanager
def opened_atomically(path: Path, *, before: Path | None = None) -> Iterator[IO[bytes]]:
    """A file to write to, which takes its place when the block ends, and never if the block fails.

    What is no file, such as a pipe or `/dev/stdout`, is written to as it is; a link leads to its file.
    """
    path = path.resolve() if path.is_symlink() else path
    temporary = _beside(path)
    try:
        if path.exists() and not path.is_file() and not path.is_dir():
            with open(path, "wb") as file:
                yield file
            return
        path.parent.mkdir(parents=True, exist_ok=True)
        with open(temporary, "wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        if before is not None:
            _keep(path, before)
        os.replace(temporary, path)
        _sync_directory(path.parent)
    except OSError as error:
        raise ResourceError(
            f"cannot write {path}: {error.strerror or error}", hint="free some disk space, or choose another folder"
        ) from error
    finally:
        # Gone after a rename; left over only if something went wrong.
        with suppress(OSError):
            temporary.unlink(missing_ok=True)


@contextmanager
def opened_output(path: Path | None) -> Iterator[IO[str]]:
    """The same for lines of text, in a folder that is there; without a path, stdout."""
    if path is None:
        yield sys.stdout
        return
    with opened_output_bytes(path) as file:
        text = io.TextIOWrapper(file, encoding="utf-8", newline="")  # type: ignore[type-var]
        yield text
        text.flush()
        text.detach()


@contextmanager
def opened_output_bytes(path: Path) -> Iterator[IO[bytes]]:
    """A file that takes its place when the block ends, in a folder that is there. Raises ResourceError."""
    if not path.parent.is_dir():
        raise ResourceError(f"cannot write {path}: there is no folder {path.parent}")
    with opened_atomically(path) as file:
        yield file


def _beside(path: Path) -> Path:
    return path.with_name(f".{path.name}.{os.getpid()}.part")


def _keep(path: Path, before: Path) -> None:
    """Give a file a second name, so that it is under the first one until that is replaced."""
    temporary = _beside(before)
    try:
        os.link(path, temporary)
        os.replace(temporary, before)
    except FileNotFoundError:
        return
    except OSError:  # a file system without second names
        os.replace(path, before)
    finally:
        # A rename does nothing where both names are of one file already, as after a crash just here.
        with suppress(OSError):
            temporary.unlink(missing_ok=True)


def _sync_directory(folder: Path) -> None:
    """Make a rename durable; not every system can open a directory."""
    if not hasattr(os, "O_DIRECTORY"):
        return
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def write_checkpoint(path: Path, state: RunState, *, before: Path | None = None) -> None:
    """Write the state; the file at `path` is whole at every moment. With `before` the old one stays under that name."""
    tensors: Tensors = {**state.weights, **state.slots}
    tensors.update({_TOTALS + name: value for name, value in state.totals.items()})
    tensors.update({_KEPT + name: value for name, value in state.kept_weights.items()})
    header = {
        "format_version": FORMAT_VERSION,
        "versions": versions(),
        "weights": list(state.weights),
        "optimizer": list(state.slots),
        "seed": state.seed,
        "counters": asdict(state.counters),
        "patience": asdict(state.patience),
        "plateau": asdict(state.plateau),
        "best": asdict(state.best),
        "binding": asdict(state.binding),
        "epoch_seconds": state.epoch_seconds,
        "compile_seconds": state.compile_seconds,
        "digest": state.digest,
        "encoding": state.encoding,
        "history": state.history,
        "test": state.test,
        "config": state.config,
    }
    tensors = {name: _contiguous(value) for name, value in tensors.items()}
    header["checksum"] = _checksum(header, tensors)
    write_atomically(path, save(tensors, {"trainer": _json(header)}), before=before)


def _json(header: Mapping[str, Any]) -> str:
    return json.dumps(header, allow_nan=False, separators=(",", ":"))


def _checksum(header: Mapping[str, Any], tensors: Tensors) -> str:
    """Of all that a checkpoint holds: a disk may give back other bits than it was given, and nobody else would tell."""
    digest = hashlib.sha256(_json({key: value for key, value in header.items() if key != "checksum"}).encode())
    for name in sorted(tensors):
        value = tensors[name]
        digest.update(f"{name} {value.dtype.str} {value.shape}".encode())
        digest.update(value.reshape(-1).view(np.uint8).data)
    return digest.hexdigest()


def _contiguous(value: NDArray[Any]) -> NDArray[Any]:
    # `ascontiguousarray` would turn a scalar into a vector.
    return value if value.flags.c_contiguous else np.array(value, order="C")


def read_checkpoint(path: Path) -> RunState:
    """Read a state back; raises CheckpointError if the file is missing, damaged or not a checkpoint."""
    tensors, text = _read_file(path)
    if text is None:
        raise CheckpointError(
            f"{path} holds tensors but is no checkpoint of trainer", hint="use it with --weights, which takes any names"
        )
    try:
        header = json.loads(text)
        found = header["format_version"]
        if found != FORMAT_VERSION:
            raise CheckpointError(
                f"{path} has checkpoint format {found}, this version reads {FORMAT_VERSION}",
                hint="read it with the version of trainer that wrote it",
            )
        if header["checksum"] != _checksum(header, tensors):
            raise CheckpointError(f"{path} is damaged: it does not hold what was written")
        return RunState(
            weights={name: tensors[name] for name in header["weights"]},
            slots={name: tensors[name] for name in header["optimizer"]},
            totals=_below(_TOTALS, tensors),
            kept_weights=_below(_KEPT, tensors),
            counters=Counters(**header["counters"]),
            patience=Patience(**header["patience"]),
            plateau=Plateau(**header.get("plateau", {})),
            best=Best(**header["best"]),
            binding=Binding(**header["binding"]),
            seed=header["seed"],
            config=header["config"],
            encoding=header["encoding"],
            digest=header["digest"],
            history=header["history"],
            test=header["test"],
            epoch_seconds=header["epoch_seconds"],
            compile_seconds=header["compile_seconds"],
        )
    except (KeyError, TypeError, ValueError) as error:
        raise CheckpointError(f"{path} is a damaged checkpoint: {type(error).__name__} at {error}") from error


def _below(prefix: str, tensors: Tensors) -> Tensors:
    return {name.removeprefix(prefix): value for name, value in tensors.items() if name.startswith(prefix)}


def _read_file(path: Path) -> tuple[Tensors, str | None]:
    try:
        with safe_open(path, framework="numpy") as file:
            metadata = file.metadata() or {}
            # Copies: the file's pages would vanish under a mapping when the file is replaced.
            tensors = {name: np.array(file.get_tensor(name)) for name in file.keys()}  # noqa: SIM118
            return tensors, metadata.get("trainer")
    except FileNotFoundError as error:
        raise CheckpointError(f"there is no checkpoint at {path}") from error
    except SafetensorError as error:
        raise CheckpointError(f"{path} is damaged or no safetensors file: {error}") from error
    except (OSError, TypeError, ValueError, AttributeError) as error:
        raise CheckpointError(f"cannot read {path}: {error}") from error


def find_checkpoint(path: Path, prefer: str = "best") -> Path:
    """The checkpoint file that a path means: itself, or one in a run directory (`prefer` before the others)."""
    if not path.is_dir():
        return path
    for folder in (path / "checkpoints", path):
        for stem in dict.fromkeys((prefer, *STEMS)):
            if (folder / f"{stem}.safetensors").is_file():
                return folder / f"{stem}.safetensors"
    raise CheckpointError(f"{path} holds no checkpoints", hint="give a run directory or a .safetensors file")


def import_weights(path: Path, program: Program, seed: int = 0) -> tuple[Tensors, WeightReport]:
    """State for a program with its weights taken from a file by name; raises ConfigError if shapes disagree.

    The file may be a checkpoint, a run directory, or any safetensors file with names `<layer>/<weight>`. Optimizer
    state starts anew.
    """
    path = find_checkpoint(path)
    tensors, text = _read_file(path)
    if text is not None:
        try:
            names = json.loads(text)["weights"]
            tensors = {name: tensors[name] for name in names}
        except (KeyError, TypeError, ValueError) as error:
            raise CheckpointError(f"{path} is a damaged checkpoint: {type(error).__name__} at {error}") from error
    state = program.initial_state(seed)
    matched, problems = [], []
    for name, spec in program.weights.items():
        if name not in tensors:
            continue
        value, shape = tensors[name], tuple(spec.shape)
        if value.shape != shape:
            problems.append(Problem(f"weight `{name}`: the model has shape {shape}, {path.name} has {value.shape}"))
        elif not np.issubdtype(value.dtype, np.floating):
            problems.append(Problem(f"weight `{name}` is {value.dtype} in {path.name}, expected floats"))
        else:
            state[name] = np.ascontiguousarray(value, dtype=np.float32).reshape(shape)
            matched.append(name)
    if problems:
        raise ConfigError(problems, hint="the layer's settings differ from those of the model that was saved")
    report = WeightReport(
        path,
        matched=tuple(matched),
        missing=tuple(name for name in program.weights if name not in tensors),
        unused=tuple(sorted(name for name in tensors if name not in program.weights)),
    )
    if not matched and program.weights:
        raise ConfigError(
            f"none of the names in {path} is a weight of this model; "
            f"it has {_listed(report.unused)}, the model {_listed(report.missing)}",
            hint="weights are matched by name, `<layer>/<weight>`; give the layers the names used in the file",
        )
    return state, report


def _listed(names: tuple[str, ...], limit: int = 3) -> str:
    return ", ".join(f"`{name}`" for name in names[:limit]) + (", …" if len(names) > limit else "") or "nothing"
