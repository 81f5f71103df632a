"""Plan making: a graph and a batch size in, its schedule, the units of its kernels and its record out, by all passes.

Importing the passes and the writers of kernels takes time that a stored plan does not need.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np

from trainer_cli.compiler.memory import Schedule
from trainer_cli.compiler.schedule import make_schedule
from trainer_cli.compiler.trace import InputSpec
from trainer_cli.ir.graph import Graph
from trainer_cli.targets.cpu.cache import unit_digest
from trainer_cli.targets.cpu.plan_record import InputPlace, PlanRecord, TotalPlace
from trainer_cli.targets.cpu.plan_source import RUNTIME, PlanSource, reads_bytes, write_plan
from trainer_cli.targets.cpu.program import Unit

STORED: Mapping[str, Any] = {"float": np.float32, "int": np.int32, "bool": np.uint8}
"""The types of arrays that a plan reads, by the IR's types."""


class MadePlan(NamedTuple):
    """What the passes make of a graph; `units` by the digests that `record` names them by."""

    schedule: Schedule
    source: PlanSource
    units: dict[str, Unit]
    record: PlanRecord


def make_plan(graph: Graph, batch_size: int, inputs: Mapping[str, InputSpec], cache: int, what: str = "") -> MadePlan:
    """Run all passes and write the kernels. `cache`: as in `make_schedule`. Raises IRError for what has no kernel."""
    schedule = make_schedule(graph, batch_size, cache)
    source = write_plan(schedule, inputs, what)
    digests = {unit: unit_digest(unit) for unit in (RUNTIME, *source.units)}
    return MadePlan(
        schedule, source, {digest: unit for unit, digest in digests.items()}, _record(schedule, source, inputs, digests)
    )


def _record(
    schedule: Schedule, source: PlanSource, inputs: Mapping[str, InputSpec], digests: Mapping[Unit, str]
) -> PlanRecord:
    leaves, outputs, table = schedule.graph.leaves("input"), schedule.graph.outputs, source.table
    kinds = {name: np.uint8 if reads_bytes(value, inputs) else STORED[value.dtype] for name, value in leaves.items()}
    return PlanRecord(
        batch_size=schedule.batch_size,
        arena=schedule.arena,
        local_size=schedule.local_size,
        table_size=table.size,
        slots=source.slots,
        scalars=source.scalars,
        frame=source.frame,
        runtime=digests[RUNTIME],
        units={digest: tuple(export.name for export in unit.exports) for unit, digest in digests.items()},
        functions=tuple((place, digests[unit], name) for place, unit, name in source.program.functions),
        labels=source.program.labels,
        inputs={
            name: InputPlace(place, tuple(map(int, leaves[name].shape[1:])), np.dtype(kinds[name]).name)
            for name, place in table.data.items()
        },
        leaves=table.leaves,
        outputs=table.outputs,
        hyperparameters=table.hyperparameters,
        totals={
            name: TotalPlace(start, size, tuple(map(int, outputs[name].shape)))
            for name, (start, size) in table.totals.items()
        },
        first_constant=table.size - len(table.constants),
        words=np.array(source.program.words, dtype=np.int64),
        constants=tuple(
            np.ascontiguousarray(value.attributes["value"], dtype=STORED[value.dtype]) for value in table.constants
        ),
    )
