"""The divide pass: a training step and its batch size in, the same with long sums over a weight's rows divided out.

Threads that share the rows of a small batch each read the whole weight of a layer, which other threads have just
updated, each in its own rows: every step moves the weight from core to core, and every store waits until the others
have given it up. With two threads, 784 inputs, 128 units and 32 rows that takes as long as the arithmetic. Threads
that share the terms of the sums instead read the rows of the weight that they update, and exchange partial sums, which
are as few as the rows of the batch. The gradient of what an inner layer reads is divided alike: each thread computes
those of its columns that belong to its rows of the weight.
"""

from __future__ import annotations

from trainer_cli.ir import language as ir
from trainer_cli.ir.graph import Graph, Value, reachable, readers_of, rewritten
from trainer_cli.ir.ops.products import labels
from trainer_cli.ir.ops.structure import static_size
from trainer_cli.ir.primitive import BATCH

LEAST_TERMS = 64
"""Terms of a part: each part's sums are stored once, which takes about as long as one term."""

MOST_PARTS = 16
"""As many threads can share the sums; more parts are more partial sums to add."""

GAIN_OF_HALVES = 2
"""How many times as many floats as the partial sums of two halves the weight must have. 784-128-10 with 128 rows takes
0.92 of the time with halves on two threads and 1.02 on one, with four parts 0.97 and 1.05."""

GAIN = 4
"""The same for more parts, and for any of an inner layer: with halves, 784-1024-1024-10 with 256 rows takes 1.07."""

LARGE = 1 << 18
"""Floats from which on the weight of an inner layer is divided: one that is read in two products besides its update."""


def divide(graph: Graph, batch_size: int) -> Graph:
    """A new graph computing the same outputs and updates. No bit depends on how many threads there will be."""
    parts = _divided(graph, batch_size)
    if not parts:
        return graph

    def rewrite(value: Value, operands: tuple[Value, ...]) -> Value | None:
        count = parts.get(value, 1)
        if count == 1:
            return None
        x, weight = operands
        terms, columns = (int(extent) for extent in weight.shape)
        weight = ir.reshape(weight, (count, terms // count, columns))
        if _is_backward(value):
            back = x.graph.emit("contract", (x, weight), specification="bn,pkn->bpk", shared="p")
            return ir.reshape(back, (BATCH, terms))
        x = ir.reshape(x, (BATCH, count, terms // count))
        sums = x.graph.emit("contract", (x, weight), specification="bpk,pkn->bpn", shared="p")
        return ir.reduce_sum(sums, 1)

    return rewritten(graph, rewrite)


def _divided(graph: Graph, batch_size: int) -> dict[Value, int]:
    """The products that are divided, and into how many parts."""
    multiplied = readers_of(value for value in reachable(graph.roots()) if value.primitive.family == "product")
    parts: dict[Value, int] = {}
    for weight, products in multiplied.items():
        if weight.op != "weight" or weight.name not in graph.updates:
            continue
        forward, backward = [p for p in products if _is_forward(p)], [p for p in products if _is_backward(p)]
        outer = len(products) == len(forward) == 1
        inner = len(products) == 2 and len(forward) == len(backward) == 1 and static_size(weight.shape) >= LARGE
        if (outer or inner) and (count := _parts(weight, batch_size, GAIN if inner else GAIN_OF_HALVES)) > 1:
            parts |= dict.fromkeys(products, count)
    return parts


def _is_product_of_rows(value: Value) -> bool:
    """Whether a value is a product of rows and a weight."""
    if value.op != "contract":
        return False
    x, weight = value.operands
    return x.batched and x.rank == weight.rank == 2 and weight.op == "weight"


def _is_forward(value: Value) -> bool:
    """Whether a value is rows times a weight."""
    if not _is_product_of_rows(value):
        return False
    a, b, result = labels(value.attributes["specification"])
    return (a[1], result) == (b[0], a[0] + b[1])


def _is_backward(value: Value) -> bool:
    """Whether a value is rows times a weight turned round."""
    if not _is_product_of_rows(value):
        return False
    a, b, result = labels(value.attributes["specification"])
    return (a[1], result) == (b[1], a[0] + b[0])


def _parts(weight: Value, batch_size: int, gain: int) -> int:
    """Into how many parts the sums over the rows of a weight are divided: 1 for those that stay whole.

    `gain` is what is asked of halves.
    """
    terms = int(weight.shape[0])
    count = 1
    while 2 * count <= min(MOST_PARTS, terms // LEAST_TERMS, terms // (gain * batch_size)) and terms % (2 * count) == 0:
        count, gain = 2 * count, GAIN
    return count
