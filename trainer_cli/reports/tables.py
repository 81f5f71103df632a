"""Programs, descriptions and lists of columns in, Rich tables out, and the console that suits a stream."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Mapping, Sequence
from typing import IO, TYPE_CHECKING, Any

from rich import box
from rich.console import Console
from rich.table import Table

from trainer_cli.reports import text
from trainer_cli.reports.progress import is_terminal

if TYPE_CHECKING:
    from trainer_cli.training.compile import Compilation

_WIDTH_OF_FILES = 120


def console(stream: IO[str], *, force: bool = False) -> Console:
    """A console for a stream; what is no terminal gets no colour and room enough for a table."""
    if force or is_terminal(stream):
        return Console(file=stream, force_terminal=True, highlight=False)
    return Console(file=stream, width=_WIDTH_OF_FILES, highlight=False, no_color=True, soft_wrap=False)


def growing_table(columns: Sequence[str], *, show_header: bool) -> Table:
    """A table whose columns have widths that do not depend on its rows, so that rows can be printed one by one."""
    table = Table(box=None, show_header=show_header, pad_edge=False, padding=(0, 2, 0, 0))
    for name in columns:
        width = _width(name)
        table.add_column(_heading(name), justify="right", min_width=width, max_width=width, no_wrap=True)
    return table


def fitting(columns: Sequence[str], width: int) -> list[str]:
    """The columns of a growing table that a line of `width` characters holds; the least telling go first."""
    kept = list(columns)
    expendable = ["learning_rate", "seconds", *(name for name in reversed(columns) if name not in ("epoch", "loss"))]
    for name in expendable:
        if sum(_width(column) + 2 for column in kept) <= width:
            break
        if name in kept and name not in ("val_loss", "best"):
            kept.remove(name)
    return kept


def _width(name: str) -> int:
    return max(len(_heading(name)), {"epoch": 7, "best": 4}.get(name, 9))


def _heading(name: str) -> str:
    return {"learning_rate": "rate", "seconds": "time", "best": ""}.get(name, name)


def layer_table(layers: Iterable[Any]) -> Table:
    """Name, type, output shape and parameters of every layer; `layers` are a program's layer rows."""
    table = Table(box=box.SIMPLE_HEAD, show_edge=False)
    table.add_column("layer", no_wrap=True)
    table.add_column("type", no_wrap=True)
    table.add_column("output shape", no_wrap=True)
    table.add_column("parameters", justify="right", no_wrap=True)
    for layer in layers:
        frozen = layer.parameters - layer.trainable_parameters
        note = f" ({frozen:,} frozen)" if frozen else ""
        table.add_row(layer.name, layer.type, text.shape(layer.output_shape), f"{layer.parameters:,}{note}")
    return table


_UNITS = {"operations": "FLOP", "bytes": "B"}
_SHOWN_BEFORE = ("batch_size",)


def plan_rows(description: Mapping[str, Any]) -> list[tuple[str, str]]:
    """What a target says of its plan as a whole, as label and words."""
    rows = []
    for key, value in description.items():
        if isinstance(value, list | dict) or key in _SHOWN_BEFORE:
            continue
        unit = next((unit for word, unit in _UNITS.items() if word in key), None)
        number = isinstance(value, int | float) and not isinstance(value, bool)
        words = text.amount(value, unit) if number and unit else text.number(value) if number else str(value)
        rows.append((key.replace("_", " "), words))
    return rows


def region_table(regions: Sequence[Mapping[str, Any]]) -> Table:
    """The kernels of a step in their order; a line between regions is a barrier, at which the threads meet."""
    table = Table(box=box.SIMPLE_HEAD, show_edge=False)
    table.add_column("region", justify="right")
    table.add_column("kernel")
    table.add_column("split", no_wrap=True)
    table.add_column("elements", justify="right", no_wrap=True)
    table.add_column("operations", justify="right", no_wrap=True)
    table.add_column("updates")
    for position, region in enumerate(regions):
        kernels = region["kernels"]
        for order, kernel in enumerate(kernels):
            table.add_row(
                str(position + 1) if order == 0 else "",
                kernel["kernel"],
                kernel["split"],
                f"{kernel['elements']:,}",
                f"{kernel['operations']:,}",
                updated(kernel["updates"]),
                end_section=order == len(kernels) - 1,
            )
    return table


def updated(names: Sequence[str]) -> str:
    """`dense_1/kernel and 2 slots`: a slot is called `<weight>/<slot>`."""
    weights = [name for name in names if not any(name.startswith(f"{other}/") for other in names)]
    slots = len(names) - len(weights)
    words = ", ".join(weights)
    return f"{words} and {slots} slot{'s' if slots != 1 else ''}" if slots else words


def print_compilation(compiled: Compilation, stream: IO[str] | None = None) -> None:
    """The layer table, the totals, and what a step costs."""
    frozen = compiled.parameters - compiled.trainable_parameters
    size = text.amount(4 * compiled.parameters, "B")
    rows = [
        ("parameters", f"{compiled.parameters:,}" + (f", {frozen:,} of them frozen" if frozen else "") + f" ({size})")
    ]
    rows += [("loss", compiled.loss or "none"), ("optimizer", compiled.optimizer or "none")]
    rows.append(("batch size", f"{compiled.batch_size:,}"))
    rows += plan_rows(compiled.description)
    stream = stream or sys.stdout
    print_table(layer_table(compiled.layers), stream)
    print("", *text.aligned(rows), sep="\n", file=stream)
    regions = compiled.description.get("regions")
    if regions:
        print(file=stream)
        print_table(region_table(regions), stream)


def print_table(table: Table, stream: IO[str]) -> None:
    """Draw a table; in files without the blanks that fill its lines."""
    if is_terminal(stream):
        console(stream).print(table)
        return
    out = console(stream)
    with out.capture() as captured:
        out.print(table)
    print(*(line.rstrip() for line in captured.get().splitlines()), sep="\n", file=stream)
