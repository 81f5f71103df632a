"""An `.npz` archive, IDX files or a folder of images in; what their rows are and what is to be predicted out."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

from trainer_cli.data.files import nearest
from trainer_cli.data.outline import Key, Kind, Outline, Wanted, kind_of, wanted_of
from trainer_cli.data.pictures import check_pillow, size_of
from trainer_cli.data.source import INPUT, TARGET
from trainer_cli.errors import DataError
from trainer_cli.lazy import np

if TYPE_CHECKING:
    from trainer_cli.data.source import Table

Named = Callable[[Path], str]
"""A path as the config shall name it."""

_TARGETS = ("y", "Y", "target", "targets", "label", "labels", "class", "classes")
_PARTS = {"validation": ("val", "valid", "validation"), "test": ("test",)}
_IMAGES_LOOKED_AT = 2000
_LARGEST = 128
"""The longer side, in pixels, of images that are brought to one size."""


def npz_outline(path: Path, target: str | None, wished: Kind | None, named: Named) -> Outline:
    """The arrays of an archive. Raises DataError if inputs and targets cannot be told apart."""
    from trainer_cli.data.sources.npz import Npz, arrays

    found = arrays(path)
    if not found:
        raise DataError(f"{path}: holds no array with rows")
    shapes = {key: shape for key, (shape, _) in found.items()}
    target, given = _pair(path, target, shapes)
    parts = {part: pair for part in _PARTS if (pair := _own_pair(part, given, target, shapes)) is not None}
    keys = {"path": Key(named(path)), "input": Key(given), "target": Key(target)}
    for part, pair in parts.items():
        keys |= {f"{part}_{role}": Key(key) for role, key in zip(("input", "target"), pair, strict=True)}
    where = f"{path}, array `{target}`"
    shape, dtype = found[given]
    row = shape[1:] or (1,)
    bytes_ = dtype == np.uint8
    table = Npz.model_validate({"path": str(path), "input": given, "target": target}).read(Path())
    kind = kind_of(row, bytes_=bytes_, wished=wished, where=f"{path}, array `{given}`")
    wanted = wanted_of(table.targets[TARGET].values, row, where)
    if kind == "vector" and wanted.places:
        wanted = Wanted(None, row[0])
    tokens = _tokens(table, f"{path}, array `{given}`") if kind == "tokens" else None
    about = f"`{target}` from rows of shape {row} of {path.name}"
    return Outline("npz", about, shape[0], kind, row, wanted, keys, tokens, bytes_, tuple(parts))


def _pair(path: Path, target: str | None, shapes: Mapping[str, tuple[int, ...]]) -> tuple[str, str]:
    """The keys of the targets and of the inputs to train on."""
    usual = [key for stem in _TARGETS for key in (f"{stem}_train", f"train_{stem}", stem) if key in shapes]
    if target is None and not usual:
        raise DataError(f"{path}: which array is to be predicted?", hint=f"--target, one of: {', '.join(shapes)}")
    target = target or usual[0]
    if target not in shapes:
        raise DataError(f"{path}: no array `{target}`", hint=nearest(target, list(shapes), "arrays"))
    rows = shapes[target][0]
    others = {key: shape for key, shape in shapes.items() if key != target and shape[0] == rows}
    if not others:
        raise DataError(f"{path}: no other array has {rows:,} rows, as `{target}` has")
    sizes = {key: int(np.prod(shape[1:])) for key, shape in others.items()}
    # A part held out may have as many rows as that to train on; its name tells it.
    trained = {key: size for key, size in sizes.items() if not any(word in key.lower() for word in ("test", "val"))}
    sizes = trained or sizes
    return target, max(sizes, key=lambda key: sizes[key])


def _own_pair(part: str, given: str, target: str, shapes: Mapping[str, tuple[int, ...]]) -> tuple[str, str] | None:
    """The keys of inputs and targets of a part, where the names are like those to train on."""
    for word in _PARTS[part]:
        own = [key.replace("train", word) if "train" in key else f"{key}_{word}" for key in (given, target)]
        if own[0] != own[1] and all(key in shapes for key in own) and shapes[own[0]][0] == shapes[own[1]][0]:
            return own[0], own[1]
    return None


def _tokens(table: Table, where: str) -> int:
    values = table.inputs[INPUT].values
    if not (values == np.floor(values)).all() or values.min() < 0:
        raise DataError(f"{where}: tokens are whole numbers from 0, and there are others")
    return int(values.max()) + 1


def idx_outline(path: Path, wished: Kind | None, named: Named) -> Outline:
    """A folder of IDX files, or the file of images with that of labels beside it."""
    from trainer_cli.data.sources.idx import Idx

    if path.is_dir():
        given = {"folder": path}
    else:
        images = path.with_name(path.name.replace("labels", "images").replace("idx1", "idx3"))
        given = {
            "images": images,
            "labels": images.with_name(images.name.replace("images", "labels").replace("idx3", "idx1")),
        }
    table = Idx.model_validate({key: str(file) for key, file in given.items()}).read(Path())
    if TARGET not in table.targets:
        raise DataError(f"{path}: there are no labels, so there is nothing to predict")
    shape = table.inputs[INPUT].values.shape[1:]
    kind = kind_of(shape, bytes_=True, wished=wished, where=str(path))
    wanted = wanted_of(table.targets[TARGET].values, shape, f"{path}, the labels")
    about = f"the labels of the images of {path.name}"
    keys = {key: Key(named(file)) for key, file in given.items()}
    return Outline("idx", about, table.rows, kind, shape, wanted, keys, bytes_=True, parts=tuple(table.parts))


def images_outline(path: Path, named: Named) -> Outline:
    """A folder with a folder per class, or with such a folder per part. Raises DataError."""
    from trainer_cli.data.sources.images import PARTS, Images

    check_pillow()
    inside = {child.name: child for child in sorted(path.iterdir()) if child.is_dir() and child.name[0] != "."}
    train, own = path, {}
    if inside and set(inside) <= PARTS:
        for name, folder in inside.items():
            part = next((part for part, words in _PARTS.items() if name in words), None)
            if part is None:
                train = folder
            else:
                own[part] = folder
    found = list(Images.model_validate({"path": str(train)}).found(train))
    counts = Counter(label for _, label in found)
    if len(counts) == 1:
        raise DataError(f"{train}: all images are of the class `{next(iter(counts))}`, so there is nothing to predict")
    # Spread over all classes: the first files are often of one alone.
    step = max(1, len(found) // _IMAGES_LOOKED_AT)
    sizes = Counter(size_of(file) for file, _ in islice(found, 0, None, step))
    size, _ = sizes.most_common(1)[0]
    keys = {"path": Key(named(train), "a folder per class: " + _some(sorted(str(label) for label in counts)))}
    keys |= {f"{part}_path": Key(named(folder)) for part, folder in own.items()}
    if len(sizes) > 1 or max(size) > _LARGEST:
        scale = min(1.0, _LARGEST / max(size))
        height, width = (max(1, round(extent * scale)) for extent in size)
        most = "of several sizes, most often" if len(sizes) > 1 else "all"
        keys["size"] = Key([height, width], f"height and width; they are {most} {size[0]} × {size[1]}")
        size = (height, width)
    keys["color"] = Key("rgb", "or grayscale: one channel in place of three")
    wanted = Wanted(len(counts), rarest=min(counts.values()))
    about = f"which of {len(counts)} classes an image of {path.name} is of"
    return Outline("images", about, len(found), "image", (*size, 3), wanted, keys, bytes_=True, parts=tuple(own))


def _some(names: list[str]) -> str:
    return ", ".join(names[:4]) + (", …" if len(names) > 4 else "")
