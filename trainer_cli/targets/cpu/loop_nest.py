"""Loop nests: a kernel without a root in, the groups of axes it loops over, or its loops row by row, out."""

from __future__ import annotations

from typing import TYPE_CHECKING

from trainer_cli.compiler.kernels import (
    MAPPED,
    Kernel,
    identity_coordinates,
    is_row_reduction,
    reads_counter,
    reads_of,
)
from trainer_cli.compiler.stages import stages_of
from trainer_cli.ir.graph import Value
from trainer_cli.targets.cpu.expressions import Elements, linear_index

if TYPE_CHECKING:
    from trainer_cli.targets.cpu.kernel_source import _Writer


def loop_axes(kernel: Kernel, replicated: dict[Value, bool]) -> list[list[int]]:
    """The domain's axes in groups that one loop can run over: neighbours that every read holds together.

    A group's loop is named after its last axis. Axes of extent 1 need no loop.
    """
    named = any(value.op in MAPPED or reads_counter(value) for value in kernel.body)
    reads = [access.coordinates or () for value in kernel.body for access in reads_of(value, replicated)]
    groups: list[list[int]] = []
    for axis, extent in enumerate(kernel.domain):
        if extent == 1 and axis > 0:
            continue
        if groups and not named and all(_holds_both(coordinates, groups[-1][-1], axis) for coordinates in reads):
            groups[-1].append(axis)
        else:
            groups.append([axis])
    return groups


def _holds_both(coordinates: tuple[str, ...], first: int, second: int) -> bool:
    """Whether a read names two axes next to each other, or neither."""
    one, two = f"i{first}", f"i{second}"
    if one not in coordinates and two not in coordinates:
        return "?" not in coordinates
    present = [name for name in coordinates if name != "0"]
    return any(pair == (one, two) for pair in zip(present, present[1:], strict=False))


def write_row_loops(writer: _Writer, outer: int) -> None:
    """For each row: the stages of work along it, each a loop, and the numbers of the row in between."""
    kernel, lines = writer.kernel, writer.lines
    domain = kernel.domain
    stages = stages_of(kernel, writer.replicated)
    elements = writer.elements()
    row_shape = domain[:outer]
    row_names = [f"i{axis}" for axis in range(outer)]

    def rows(axis: int) -> None:
        if axis == outer:
            lines.add(f"line = {linear_index(row_shape, row_names)}")
            one_row()
            return
        with lines.block(f"for i{axis} in range({'begin, end' if axis == 0 else domain[axis]}):"), elements.scope():
            rows(axis + 1)

    def one_row() -> None:
        for number in range(-1, stages.count):
            whole = stages.along(number)
            if number >= 0 and whole:
                _write_stage(writer, elements, outer, whole)
            for value in stages.row(number):
                elements.define(value, identity_coordinates(row_shape))
        writer.write_results(elements, row_shape, "line")

    rows(0)


def _write_stage(writer: _Writer, elements: Elements, outer: int, whole: list[Value]) -> None:
    """One loop along a row: elementwise values, and the reductions that end with it."""
    kernel, lines = writer.kernel, writer.lines
    domain = kernel.domain
    reductions = [value for value in whole if is_row_reduction(value)]
    totals: dict[Value, tuple[str, str]] = {}
    for value in reductions:
        total, best = lines.fresh("t"), lines.fresh("t")
        totals[value] = (total, best)
        if value.op == "reduce_sum":
            lines.add(f"{total} = {'int32(0)' if value.dtype == 'int' else 'float32(0.0)'}")
        else:
            lines.add(f"{total} = float32(-INFINITY)")
        if value.op == "argmax":
            lines.add(f"{best} = int32(0)")

    coordinates = identity_coordinates(domain)
    names = [f"i{axis}" for axis in range(len(domain))]

    def nest(axis: int) -> None:
        if axis == len(domain):
            lines.add(f"here = {linear_index(domain, names)}")
            for value in whole:
                if value in totals:
                    item = elements.read(value.operands[0], coordinates)
                    _accumulate(writer, value, totals[value], item, axis)
                else:
                    elements.define(value, coordinates)
            writer.write_results(elements, domain, "here")
            return
        with lines.block(f"for i{axis} in range({domain[axis]}):"):
            nest(axis + 1)

    with elements.scope():
        nest(outer)
    for value in reductions:
        elements.local[value] = totals[value][1] if value.op == "argmax" else totals[value][0]


def _accumulate(writer: _Writer, value: Value, names: tuple[str, str], item: str, rank: int) -> None:
    total, best = names
    if value.op == "reduce_sum":
        writer.lines.add(f"{total} += {item}")
    elif value.op == "reduce_max":
        writer.lines.add(f"{total} = {item} if ({item} > {total}) or ({item} != {item}) else {total}")
    else:
        with writer.lines.block(f"if {item} > {total}:"):
            writer.lines.add(f"{total} = {item}")
            writer.lines.add(f"{best} = int32(i{rank - 1})")
