"""A trained model in; a file with its weights alone, for other programs, out."""

from __future__ import annotations

import io
from dataclasses import dataclass
from pathlib import Path

from safetensors.numpy import save

from trainer_cli.errors import ConfigError
from trainer_cli.lazy import np
from trainer_cli.training.checkpoints import find_checkpoint, read_checkpoint, write_atomically
from trainer_cli.training.state import Tensors

FORMATS = (".npz", ".safetensors")


@dataclass(frozen=True)
class Exported:
    """What was written where."""

    source: Path
    file: Path
    tensors: int
    parameters: int


def export_weights(path: Path, file: Path, *, force: bool = False) -> Exported:
    """Write the weights of a run directory or checkpoint, called `<layer>/<weight>`, in Keras's layouts.

    The ending chooses the format. A file that exists is replaced with `force` alone, and as a whole or not at all.
    Raises ConfigError, CheckpointError or ResourceError.
    """
    ending = file.suffix.lower()
    if ending not in FORMATS:
        raise ConfigError(
            f"{file}: the ending chooses the format, and `{ending or file.name}` is none",
            hint=f"known: {', '.join(FORMATS)}",
        )
    if file.is_dir():
        raise ConfigError(f"{file} is a folder", hint="give the name of a file")
    if file.exists() and not force:
        raise ConfigError(f"{file} exists already", hint="--force replaces it")
    source = find_checkpoint(path)
    weights = read_checkpoint(source).weights
    write_atomically(file, _npz(weights) if ending == ".npz" else save(weights, {"format": "np"}))
    return Exported(source, file, len(weights), sum(int(value.size) for value in weights.values()))


def _npz(weights: Tensors) -> bytes:
    buffer = io.BytesIO()
    np.savez(buffer, **weights)  # type: ignore[arg-type]  # names are keywords here, and any text may be one
    return buffer.getvalue()
