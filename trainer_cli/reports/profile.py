"""The profile of a training step in; its table, and the record for other programs, out."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import IO, TYPE_CHECKING, Any, NamedTuple

from rich import box
from rich.table import Table

from trainer_cli.ir.primitive import BATCH, Shape
from trainer_cli.reports import text
from trainer_cli.reports.tables import print_table, updated

if TYPE_CHECKING:
    from trainer_cli.training.profile import KernelTime, StepProfile


_SMALL = 0.001
"""Share of a step below which a kernel is not shown by itself."""


class _Row(NamedTuple):
    """Calls of a step that are shown together: kernels one by one, barriers and copies by what they are."""

    kernel: str
    calls: int
    shape: str
    seconds: float
    operations: float
    bytes: float
    floor: float


def print_profile(profile: StepProfile, stream: IO[str] | None = None) -> None:
    """The step as a whole, and its kernels, those that take longest first."""
    stream = stream or sys.stdout
    threads = f"{profile.threads} thread{'s' if profile.threads > 1 else ''}"
    floor = f"{microseconds(profile.floor)}: {text.amount(profile.operations, 'FLOP')} at {rate(profile.peak)} GFLOP/s"
    rows = [
        ("step", f"{microseconds(profile.seconds)} on {threads}, batch of {profile.batch_size:,}"),
        ("floor", f"{floor}, the peak of matrix products on {threads}"),
        ("distance", f"{profile.seconds / profile.floor:.2f} × the floor"),
    ]
    if profile.threads > 1:
        rows.append(("kernels", f"as one of the {profile.threads} threads runs its part of them"))
    print(*text.aligned(rows), "", sep="\n", file=stream)
    print_table(_table(_rows(profile)), stream)


def microseconds(seconds: float) -> str:
    return f"{text.number(seconds * 1e6)} µs"


def rate(per_second: float) -> str:
    """Operations or bytes per second in thousands of millions, with three digits."""
    giga = per_second / 1e9
    return f"{giga:,.0f}" if giga >= 99.5 else f"{giga:.1f}" if giga >= 9.95 else f"{giga:.2f}"


def _rows(profile: StepProfile) -> list[_Row]:
    """The longest first; what takes next to nothing as one row."""
    small = _SMALL * sum(kernel.seconds for kernel in profile.kernels)
    found: dict[str, _Row] = {}
    for place, kernel in enumerate(profile.kernels):
        row = _Row(
            _name(kernel),
            1,
            _shape(kernel.shape) if kernel.operations else "",
            kernel.seconds,
            kernel.part * kernel.operations,
            kernel.part * kernel.bytes,
            profile.floor_of(kernel),
        )
        if row.seconds < small:
            key, row = "others", _Row("others", 1, "", row.seconds, 0.0, 0.0, 0.0)
        else:
            key = f"{place}" if row.shape else row.kernel
        before = found.get(key)
        found[key] = row._replace(calls=before.calls + 1, seconds=before.seconds + row.seconds) if before else row
    return sorted(found.values(), key=lambda row: (row.kernel == "others", -row.seconds))


def _name(kernel: KernelTime) -> str:
    """The label, and the weight that is updated without a layer's name, which the label has."""
    weights = updated([name for name in kernel.updates if name.count("/") == min(map(_slashes, kernel.updates))])
    return f"{kernel.kernel} → {weights.partition('/')[2]}" if weights else kernel.kernel


def _slashes(name: str) -> int:
    return name.count("/")


def _shape(shape: Shape) -> str:
    if shape and shape[0] is BATCH:
        return text.shape([int(extent) for extent in shape[1:] if extent is not BATCH])
    return f"({', '.join(map(str, shape))})"


def _table(rows: Sequence[_Row]) -> Table:
    table = Table(box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False)
    table.add_column("kernel")
    table.add_column("shape", no_wrap=True)
    for name in ("µs", "share", "GFLOP/s", "GB/s", "× floor"):
        table.add_column(name, justify="right", no_wrap=True)
    whole = sum(row.seconds for row in rows)
    for row in rows:
        table.add_row(
            f"{row.kernel} ({row.calls} ×)" if row.calls > 1 else row.kernel,
            row.shape,
            text.number(row.seconds * 1e6),
            f"{row.seconds / whole:.1%}",
            rate(row.operations / row.seconds) if row.operations else "",
            rate(row.bytes / row.seconds) if row.bytes else "",
            f"{row.seconds / row.floor:.1f}" if row.floor else "",
        )
    return table


def record(profile: StepProfile) -> dict[str, Any]:
    """The same as plain data: seconds, operations and bytes, kernels in the order of the step."""
    return {
        "name": profile.name,
        "phase": profile.phase,
        "batch_size": profile.batch_size,
        "threads": profile.threads,
        "steps": profile.steps,
        "seconds": profile.seconds,
        "floor": profile.floor,
        "operations": profile.operations,
        "peak": profile.peak,
        "kernels": [_kernel_record(kernel, profile) for kernel in profile.kernels],
    }


def _kernel_record(kernel: KernelTime, profile: StepProfile) -> dict[str, Any]:
    shape = [extent if isinstance(extent, int) else "batch" for extent in kernel.shape]
    whole = sum(other.seconds for other in profile.kernels)
    own = {"shape": shape, "share": kernel.seconds / whole, "floor": profile.floor_of(kernel)}
    return {**kernel._asdict(), **own}
