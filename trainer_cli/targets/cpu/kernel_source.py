"""Kernel source: one kernel in, the text of the Numba functions that compute a range of its blocks out."""

from __future__ import annotations

from dataclasses import dataclass, field

from trainer_cli.compiler.kernels import (
    MAPPED,
    Coordinates,
    Kernel,
    identity_coordinates,
    reads_counter,
    reads_of,
    storage,
)
from trainer_cli.compiler.partition import leaf_buffer
from trainer_cli.ir.graph import Value
from trainer_cli.ir.ops.products import label_extents, labels
from trainer_cli.ir.primitive import BATCH, IRError, Shape
from trainer_cli.targets.cpu.contraction import Axis, MatrixProduct, matrix_product
from trainer_cli.targets.cpu.expressions import Elements, Lines, linear_index
from trainer_cli.targets.cpu.loop_nest import loop_axes, write_row_loops

COLUMN_CHUNK = 64
"""Columns whose sums a reduction keeps on the stack: four vectors of 16 floats."""


@dataclass
class KernelSource:
    """The text of a kernel, with what its parameters stand for.

    `definitions` are function definitions in which `{name}` stands for the kernel's name. The main function is
    `{name}(begin, end, rows, *pointers, *scalars)`; begin and end count the first axis of the domain. `whole` kernels
    are called once for all blocks of a thread, others once per block.
    """

    definitions: str
    pointers: list[object]
    scalars: list[Value]
    whole: bool


@dataclass
class _Writer:
    """What all kinds of kernels need while they are written."""

    kernel: Kernel
    replicated: dict[Value, bool]
    lines: Lines = field(default_factory=Lines)
    pointers: dict[object, str] = field(default_factory=dict)
    scalars: dict[Value, str] = field(default_factory=dict)
    here: str = "here"
    # Coordinates that a loop over several axes at once counts together with the one behind them.
    absorbed: set[str] = field(default_factory=set)

    def pointer(self, key: object) -> str:
        return self.pointers.setdefault(key, f"p{len(self.pointers)}")

    def pointer_of(self, value: Value) -> str:
        base = storage(value)
        return self.pointer(leaf_buffer(base.name) if base.op in ("weight", "state") else base)

    def scalar(self, value: Value) -> str:
        return self.scalars.setdefault(value, f"s{len(self.scalars)}")

    def index(self, value: Value, coordinates: Coordinates) -> str:
        if value.shape == self.kernel.domain and coordinates == identity_coordinates(value.shape):
            return self.here
        return linear_index(value.shape, ["0" if name in self.absorbed else name for name in coordinates])

    def elements(self) -> Elements:
        return Elements(self.lines, self.replicated, self.pointer_of, self.scalar, self.index)

    def declare(self) -> None:
        """Give the buffers that are written their parameters, whatever order the lines come to need them in."""
        for value in self.kernel.stores:
            self.pointer_of(value)
        for _, name in self.kernel.updates:
            self.pointer(leaf_buffer(name))
        for _, name in self.kernel.totals:
            self.pointer(("total", name))

    def write_results(self, elements: Elements, shape: Shape, place: str) -> None:
        """Store, update and add up the values of this shape at the current element."""
        coordinates = identity_coordinates(shape)
        for value in self.kernel.stores:
            if value.shape == shape and value in elements.local:
                name = elements.local[value]
                self.lines.add(f"{self.pointer_of(value)}[{place}] = {_stored(value, name)}")
        for value, name in self.kernel.updates:
            if value.shape == shape and (value in elements.local or not self.computes(value)):
                read = elements.read(value, coordinates)
                self.lines.add(f"{self.pointer(leaf_buffer(name))}[{place}] = {read}")
        for value, name in self.kernel.totals:
            if value.shape == shape and (value in elements.local or not self.computes(value)):
                read = elements.read(value, coordinates)
                self.lines.add(f"{self.pointer(('total', name))}[{place}] += {read}")

    def computes(self, value: Value) -> bool:
        return value in self.kernel.computed

    def body(self, elements: Elements) -> None:
        """Compute the whole body at the current element and write its results."""
        coordinates = identity_coordinates(self.kernel.domain)
        for value in self.kernel.body:
            elements.define(value, coordinates)
        self.write_results(elements, self.kernel.domain, self.here)

    def needed_axes(self) -> set[int]:
        """The axes of the domain whose coordinate some line will name."""
        domain = self.kernel.domain
        needed: set[int] = set()
        for value in self.kernel.body:
            if value.op in MAPPED or reads_counter(value):
                return {axis for axis, extent in enumerate(domain) if extent != 1}
            for access in reads_of(value, self.replicated):
                if access.value.shape == domain and access.coordinates == identity_coordinates(domain):
                    continue
                needed |= {int(name[1:]) for name in access.coordinates or () if name.startswith("i")}
        return needed


def _stored(value: Value, name: str) -> str:
    return f"uint8({name})" if value.dtype == "bool" else name


def write_kernel(kernel: Kernel, replicated: dict[Value, bool]) -> KernelSource:
    """Write a kernel's source. Raises IRError for a root that this target does not know."""
    writer = _Writer(kernel, replicated)
    writer.declare()
    root = kernel.root
    if root is None:
        return _write_loops(writer)
    if root.op == "contract":
        product = matrix_product(root)
        return _write_product(writer, root, product) if product is not None else _write_plain_contraction(writer, root)
    if root.op in ("reduce_sum", "reduce_max"):
        return _write_reduction(writer, root)
    if root.op == "scatter_add":
        return _write_scatter(writer, root)
    raise IRError(f"the cpu target cannot emit {root!r} yet")


def _finish(writer: _Writer, body: Lines, before: str = "", *, whole: bool) -> KernelSource:
    parameters = ["begin", "end", "rows", *writer.pointers.values(), *writer.scalars.values()]
    text = "\n".join(["@linked", f"def {{name}}({', '.join(parameters)}):", "    kernel_attributes()", *body.lines, ""])
    return KernelSource(before + text, list(writer.pointers), list(writer.scalars), whole)


def _write_loops(writer: _Writer) -> KernelSource:
    """Elementwise work, and reductions along rows."""
    kernel = writer.kernel
    writer.lines = Lines(1)
    if kernel.outer is not None:
        write_row_loops(writer, kernel.outer)
        return _finish(writer, writer.lines, whole=False)
    axes = loop_axes(kernel, writer.replicated)
    writer.absorbed = {f"i{axis}" for group in axes for axis in group[:-1]}
    elements = writer.elements()
    _nest(writer, axes, 0, elements)
    return _finish(writer, writer.lines, whole=False)


def _nest(writer: _Writer, axes: list[list[int]], depth: int, elements: Elements) -> None:
    """Loops over groups of the domain's axes, outermost first, around the body."""
    domain = writer.kernel.domain
    if depth == len(axes):
        if not axes:
            writer.lines.add("here = 0")
        writer.body(elements)
        return
    group = axes[depth]
    extent = 1
    for axis in group:
        extent *= 1 if domain[axis] is BATCH else int(domain[axis])  # type: ignore[call-overload]
    name = f"i{group[-1]}"
    if 0 in group:
        # The first axis (with what is taken together with it) runs over the block.
        inner = 1
        for axis in group[1:]:
            inner *= int(domain[axis])  # type: ignore[call-overload]
        bounds = ("begin", "end") if inner == 1 else (f"begin * {inner}", f"end * {inner}")
        header = f"for {name} in range({bounds[0]}, {bounds[1]}):"
    else:
        header = f"for {name} in range({extent}):"
    with writer.lines.block(header):
        so_far = f"i{axes[0][-1]}" if depth == 0 else f"h{depth - 1} * {extent} + {name}"
        place = "here" if depth == len(axes) - 1 else f"h{depth}"
        writer.lines.add(f"{place} = {so_far}")
        with elements.scope():
            _nest(writer, axes, depth + 1, elements)


def _write_product(writer: _Writer, root: Value, product: MatrixProduct) -> KernelSource:
    """A contraction as matrix products whose tiles are finished by the body."""
    kernel = writer.kernel
    a, b = writer.pointer_of(root.operands[product.left]), writer.pointer_of(root.operands[product.right])
    writer.lines = Lines(1)
    coordinates = _product_coordinates(root, product)
    row_stride = product.rows.result if product.rows is not None else 0
    loop_names = [f"n{index}" for index in range(len(product.loops))]
    base = " + ".join(f"{name} * {axis.result}" for name, axis in zip(loop_names, product.loops, strict=True))

    elements = writer.elements()
    writer.lines.add("inline_attributes()")
    needed = writer.needed_axes()
    with writer.lines.block("for r in range(tile_rows):"):
        writer.lines.add(f"first = {base + ' + ' if base else ''}(row + r) * {row_stride} + column")
        with writer.lines.block("for c in range(tile_columns):"):
            writer.lines.add("here = first + c")
            for axis in sorted(needed):
                writer.lines.add(f"i{axis} = {coordinates[axis]}")
            elements.local[root] = "v0"
            writer.lines.add("v0 = tile[r * tile_stride + c]")
            writer.body(elements)
    parameters = [*writer.pointers.values(), *writer.scalars.values(), *loop_names]
    # Parameters of the operands are passed beside the tuple; it holds what the body reads and writes.
    unpack = f"    {', '.join(parameters)}, = arguments"
    epilogue = "\n".join(
        [
            "@linked",
            "def {name}_finish(row, column, tile_rows, tile_columns, tile, tile_stride, arguments):",
            unpack,
            *writer.lines.lines,
            "",
            "",
        ]
    )
    lead = [_operand_stride(product.rows, product.left), _operand_stride(product.depth, product.left)]
    right = [_operand_stride(product.depth, product.right), _operand_stride(product.columns, product.right)]
    depth = "1" if product.depth is None else product.depth.count("rows")
    static = product.depth is None or not product.depth.batched
    definition = (
        f"{{name}}_product = product(columns={product.columns.extent}, depth={depth if static else None}, "
        f"a_row={lead[0]}, a_depth={lead[1]}, b_depth={right[0]}, b_column={right[1]}, epilogue={{name}}_finish)\n\n\n"
    )
    main = Lines(1)
    shared = product.rows is not None and _first_axis(root, product.rows)
    if shared:
        assert product.rows is not None
        times = "" if product.rows.extent == 1 or not product.rows.batched else f" * {product.rows.extent}"
        if not product.rows.batched and product.rows.extent != root.shape[0]:
            times = f" * {product.rows.extent // int(root.shape[0])}"  # type: ignore[call-overload]
        bounds = (f"begin{times}", f"end{times}")
    else:
        bounds = ("0", "1" if product.rows is None else product.rows.count("rows"))
    _product_loops(main, product, root, loop_names, bounds, depth, (a, b), parameters)
    return _finish(writer, main, epilogue + definition, whole=True)


def _product_loops(
    main: Lines,
    product: MatrixProduct,
    root: Value,
    names: list[str],
    bounds: tuple[str, str],
    depth: str,
    operands: tuple[str, str],
    parameters: list[str],
) -> None:
    """The loops around a product, and its call."""
    places = list(operands)
    for position, operand in enumerate((product.left, product.right)):
        terms = [
            f"{name} * {step}"
            for name, axis in zip(names, product.loops, strict=True)
            if (step := axis.left if operand == 0 else axis.right) is not None
        ]
        if terms:
            places[position] = f"offset({places[position]}, {' + '.join(terms)})"
    call = f"{{name}}_product({bounds[0]}, {bounds[1]}, {depth}, {places[0]}, {places[1]}, ({', '.join(parameters)},))"

    def nest(index: int) -> None:
        if index == len(product.loops):
            main.add(call)
            return
        axis = product.loops[index]
        if _first_axis(root, axis):
            inner = axis.extent if axis.batched else axis.extent // int(root.shape[0])  # type: ignore[call-overload]
            times = "" if inner == 1 else f" * {inner}"
            header = f"for {names[index]} in range(begin{times}, end{times}):"
        else:
            header = f"for {names[index]} in range({axis.count('rows')}):"
        with main.block(header):
            nest(index + 1)

    nest(0)


def _operand_stride(axis: Axis | None, operand: int) -> int:
    if axis is None:
        return 0
    step = axis.left if operand == 0 else axis.right
    return 0 if step is None else step


def _first_axis(root: Value, axis: Axis) -> bool:
    """Whether an axis of the product holds the first axis of the result."""
    result = root.attributes["specification"].partition("->")[2]
    return bool(result) and bool(axis.label) and axis.label[0] == result[0]


def _product_coordinates(root: Value, product: MatrixProduct) -> dict[int, str]:
    """For each axis of the result, its coordinate inside the loops over a tile."""
    result = root.attributes["specification"].partition("->")[2]
    variables: list[tuple[Axis, str]] = [(product.columns, "(column + c)")]
    if product.rows is not None:
        variables.append((product.rows, "(row + r)"))
    variables += [(axis, f"n{index}") for index, axis in enumerate(product.loops)]
    coordinates: dict[int, str] = {}
    for axis, variable in variables:
        step = 1
        for label in reversed(axis.label):
            position = result.index(label)
            extent = root.shape[position]
            moved = variable if step == 1 else f"{variable} // {step}"
            is_outermost = label == axis.label[0]
            coordinates[position] = moved if is_outermost or extent is BATCH else f"{moved} % {extent}"
            if extent is not BATCH:
                step *= int(extent)  # type: ignore[call-overload]
    return {position: coordinates.get(position, "0") for position in range(root.rank)}


def _write_plain_contraction(writer: _Writer, root: Value) -> KernelSource:
    """A contraction that is no matrix product: a loop over every label."""
    a, b, result = labels(root.attributes["specification"])
    extents = label_extents(root)
    writer.lines = Lines(1)
    elements = writer.elements()
    left, right = writer.pointer_of(root.operands[0]), writer.pointer_of(root.operands[1])
    names = {label: f"i{result.index(label)}" if label in result else f"k_{label}" for label in dict.fromkeys(a + b)}
    inner = [label for label in dict.fromkeys(a + b) if label not in result]

    def count(label: str) -> str:
        return "rows" if extents[label] is BATCH else str(extents[label])

    def sum_up(index: int) -> None:
        if index == len(inner):
            x = linear_index(root.operands[0].shape, [names[label] for label in a])
            y = linear_index(root.operands[1].shape, [names[label] for label in b])
            writer.lines.add(f"v0 += {left}[{x}] * {right}[{y}]")
            return
        with writer.lines.block(f"for {names[inner[index]]} in range({count(inner[index])}):"):
            sum_up(index + 1)

    def nest(axis: int) -> None:
        if axis == root.rank:
            writer.lines.add(f"here = {linear_index(root.shape, [f'i{i}' for i in range(root.rank)])}")
            writer.lines.add("v0 = float32(0.0)")
            sum_up(0)
            elements.local[root] = "v0"
            writer.body(elements)
            return
        header = f"for i{axis} in range({'begin, end' if axis == 0 else count(result[axis])}):"
        with writer.lines.block(header), elements.scope():
            nest(axis + 1)

    nest(0)
    return _finish(writer, writer.lines, whole=False)


def _write_reduction(writer: _Writer, root: Value) -> KernelSource:
    """A sum or maximum over axes that stand together: kept axes before, reduced ones, kept axes behind."""
    operand, axes = root.operands[0], root.attributes["axes"]
    if axes != tuple(range(axes[0], axes[-1] + 1)):
        raise IRError(f"the axes of {root!r} do not stand together")
    reduced, batched_sum = _count(operand.shape[axes[0] : axes[-1] + 1])
    suffix, _ = _count(operand.shape[axes[-1] + 1 :])
    prefix_rest, _ = _count(operand.shape[1 : axes[0]]) if axes[0] > 0 else (1, False)
    count = f"rows * {reduced}" if batched_sum else str(reduced)
    source = writer.pointer_of(operand)
    largest = root.op == "reduce_max"
    writer.lines = Lines(1)
    elements = writer.elements()
    needed = writer.needed_axes()

    def finish(value: str) -> None:
        elements.local[root] = value
        for axis in sorted(needed):
            writer.lines.add(f"i{axis} = {_coordinate(root.shape, axis)}")
        writer.body(elements)

    def combine(total: str, item: str) -> str:
        return (
            f"{total} = {item} if ({item} > {total}) or ({item} != {item}) else {total}"
            if largest
            else (f"{total} += {item}")
        )

    if axes[0] > 0:
        times = "" if prefix_rest == 1 else f" * {prefix_rest}"
        outer, columns = f"for n in range(begin{times}, end{times}):", ("0", str(suffix))
    else:
        rest, _ = _count(root.shape[1:])
        single = root.shape == ()
        outer, columns = "for n in range(1):", ("0", "1") if single else (f"begin * {rest}", f"end * {rest}")
    size = f"{count} * {suffix}" if suffix != 1 else count
    with writer.lines.block(outer), elements.scope():
        writer.lines.add(f"base = n * {size}" if axes[0] > 0 else "base = 0")
        writer.lines.add(f"kept = n * {suffix}" if axes[0] > 0 else "kept = 0")
        if suffix == 1:
            # One number at the end of a long sum: kept in double precision.
            writer.lines.add("total = -INFINITY" if largest else "total = 0.0")
            with writer.lines.block(f"for k in range({count}):"):
                writer.lines.add(f"item = {source}[base + k]")
                writer.lines.add(combine("total", "item"))
            writer.lines.add("v0 = float32(total)")
            writer.lines.add("here = kept")
            finish("v0")
        else:
            writer.lines.add(f"sums = stack_floats({COLUMN_CHUNK})")
            with writer.lines.block(f"for start in range({columns[0]}, {columns[1]}, {COLUMN_CHUNK}):"):
                writer.lines.add(f"width = min({COLUMN_CHUNK}, {columns[1]} - start)")
                with writer.lines.block("for c in range(width):"):
                    writer.lines.add("sums[c] = float32(-INFINITY)" if largest else "sums[c] = float32(0.0)")
                with writer.lines.block(f"for k in range({count}):"):
                    with writer.lines.block("for c in range(width):"):
                        writer.lines.add(f"item = {source}[base + k * {suffix} + start + c]")
                        if largest:
                            writer.lines.add("largest = sums[c]")
                            writer.lines.add(combine("largest", "item"))
                            writer.lines.add("sums[c] = largest")
                        else:
                            writer.lines.add("sums[c] += item")
                with writer.lines.block("for c in range(width):"):
                    writer.lines.add("v0 = sums[c]")
                    writer.lines.add("here = kept + start + c")
                    finish("v0")
    return _finish(writer, writer.lines, whole=False)


def _count(shape: Shape) -> tuple[int, bool]:
    """Elements of a shape without its batch axis, and whether it has one."""
    size = 1
    for extent in shape:
        size *= 1 if extent is BATCH else int(extent)  # type: ignore[call-overload]
    return size, any(extent is BATCH for extent in shape)


def _coordinate(shape: Shape, axis: int) -> str:
    """A coordinate from the linear index `here`."""
    inner, _ = _count(shape[axis + 1 :])
    moved = "here" if inner == 1 else f"here // {inner}"
    return moved if axis == 0 else f"({moved}) % {shape[axis]}"


def _write_scatter(writer: _Writer, root: Value) -> KernelSource:
    """Sums of rows by number: each thread goes through all indices and adds those rows of the table that are its own."""
    indices, updates = root.operands
    count, batched = _count(indices.shape)
    width, _ = _count(root.shape[1:])
    numbers, rows = writer.pointer_of(indices), writer.pointer_of(updates)
    table = writer.pointer_of(root)
    writer.lines = Lines(1)
    elements = writer.elements()
    with writer.lines.block(f"for i in range(begin * {width}, end * {width}):"):
        writer.lines.add(f"{table}[i] = float32(0.0)")
    with writer.lines.block(f"for n in range({f'rows * {count}' if batched else count}):"):
        writer.lines.add(f"target = {numbers}[n]")
        with writer.lines.block("if target >= begin and target < end:"):
            with writer.lines.block(f"for c in range({width}):"):
                writer.lines.add(f"{table}[target * {width} + c] += {rows}[n * {width} + c]")
    if writer.kernel.body or writer.kernel.updates or writer.kernel.totals:
        needed = writer.needed_axes()
        with writer.lines.block(f"for here in range(begin * {width}, end * {width}):"):
            writer.lines.add(f"v0 = {table}[here]")
            elements.local[root] = "v0"
            for axis in sorted(needed):
                writer.lines.add(f"i{axis} = {_coordinate(root.shape, axis)}")
            writer.body(elements)
    return _finish(writer, writer.lines, whole=True)
