"""Stored plans: a graph in, its plan's record and the addresses of its code out, from the cache where they are known.

A plan is one file, `<cache>/plans/<digest>`, which saves a start the passes and the writing of kernels. Where it or a
unit that it names is missing or damaged, the plan is made anew.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from trainer_cli.compiler.trace import InputSpec
from trainer_cli.ir.graph import Graph
from trainer_cli.targets.cpu.build import Addresses, addresses, build, load_known
from trainer_cli.targets.cpu.cache import cache_folder, read_entry, write_entry
from trainer_cli.targets.cpu.plan_digest import plan_digest
from trainer_cli.targets.cpu.plan_record import PlanRecord

if TYPE_CHECKING:
    from trainer_cli.targets.cpu.plan_making import MadePlan


class LoadedPlan(NamedTuple):
    """A record, the addresses of functions by the digests of their units and their names, and whether nothing had to be
    compiled."""

    record: PlanRecord
    addresses: Addresses
    from_cache: bool


def load_plan(
    graph: Graph,
    batch_size: int,
    inputs: Mapping[str, InputSpec],
    cache: int,
    make: Callable[[], MadePlan],
    *,
    use_cache: bool = True,
) -> LoadedPlan:
    """The plan of a graph from the cache, or as `make` makes it, which is then stored.

    A damaged or unwritable cache is worth one RuntimeWarning and a slower start.
    """
    folder = cache_folder() if use_cache else None
    trouble = None
    if use_cache and folder is None:
        trouble = "no folder for the plan cache can be written: every start compiles"
    place = stored_place(folder, graph, batch_size, inputs, cache)
    record, damage = _stored(place)
    if record is not None and folder is not None and not load_known(record.units, folder)[0]:
        found = LoadedPlan(record, addresses(record.units), from_cache=True)
    else:
        made = make()
        from_cache, trouble_of_units = build(made.units, folder)
        trouble = damage or trouble_of_units or trouble
        if place is not None and record is None:
            try:
                write_entry(place, made.record.to_bytes())
            except OSError as error:
                trouble = f"the plan cache cannot be written: {error}"
        found = LoadedPlan(made.record, addresses(made.record.units), from_cache)
    if trouble is not None:
        warnings.warn(trouble, RuntimeWarning, stacklevel=3)
    return found


def stored_place(
    folder: Path | None, graph: Graph, batch_size: int, inputs: Mapping[str, InputSpec], cache: int
) -> Path | None:
    """The file of a graph's plan; None without a folder for the cache."""
    return folder / "plans" / plan_digest(graph, batch_size, inputs, cache) if folder is not None else None


def _stored(place: Path | None) -> tuple[PlanRecord | None, str | None]:
    """The record in a file, and what is wrong with the file."""
    if place is None:
        return None, None
    try:
        content = read_entry(place)
        return (None if content is None else PlanRecord.from_bytes(content)), None
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        return None, f"the stored plan {place} is damaged ({error}); making it again"
