"""A data source and a seed in, the training, validation and test splits with their encoding out."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from trainer_cli.data.columns import fit_columns
from trainer_cli.data.encoding import Encoding, InputEncoding
from trainer_cli.data.mapped import Encode, mapped, shuffled_blocks
from trainer_cli.data.scaling import fit_scaling, whole_numbers
from trainer_cli.data.source import InputArray, PartName, ScalingMode, Source, Split, SplitSpec, Table
from trainer_cli.data.split_column import split_numbers
from trainer_cli.data.splits import HELD_OUT, split_rows
from trainer_cli.data.targets import TargetSpec, check_targets, fit_target
from trainer_cli.data.vocabulary import fit_vocabulary
from trainer_cli.errors import ConfigError, DataError, Problem
from trainer_cli.lazy import np
from trainer_cli.parts.loss import TargetForm


@dataclass(frozen=True)
class Dataset:
    """Everything that a run needs of its data.

    `digest` is the sha256 of the files' bytes. `block`: the rows of a block, where rows are shuffled in blocks.
    """

    train: Split
    validation: Split | None
    test: Split | None
    encoding: Encoding
    digest: str
    block: int | None = None


def prepare(
    source: Source,
    folder: Path,
    targets: Mapping[str, TargetSpec],
    seed: int,
    tokens: Mapping[str, int | None] | None = None,
    cache: Path | None = None,
) -> Dataset:
    """Read, split, scale and encode the data of a config.

    `folder` is the config's; `targets` says what the losses want, by name; targets that nobody wants are left out.
    `tokens` names the inputs of whole numbers, and what they must stay below if it is known. With a `cache` the rows
    are files in this folder, and mapped. Raises DataError, or ConfigError if `data` lacks what the rest of the config
    needs.
    """
    bounds = tokens or {}
    if cache is None:
        return _encoded(source, source.read(folder), targets, seed, bounds, _in_memory)

    def make(table: Table, encode: Encode) -> Any:
        return _encoded(source, table, targets, seed, bounds, encode).encoding.to_json()

    found = mapped(cache, source, folder, [targets, seed, bounds], make)
    encoding = Encoding.from_json(found.facts)
    train, validation, test = (found.splits.get(name) for name in ("train", *HELD_OUT))
    assert train is not None
    return Dataset(train, validation, test, encoding, encoding.digest, shuffled_blocks(train))


def _in_memory(
    name: str, encoding: Encoding, table: Table, rows: np.ndarray | None = None, with_target: bool = True
) -> Split:
    return encoding.encode(table, rows, with_target=with_target)


def _encoded(
    source: Source,
    table: Table,
    targets: Mapping[str, TargetSpec],
    seed: int,
    bounds: Mapping[str, int | None],
    encode: Encode,
) -> Dataset:
    check_targets(targets, list(table.targets))
    if isinstance(source.target_scaling, dict):
        for name in set(source.target_scaling) - set(targets):
            hint = f"targets: {', '.join(targets)}" if len(targets) > 1 else "give it without a name"
            path = ("data", "target_scaling", name)
            raise ConfigError([Problem(f"no loss takes a target `{name}`", path, hint)])
    parts = _rows_by_part(source, table, seed, {name: spec.form for name, spec in targets.items()})
    encoding = Encoding(
        inputs={
            name: _fit_input(source.scaling, given, parts["train"], name in bounds, bounds.get(name))
            for name, given in table.inputs.items()
        },
        targets={
            name: fit_target(table.targets[name], spec, source.target_mode(name), parts["train"])
            for name, spec in targets.items()
        },
        seed=seed,
        digest=table.digest,
        features={name: given.features for name, given in table.inputs.items() if given.features is not None},
        learned=dict(table.learned),
    )
    splits: dict[PartName, Split] = {}
    for name in ("train", *HELD_OUT):
        if name in parts:
            splits[name] = encode(name, encoding, table, parts[name], True)
        elif name in table.parts:
            splits[name] = encode(name, encoding, table.parts[name], None, True)
    return Dataset(splits["train"], splits.get("validation"), splits.get("test"), encoding, table.digest)


def _fit_input(
    mode: ScalingMode, given: InputArray, rows: np.ndarray | None, declared: bool, bound: int | None
) -> InputEncoding:
    """Learn from the training rows. `declared`: the model takes whole numbers, below `bound` if that is known."""
    if given.words is not None:
        return fit_vocabulary(given, rows, bound)
    if given.columns is not None:
        if declared and not all(column.is_integer for column in given.columns):
            message = "the model takes whole numbers, and columns with categories, gaps or their own scaling are none"
            hint = "categories are whole numbers with `encoding: integer`"
            raise ConfigError([Problem(message, ("data", "columns"), hint)])
        return fit_columns(given, rows, bound)
    if given.whole or declared:
        return whole_numbers(mode, given, bound)
    return fit_scaling(mode, given, rows)


def apply(
    encoding: Encoding,
    source: Source,
    folder: Path,
    *,
    file: Path | None = None,
    part: PartName | None = None,
    with_target: bool = True,
    cache: Path | None = None,
) -> Split:
    """Encode data for a trained model: another `file` of the source's kind, or a `part` of the source's own data.

    With neither, all rows of the source's main file. Without `with_target` the target's column may be missing. With a
    `cache` the rows are files in this folder, and mapped.
    """
    if file is not None:
        source, folder, part = source.reading(file, encoding.learned, with_target), Path(), None
    else:
        source = source.informed(encoding.learned)
    if cache is None:
        return _applied(encoding, source, source.read(folder), part, with_target, _in_memory)

    def make(table: Table, encode: Encode) -> None:
        _applied(encoding, source, table, part, with_target, encode)

    facts = [encoding.to_json(), part, with_target]
    return mapped(cache, source, folder, facts, make).splits[part or "all"]


def _applied(
    encoding: Encoding, source: Source, table: Table, part: PartName | None, with_target: bool, encode: Encode
) -> Split:
    if part is None:
        return encode("all", encoding, table, None, with_target)
    forms = {name: target.form for name, target in encoding.targets.items()}
    parts = _rows_by_part(source, table, encoding.seed, forms)
    if part not in parts and part not in table.parts:
        raise DataError(
            f"the data has no {part} part", hint=f"give `split.{part}` in the config, or name the file to use"
        )
    divided = source.holds_out and part not in source.own_parts and source.split != SplitSpec()
    if (divided or parts.get(part) is not None) and table.digest != encoding.digest:
        raise DataError(
            f"{table.file}: has changed since training, so the rows of its {part} part are unknown",
            hint="name the file to use",
        )
    if part in table.parts:
        return encode(part, encoding, table.parts[part], None, with_target)
    return encode(part, encoding, table, parts[part], with_target)


def blocks(encoding: Encoding, source: Source, file: Path, most: int) -> Iterator[Split]:
    """The rows of new data for a trained model, without targets, about `most` at a time: as many as there may be.

    `file` may be `-`, which is the standard input. Raises DataError.
    """
    for table in source.reading(file, encoding.learned, False).blocks(most):
        yield encoding.encode(table, with_target=False)


def _rows_by_part(
    source: Source, table: Table, seed: int, forms: Mapping[str, TargetForm]
) -> dict[PartName, np.ndarray | None]:
    """The rows of each part of a table that is not a table of its own; None stands for all of them."""
    if source.holds_out:
        return {"train": None}
    spec = source.split
    for name in HELD_OUT:
        if name in table.parts and getattr(spec, name) > 0:
            raise DataError(
                f"{table.parts[name].file}: the data has its own {name} part, "
                f"so `split.{name}` would hold out a second one",
                hint=f"leave `split.{name}` out",
            )
    if not any(getattr(spec, name) > 0 for name in HELD_OUT):
        return {"train": None}
    classes = _strata(table, forms) if spec.stratify else None
    by = None
    if table.split_by is not None:
        by = split_numbers(spec, table.split_by, next(iter(table.inputs.values())).origin)
    return dict(split_rows(table.rows, spec, seed, classes, by))


def _strata(table: Table, forms: Mapping[str, TargetForm]) -> np.ndarray:
    """One number per row that tells its class; with several targets, the classes of all of them together."""
    path = ("data", "split", "stratify")
    if not table.targets:
        raise ConfigError([Problem("a stratified split needs a target", path)])
    classes = {name: target for name, target in table.targets.items() if forms.get(name) != "values"}
    if not classes:
        raise ConfigError([Problem("a stratified split needs classes, and the loss takes the target as numbers", path)])
    numbers = [_classes(target.values, forms.get(name)) for name, target in classes.items()]
    return numbers[0] if len(numbers) == 1 else np.unique(np.stack(numbers, 1), axis=0, return_inverse=True)[1].ravel()


def _classes(target: np.ndarray, form: TargetForm | None) -> np.ndarray:
    rows = target.reshape(len(target), -1)
    if rows.shape[1] > 1:
        return np.argmax(rows, axis=1) if form == "one_hot" else np.unique(rows, axis=0, return_inverse=True)[1].ravel()
    return np.unique(rows[:, 0], return_inverse=True)[1]
