"""The file that a run begins with in, weights or a checkpoint; its record for the manifest, and the file again, out.

A run that is killed before its first checkpoint is written knows from its manifest what it was to begin with.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal, NamedTuple, TypeAlias

from trainer_cli.training.checkpoints import CheckpointError

KEY = "began_with"
"""Where the record stands in the manifest."""
Kind: TypeAlias = Literal["weights", "checkpoint"]


class Origin(NamedTuple):
    """A file of weights that a new run took over, or the checkpoint that it went on from in a folder of its own."""

    kind: Kind
    path: Path


def record(origin: Origin) -> dict[str, str]:
    """The file's place and digest. Raises CheckpointError if it cannot be read."""
    return {origin.kind: str(origin.path.absolute()), "sha256": _digest(origin.path)}


def recorded(manifest: Mapping[str, Any]) -> Origin | None:
    """The file of a manifest, None if the run began with none. Raises CheckpointError if it is not what it was."""
    found = manifest.get(KEY)
    if not isinstance(found, Mapping):
        return None
    kind: Kind = "weights" if "weights" in found else "checkpoint"
    path = Path(str(found.get(kind)))
    if not path.is_file() or _digest(path) != found.get("sha256"):
        raise CheckpointError(
            f"the run was to begin with {path}, which is {'no longer what it was' if path.is_file() else 'gone'}",
            hint="start a new run",
        )
    return Origin(kind, path)


def _digest(path: Path) -> str:
    try:
        with open(path, "rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise CheckpointError(f"cannot read {path}: {error.strerror or error}") from error
