"""Plans in, the seconds of their calls out: every kernel once, in order, and a long one longer than a short one."""

from __future__ import annotations

import numpy as np

from trainer_cli.compiler.trace import InputSpec
from trainer_cli.ir import language as ir
from trainer_cli.ir.graph import BATCH, Graph
from trainer_cli.targets.cpu.plan import Plan
from trainer_cli.targets.cpu.profile import profile


def test_every_call_of_a_step_has_its_time() -> None:
    graph = Graph()
    x = graph.input("input", (BATCH, 256))
    with graph.layer("long"):
        wide = ir.contract("bi,io->bo", x, graph.weight("w", (256, 512)))
    with graph.layer("short"):
        narrow = ir.contract("bi,io->bo", x, graph.weight("v", (256, 4)))
    graph.outputs["loss"] = ir.reduce_sum(wide, (0, 1)) + ir.reduce_sum(narrow, (0, 1))
    plan = Plan(graph, 64, {"input": InputSpec((256,))})
    rows = np.random.default_rng(0).random((128, 256), dtype=np.float32)
    leaves = {"w": np.ones((256, 512), np.float32), "v": np.ones((256, 4), np.float32)}

    def run() -> int:
        return plan.run(np.arange(128, dtype=np.int32), {"input": rows}, leaves).steps

    times = profile(plan, run, rounds=5)
    assert plan.ticks is None
    found = {time.label: time for time in times}
    assert times[0].label == "input: gather"
    assert found["long: contract"].fastest > 2 * found["short: contract"].fastest > 0
    assert all(time.fastest <= time.average for time in times)
    assert 0 < sum(time.fastest for time in times) < 1
