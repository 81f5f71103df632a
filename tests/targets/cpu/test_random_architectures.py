"""Random architectures over all families of layers in, equal training on both targets and any threads out."""

from __future__ import annotations

import os
from typing import Any

import numpy as np
import pytest

from tests.parts.test_every_part import least
from tests.programs import rows_for, same_bits
from tests.random_architectures import DISCONTINUOUS, LEFT_OUT, RandomArchitecture
from trainer_cli.compiler.program import Program
from trainer_cli.data.source import Split
from trainer_cli.parts.families import LAYERS, LOSSES, METRICS, OPTIMIZERS
from trainer_cli.targets import open_target

SEEDS = int(os.environ.get("TRAINER_RANDOM_ARCHITECTURES", "200"))
BATCH, STEPS = 3, 3


def make(seed: int) -> RandomArchitecture:
    return RandomArchitecture(seed, lambda kind: least(LAYERS, kind))


def run(program: Program, split: Split, target: str, **options: Any) -> tuple[Any, Any]:
    """State and totals after three steps, the last of them short."""
    executable = open_target(target, **options).compile(program, batch_size=BATCH)
    executable.load(program.initial_state(0))
    found = executable.train(split, np.arange(split.rows, dtype=np.int32), 0, program.hyperparameters, 0)
    assert found.steps == STEPS
    return executable.state(), found.totals


@pytest.mark.parametrize("seed", range(SEEDS))
def test_a_random_architecture_trains_alike_everywhere(seed: int) -> None:
    architecture = make(seed)
    program = architecture.program()
    split = rows_for(program, BATCH * (STEPS - 1) + 2, seed)
    exact, wanted = run(program, split, "reference", precision="float64")
    rounded, rounded_totals = run(program, split, "reference", precision="float32")
    (one, totals), (two, _) = (run(program, split, "cpu", threads=threads) for threads in (1, 2))
    assert same_bits(one, two), architecture.config
    for found, near, far in ((one, rounded, exact), (totals, rounded_totals, wanted)):
        for name, value in far.items():
            if np.abs(far.get(f"{name}/second_moment", 1.0)).max(initial=0.0) < 1e-14:
                continue  # Adam makes whole steps of a gradient that is nothing but rounding.
            if not np.isfinite(value).all():
                # A metric that has no meaning for an output, such as a logarithm of what is negative.
                np.testing.assert_array_equal(np.isfinite(found[name]), np.isfinite(value))
                continue
            # What rounding alone does to this model in NumPy tells how far apart two correct results may be.
            scale = np.abs(value).max(initial=0.0)
            bound = 5e-5 * scale + 20 * np.abs(near[name] - value).max(initial=0.0) + 1e-6
            worst = np.abs(found[name] - value).max(initial=0.0)
            assert worst <= bound, f"{name} is off by {worst:.2g}: {architecture.config}"


def test_the_draws_reach_every_layer_loss_metric_and_optimizer() -> None:
    drawn: set[str] = set()
    reached: dict[str, set[str]] = {"loss": set(), "metrics": set(), "optimizer": set()}
    for seed in range(600):
        architecture = make(seed)
        drawn |= architecture.kinds
        config = architecture.config
        reached["loss"] |= {loss["type"] for loss in config["loss"].values()}
        reached["metrics"] |= {metric["type"] for metrics in config["metrics"].values() for metric in metrics}
        reached["optimizer"].add(config["optimizer"]["type"])
    assert [kind for kind in LAYERS.names() if kind not in drawn and kind not in LEFT_OUT] == []
    assert {"input", "block", "shared", "embedding"} <= drawn
    assert reached["loss"] == set(LOSSES.names())
    assert reached["metrics"] == set(METRICS.names())
    assert reached["optimizer"] == set(OPTIMIZERS.names()) - set(DISCONTINUOUS)
