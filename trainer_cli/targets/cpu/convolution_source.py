"""Convolutions: one of the three and the work behind it in, the source that computes it image by image out.

The lower pass has given all padding to the input: what comes here is a convolution of whole windows, an input's
gradient that reads the padded adjoint with the kernel backwards, or a kernel's gradient as a matrix of taps.
"""

from __future__ import annotations

import math

from trainer_cli.compiler.geometry import Geometry, geometry_of
from trainer_cli.compiler.kernels import UNROLLED_TAPS
from trainer_cli.ir.graph import Value
from trainer_cli.ir.primitive import IRError
from trainer_cli.targets.cpu.expressions import Lines
from trainer_cli.targets.cpu.writer import KernelSource, KernelWriter, coordinate_of


def _check_lowered(root: Value, geometry: Geometry, *, squares: bool) -> None:
    """Raises IRError for a root with padding of its own, unless it is computed from squares."""
    a = root.attributes
    unlike = bool(geometry.padding) and not squares
    if root.op == "convolve_input_gradient":
        sizes = zip(geometry.window, geometry.dilation, strict=True)
        full = tuple(((size - 1) * apart,) * 2 for size, apart in sizes)
        unlike = tuple(map(tuple, a["padding"])) != full or set(geometry.strides) != {1}
    if unlike or (root.op == "convolve_kernel_gradient" and not a.get("flat")):
        raise IRError(f"the cpu target cannot emit {root!r}, which the lower pass has left as it was")


def write_convolution(writer: KernelWriter, root: Value) -> KernelSource:
    """A convolution, or the gradient of an input: a matrix product, or loops where channels stay apart."""
    mirrored = root.op == "convolve_input_gradient"
    geometry = geometry_of(root)
    squares = not mirrored and geometry.winograd_filters() > 0
    _check_lowered(root, geometry, squares=squares)
    if geometry.groups > 1 and (geometry.filters if mirrored else geometry.channels) == 1:
        return _write_depthwise(writer, root, geometry, mirrored)
    x, kernel = map(writer.pointer_of, root.operands)
    elements = writer.elements()
    needed = writer.needed_axes()
    width = geometry.filters * geometry.groups
    writer.lines.add("inline_attributes()")
    with writer.lines.block("for r in range(tile_rows):"):
        for axis, moved in _position_coordinates("(row + r)", geometry.positions).items():
            if axis in needed:
                writer.lines.add(f"i{axis} = {moved}")
        shift = f"group * {geometry.filters} + " if geometry.groups > 1 else ""
        writer.lines.add(f"first = (row + r) * {width} + {shift}column")
        with writer.lines.block("for c in range(tile_columns):"):
            writer.lines.add("here = first + c")
            if root.rank - 1 in needed:
                writer.lines.add(f"i{root.rank - 1} = {shift}column + c")
            elements.local[root] = "v0"
            writer.lines.add("v0 = tile[r * tile_stride + c]")
            writer.body(elements)
    parameters = [*writer.pointers.values(), *writer.scalars.values(), "group"]
    epilogue = [
        "@linked",
        "def {name}_finish(row, column, tile_rows, tile_columns, tile, tile_stride, arguments):",
        f"    {', '.join(parameters)}, = arguments",
        *writer.lines.lines,
    ]
    if squares:
        function = f"winograd({_squares(geometry)}, epilogue={{name}}_finish)"
    else:
        function = f"convolution({_arguments(geometry)}, mirrored={mirrored}, epilogue={{name}}_finish)"
    definition = f"{{name}}_convolve = {function}"
    main = Lines(1)
    with main.block(f"for group in range({geometry.groups}):"):
        main.add(f"{{name}}_convolve(begin, end, group, {x}, {kernel}, ({', '.join(parameters)},))")
    writer.lines = main
    return writer.finish("\n".join([*epilogue, "", "", definition, "", "", ""]), whole=True)


def write_kernel_gradient(writer: KernelWriter, root: Value) -> KernelSource:
    """The gradient of a kernel, collected in memory; the work behind it follows for the thread's own rows.

    Squares are transformed for all rows of the kernel at once, by a thread that computes all of them.
    """
    geometry = geometry_of(root)
    squares = writer.undivided and geometry.winograd_filters() > 0
    _check_lowered(root, geometry, squares=squares)
    x, adjoint = map(writer.pointer_of, root.operands)
    result, width = writer.pointer_of(root), geometry.filters * geometry.groups
    before = ""
    if geometry.groups > 1 and geometry.channels == 1:
        _depthwise_gradient(writer, geometry, x, adjoint, result)
    else:
        function = f"kernel_gradient({_arguments(geometry)})"
        if squares:
            function = f"winograd_gradient({_squares(geometry)})"
        before = f"{{name}}_gradient = {function}\n\n\n"
        with writer.lines.block(f"for group in range({geometry.groups}):"):
            writer.lines.add(f"{{name}}_gradient(begin, end, rows, group, {x}, {adjoint}, {result})")
    if writer.kernel.body or writer.kernel.updates or writer.kernel.totals:
        elements = writer.elements()
        needed = writer.needed_axes()
        with writer.lines.block(f"for here in range(begin * {width}, end * {width}):"):
            writer.lines.add(f"v0 = {result}[here]")
            elements.local[root] = "v0"
            for axis in sorted(needed):
                writer.lines.add(f"i{axis} = {coordinate_of(root.shape, axis)}")
            writer.body(elements)
    return writer.finish(before, whole=True)


def _squares(geometry: Geometry) -> str:
    padding = f", padding={geometry.padding}" if geometry.padding else ""
    return f"{geometry.space!r}, {geometry.channels}, {geometry.filters}, {geometry.groups}{padding}"


def _arguments(geometry: Geometry) -> str:
    sizes = (geometry.space, geometry.window, geometry.strides, geometry.dilation)
    return ", ".join(map(repr, (*sizes, geometry.channels, geometry.filters, geometry.groups)))


def _position_coordinates(position: str, extents: tuple[int, ...]) -> dict[int, str]:
    """The coordinates of a result's axes, without the last, from a position counted over images."""
    coordinates, inner = {}, 1
    for axis in range(len(extents), 0, -1):
        moved = position if inner == 1 else f"{position} // {inner}"
        coordinates[axis] = f"{moved} % {extents[axis - 1]}"
        inner *= extents[axis - 1]
    coordinates[0] = position if inner == 1 else f"{position} // {inner}"
    return coordinates


def _write_depthwise(writer: KernelWriter, root: Value, geometry: Geometry, mirrored: bool) -> KernelSource:
    """Every channel by itself: vectors run along the channels."""
    x, kernel = map(writer.pointer_of, root.operands)
    lines, dimensions = writer.lines, len(geometry.positions)
    width = geometry.filters * geometry.groups
    multiplier = geometry.channels if mirrored else geometry.filters
    all_filters = geometry.groups * multiplier
    elements = writer.elements()
    taps = geometry.tap_places()
    channel = f"i{dimensions + 1}"
    steps = _steps(geometry)

    def tap(place: str, number: str) -> None:
        if mirrored and multiplier > 1:
            with lines.block(f"for m in range({multiplier}):"):
                lines.add(f"f = {channel} * {multiplier} + m")
                lines.add(f"v0 += {x}[base + {place} + f] * {kernel}[{number} * {all_filters} + f]")
            return
        read = channel if mirrored or multiplier == 1 else f"{channel} // {multiplier}"
        lines.add(f"v0 += {x}[base + {place} + {read}] * {kernel}[{number} * {all_filters} + {channel}]")

    def one() -> None:
        lines.add(f"here = line + {channel}")
        lines.add("v0 = float32(0.0)")
        if len(taps) <= UNROLLED_TAPS:
            for number, place in enumerate(taps):
                tap(str(place), str(len(taps) - 1 - number if mirrored else number))
        else:
            _tap_loops(lines, geometry, tap, mirrored)
        elements.local[root] = "v0"
        writer.body(elements)

    def nest(axis: int) -> None:
        if axis > dimensions:
            terms = [f"i{i} * {step}" for i, step in enumerate(steps)]
            lines.add(f"base = {' + '.join(terms)}")
            lines.add(f"line = {_line(geometry.positions)} * {width}")
            with lines.block(f"for {channel} in range({width}):"), elements.scope():
                one()
            return
        bounds = "begin, end" if axis == 0 else str(geometry.positions[axis - 1])
        with lines.block(f"for i{axis} in range({bounds}):"), elements.scope():
            nest(axis + 1)

    nest(0)
    return writer.finish(whole=True)


def _steps(geometry: Geometry) -> list[int]:
    """Floats between windows of neighbouring positions, for the images and every dimension."""
    steps, apart = [], geometry.channels * geometry.groups
    for extent, stride in zip(reversed(geometry.space), reversed(geometry.strides), strict=True):
        steps.append(stride * apart)
        apart *= extent
    return [apart, *reversed(steps)]


def _line(positions: tuple[int, ...]) -> str:
    """The number of a position from the coordinates of the loops around it."""
    text = "i0"
    for axis, extent in enumerate(positions, start=1):
        text = f"({text} * {extent} + i{axis})"
    return text


def _tap_loops(lines: Lines, geometry: Geometry, tap: object, mirrored: bool) -> None:
    """Loops over the taps of a large window."""
    assert callable(tap)
    apart, strides = geometry.channels * geometry.groups, []
    for extent in reversed(geometry.space):
        strides.append(apart)
        apart *= extent
    strides.reverse()
    dimensions = len(geometry.window)

    def nest(axis: int) -> None:
        if axis == dimensions:
            terms = [f"k{i} * {geometry.dilation[i] * strides[i]}" for i in range(dimensions)]
            number = "k0"
            for i in range(1, dimensions):
                number = f"({number} * {geometry.window[i]} + k{i})"
            tap(f"({' + '.join(terms)})", f"({geometry.taps - 1} - {number})" if mirrored else number)
            return
        with lines.block(f"for k{axis} in range({geometry.window[axis]}):"):
            nest(axis + 1)

    nest(0)


def _depthwise_gradient(writer: KernelWriter, geometry: Geometry, x: str, adjoint: str, result: str) -> None:
    """Tap by tap, positions in order, sums in memory."""
    lines, width = writer.lines, geometry.filters * geometry.groups
    read = "f" if geometry.filters == 1 else f"f // {geometry.filters}"
    size = math.prod(geometry.positions)
    run = geometry.positions[-1]
    apart = geometry.strides[-1] * geometry.channels * geometry.groups
    with lines.block("for tap in range(begin, end):"):
        lines.add(f"sums = offset({result}, tap * {width})")
        with lines.block(f"for f in range({width}):"):
            lines.add("sums[f] = float32(0.0)")
        coordinates, inner = [], 1
        for extent in reversed(geometry.window):
            coordinates.append(f"tap // {inner} % {extent}")
            inner *= extent
        places, step = [], geometry.channels * geometry.groups
        for moved, dilation, extent in zip(
            coordinates, reversed(geometry.dilation), reversed(geometry.space), strict=True
        ):
            places.append(f"({moved}) * {dilation * step}")
            step *= extent
        lines.add(f"start = {' + '.join(places)}")
        with lines.block("for n in range(rows):"):
            outer = len(geometry.positions) - 1
            steps = _steps(geometry)

            def nest(axis: int) -> None:
                if axis > outer:
                    terms = [f"n * {steps[0]}", *(f"y{i} * {steps[i]}" for i in range(1, outer + 1))]
                    number = f"n * {size // run}" if outer == 0 else ""
                    if outer:
                        text = "n"
                        for i in range(1, outer + 1):
                            text = f"({text} * {geometry.positions[i - 1]} + y{i})"
                        number = text
                    lines.add(f"source = offset({x}, start + {' + '.join(terms)})")
                    lines.add(f"factors = offset({adjoint}, {number} * {run * width})")
                    with lines.block(f"for p in range({run}):"), lines.block(f"for f in range({width}):"):
                        lines.add(f"sums[f] += source[p * {apart} + {read}] * factors[p * {width} + f]")
                    return
                with lines.block(f"for y{axis} in range({geometry.positions[axis - 1]}):"):
                    nest(axis + 1)

            nest(1)
