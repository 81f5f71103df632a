"""An epoch's rows in their order in; progress, sums and a trained executable out, or the step that failed and why."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from trainer_cli.data.prepare import Dataset
from trainer_cli.data.source import Split
from trainer_cli.errors import DivergenceError
from trainer_cli.ir.random import RandomStream
from trainer_cli.lazy import NDArray, np
from trainer_cli.targets import open_target
from trainer_cli.targets.target import Executable, Target
from trainer_cli.training.contracts import Program

SLICE_SECONDS = 0.075
"""Long enough to amortise a native call, short enough for a progress bar and Ctrl-C."""
_LARGEST_GROWTH = 8
_EVALUATION_ROWS = 1 << 16
_MIXED_BLOCKS = 64


def open_training_target(name: str, threads: int | None) -> Target:
    """A target whose state is float32 through and through: checkpoints are, and resuming must change no bit."""
    return open_target(name, threads=threads, precision="float32")


def first_calls(executable: Executable, dataset: Dataset, hyperparameters: Mapping[str, float]) -> None:
    """Make the executable compile now what it would compile when first called: no row is trained on."""
    nothing = np.zeros(0, dtype=np.int32)
    executable.train(dataset.train, nothing, 0, hyperparameters, 0)
    held_out = dataset.validation or dataset.test
    if held_out is not None:
        executable.evaluate(held_out, nothing)


@dataclass
class Pacer:
    """Chooses how many steps the next native call takes. It changes no bit, so it may follow the clock."""

    steps: int = 1

    def observe(self, steps: int, seconds: float) -> None:
        wanted = steps * SLICE_SECONDS / max(seconds, 1e-6)
        self.steps = int(min(max(wanted, 1.0), steps * _LARGEST_GROWTH))


@dataclass
class EpochProgress:
    """How far an epoch is."""

    position: int = 0  # rows trained on
    steps: int = 0
    totals: dict[str, NDArray[np.float64]] = field(default_factory=dict)
    seconds: float = 0.0


@dataclass(frozen=True)
class EpochInputs:
    """All that decides what an epoch does to the weights, besides the weights."""

    split: Split
    order: NDArray[np.int32]
    batch_size: int
    first_step: int  # updates before the epoch, as the optimizer counts them
    hyperparameters: dict[str, float]
    seed: int

    def row_of(self, step: int, start: EpochProgress) -> int:
        """Where the batch of a step begins in the order."""
        return start.position + (step - start.steps) * self.batch_size

    def steps(self, start: EpochProgress) -> int:
        """Steps of the whole epoch. A run may have been resumed in it with another batch size, hence `start`."""
        return start.steps + -(-(len(self.order) - start.position) // self.batch_size)


def row_order(
    rows: int, shuffle: bool, seed: int, phase: int, epoch: int, block: int | None = None
) -> NDArray[np.int32]:
    """The order in which an epoch visits the rows: a function of (seed, phase, epoch), of `rows` and `block` alone.

    With a `block` of rows, blocks are drawn and the rows of 64 of them mixed, then those of the next 64: so many rows
    are in use at a time. Where that is all of them, the order is that without blocks.
    """
    if not shuffle:
        return np.arange(rows, dtype=np.int32)
    stream = RandomStream(seed, "shuffle", phase, epoch)
    if block is None or rows <= block * _MIXED_BLOCKS:
        return stream.permutation(rows).astype(np.int32)
    drawn = stream.permutation(-(-rows // block))
    order, end = np.empty(rows, np.int32), 0
    for first in range(0, len(drawn), _MIXED_BLOCKS):
        mixed = (drawn[first : first + _MIXED_BLOCKS, np.newaxis] * block + np.arange(block)).ravel()
        mixed = mixed[mixed < rows]  # the last block may be shorter
        order[end : end + len(mixed)] = mixed[stream.permutation(len(mixed))]
        end += len(mixed)
    return order


def phase_seed(seed: int, phase: int) -> int:
    """The seed of a phase's random layers: steps may start anew in a phase, its random numbers must not repeat."""
    return seed if phase == 0 else int(RandomStream(seed, "phase", phase).bits(1)[0])


def train_epoch(
    executable: Executable,
    inputs: EpochInputs,
    progress: EpochProgress,
    pacer: Pacer,
    *,
    on_divergence: Callable[[int], Exception],
) -> Iterator[EpochProgress]:
    """Train from `progress.position` to the end of the epoch; yields after every slice.

    `on_divergence` makes the error to raise from the failing step, counted from 0 within the epoch.
    """
    rows = len(inputs.order)
    while progress.position < rows:
        end = min(rows, progress.position + pacer.steps * inputs.batch_size)
        began = time.perf_counter()
        done = executable.train(
            inputs.split,
            inputs.order[progress.position : end],
            inputs.first_step + progress.steps,
            inputs.hyperparameters,
            inputs.seed,
            progress.totals,
        )
        seconds = time.perf_counter() - began
        if done.diverged:
            raise on_divergence(progress.steps + done.steps - 1)
        pacer.observe(done.steps, seconds)
        progress.totals = dict(done.totals)
        progress.position = end
        progress.steps += done.steps
        progress.seconds += seconds
        yield progress


def add_totals(totals: dict[str, NDArray[np.float64]], more: Mapping[str, NDArray[np.float64]]) -> None:
    """Add a slice's sums to an epoch's."""
    for name, value in more.items():
        # The sum of two scalars is no array, hence `asarray`.
        totals[name] = np.asarray(totals[name] + value) if name in totals else np.array(value, dtype=np.float64)


def evaluate_split(
    executable: Executable, split: Split, stop: Callable[[], None] = lambda: None
) -> dict[str, NDArray[np.float64]]:
    """Sums over a whole split; `stop` is called now and then and may raise.

    The pieces have a fixed size, so the result does not depend on the machine's speed.
    """
    totals: dict[str, NDArray[np.float64]] = {}
    order = np.arange(split.rows, dtype=np.int32)
    executable.begin_pass()
    # Whole batches, so that stateful layers find the rows in their places.
    piece = max(1, _EVALUATION_ROWS // executable.batch_size) * executable.batch_size
    for begin in range(0, split.rows, piece):
        stop()
        add_totals(totals, executable.evaluate(split, order[begin : begin + piece]).totals)
    return totals


Diagnosis = Callable[..., "str | None"]


def locate_divergence(
    executable: Executable,
    program: Program,
    inputs: EpochInputs,
    start: EpochProgress,
    tensors: Mapping[str, NDArray[Any]],
    failing: int,
    epoch: int,
    diagnose: Diagnosis | None,
) -> DivergenceError:
    """The error for an epoch whose loss stopped being finite in step `failing` (from 0 within the epoch).

    Training is deterministic, so going over the epoch again from `start` and `tensors` leads to the very step. If the
    weights are damaged before it, an earlier update did it although its loss was finite: that step is named instead.
    """
    state = _replay(executable, inputs, start, tensors, failing)
    if not _finite(state):
        # The step is found by halving, since a weight that is NaN stays NaN. Before `low` all is well.
        low, high, state = start.steps, failing, dict(tensors)
        while high - low > 1:
            middle = (low + high) // 2
            candidate = _replay(executable, inputs, start, tensors, middle)
            if _finite(candidate):
                low, state = middle, candidate
            else:
                high = middle
        failing = low
    begin = inputs.row_of(failing, start)
    batch = inputs.order[begin : begin + inputs.batch_size]
    where = None
    if diagnose is not None:
        where = diagnose(
            program, state, inputs.split, batch, inputs.first_step + failing, inputs.hyperparameters, inputs.seed
        )
    return divergence_error(epoch, failing, inputs.steps(start), where)


def divergence_error(epoch: int, step: int, steps: int, where: str | None, what: str = "the loss") -> DivergenceError:
    """`epoch` and `step` counted from 0."""
    cause = f", first in {where}" if where else ""
    return DivergenceError(
        f"{what} is no longer finite: epoch {epoch + 1}, step {step + 1} of {steps}{cause}",
        hint="lower `learning_rate`, check that inputs and targets are scaled (`scaling: standardize`), "
        "or limit gradients with `clipnorm` on the optimizer; the last good checkpoint is kept",
    )


def _replay(
    executable: Executable,
    inputs: EpochInputs,
    start: EpochProgress,
    tensors: Mapping[str, NDArray[Any]],
    steps: int,
) -> dict[str, NDArray[Any]]:
    """The state before step `steps` of the epoch."""
    executable.load(dict(tensors))
    if start.position == 0:
        executable.begin_pass()
    end = inputs.row_of(steps, start)
    if end > start.position:
        executable.train(
            inputs.split,
            inputs.order[start.position : end],
            inputs.first_step + start.steps,
            inputs.hyperparameters,
            inputs.seed,
        )
    return executable.state()


def _finite(state: Mapping[str, NDArray[Any]]) -> bool:
    return all(bool(np.all(np.isfinite(value))) for value in state.values())
