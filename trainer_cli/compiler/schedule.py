"""The passes behind a program, in order: a graph and a batch size in, the schedule that a native target emits out."""

from __future__ import annotations

from trainer_cli.compiler.causal import causal
from trainer_cli.compiler.chunk import chunk
from trainer_cli.compiler.collect import collect
from trainer_cli.compiler.divide import divide
from trainer_cli.compiler.expand import expand
from trainer_cli.compiler.factor import factor
from trainer_cli.compiler.fuse import fuse
from trainer_cli.compiler.lower import lower
from trainer_cli.compiler.memory import Schedule, plan_memory
from trainer_cli.compiler.nest import nest
from trainer_cli.compiler.partition import partition
from trainer_cli.compiler.recenter import recenter
from trainer_cli.compiler.recompute import recompute
from trainer_cli.compiler.rematerialize import rematerialize
from trainer_cli.compiler.simplify import simplify
from trainer_cli.compiler.subtotal import subtotal
from trainer_cli.compiler.turn import turn
from trainer_cli.compiler.unite import unite
from trainer_cli.compiler.unpad import unpad
from trainer_cli.ir.graph import Graph


def make_schedule(graph: Graph, batch_size: int, cache: int = 0) -> Schedule:
    """All passes in order: causal, expand, lower, simplify, collect, factor, recenter, turn, unite, divide, subtotal,
    unpad, recompute, rematerialize, fuse, nest, partition, chunk, memory. Each verifies its own.

    `cache`: the bytes of cache that a core has for itself; without any, no rows are taken in chunks.
    """
    turned = turn(recenter(factor(collect(simplify(lower(expand(causal(graph))))))), batch_size)
    summed = subtotal(divide(unite(turned), batch_size), batch_size)
    simple = rematerialize(recompute(unpad(summed)), batch_size)
    parts = partition(nest(fuse(simple)))
    return plan_memory(simple, parts, batch_size, chunk(parts, batch_size, cache))
