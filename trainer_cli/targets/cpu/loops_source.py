"""Loops: a kernel without a root in, its source out: one nest of loops over the domain, or loops row by row."""

from __future__ import annotations

import itertools

from trainer_cli.compiler.kernels import (
    MAPPED,
    Kernel,
    identity_coordinates,
    is_private,
    is_row_reduction,
    is_tiled,
    reads_counter,
    reads_of,
)
from trainer_cli.compiler.stages import stages_of
from trainer_cli.ir.graph import Value
from trainer_cli.targets.cpu.expressions import Elements, Phase, linear_index
from trainer_cli.targets.cpu.writer import KernelSource, KernelWriter, static_extent

SQUARE = 16
"""Rows and columns of a part of a matrix that is turned round: a cache line of floats."""

MOST_PHASES = 3
"""Elements from one to the next that is put in up to which the places between have lines of their own."""

MOST_EDGES = 9
"""Edges of parts up to which each part has a loop of its own, along the innermost axis."""

MOST_OUTER_EDGES = 4
"""The same along other axes, in whose loops others stand: two edges of a padding."""


def write_loops(writer: KernelWriter) -> KernelSource:
    """Elementwise work, and reductions along rows."""
    kernel = writer.kernel
    if len(kernel.body) == 1 and is_private(kernel.body[0]):
        if is_tiled(kernel.body[0]):
            return _write_tiles(writer, kernel.body[0])
        if kernel.body[0].op == "transpose":
            return _write_turned(writer, kernel.body[0])
    if kernel.outer is not None:
        _write_rows(writer, kernel.outer)
        return writer.finish(whole=False)
    axes = _loop_axes(kernel, writer.replicated, writer.lies_apart)
    writer.absorbed = {f"i{axis}" for group in axes for axis in group[:-1]}
    elements = writer.elements()
    _nest(writer, axes, 0, elements)
    return writer.finish(whole=False)


def _write_tiles(writer: KernelWriter, value: Value) -> KernelSource:
    """A weight, or several one below the other, tile by tile."""
    depth, columns = (int(extent) for extent in value.shape)  # type: ignore[call-overload]
    target, copies, first = writer.pointer_of(value), "", 0
    turned = value.op == "transpose" and value.attributes["permutation"] == (1, 0)
    strides = f"b_depth={1 if turned else columns}, b_column={depth if turned else 1}"
    for number, part in enumerate(value.operands):
        rows = depth if turned else int(part.shape[0])  # type: ignore[call-overload]
        place = f"first={first}, tile_depth={depth}"
        copies += f"{{name}}_tiles_{number} = tiles(columns={columns}, depth={rows}, {strides}, {place})\n"
        writer.lines.add(f"{{name}}_tiles_{number}({writer.pointer_of(part)}, {target})")
        first += rows
    return writer.finish(f"{copies}\n\n", whole=True)


def _write_turned(writer: KernelWriter, value: Value) -> KernelSource:
    """Matrices turned round, square by square: what a cache line holds is used while it is near."""
    across, along = (int(extent) for extent in value.shape[-2:])  # type: ignore[call-overload]
    count, _ = static_extent(value.shape[:-2])
    lines, source, target = writer.lines, writer.pointer_of(value.operands[0]), writer.pointer_of(value)
    with (
        lines.block(f"for n in range({count}):"),
        lines.block(f"for j0 in range(0, {across}, {SQUARE}):"),
        lines.block(f"for i0 in range(0, {along}, {SQUARE}):"),
        lines.block(f"for j in range(j0, min(j0 + {SQUARE}, {across})):"),
        lines.block(f"for i in range(i0, min(i0 + {SQUARE}, {along})):"),
    ):
        size = across * along
        lines.add(f"{target}[n * {size} + j * {along} + i] = {source}[n * {size} + i * {across} + j]")
    return writer.finish(whole=True)


def _nest(writer: KernelWriter, axes: list[list[int]], depth: int, elements: Elements) -> None:
    """Loops over groups of the domain's axes, outermost first, around the body."""
    if depth == len(axes):
        if not axes:
            writer.lines.add("here = 0")
        writer.body(elements)
        return
    group, domain = axes[depth], writer.kernel.domain
    if 0 in group:
        # The first axis (with what is taken together with it) runs over the block.
        inner, _ = static_extent(tuple(domain[axis] for axis in group[1:]))
        bounds = ("begin", "end") if inner == 1 else (f"begin * {inner}", f"end * {inner}")
        header = f"for i{group[-1]} in range({bounds[0]}, {bounds[1]}):"
    elif len(group) == 1:
        _write_parts(writer, axes, depth, elements)
        return
    else:
        header = f"for i{group[-1]} in range({static_extent(tuple(domain[axis] for axis in group))[0]}):"
    with writer.lines.block(header):
        _write_inside(writer, axes, depth, elements)


def _write_inside(
    writer: KernelWriter, axes: list[list[int]], depth: int, elements: Elements, phase: Phase | None = None
) -> None:
    """What stands in the loop over a group, whose coordinate is set; `phase` is what is known of it."""
    group = axes[depth]
    name = f"i{group[-1]}"
    extent, _ = static_extent(tuple(writer.kernel.domain[axis] for axis in group))
    so_far = name if depth == 0 else f"h{depth - 1} * {extent} + {name}"
    writer.lines.add(f"{'here' if depth == len(axes) - 1 else f'h{depth}'} = {so_far}")
    with elements.scope():
        if phase is not None:
            elements.phases[name] = phase
        _nest(writer, axes, depth + 1, elements)


def _write_parts(writer: KernelWriter, axes: list[list[int]], depth: int, elements: Elements) -> None:
    """The loops along one axis: one for each part that is made of the same things."""
    axis, lines = axes[depth][0], writer.lines
    extent = int(writer.kernel.domain[axis])  # type: ignore[call-overload]
    step = _step(writer.kernel, axis)
    if step > 1:
        rest = extent - extent % step
        with lines.block(f"for q{axis} in range({extent // step}):"):
            for number in range(step):
                lines.add(f"i{axis} = q{axis} * {step} + {number}")
                _write_inside(writer, axes, depth, elements, Phase(step, number, rest - step + number))
        for place in range(rest, extent):
            lines.add(f"i{axis} = {place}")
            _write_inside(writer, axes, depth, elements, Phase(1, place, place))
        return
    edges = _edges(writer.kernel, axis, MOST_EDGES if depth == len(axes) - 1 else MOST_OUTER_EDGES)
    for start, stop in itertools.pairwise(edges):
        phase = Phase(1, start, stop - 1) if len(edges) > 2 else None
        with lines.block(f"for i{axis} in range({start}, {stop}):" if phase else f"for i{axis} in range({extent}):"):
            _write_inside(writer, axes, depth, elements, phase)


def _step(kernel: Kernel, axis: int) -> int:
    """How far apart along an axis a kernel puts the elements of something, the same for all; 1 if it does not."""
    if axis == 0 or axis == len(kernel.domain) - 1:
        return 1
    pads = [value for value in kernel.body if value.op == "pad" and value.shape == kernel.domain]
    steps = {value.attributes["interior"][axis] + 1 for value in pads} - {1}
    step = steps.pop() if len(steps) == 1 else 1
    return step if step <= min(MOST_PHASES, int(kernel.domain[axis])) else 1  # type: ignore[call-overload]


def _edges(kernel: Kernel, axis: int, most: int) -> list[int]:
    """Where along an axis the work of a kernel changes, because parts are put together there, from 0 to its extent.

    Between two edges every condition of a padding or a concatenation has one answer, so that a loop needs no branch.
    """
    extent = int(kernel.domain[axis])  # type: ignore[call-overload]
    edges = {0, extent}
    for value in kernel.body:
        if value.shape != kernel.domain:
            continue
        if value.op == "pad" and value.attributes["interior"][axis] == 0:
            low, size = value.attributes["low"][axis], int(value.operands[0].shape[axis])  # type: ignore[call-overload]
            edges |= {low, low + size}
        elif value.op == "concatenate" and value.attributes["axis"] == axis:
            sizes = [int(operand.shape[axis]) for operand in value.operands]  # type: ignore[call-overload]
            edges |= set(itertools.accumulate(sizes))
    return sorted(edges) if len(edges) <= most else [0, extent]


def _loop_axes(kernel: Kernel, replicated: dict[Value, bool], lies_apart: bool) -> list[list[int]]:
    """The domain's axes in groups that one loop can run over: neighbours that every read holds together.

    A group's loop is named after its last axis. Axes of extent 1 need no loop. Where rows lie apart, the first axis has
    a loop of its own.
    """
    named = bool(kernel.joins) or any(value.op in MAPPED or reads_counter(value) for value in kernel.body)
    reads = [access.coordinates or () for value in kernel.body for access in reads_of(value, replicated)]
    groups: list[list[int]] = []
    for axis, extent in enumerate(kernel.domain):
        if extent == 1 and axis > 0:
            continue
        alone = lies_apart and groups == [[0]]
        if (
            groups
            and not named
            and not alone
            and all(_holds_both(coordinates, groups[-1][-1], axis) for coordinates in reads)
        ):
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
    return any(pair == (one, two) for pair in itertools.pairwise(present))


def _write_rows(writer: KernelWriter, outer: int) -> None:
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


def _write_stage(writer: KernelWriter, elements: Elements, outer: int, whole: list[Value]) -> None:
    """One loop along a row: elementwise values, and the reductions that end with it."""
    kernel, lines = writer.kernel, writer.lines
    domain = kernel.domain
    reductions = [value for value in whole if is_row_reduction(value)]
    totals: dict[Value, tuple[str, str]] = {}
    for value in reductions:
        total, best = lines.fresh("t"), lines.fresh("t")
        totals[value] = (total, best)
        integers = value.operands[0].dtype == "int"
        if value.op == "reduce_sum":
            lines.add(f"{total} = {'int32(0)' if integers else 'float32(0.0)'}")
        else:
            lines.add(f"{total} = {'int32(-2147483648)' if integers else 'float32(-INFINITY)'}")
        if value.op == "argmax":
            lines.add(f"{best} = int32(0)")
        elif _watches_for_nan(value):
            lines.add(f"{best} = False")

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
        if _watches_for_nan(value):
            lines.add(f"{totals[value][0]} = float32(NAN) if {totals[value][1]} else {totals[value][0]}")
        elements.local[value] = totals[value][1] if value.op == "argmax" else totals[value][0]


def _watches_for_nan(value: Value) -> bool:
    floats = value.op == "reduce_max" and value.operands[0].dtype == "float"
    return floats and not value.attributes.get("ignore_nan")


def _accumulate(writer: KernelWriter, value: Value, names: tuple[str, str], item: str, rank: int) -> None:
    total, best = names
    floats = value.operands[0].dtype == "float"
    if floats and value.op == "reduce_sum":
        writer.lines.add(f"{total} = add_up({total}, {item})")
    elif floats and value.op == "reduce_max":
        writer.lines.add(f"{total} = larger({total}, {item})")
        if _watches_for_nan(value):
            # Apart, so that both can be vectors.
            writer.lines.add(f"{best} = {best} | ({item} != {item})")
    elif value.op == "reduce_sum":
        writer.lines.add(f"{total} += {item}")
    elif value.op == "reduce_max":
        writer.lines.add(f"{total} = {item} if ({item} > {total}) or ({item} != {item}) else {total}")
    else:
        # The first NaN counts as the largest, as in NumPy.
        with writer.lines.block(f"if {item} > {total} or ({item} != {item} and {total} == {total}):"):
            writer.lines.add(f"{total} = {item}")
            writer.lines.add(f"{best} = int32(i{rank - 1})")
