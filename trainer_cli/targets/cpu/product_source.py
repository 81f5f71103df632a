"""Products: a contraction and the work behind it in, the source of matrix products that this work finishes out."""

from __future__ import annotations

from trainer_cli.compiler.kernels import is_tiled, storage
from trainer_cli.ir.graph import Value
from trainer_cli.ir.ops.products import label_extents, labels, shared_label
from trainer_cli.ir.primitive import BATCH, IRError
from trainer_cli.targets.cpu.contraction import Axis, MatrixProduct, Triangle, is_shared, matrix_product
from trainer_cli.targets.cpu.expressions import Lines, linear_index
from trainer_cli.targets.cpu.writer import KernelSource, KernelWriter


def write_contraction(writer: KernelWriter, root: Value) -> KernelSource:
    """Write a contraction as matrix products where it can be read so, else as plain loops."""
    product = matrix_product(root, writer.apart)
    return _write_product(writer, root, product) if product is not None else _write_plain_contraction(writer, root)


def _write_product(writer: KernelWriter, root: Value, product: MatrixProduct) -> KernelSource:
    """A contraction as matrix products whose tiles are finished by the body."""
    a, b = writer.pointer_of(root.operands[product.left]), writer.pointer_of(root.operands[product.right])
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
    triangle = _triangle(root, product)
    definition = (
        f"{{name}}_product = product(columns={product.columns.extent}, depth={depth if static else None}, "
        f"a_row={lead[0]}, a_depth={lead[1]}, b_depth={right[0]}, b_column={right[1]}, epilogue={{name}}_finish"
        f"{', in_tiles=True' if _lies_in_tiles(root, product) else ''}"
        f"{f', triangle={str(triangle)!r}' if triangle is not None else ''}"
        f"{', flat=True' if not needed and row_stride == product.columns.extent else ''})\n\n\n"
    )
    main = Lines(1)
    shared = product.rows is not None and is_shared(root, product.rows)
    if shared:
        assert product.rows is not None
        times = "" if product.rows.extent == 1 or not product.rows.batched else f" * {product.rows.extent}"
        if not product.rows.batched and product.rows.extent != _shared_extent(root):
            times = f" * {product.rows.extent // _shared_extent(root)}"
        bounds = (f"begin{times}", f"end{times}")
    else:
        bounds = ("0", "1" if product.rows is None else product.rows.count("rows"))
    if not shared and not any(is_shared(root, axis) for axis in product.loops):
        # No loop runs over the shared axis, whose extent is 1: one thread has it, the others have nothing.
        main.add("if begin == end:")
        main.add("    return")
    steps = writer.apart.get(storage(root.operands[product.left]), ())
    if len(steps) == 2 and root.operands[product.left].rank == 2:
        # Part by part in memory: the rows of one part follow each other, then come those of the next.
        width, part_step = steps
        with main.block(f"for part in range(begin // {width}, (end + {width - 1}) // {width}):"):
            bounds = (f"max(begin, part * {width})", f"min(end, (part + 1) * {width})")
            a = f"offset({a}, part * {part_step - width})"
            _product_loops(main, product, root, loop_names, bounds, depth, (a, b), parameters)
    else:
        _product_loops(main, product, root, loop_names, bounds, depth, (a, b), parameters)
    writer.lines = main
    return writer.finish(epilogue + definition, whole=True)


def _triangle(root: Value, product: MatrixProduct) -> Triangle | None:
    """Which part of a marked product is left out: None if all of it is made."""
    rows, marked = product.rows, root.attributes.get("triangle")
    if marked is None or rows is None or rows.batched or is_shared(root, rows):
        return None
    query, key = marked
    depth = product.depth.label if product.depth is not None else ""
    if rows.label == query and product.columns.label == key:
        return Triangle.RESULT
    return {(query, key): Triangle.ENDS, (key, query): Triangle.BEGINS}.get((rows.label, depth))


def _lies_in_tiles(root: Value, product: MatrixProduct) -> bool:
    """Whether the right operand is a copy tile by tile. Raises IRError if the product would read it otherwise."""
    if not is_tiled(root):
        return False
    if product.right != 1 or product.depth is None or any(axis.right is not None for axis in product.loops):
        raise IRError(f"{root!r} does not read its second operand tile by tile")
    return True


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
        if is_shared(root, axis):
            inner = axis.extent if axis.batched else axis.extent // _shared_extent(root)
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


def _shared_extent(root: Value) -> int:
    """The extent of the axis that threads share, where it is not the batch."""
    return int(label_extents(root)[shared_label(root)])  # type: ignore[call-overload]


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


def _write_plain_contraction(writer: KernelWriter, root: Value) -> KernelSource:
    """A contraction that is no matrix product: a loop over every label."""
    a, b, result = labels(root.attributes["specification"])
    extents = label_extents(root)
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
    return writer.finish(whole=False)
