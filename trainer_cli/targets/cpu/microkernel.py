"""Strides and block sizes come in, writers go out of LLVM code that multiplies a panel of rows by a tile of columns.

Every element is one chain of fused multiply-adds over
the depth in ascending order, starting from zero, whichever block of rows or width of column holds it; that is what
makes a product's bits independent of how its rows were divided among threads.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, TypeAlias, TypeVar

from llvmlite import ir

from trainer_cli.targets.cpu.intrinsics import call, is_arm, multiply_add
from trainer_cli.targets.cpu.processor import processor

# Rows that one panel holds; threads divide rows at its multiples.
PANEL = 8
ELEMENT_BYTES = 4
# A panel with fewer rows is taken by half panels. Where two or three rows are left, they and a repeated one are a half
# panel too: a vector's sums wait for each other, so that three rows one by one take three times as long as four.
HALF_PANEL = PANEL // 2

Writer: TypeAlias = Callable[..., None]
"""Writes instructions with a builder (its first argument) that work on the LLVM values given behind it."""

_Tile = TypeVar("_Tile")
_INDEX = ir.IntType(64)
_FLOAT = ir.FloatType()


@dataclass(frozen=True)
class Block:
    """How many floats a vector holds, and how many rows and vectors of accumulators fill the registers."""

    lanes: int
    rows: int
    vectors: int

    @property
    def width(self) -> int:
        return self.lanes * self.vectors


def host_lanes() -> int:
    """Floats in the widest vector of this processor."""
    return processor().floats


def register_block(lanes: int | None = None) -> Block:
    """The block for a vector width (the host's by default)."""
    width = lanes or host_lanes()
    # 32 vector registers hold 8×2 accumulators, which reach the peak of the arithmetic units; 16 registers hold 4×2.
    roomy = is_arm() or width == 16
    return Block(lanes=width, rows=8 if roomy else 4, vectors=2)


def constant(value: int) -> ir.Constant:
    return ir.Constant(_INDEX, value)


def _vector(lanes: int) -> ir.VectorType:
    return ir.VectorType(_FLOAT, lanes)


def load_vector(builder: Any, pointer: Any, lanes: int) -> Any:
    value = builder.load(builder.bitcast(pointer, _vector(lanes).as_pointer()))
    value.align = ELEMENT_BYTES
    return value


def store_vector(builder: Any, value: Any, pointer: Any, align: int) -> None:
    builder.store(value, builder.bitcast(pointer, value.type.as_pointer())).align = align


def masked_load(builder: Any, pointer: Any, mask: Any, lanes: int) -> Any:
    """Read the lanes that the mask names, zeros elsewhere; memory under the other lanes is not touched."""
    vector = _vector(lanes)
    place = builder.bitcast(pointer, vector.as_pointer())
    zeros = ir.Constant(vector, [0.0] * lanes)
    suffix = "p0" if str(place.type) == "ptr" else f"p0v{lanes}f32"
    arguments = [place, ir.Constant(ir.IntType(32), ELEMENT_BYTES), mask, zeros]
    return call(builder, f"llvm.masked.load.v{lanes}f32.{suffix}", vector, arguments)


def load_first(builder: Any, pointer: Any, present: int, lanes: int) -> Any:
    """Read the first lanes of a vector, zeros in the others; memory under these is not touched."""
    if present >= lanes:
        return load_vector(builder, pointer, lanes)
    return masked_load(builder, pointer, _first_lanes(present, lanes), lanes)


def _first_lanes(present: int, lanes: int) -> ir.Constant:
    return ir.Constant(ir.VectorType(ir.IntType(1), lanes), [lane < present for lane in range(lanes)])


def masked_store(builder: Any, value: Any, pointer: Any, present: int) -> None:
    """Write the first lanes of a vector; memory under the others is not touched."""
    lanes = value.type.count
    place = builder.bitcast(pointer, value.type.as_pointer())
    suffix = "p0" if str(place.type) == "ptr" else f"p0v{lanes}f32"
    arguments = [value, place, ir.Constant(ir.IntType(32), ELEMENT_BYTES), _first_lanes(present, lanes)]
    call(builder, f"llvm.masked.store.v{lanes}f32.{suffix}", ir.VoidType(), arguments)


def splat(builder: Any, scalar: Any, lanes: int) -> Any:
    undefined = ir.Constant(ir.VectorType(scalar.type, lanes), ir.Undefined)
    single = builder.insert_element(undefined, scalar, ir.Constant(ir.IntType(32), 0))
    return builder.shuffle_vector(single, undefined, ir.Constant(ir.VectorType(ir.IntType(32), lanes), [0] * lanes))


def shuffle(builder: Any, left: Any, right: Any, order: list[int]) -> Any:
    return builder.shuffle_vector(left, right, ir.Constant(ir.VectorType(ir.IntType(32), len(order)), order))


@contextmanager
def loop(builder: Any, start: Any, stop: Any, step: int) -> Iterator[Any]:
    """A loop over start, start + step, … below stop."""
    before = builder.block
    body = builder.append_basic_block("body")
    after = builder.append_basic_block("after")
    builder.cbranch(builder.icmp_signed("<", start, stop), body, after)
    builder.position_at_end(body)
    index = builder.phi(_INDEX)
    index.add_incoming(start, before)
    yield index
    following = builder.add(index, constant(step), flags=["nsw"])
    index.add_incoming(following, builder.block)
    builder.cbranch(builder.icmp_signed("<", following, stop), body, after)
    builder.position_at_end(after)


def separate_function(module: Any, name: str, arguments: Sequence[Any], write: Writer) -> Any:
    """A function of its own: written into its caller, optimisation would copy its loops into every branch there."""
    function = ir.Function(module, ir.FunctionType(ir.VoidType(), arguments), module.get_unique_name(name))
    function.linkage = "internal"
    function.attributes.add("noinline")
    function.attributes.add("nounwind")
    body = ir.IRBuilder(function.append_basic_block("entry"))
    write(body, *function.args)
    body.ret_void()
    return function


def whole_or_last_tile(
    builder: Any, column: Any, columns: int, width: int, write: Callable[[_Tile], None], whole: _Tile, last: _Tile
) -> None:
    """Write what is done for whole tiles of columns, and apart from it, where that differs, for a narrower last one.

    `column` is the first of the tile that the code meets; `write` is given `whole` or `last`.
    """
    rest = columns % width
    if rest == 0 or last == whole:
        write(whole)
    elif columns < width:
        write(last)
    else:
        with builder.if_else(builder.icmp_signed("<", column, constant(columns - rest))) as (in_whole, in_last):
            with in_whole:
                write(whole)
            with in_last:
                write(last)


@contextmanager
def half_panels(builder: Any, rows: Any) -> Iterator[tuple[Any, list[Any]]]:
    """A loop over the half panels of less than a panel: the first row and the rows of each, the last repeated."""
    stop = builder.and_(builder.add(rows, constant(HALF_PANEL // 2)), constant(-HALF_PANEL))
    last = builder.sub(rows, constant(1))
    with loop(builder, constant(0), stop, HALF_PANEL) as first:
        chosen = [builder.add(first, constant(row)) for row in range(HALF_PANEL)]
        yield first, [builder.select(builder.icmp_signed("<", row, last), row, last) for row in chosen]


@contextmanager
def single_row(builder: Any, rows: Any) -> Iterator[Any]:
    """A branch with the row that `half_panels` has left, if there is one."""
    rest = builder.and_(rows, constant(HALF_PANEL - 1))
    with builder.if_then(builder.icmp_signed("==", rest, constant(1))):
        yield builder.sub(rows, constant(1))


# The product of a panel and a tile ---------------------------------------------------------------------------------


@dataclass(frozen=True)
class Requests:
    """Requests for lines of memory between so many terms each; `ask` writes the one with a number, from 0 on."""

    terms: Any
    ask: Callable[[Any, Any], None]


@dataclass(frozen=True)
class Operands:
    """LLVM values and constant strides of one block's product."""

    depth: Any
    a: Any
    a_row: int
    a_depth: int
    b: Any
    b_step: Any
    tile: Any
    tile_row: int
    resume: Any
    # Of the last vector of a row, the lanes that the tile has room for (0: all).
    last: int = 0
    # Where the rows of A begin, if they are not `a_row` apart.
    rows: Sequence[Any] | None = None
    # What is asked for meanwhile.
    requests: Requests | None = None


def multiply_block(builder: Any, lanes: int, rows: int, vectors: int, operands: Operands) -> None:
    """Multiply `rows` rows of A by `vectors` vectors of columns of B, all sums in registers, into the tile."""
    depth, a, b, b_step, tile = operands.depth, operands.a, operands.b, operands.b_step, operands.tile
    a_depth = operands.a_depth
    a_rows = operands.rows or [constant(row * operands.a_row) for row in range(rows)]
    vector = _vector(lanes)
    places = [
        [
            builder.gep(tile, [constant(row * operands.tile_row + index * lanes)], inbounds=True)
            for index in range(vectors)
        ]
        for row in range(rows)
    ]
    entry = builder.block
    reload = builder.append_basic_block("reload")
    start = builder.append_basic_block("start")
    asking = builder.append_basic_block("asking") if operands.requests else None
    body = builder.append_basic_block("depth")
    more = builder.append_basic_block("more") if operands.requests else body
    done = builder.append_basic_block("done")
    builder.cbranch(operands.resume, reload, start)

    builder.position_at_end(reload)
    held = [[load_vector(builder, place, lanes) for place in row] for row in places]
    builder.branch(start)

    builder.position_at_end(start)
    first = [[builder.phi(vector) for _ in row] for row in places]
    for row_first, row_held in zip(first, held, strict=True):
        for value, loaded in zip(row_first, row_held, strict=True):
            value.add_incoming(ir.Constant(vector, [0.0] * lanes), entry)
            value.add_incoming(loaded, reload)
    builder.cbranch(builder.icmp_signed(">", depth, constant(0)), asking or body, done)

    # What the loop carries: term, places in A and B, and sums.
    initial = [constant(0), a, b, *(value for row_first in first for value in row_first)]
    before, stop = start, depth
    if operands.requests is not None:
        builder.position_at_end(asking)
        held_here = [builder.phi(value.type) for value in initial]
        line = builder.phi(_INDEX)
        operands.requests.ask(builder, line)
        soon = builder.add(held_here[0], operands.requests.terms)
        stop = builder.select(builder.icmp_signed("<", soon, depth), soon, depth)
        builder.branch(body)
        before, outer, initial = asking, initial, held_here

    builder.position_at_end(body)
    carried = [builder.phi(value.type) for value in initial]
    index, a_here, b_here, *sums = carried
    columns = [load_vector(builder, builder.gep(b_here, [constant(i * lanes)]), lanes) for i in range(vectors)]
    updated = []
    for row, place in enumerate(a_rows):
        factor = splat(builder, builder.load(builder.gep(a_here, [place])), lanes)
        for column, value in zip(columns, sums[row * vectors : (row + 1) * vectors], strict=True):
            updated.append(multiply_add(builder, factor, column, value))
    following = builder.add(index, constant(1), flags=["nsw"])
    a_next, b_next = builder.gep(a_here, [constant(a_depth)]), builder.gep(b_here, [b_step])
    results = [following, a_next, b_next, *updated]
    for phi, value, result in zip(carried, initial, results, strict=True):
        phi.add_incoming(value, before)
        phi.add_incoming(result, body)
    builder.cbranch(builder.icmp_signed("<", following, stop), body, more if operands.requests else done)

    if operands.requests is not None:
        builder.position_at_end(more)
        for phi, value, result in zip(held_here, outer, results, strict=True):
            phi.add_incoming(value, start)
            phi.add_incoming(result, more)
        line.add_incoming(constant(0), start)
        line.add_incoming(builder.add(line, constant(1)), more)
        builder.cbranch(builder.icmp_signed("<", following, depth), asking, done)

    builder.position_at_end(done)
    for row in range(rows):
        for i in range(vectors):
            result = builder.phi(vector)
            result.add_incoming(first[row][i], start)
            result.add_incoming(updated[row * vectors + i], more)
            places[row][i] = (result, places[row][i])
    align = ELEMENT_BYTES * (lanes if operands.tile_row % lanes == 0 else 1)
    for row_places in places:
        for i, (result, place) in enumerate(row_places):
            if operands.last and i == vectors - 1:
                masked_store(builder, result, place, operands.last)
            else:
                store_vector(builder, result, place, align)


def panel_writer(
    block: Block, columns: int, a_row: int, a_depth: int, tile_row: int, ask: Writer | None = None
) -> Writer:
    """Writes a function `(rows, column, depth, a, b, b_step, tile, resume)` for a panel of 1 to PANEL rows.

    B's rows are `b_step` floats apart. `column` tells the last tile of the `columns`, which may need fewer vectors;
    every row of B holds whole vectors all the same. The tile, whose rows lie `tile_row` floats apart, receives the
    result; with `resume` it also holds the sums of an earlier part of the depth, which go on from there. Where its rows
    follow each other without gaps, what lies behind the last column is left as it is. The tile has room for half panels
    of rows. With `ask`, the function has three more arguments `(line, terms, lines)`: between so many terms of a whole
    panel, what `ask` writes asks for the next line of what begins at `lines`, from that `line` on.
    """
    last_vectors = -(-(columns % block.width) // block.lanes)
    present = columns % block.lanes if tile_row == columns else 0

    def write(
        builder: Any, rows: Any, column: Any, depth: Any, a: Any, b: Any, b_step: Any, tile: Any, *others: Any
    ) -> None:
        resume, *asked = others

        def requests_of(block_of_rows: int) -> Requests | None:
            if ask is None:
                return None
            line, terms, lines = asked
            start = builder.add(line, builder.mul(builder.udiv(depth, terms), constant(block_of_rows)))
            return Requests(terms, lambda builder, number: ask(builder, lines, builder.add(start, number)))

        def panel(of_tile: tuple[int, int]) -> None:
            vectors, room = of_tile

            def multiply(
                count: int, first: Any, places: Sequence[Any] | None = None, requests: Requests | None = None
            ) -> None:
                a_here = a if places else builder.gep(a, [builder.mul(first, constant(a_row))])
                tile_here = builder.gep(tile, [builder.mul(first, constant(tile_row))])
                strides = a_row, a_depth
                operands = Operands(
                    depth, a_here, *strides, b, b_step, tile_here, tile_row, resume, room, places, requests
                )
                multiply_block(builder, block.lanes, count, vectors, operands)

            with builder.if_else(builder.icmp_signed("==", rows, constant(PANEL))) as (whole, part):
                with whole:
                    for first in range(0, PANEL, block.rows):
                        multiply(block.rows, constant(first), requests=requests_of(first // block.rows))
                with part:
                    with half_panels(builder, rows) as (first, chosen):
                        multiply(HALF_PANEL, first, [builder.mul(row, constant(a_row)) for row in chosen])
                    with single_row(builder, rows) as row:
                        multiply(1, row)

        whole_or_last_tile(builder, column, columns, block.width, panel, (block.vectors, 0), (last_vectors, present))

    return write
