"""The divide pass: a training step and its batch size in, the same with long sums over a weight's rows divided out.

Threads that share the rows of a small batch each read the whole weight of a layer, which other threads have just
updated, each in its own rows: every step moves the weight from core to core, and every store waits until the others
have given it up. With two threads, 784 inputs, 128 units and 32 rows that takes as long as the arithmetic. Threads
that share the terms of the sums instead read the rows of the weight that they update, and exchange partial sums, which
are as few as the rows of the batch.
"""

from __future__ import annotations

from collections import Counter

from trainer_cli.ir import language as ir
from trainer_cli.ir.graph import Graph, Value, reachable, rewritten
from trainer_cli.ir.ops.products import labels
from trainer_cli.ir.primitive import BATCH

LEAST_TERMS = 64
"""Terms of a part: each part's sums are stored once, which takes about as long as one term."""

MOST_PARTS = 16
"""As many threads can share the sums; more parts are more partial sums to add."""

GAIN_OF_HALVES = 2
"""How many times as many floats as the partial sums of two halves the weight must have. 784-128-10 with 128 rows takes
0.92 of the time with halves on two threads and 1.02 on one, with four parts 0.97 and 1.05."""

GAIN = 4
"""The same for more parts."""


def divide(graph: Graph, batch_size: int) -> Graph:
    """A new graph computing the same outputs and updates. No bit depends on how many threads there will be."""
    values = reachable(graph.roots())
    readers = Counter(operand for value in values if value.primitive.family == "product" for operand in value.operands)
    parts = {value: _parts(value, graph, readers, batch_size) for value in values}
    if not any(count > 1 for count in parts.values()):
        return graph

    def rewrite(value: Value, operands: tuple[Value, ...]) -> Value | None:
        count = parts[value]
        if count == 1:
            return None
        x, weight = operands
        terms, columns = (int(extent) for extent in weight.shape)
        x = ir.reshape(x, (BATCH, count, terms // count))
        weight = ir.reshape(weight, (count, terms // count, columns))
        sums = x.graph.emit("contract", (x, weight), specification="bpk,pkn->bpn", shared="p")
        return ir.reduce_sum(sums, 1)

    return rewritten(graph, rewrite)


def _parts(value: Value, graph: Graph, readers: Counter[Value], batch_size: int) -> int:
    """Into how many parts the sums of a product are divided: 1 for those that stay whole."""
    if value.op != "contract":
        return 1
    x, weight = value.operands
    a, b, result = labels(value.attributes["specification"])
    rows_times_weight = x.batched and x.rank == weight.rank == 2 and (a[1], result) == (b[0], a[0] + b[1])
    # A weight that the gradient of an inner layer reads too goes from core to core all the same.
    own = weight.op == "weight" and weight.name in graph.updates and readers[weight] == 1
    if not (rows_times_weight and own):
        return 1
    terms = int(weight.shape[0])
    count, gain = 1, GAIN_OF_HALVES
    while 2 * count <= min(MOST_PARTS, terms // LEAST_TERMS, terms // (gain * batch_size)) and terms % (2 * count) == 0:
        count, gain = 2 * count, GAIN
    return count
