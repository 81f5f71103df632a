"""What a checkpoint holds in; the lines and tables that tell it to people, and its JSON, out."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
from typing import IO, Any

from rich import box
from rich.table import Table
from rich.text import Text

from trainer_cli.reports import text
from trainer_cli.reports.tables import print_table
from trainer_cli.training.contents import Contents, Tensor

_SHOWN_CLASSES = 20
_SHOWN_FEATURES = 12


def print_contents(found: Contents, *, all_tensors: bool = False, stream: IO[str] | None = None) -> None:
    """The facts, then a table of the weights, or of all tensors."""
    stream = stream or sys.stdout
    print(*text.aligned((name, _printable(words)) for name, words in facts(found)), "", sep="\n", file=stream)
    shown = found.tensors if all_tensors or found.config is None else found.of_use("weight")
    print_table(tensor_table(shown, dict(found.layers)), stream)
    print("", *text.aligned(totals(found)), sep="\n", file=stream)


def facts(found: Contents) -> Iterator[tuple[str, str]]:
    """What is known besides the tensors."""
    yield "file", f"{found.file} ({text.amount(found.size, 'B')})"
    if found.config is None:
        yield "holds", "tensors, and nothing of a run: weights for `--weights`"
        return
    config = found.config
    yield "name", f"{config.get('name')}, seed {found.seed}"
    yield "written by", ", ".join(f"{name} {version}" for name, version in found.versions.items() if version)
    yield "network", _joined([f"{name} ({kind})" if not name.startswith(kind) else name for name, kind in found.layers])
    for key in ("loss", "optimizer", "metrics"):
        yield key, _part_words(config.get(key))
    counters = found.counters
    phase = f" of phase {counters.get('phase', 0) + 1}" if config.get("phases") else ""
    within = f", {counters['epoch_steps']:,} steps into the next" if counters.get("epoch_steps") else ""
    yield "trained", f"{found.epochs:,} epochs{phase}, {counters.get('step', 0):,} steps{within}"
    if found.last:
        yield "last epoch", text.listed(_measured(found.last))
    if found.best.get("value") is not None:
        epoch = (found.best.get("report") or {}).get("epoch")
        yield "best epoch", f"{epoch} by {found.best['monitor']} {text.number(found.best['value'])}"
    if found.test:
        yield "test", text.listed({name.removeprefix("test_"): value for name, value in found.test.items()})
    yield from _data(found)


def _data(found: Contents) -> Iterator[tuple[str, str]]:
    encoding = found.encoding or {}
    features = encoding.get("features") or {}
    for name, columns in features.items():
        yield f"features{f' of {name}' if len(features) > 1 else ''}", _joined(columns, _SHOWN_FEATURES)
    for name, classes in classes_of(encoding).items():
        yield f"classes{f' of {name}' if name else ''}", _joined([str(each) for each in classes], _SHOWN_CLASSES)
    if found.digest:
        yield "data", f"sha256 {found.digest[:16]}…"


def classes_of(encoding: Mapping[str, Any]) -> dict[str, list[Any]]:
    """The classes of the target, under the name of the output where there are several."""
    several = encoding.get("targets")
    if not isinstance(several, Mapping):
        return {}
    named = {
        name: each["classes"]
        for name, each in several.items()
        if isinstance(each, Mapping) and isinstance(each.get("classes"), list)
    }
    return {"": next(iter(named.values()))} if len(several) == 1 and named else named


def _printable(words: str) -> str:
    """Words from a file of unknown origin, without what would command a terminal."""
    return "".join(character if character.isprintable() else "�" for character in words)


def _measured(line: Mapping[str, Any]) -> dict[str, Any]:
    return {name: line[name] for name in text.measures(line)}


def _part_words(part: Any) -> str:
    """`adam (learning_rate 0.01)`; parts by output as `name: …`."""
    if part is None or part == []:
        return "none"
    if isinstance(part, list):
        return ", ".join(_part_words(each) for each in part)
    if isinstance(part, Mapping) and "type" not in part:
        return "; ".join(f"{name}: {_part_words(each)}" for name, each in part.items())
    rate = part.get("learning_rate")
    return f"{part['type']} (learning_rate {rate:g})" if isinstance(rate, int | float) else str(part["type"])


def _joined(names: list[str], limit: int = 40) -> str:
    return ", ".join(names[:limit]) + (f", … ({len(names):,} in all)" if len(names) > limit else "")


def tensor_table(tensors: list[Tensor], kinds: Mapping[str, str]) -> Table:
    """Name, layer, shape, type and elements of tensors."""
    uses = len({tensor.use for tensor in tensors}) > 1
    table = Table(box=box.SIMPLE_HEAD, show_edge=False)
    table.add_column("tensor", overflow="fold")
    if kinds:
        table.add_column("layer", no_wrap=True)
    if uses:
        table.add_column("use", no_wrap=True)
    for heading in ("shape", "type"):
        table.add_column(heading, no_wrap=True)
    table.add_column("elements", justify="right", no_wrap=True)
    for tensor in tensors:
        cells: list[str | Text] = [Text(_printable(tensor.name))]
        if kinds:
            layer = tensor.name.partition("/")[0]
            cells.append(kinds.get(layer, kinds.get(layer.partition(".")[0], "")))  # `body.1.dense_1` is of a block
        if uses:
            cells.append(tensor.use)
        extents = ", ".join(map(str, tensor.shape)) + ("," if len(tensor.shape) == 1 else "")
        table.add_row(*cells, f"({extents})", tensor.dtype, f"{tensor.elements:,}")
    return table


def totals(found: Contents) -> Iterator[tuple[str, str]]:
    """Sums over the tensors of each use."""
    for use, words in (("weight", "parameters"), ("optimizer", "optimizer state"), ("run", "state of the epoch")):
        tensors = found.of_use(use)
        if tensors:
            elements, size = sum(tensor.elements for tensor in tensors), sum(tensor.bytes for tensor in tensors)
            yield words, f"{elements:,} in {len(tensors):,} tensors ({text.amount(size, 'B')})"


def record(found: Contents) -> dict[str, object]:
    """All of it for other programs."""
    return {
        "file": str(found.file),
        "bytes": found.size,
        "versions": found.versions,
        "layers": [{"name": name, "type": kind} for name, kind in found.layers],
        "epochs": found.epochs,
        "counters": found.counters,
        "best": found.best,
        "last": found.last,
        "test": found.test,
        "seed": found.seed,
        "data_digest": found.digest,
        "encoding": found.encoding,
        "config": found.config,
        "tensors": [tensor._asdict() for tensor in found.tensors],
    }
