"""Reductions: a sum, a maximum or a scatter in, the source of its loops and of the work behind it out."""

from __future__ import annotations

from collections.abc import Callable

from trainer_cli.compiler.kernels import Coordinates, computes_terms, identity_coordinates, storage
from trainer_cli.ir.graph import Value
from trainer_cli.ir.primitive import IRError
from trainer_cli.targets.cpu.expressions import Elements
from trainer_cli.targets.cpu.writer import KernelSource, KernelWriter, coordinate_of, static_extent

COLUMN_CHUNK = 64
"""Columns whose sums a reduction keeps on the stack: four vectors of 16 floats."""

LANES = 16
"""Columns of a vector. Terms that are computed for fewer of them at a time would be computed one by one."""


def write_reduction(writer: KernelWriter, root: Value) -> KernelSource:
    """A sum or maximum over axes that stand together: kept axes before, reduced ones, kept axes behind."""
    operand, axes = root.operands[0], root.attributes["axes"]
    if axes != tuple(range(axes[0], axes[-1] + 1)):
        raise IRError(f"the axes of {root!r} do not stand together")
    reduced, batched_sum = static_extent(operand.shape[axes[0] : axes[-1] + 1])
    suffix, _ = static_extent(operand.shape[axes[-1] + 1 :])
    prefix_rest, _ = static_extent(operand.shape[1 : axes[0]]) if axes[0] > 0 else (1, False)
    count = f"rows * {reduced}" if batched_sum else str(reduced)
    source = "" if computes_terms(root) else writer.pointer_of(operand)
    elements = writer.elements()
    needed = writer.needed_axes()

    def finish(value: str) -> None:
        elements.local[root] = value
        for axis in sorted(needed):
            writer.lines.add(f"i{axis} = {coordinate_of(root.shape, axis)}")
        writer.body(elements)

    def item(row: str, column: str) -> str:
        """An element of the operand, read or computed at the place of its row and of its column in the row."""
        place = f"{row} + {column}"
        return _computed(writer, root, place, column) if computes_terms(root) else f"{source}[{place}]"

    if axes[0] > 0:
        times = "" if prefix_rest == 1 else f" * {prefix_rest}"
        outer, columns = f"for n in range(begin{times}, end{times}):", ("0", str(suffix))
    else:
        rest, _ = static_extent(root.shape[1:])
        single = root.shape == ()
        outer, columns = "for n in range(1):", ("0", "1") if single else (f"begin * {rest}", f"end * {rest}")
    # From row to row of what is kept in front, and from term to term.
    steps: tuple[int | str, ...] = (f"{count} * {suffix}" if suffix != 1 else count, suffix)
    if (apart := writer.apart.get(storage(operand))) is not None:
        if axes != (1,):
            raise IRError(f"{root!r} needs its operand row by row")
        steps = apart
    with writer.lines.block(outer), elements.scope():
        writer.lines.add(f"base = n * {steps[0]}" if axes[0] > 0 else "base = 0")
        writer.lines.add(f"kept = n * {suffix}" if axes[0] > 0 else "kept = 0")
        if suffix == 1 or root.dtype == "int":
            # One number at the end of a long sum: kept in double precision. Integers are rare and stay exact.
            kind, lowest = ("int64", "-2147483648") if root.dtype == "int" else ("float64", "-INFINITY")
            with writer.lines.block(f"for c in range({columns[0]}, {columns[1]}):"):
                writer.lines.add(f"total = {kind}({lowest if root.op == 'reduce_max' else 0})")
                with writer.lines.block(f"for k in range({count}):"):
                    writer.lines.add(f"item = {kind}({item(f'base + k * {steps[1]}', 'c')})")
                    writer.lines.add(_combined(root, "total", "item"))
                writer.lines.add(f"v0 = {'int32' if root.dtype == 'int' else 'float32'}(total)")
                writer.lines.add("here = kept + c")
                finish("v0")
        else:
            writer.lines.add(f"sums = stack_floats({COLUMN_CHUNK})")
            together = _rows_together(root, suffix, reduced) if axes[0] > 0 and steps[1] == suffix else 1
            if together > 1:
                _sum_up_together(writer, root, item, reduced, suffix, together)
                with writer.lines.block(f"for c in range({suffix}):"):
                    writer.lines.add("v0 = sums[c]")
                    writer.lines.add("here = kept + c")
                    finish("v0")
            else:
                with writer.lines.block(f"for start in range({columns[0]}, {columns[1]}, {COLUMN_CHUNK}):"):
                    writer.lines.add(f"width = min({COLUMN_CHUNK}, {columns[1]} - start)")
                    _clear(writer, root, "width")
                    # With a constant width the sums stay in registers.
                    for condition, width in ((f"if width == {COLUMN_CHUNK}:", str(COLUMN_CHUNK)), ("else:", "width")):
                        with (
                            writer.lines.block(condition),
                            writer.lines.block(f"for k in range({count}):"),
                            writer.lines.block(f"for c in range({width}):"),
                        ):
                            _add(writer, root, "sums[c]", item(f"base + k * {steps[1]}", "start + c"))
                    with writer.lines.block("for c in range(width):"):
                        writer.lines.add("v0 = sums[c]")
                        writer.lines.add("here = kept + start + c")
                        finish("v0")
    return writer.finish(whole=False)


def _rows_together(root: Value, columns: int, rows: int) -> int:
    """Rows that are summed up side by side, so that additions need not wait for each other: as many as fill the sums.

    How many they are depends on the shape alone, and so does the order of the sum.
    """
    if computes_terms(root) and columns % LANES:
        return 1
    return min(COLUMN_CHUNK // columns, rows)


def _sum_up_together(
    writer: KernelWriter, root: Value, item: Callable[[str, str], str], rows: int, columns: int, together: int
) -> None:
    """Sums over rows that follow each other in memory, several of them as if they were one, and their sum."""
    lines = writer.lines
    _clear(writer, root, str(together * columns))
    whole = rows - rows % together
    with lines.block(f"for k in range(0, {whole}, {together}):"):
        if computes_terms(root):
            for row in range(together):
                with lines.block(f"for c in range({columns}):"):
                    _add(writer, root, f"sums[{row * columns} + c]", item(f"base + (k + {row}) * {columns}", "c"))
        else:
            with lines.block(f"for c in range({together * columns}):"):
                _add(writer, root, "sums[c]", item(f"base + k * {columns}", "c"))
    if whole < rows:
        with lines.block(f"for k in range({whole}, {rows}):"), lines.block(f"for c in range({columns}):"):
            _add(writer, root, "sums[c]", item(f"base + k * {columns}", "c"))
    for row in range(1, together):
        with lines.block(f"for c in range({columns}):"):
            _add(writer, root, "sums[c]", f"sums[{row * columns} + c]")


def _clear(writer: KernelWriter, root: Value, width: str) -> None:
    with writer.lines.block(f"for c in range({width}):"):
        writer.lines.add("sums[c] = float32(-INFINITY)" if root.op == "reduce_max" else "sums[c] = float32(0.0)")


def _add(writer: KernelWriter, root: Value, place: str, item: str) -> None:
    """A term added to, or compared with, what stands at a place."""
    writer.lines.add(f"item = {item}")
    if root.op == "reduce_max":
        writer.lines.add(f"largest = {place}")
        writer.lines.add(_combined(root, "largest", "item"))
        writer.lines.add(f"{place} = largest")
    else:
        writer.lines.add(_combined(root, place, "item"))


def _combined(root: Value, total: str, item: str) -> str:
    if root.op == "reduce_max":
        return f"{total} = {item} if ({item} > {total}) or ({item} != {item}) else {total}"
    return f"{total} += {item}"


def _computed(writer: KernelWriter, root: Value, place: str, column: str) -> str:
    """The lines of an element that is computed for a sum, at its place and its column; its name."""
    value = root.operands[0]
    own = identity_coordinates(value.shape)
    axes = root.attributes["axes"]
    columns = _named(own[axes[-1] + 1 :])
    kept = _named((*own[: axes[0]], *own[axes[-1] + 1 :]))

    def index(read: Value, coordinates: Coordinates) -> str:
        # In whatever shape it lies, with or without axes of extent 1.
        named = _named(coordinates)
        if named == _named(own):
            return place
        if not named:
            return "0"
        if named == columns:
            return column
        if named != kept:
            raise IRError(f"{read!r} has no element for each column of a sum")
        return f"kept + {column}"

    elements = Elements(writer.lines, writer.replicated, writer.pointer_of, writer.scalar, index, index)
    with elements.scope():
        return elements.read(value, own)


def _named(coordinates: Coordinates) -> Coordinates:
    """The coordinates along axes with more than one place."""
    return tuple(coordinate for coordinate in coordinates if coordinate != "0")


def write_scatter(writer: KernelWriter, root: Value) -> KernelSource:
    """Sums of rows by number: each thread goes through all indices and adds the rows whose sum is its own."""
    indices, updates = root.operands
    count, batched = static_extent(indices.shape)
    width, _ = static_extent(root.shape[1:])
    numbers, rows = writer.pointer_of(indices), writer.pointer_of(updates)
    table = writer.pointer_of(root)
    elements = writer.elements()
    with writer.lines.block(f"for i in range(begin * {width}, end * {width}):"):
        writer.lines.add(f"{table}[i] = float32(0.0)")
    with writer.lines.block(f"for n in range({f'rows * {count}' if batched else count}):"):
        writer.lines.add(f"target = {numbers}[n]")
        own = "if target >= begin and target < end:"
        with writer.lines.block(own), writer.lines.block(f"for c in range({width}):"):
            writer.lines.add(f"{table}[target * {width} + c] += {rows}[n * {width} + c]")
    if writer.kernel.body or writer.kernel.updates or writer.kernel.totals:
        needed = writer.needed_axes()
        with writer.lines.block(f"for here in range(begin * {width}, end * {width}):"):
            writer.lines.add(f"v0 = {table}[here]")
            elements.local[root] = "v0"
            for axis in sorted(needed):
                writer.lines.add(f"i{axis} = {coordinate_of(root.shape, axis)}")
            writer.body(elements)
    return writer.finish(whole=True)
