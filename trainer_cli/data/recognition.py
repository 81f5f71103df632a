"""A path in; which format its data has by its name, and the outline of its rows, out."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Literal

from trainer_cli.data.files import nearest
from trainer_cli.data.outline import Kind, Outline
from trainer_cli.errors import ConfigError, DataError

Format = Literal["table", "npz", "npy", "idx", "images", "json_lines", "text"]

_ENDINGS: dict[str, Format] = {
    ".npz": "npz",
    ".npy": "npy",
    ".jsonl": "json_lines",
    ".ndjson": "json_lines",
    ".txt": "text",
}
_TEMPLATES: dict[str, Kind] = {"tabular": "vector", "image": "image", "sequence": "sequence", "text": "tokens"}


def recognised(path: Path, target: str | None) -> Format:
    """The format of a file or folder; a `.txt` is a table if a column of it is to be predicted.

    Raises DataError if there is nothing.
    """
    if not path.exists():
        beside = [item.name for item in path.parent.iterdir()] if path.parent.is_dir() else []
        raise DataError(f"{path}: no such file or folder", hint=nearest(path.name, sorted(beside), "there are"))
    if path.is_dir():
        names = [item.name for item in path.iterdir()]
        if any("-idx" in name for name in names):
            return "idx"
        return "npy" if any(name.endswith(".npy") for name in names) else "images"
    name = path.name.removesuffix(".gz").lower()
    if "idx1-" in name or "idx3-" in name or name.endswith((".idx", "-ubyte")):
        return "idx"
    found = _ENDINGS.get(Path(name).suffix, "table")
    return "table" if found == "text" and target is not None else found


def outline_of(
    path: Path, kind: Format, target: str | None, template: str | None, named: Callable[[Path], str]
) -> Outline:
    """What the rows are. `template` says what arrays are taken for, `named` how the config names a path.

    Raises DataError, and ConfigError for a template or target that this data cannot have.
    """
    from trainer_cli.data import survey_arrays, survey_sequences

    if target is not None and kind in ("idx", "images", "text"):
        raise ConfigError(f"{path}: what this data predicts is given with it", hint="leave `--target` out")
    possible = {"images": ("image",), "text": ("text",), "json_lines": ()}.get(kind, tuple(_TEMPLATES))
    if template is not None and template not in possible:
        hint = f"it may be taken for: {', '.join(possible)}" if possible else "leave `--template` out"
        raise ConfigError(f"{path}: cannot be taken for `{template}`", hint=hint)
    wished = _TEMPLATES.get(template or "")
    if kind == "npz":
        return survey_arrays.npz_outline(path, target, wished, named)
    if kind == "npy":
        return survey_arrays.npy_outline(path, target, wished, named)
    if kind == "idx":
        return survey_arrays.idx_outline(path, wished, named)
    if kind == "images":
        return survey_arrays.images_outline(path, named)
    if kind == "json_lines":
        return survey_sequences.json_lines_outline(path, target, named)
    return survey_sequences.text_outline(path, named)
