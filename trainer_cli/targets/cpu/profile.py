"""Profile: a plan and a way to run it in, the seconds that each call of a step takes out.

The plan itself is measured, not a copy with other code: `runtime.run` reads the processor's clock around every
instruction of the program where it is given a place for the ticks. Only thread 0 does, so its barriers show how long it
waits for others.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from trainer_cli.targets.cpu.plan import Plan


class CallTime(NamedTuple):
    """A call of a step in its order: what it works for, and seconds per step, those of its fastest and of an average
    round."""

    label: str
    fastest: float
    average: float


def profile(plan: Plan, run: Callable[[], int], rounds: int = 10) -> list[CallTime]:
    """Call `run`, which runs some steps of the plan on this thread and gives their number, and measure its calls.

    On a machine that others use too, the fastest of many short rounds is nearest to what a call costs.
    """
    found, seconds, steps = [], 0.0, 0
    for _ in range(rounds):
        plan.ticks = np.zeros(len(plan.record.words), dtype=np.int64)
        began = time.perf_counter()
        try:
            count = run()
        finally:
            ticks, plan.ticks = plan.ticks, None
        seconds += time.perf_counter() - began
        steps += count
        found.append(ticks / max(1, count))
    rows = np.stack(found)
    # The clock's rate is not known: all calls together take nearly the whole time.
    tick = seconds / steps / max(1.0, float(rows.sum(axis=1).mean()))
    fastest, average = rows.min(axis=0) * tick, rows.mean(axis=0) * tick
    return [
        CallTime(label, float(fastest[place]), float(average[place]))
        for place, label in sorted(plan.record.labels.items())
    ]
