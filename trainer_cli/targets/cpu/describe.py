"""The description of a plan: a graph and its schedule in, the numbers that `trainer compile` shows out."""

from __future__ import annotations

from typing import Any

from trainer_cli.compiler.cost import operations_of, step_cost
from trainer_cli.compiler.layout import elements
from trainer_cli.compiler.memory import Schedule
from trainer_cli.ir.graph import Graph


def describe(graph: Graph, schedule: Schedule, threads: int) -> dict[str, Any]:
    """Work and memory of a step, and its regions with their kernels, as plain data."""
    cost = step_cost(graph, schedule.batch_size)
    regions = []
    for region in schedule.partition.regions:
        kernels = [
            {
                "kernel": kernel.label,
                "split": schedule.partition.splits[kernel].kind,
                "operations": sum(operations_of(value, schedule.batch_size) for value in kernel.computed),
                "elements": elements(kernel.domain, schedule.batch_size),
                "updates": [name for _, name in kernel.updates],
            }
            for kernel in region.kernels
        ]
        regions.append({"kernels": kernels})
    return {
        "target": "cpu",
        "threads": threads,
        "batch_size": schedule.batch_size,
        "operations_per_step": cost.operations,
        "bytes_per_step": cost.bytes,
        "arena_bytes": schedule.arena + threads * schedule.local_size,
        "barriers_per_step": schedule.barriers,
        "regions": regions,
    }
