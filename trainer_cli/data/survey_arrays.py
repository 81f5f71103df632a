"""Arrays, IDX files or a folder of images in; what their rows are and what is to be predicted out."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from contextlib import nullcontext, suppress
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from trainer_cli.data.files import nearest, shown
from trainer_cli.data.outline import Branch, Key, Kind, Outline, Wanted, kind_of, wanted_of
from trainer_cli.data.pictures import check_pillow, size_of
from trainer_cli.data.source import INPUT, TARGET
from trainer_cli.errors import DataError
from trainer_cli.lazy import np

if TYPE_CHECKING:
    from trainer_cli.data.arrays import ArrayHeader
    from trainer_cli.data.source import Table

Named = Callable[[Path], str]
"""A path as the config shall name it."""

_TARGETS = ("y", "Y", "target", "targets", "label", "labels", "class", "classes")
_PARTS = {"validation": ("val", "valid", "validation"), "test": ("test",)}
_NO_INPUTS = ("id", "ids", "index", "group", "groups", "fold", "folds", "split", "weight", "weights")
"""Words in the names of arrays that tell nothing about what is to be predicted."""
_WEIGHTS = ("sample_weight", "sample_weights", "weight", "weights")
_MOST_INPUTS = 8
_IMAGES_LOOKED_AT = 2000
_LARGEST = 128
"""The longer side, in pixels, of images that are brought to one size."""


class _Arrays(NamedTuple):
    """Arrays with rows by their names. `read` gives some of them as a source does; `key` names one in the config."""

    path: Path
    source: str
    headers: Mapping[str, ArrayHeader]
    read: Callable[[Mapping[str, str], str], Table]
    place: Callable[[str], str]
    key: Callable[[str], str]

    @property
    def rows(self) -> dict[str, int]:
        return {name: header.shape[0] for name, header in self.headers.items()}


def npz_outline(path: Path, target: str | None, wished: Kind | None, named: Named) -> Outline:
    """The arrays of an archive. Raises DataError if inputs and targets cannot be told apart."""
    from trainer_cli.data.sources.npz import Npz, arrays

    headers = arrays(path)
    if not headers:
        raise DataError(f"{path}: holds no array with rows")

    def read(inputs: Mapping[str, str], target: str) -> Table:
        return Npz.model_validate({"path": str(path), "input": dict(inputs), "target": target}).read(Path())

    found = _Arrays(path, "npz", headers, read, lambda key: f"{path}, array `{key}`", lambda key: key)
    outline = _outline_of_arrays(found, None, target, wished)
    return outline._replace(keys={"path": Key(named(path)), **outline.keys})


def npy_outline(path: Path, target: str | None, wished: Kind | None, named: Named) -> Outline:
    """An array of inputs with that of the targets beside it, or the arrays of a folder. Raises DataError."""
    from trainer_cli.data.array_files import header_of
    from trainer_cli.data.sources.npy import Npy

    files = {file.stem: file for file in sorted((path if path.is_dir() else path.parent).glob("*.npy"))}
    given = None if path.is_dir() else path.stem
    if given is not None:
        files[given] = path
    if target is not None and target not in files and Path(target).is_file():
        # By its path, which may lead elsewhere.
        beside = Path(target).absolute() == files.get(Path(target).stem, path).absolute()
        target, file = Path(target).stem if beside else target, Path(target)
        files[target] = file
    headers = {}
    for name, file in files.items():
        with nullcontext() if name in (given, target) else suppress(DataError):
            headers[name] = header_of(file)

    def read(inputs: Mapping[str, str], target: str) -> Table:
        paths = {name: str(files[key]) for name, key in inputs.items()}
        return Npy.model_validate({"input": paths, "target": str(files[target])}).read(Path())

    found = _Arrays(path, "npy", headers, read, lambda key: str(files[key]), lambda key: named(files[key]))
    return _outline_of_arrays(found, given, target, wished)


def _outline_of_arrays(arrays: _Arrays, given: str | None, target: str | None, wished: Kind | None) -> Outline:
    """What is predicted from what. `given` is the array of inputs, if it is known."""
    target = _target(arrays, given, target)
    main, others, weight = _inputs(arrays, given, target)
    table = arrays.read({INPUT: main, **{key: key for key in others}}, target)
    shape, dtype, _ = arrays.headers[main]
    row, bytes_ = shape[1:] or (1,), dtype == np.uint8
    kind = kind_of(row, bytes_=bytes_, wished=wished, where=arrays.place(main))
    wanted = wanted_of(table.targets[TARGET].values, row, arrays.place(target))
    if kind == "vector" and wanted.places:
        wanted = Wanted(None, row[0])
    tokens = _tokens(table, arrays.place(main)) if kind == "tokens" else None
    names = {INPUT: main}
    if others and wished is None and not wanted.places:
        names = _names([main, *others])
    parts = {part: own for part in _PARTS if (own := _own(part, [*names.values(), target], arrays.rows)) is not None}
    keys = {"input": Key(_called(arrays, names)), "target": Key(arrays.key(target))}
    if weight is not None and not parts:
        keys["sample_weight"] = Key(arrays.key(weight), "how much each row counts")
    for part, own in parts.items():
        keys[f"{part}_input"] = Key(_called(arrays, dict(zip(names, own, strict=False))))
        keys[f"{part}_target"] = Key(arrays.key(own[-1]))
    branches = {}
    if len(names) > 1:
        headers = {name: arrays.headers[key] for name, key in names.items()}
        branches = {
            name: Branch(
                kind_of(each.shape[1:] or (1,), bytes_=each.dtype == np.uint8, wished=None, where=""),
                each.shape[1:] or (1,),
            )
            for name, each in headers.items()
        }
        bytes_ = all(each.dtype == np.uint8 for each in headers.values())
    rows = f"rows of shape {row}" if not branches else f"{len(branches)} arrays"
    about = f"`{target}` from {rows} of {arrays.path.name}"
    left_out = [key for key in others if key not in names.values()] if given is None else []
    notes = (f"Left out: {', '.join(shown(key)[1:-1] for key in left_out)}",) if left_out else ()
    return Outline(
        arrays.source, about, shape[0], kind, row, wanted, keys, tokens, bytes_, tuple(parts), notes, branches
    )


def _called(arrays: _Arrays, names: Mapping[str, str]) -> object:
    """The keys of inputs as the config has them."""
    found = {name: arrays.key(key) for name, key in names.items()}
    return found[INPUT] if list(found) == [INPUT] else found


def _names(keys: Sequence[str]) -> dict[str, str]:
    """Names of inputs that layers can have, by which arrays are found."""
    found: dict[str, str] = {}
    for place, key in enumerate(keys, start=1):
        name = re.sub(r"\W+", "_", re.sub(r"^train_|_train$", "", key), flags=re.ASCII).strip("_")
        found[name if name[:1].isalpha() and name not in found else f"input_{place}"] = key
    return found


def _words(key: str) -> set[str]:
    return set(re.split(r"[\W_]+", key.lower()))


def _target(arrays: _Arrays, given: str | None, target: str | None) -> str:
    """The array to predict."""
    rows = arrays.rows
    what = "file" if arrays.source == "npy" else "array"
    if given is None:
        usual = [key for stem in _TARGETS for key in (f"{stem}_train", f"train_{stem}", stem) if key in rows]
    else:
        # `y_test` rather than `y_train` for `x_test`.
        beside = [key for key in rows if key != given and rows[key] == rows[given] and _words(key) & set(_TARGETS)]
        usual = sorted(beside, key=lambda key: -len(_words(key) & _words(given)))
    if target is None and not usual:
        others = ", ".join(key for key in rows if key != given)
        raise DataError(f"{arrays.path}: which {what} is to be predicted?", hint=f"--target, one of: {others}")
    target = target or usual[0]
    if target not in rows:
        raise DataError(f"{arrays.path}: no {what} `{target}`", hint=nearest(target, list(rows), f"{what}s"))
    return target


def _inputs(arrays: _Arrays, given: str | None, target: str) -> tuple[str, list[str], str | None]:
    """The array to train on, others with as many rows that tell something as well, and that of the rows' weights."""
    total = arrays.rows[target]
    if given is not None:
        return given, [], None
    shapes = {key: header.shape for key, header in arrays.headers.items()}
    same = {key: shape for key, shape in shapes.items() if key != target and shape[0] == total}
    if not same:
        raise DataError(f"{arrays.path}: no other array has {total:,} rows, as `{target}` has")
    weight = next((key for key in same if key in _WEIGHTS and same[key] == (total,)), None)
    same.pop(weight or "", None)
    # A part held out may have as many rows as that to train on; its name tells it.
    trained = {key: shape for key, shape in same.items() if not any(word in key.lower() for word in ("test", "val"))}
    sizes = {key: math.prod(shape[1:]) for key, shape in (trained or same).items()}
    if not sizes:
        raise DataError(f"{arrays.path}: no array but `{target}` and its weights has {total:,} rows")
    main = max(sizes, key=lambda key: sizes[key])
    telling = [
        key
        for key in sizes
        if key != main and arrays.headers[key].dtype.kind in "biuf" and not _words(key) & {*_TARGETS, *_NO_INPUTS}
    ]
    return main, sorted(telling, key=lambda key: -sizes[key])[: _MOST_INPUTS - 1], weight


def _own(part: str, keys: Sequence[str], rows: Mapping[str, int]) -> list[str] | None:
    """The keys of a part's inputs and target, where they are named like those to train on."""
    for word in _PARTS[part]:
        own = [key.replace("train", word) if "train" in key else f"{key}_{word}" for key in keys]
        if all(key in rows and rows[key] == rows.get(own[-1]) for key in own) and not {*own} & {*keys}:
            return own
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
