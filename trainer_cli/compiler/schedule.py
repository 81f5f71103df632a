"""The passes behind a program, in order: a graph and a batch size in, the schedule that a native target emits out."""

from __future__ import annotations

from trainer_cli.compiler.fuse import fuse
from trainer_cli.compiler.lower import lower
from trainer_cli.compiler.memory import Schedule, plan_memory
from trainer_cli.compiler.nest import nest
from trainer_cli.compiler.partition import partition
from trainer_cli.compiler.simplify import simplify
from trainer_cli.ir.graph import Graph


def make_schedule(graph: Graph, batch_size: int) -> Schedule:
    """lower → simplify → fuse → nest → partition → memory; each pass verifies what it leaves behind."""
    simple = simplify(lower(graph))
    return plan_memory(simple, partition(nest(fuse(simple))), batch_size)
