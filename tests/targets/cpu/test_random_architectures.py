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


def nudged(state: Any) -> Any:
    """The same numbers, each moved by what rounding it may move it."""
    signs = np.random.default_rng(0)
    return {
        name: array.astype(np.float64) * (1 + signs.choice([-1, 1], array.shape) * 2.0**-24)
        for name, array in state.items()
    }


def run(program: Program, split: Split, target: str, start: Any = None, **options: Any) -> tuple[Any, Any]:
    """State and totals after three steps, the last of them short."""
    executable = open_target(target, **options).compile(program, batch_size=BATCH)
    executable.load(start or program.initial_state(0))
    found = executable.train(split, np.arange(split.rows, dtype=np.int32), 0, program.hyperparameters, 0)
    assert found.steps == STEPS
    return executable.state(), found.totals


@pytest.mark.parametrize("seed", range(SEEDS))
def test_a_random_architecture_trains_alike_everywhere(seed: int, capfd: pytest.CaptureFixture[str]) -> None:
    architecture = make(seed)
    program = architecture.program()
    split = rows_for(program, BATCH * (STEPS - 1) + 2, seed)
    exact, wanted = run(program, split, "reference", precision="float64")
    rounded = run(program, split, "reference", precision="float32")
    moved = run(program, split, "reference", nudged(program.initial_state(0)), precision="float64")
    (one, totals), (two, _) = (run(program, split, "cpu", threads=threads) for threads in (1, 2))
    assert same_bits(one, two), architecture.config
    assert capfd.readouterr().err == "", "the compiler complains on the user's terminal"
    for place, (found, far) in enumerate(((one, exact), (totals, wanted))):
        for name, value in far.items():
            if not np.isfinite(value).all():
                # A metric that has no meaning for an output, such as a logarithm of what is negative.
                np.testing.assert_array_equal(np.isfinite(found[name]), np.isfinite(value))
                continue
            # What rounding alone does to this model in NumPy, or at its beginning, tells how far apart two correct
            # results may be: a row of equal numbers that is normalized has no more than rounding left.
            scale = np.abs(value).max(initial=0.0)
            apart = max(np.abs(near[place][name] - value).max(initial=0.0) for near in (rounded, moved))
            bound = 5e-5 * scale + 20 * apart + 1e-6
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
