"""Tables of places and block sizes come in, an intrinsic goes out that multiplies rows gathered by them by a tile.

The rows of A lie anywhere: row r begins at `rows[r]`, and its elements are runs of `depth` elements, one run for every
segment. So the windows of a convolution are the rows of a matrix that nobody has to copy together.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from llvmlite import ir

from trainer_cli.targets.cpu.ahead import ALIASED_STRIDE
from trainer_cli.targets.cpu.intrinsics import multiply_add
from trainer_cli.targets.cpu.machine_types import FLOAT_POINTER, WORD, intrinsic
from trainer_cli.targets.cpu.microkernel import (
    PANEL,
    Block,
    Writer,
    constant,
    half_panels,
    load_vector,
    loop,
    separate_function,
    single_row,
    splat,
    store_vector,
    whole_or_last_tile,
)
from trainer_cli.targets.cpu.packing import pack_writer
from trainer_cli.targets.cpu.tiles import DEPTH_BLOCK

# Sums of so few terms are written without loops.
_UNROLLED = 16

_INDEX = ir.IntType(64)
_SMALL = ir.IntType(32)
_BOOL = ir.IntType(1)
_POINTER = ir.FloatType().as_pointer()
_TABLE = _SMALL.as_pointer()


@dataclass(frozen=True)
class Walk:
    """Where the elements of an indexed product lie, in floats.

    `A[r, (s, d)] = a[rows[r] + segments[s][0] + d · a_depth]` and
    `B[(s, d), j] = b[segments[s][1] + d · b_depth + j · b_column]`. Images come on top, `a_image` and
    `b_image` apart: they are summed over too. Unless B is packed, its segments follow each other.
    """

    rows: tuple[int, ...]
    segments: tuple[tuple[int, int], ...]
    depth: int
    a_depth: int
    b_depth: int
    b_column: int
    a_image: int = 0
    b_image: int = 0

    def packs(self, block: Block, columns: int) -> bool:
        """Whether some tile of B is copied: it lies across, its last vector is not full, or its rows share few sets."""
        return self.b_column != 1 or columns % block.lanes != 0 or self.b_depth % ALIASED_STRIDE == 0


def _table(module: Any, numbers: Sequence[int], name: str) -> Any:
    """A pointer to constants."""
    kind = ir.ArrayType(_SMALL, len(numbers))
    table = ir.GlobalVariable(module, kind, module.get_unique_name(name))
    table.linkage = "internal"
    table.global_constant = True
    table.initializer = ir.Constant(kind, list(numbers))
    zero = ir.Constant(_SMALL, 0)
    return table.gep([zero, zero])


def _number(builder: Any, table: Any, index: Any) -> Any:
    return builder.sext(builder.load(builder.gep(table, [index])), _INDEX)


@contextmanager
def _counted(builder: Any, start: Any, stop: Any, unrolled: int | None) -> Iterator[Any]:
    """A loop in machine code; with `unrolled` its body stands once and runs for the constant 0."""
    if unrolled is not None:
        yield constant(0)
        return
    with loop(builder, start, stop, 1) as index:
        yield index


def _multiply(
    builder: Any,
    block: Block,
    chosen: Sequence[Any],
    vectors: int,
    walk: Walk,
    segment_table: Any,
    first: Any,
    arguments: Any,
) -> None:
    """Multiply the chosen rows by `vectors` vectors of columns, sums in registers, into the tile from `first` on."""
    places, images, first_segment, last_segment, depth, a, b, b_step, tile, resume = arguments
    lanes, count = block.lanes, len(chosen)
    vector = ir.VectorType(ir.FloatType(), lanes)
    with builder.goto_entry_block():
        sums = [[builder.alloca(vector) for _ in range(vectors)] for _ in range(count)]
        b_slot = builder.alloca(_POINTER)
    rows = [builder.gep(a, [_number(builder, places, row)]) for row in chosen]
    base = builder.gep(tile, [builder.mul(first, constant(block.width))])
    targets = [
        [builder.gep(base, [constant(row * block.width + i * lanes)], inbounds=True) for i in range(vectors)]
        for row in range(count)
    ]
    with builder.if_else(resume) as (held, fresh):
        with held:
            for row in range(count):
                for i in range(vectors):
                    builder.store(load_vector(builder, targets[row][i], lanes), sums[row][i])
        with fresh:
            for slot in (slot for row in sums for slot in row):
                builder.store(ir.Constant(vector, [0.0] * lanes), slot)
    builder.store(b, b_slot)

    def one_term(place: Any) -> None:
        b_here = builder.load(b_slot)
        columns = [load_vector(builder, builder.gep(b_here, [constant(i * lanes)]), lanes) for i in range(vectors)]
        for row in range(count):
            factor = splat(builder, builder.load(builder.gep(rows[row], [place])), lanes)
            for i in range(vectors):
                slot = sums[row][i]
                builder.store(multiply_add(builder, factor, columns[i], builder.load(slot)), slot)
        builder.store(builder.gep(b_here, [b_step]), b_slot)

    if len(walk.segments) * walk.depth <= _UNROLLED and walk.a_image == 0:
        for start, _ in walk.segments:
            for d in range(walk.depth):
                one_term(constant(start + d * walk.a_depth))
    else:
        with (
            _counted(builder, constant(0), images, 0 if walk.a_image == 0 else None) as image,
            loop(builder, first_segment, last_segment, 1) as segment,
        ):
            start = builder.add(builder.mul(image, constant(walk.a_image)), _number(builder, segment_table, segment))
            with loop(builder, constant(0), depth, 1) as d:
                one_term(builder.add(start, builder.mul(d, constant(walk.a_depth))))
    for row in range(count):
        for i in range(vectors):
            store_vector(builder, builder.load(sums[row][i]), targets[row][i], lanes * 4)


def _panel_writer(block: Block, columns: int, walk: Walk, segment_table: Any) -> Writer:
    """Writes a function for 1 to PANEL rows `(rows, column, places, images, first, last segment, depth, a, b, b_step,
    tile, resume)`; see `microkernel.panel_writer`."""
    last_vectors = -(-(columns % block.width) // block.lanes)

    def write(builder: Any, rows: Any, column: Any, *arguments: Any) -> None:
        def multiply(vectors: int, first: Any, chosen: Sequence[Any]) -> None:
            _multiply(builder, block, chosen, vectors, walk, segment_table, first, arguments)

        def panel(vectors: int) -> None:
            with builder.if_else(builder.icmp_signed("==", rows, constant(PANEL))) as (whole, part):
                with whole:
                    for first in range(0, PANEL, block.rows):
                        multiply(vectors, constant(first), [constant(first + row) for row in range(block.rows)])
                with part:
                    with half_panels(builder, rows) as (start, chosen):
                        multiply(vectors, start, chosen)
                    with single_row(builder, rows) as row:
                        multiply(vectors, row, [row])

        whole_or_last_tile(builder, column, columns, block.width, panel, block.vectors, last_vectors)

    return write


def indexed_product(block: Block, columns: int, walk: Walk) -> Any:
    """An intrinsic `(images, begin, end, first, last, column, a, b, packed, tile, resume)`.

    It multiplies rows first … last - 1, over the segments begin … end - 1 of every image, into the rows of the tile,
    each `block.width` floats wide. `packed` has room for `block.width · PACKED_FLOATS` floats. With `resume` the tile
    holds sums already, which go on. Every element is one chain of multiply-adds in the order of its terms.
    """
    ragged_from = columns - columns % block.width if columns % block.lanes else columns
    always = walk.b_column != 1 or ragged_from == 0 or walk.b_depth % ALIASED_STRIDE == 0
    # Whole segments are packed together as long as they fit.
    together = max(1, DEPTH_BLOCK // walk.depth)

    def write(
        builder: Any,
        images: Any,
        begin: Any,
        end: Any,
        first: Any,
        last: Any,
        column: Any,
        a: Any,
        b: Any,
        packed: Any,
        tile: Any,
        resumes: Any,
    ) -> None:
        module = builder.module
        places = _table(module, walk.rows, "rows")
        a_segments = _table(module, [start for start, _ in walk.segments], "segments_a")
        b_segments = _table(module, [start for _, start in walk.segments], "segments_b")
        kinds = [_INDEX, _INDEX, _TABLE, _INDEX, _INDEX, _INDEX, _INDEX, _POINTER, _POINTER, _INDEX, _POINTER, _BOOL]
        panel = separate_function(module, "indexed_panel", kinds, _panel_writer(block, columns, walk, a_segments))
        b_tile = builder.gep(b, [builder.mul(column, constant(walk.b_column))])
        resume = builder.icmp_signed("!=", resumes, constant(0))

        def panels(count: Any, span: tuple[Any, Any], depth: Any, a: Any, b: Any, b_step: Any, resume: Any) -> None:
            with loop(builder, first, last, PANEL) as row:
                left = builder.sub(last, row)
                rows = builder.select(builder.icmp_signed("<", left, constant(PANEL)), left, constant(PANEL))
                target = builder.gep(tile, [builder.mul(builder.sub(row, first), constant(block.width))])
                table = builder.gep(places, [row])
                builder.call(panel, [rows, column, table, count, *span, depth, a, b, b_step, target, resume])

        def in_place() -> None:
            start = builder.gep(b_tile, [_number(builder, b_segments, begin)])
            panels(images, (begin, end), constant(walk.depth), a, start, constant(walk.b_depth), resume)

        def by_packing() -> None:
            kinds = [_INDEX, _INDEX, _POINTER, _POINTER]
            writer = pack_writer(block, columns, walk.b_depth, walk.b_column)
            pack = separate_function(module, "pack_segment", kinds, writer)
            with loop(builder, constant(0), images, 1) as image, loop(builder, begin, end, together) as segment:
                later = builder.add(segment, constant(together))
                stop = builder.select(builder.icmp_signed("<", later, end), later, end)
                for start in range(0, walk.depth, DEPTH_BLOCK):
                    count = min(DEPTH_BLOCK, walk.depth - start)
                    moved = builder.add(builder.mul(image, constant(walk.b_image)), constant(start * walk.b_depth))
                    with loop(builder, segment, stop, 1) as one:
                        source = builder.gep(b_tile, [builder.add(moved, _number(builder, b_segments, one))])
                        place = builder.mul(builder.sub(one, segment), constant(count * block.width))
                        builder.call(pack, [column, constant(count), source, builder.gep(packed, [place])])
                    begun = builder.or_(
                        builder.icmp_signed(">", image, constant(0)), builder.icmp_signed(">", segment, begin)
                    )
                    going = builder.or_(resume, builder.or_(begun, _BOOL(start > 0)))
                    a_moved = builder.add(builder.mul(image, constant(walk.a_image)), constant(start * walk.a_depth))
                    a_here = builder.gep(a, [a_moved])
                    panels(constant(1), (segment, stop), constant(count), a_here, packed, constant(block.width), going)

        if always:
            by_packing()
        elif ragged_from < columns:
            with builder.if_else(builder.icmp_signed(">=", column, constant(ragged_from))) as (packing, placed):
                with packing:
                    by_packing()
                with placed:
                    in_place()
        else:
            in_place()

    kinds = [_INDEX] * 6 + [_POINTER] * 4 + [_INDEX]

    @intrinsic(*[WORD] * 6, *[FLOAT_POINTER] * 4, WORD)
    def product_by_table(builder: Any, *arguments: Any) -> None:
        function = separate_function(builder.module, "indexed_product", kinds, write)
        builder.call(function, arguments)

    return product_by_table
