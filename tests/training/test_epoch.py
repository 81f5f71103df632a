"""An epoch gives the same bits however it is cut, and a divergence is traced to its step."""

from __future__ import annotations

import numpy as np
import pytest

from trainer_cli.errors import DivergenceError
from trainer_cli.training.epoch import (
    EpochInputs,
    EpochProgress,
    Pacer,
    evaluate_split,
    locate_divergence,
    phase_seed,
    row_order,
    train_epoch,
)


class FixedPacer(Pacer):
    def observe(self, steps, seconds):
        pass


def epoch_inputs(linear, program, batch_size=4, first_step=0, shuffle=True):
    return EpochInputs(
        split=linear.split,
        order=row_order(50, shuffle, 5, 0, 0),
        batch_size=batch_size,
        first_step=first_step,
        hyperparameters=program.hyperparameters,
        seed=5,
    )


def train(linear, pacer, program=None, executable=None, progress=None, upto=None):
    program = program or linear.Program()
    if executable is None:
        executable = linear.Executable(program, 4)
        executable.load(program.initial_state(5))
    inputs = epoch_inputs(linear, program)
    progress = progress or EpochProgress()
    for _ in train_epoch(executable, inputs, progress, pacer, on_divergence=lambda step: RuntimeError(step)):
        if upto is not None and progress.position >= upto:
            break
    return executable, progress


def bits(executable):
    return {name: value.tobytes() for name, value in executable.state().items()}


@pytest.mark.parametrize("steps", [1, 2, 5, 100])
def test_slices_change_no_bit_and_cover_every_row(linear, steps):
    whole, progress = train(linear, FixedPacer(1000))
    totals = {name: float(value) for name, value in progress.totals.items()}
    cut, progress = train(linear, FixedPacer(steps))
    assert bits(cut) == bits(whole)
    assert {name: float(value) for name, value in progress.totals.items()} == totals
    assert (progress.position, progress.steps) == (50, 13)
    assert float(progress.totals["rows"]) == 50
    assert [call[0] for call in cut.calls] == list(range(0, 13, steps))


def test_an_epoch_goes_on_where_it_was_left(linear):
    whole, _ = train(linear, FixedPacer(1))
    half, progress = train(linear, FixedPacer(3), upto=24)
    assert (progress.position, progress.steps) == (24, 6)
    fresh = linear.Executable(linear.Program(), 4)
    fresh.load(half.state())
    train(linear, FixedPacer(2), executable=fresh, progress=EpochProgress(24, 6, progress.totals))
    assert bits(fresh) == bits(whole)
    assert fresh.calls[0] == (6, 8)


def test_the_pacer_aims_at_its_time_and_grows_slowly():
    pacer = Pacer()
    pacer.observe(1, 1e-5)
    assert pacer.steps == 8
    pacer.observe(1000, 0.15)
    assert pacer.steps == 500
    pacer.observe(1, 10.0)
    assert pacer.steps == 1


def test_the_order_is_a_function_of_seed_phase_and_epoch():
    order = row_order(100, True, 1, 0, 0)
    assert order.dtype == np.int32
    np.testing.assert_array_equal(np.sort(order), np.arange(100))
    np.testing.assert_array_equal(order, row_order(100, True, 1, 0, 0))
    others = [row_order(100, True, *key) for key in ((2, 0, 0), (1, 1, 0), (1, 0, 1))]
    assert all(not np.array_equal(order, other) for other in others)
    np.testing.assert_array_equal(row_order(4, False, 1, 0, 0), [0, 1, 2, 3])


def test_rows_are_shuffled_in_blocks_where_there_are_many():
    order = row_order(1000, True, 1, 0, 3, block=3)
    assert order.dtype == np.int32
    np.testing.assert_array_equal(np.sort(order), np.arange(1000))
    # 64 blocks of three rows are in use at a time, and the last block of all has one row.
    for begin in range(0, 999 - 192, 192):
        blocks = {row // 3 for row in order[begin : begin + 190].tolist()}
        assert len(blocks) <= 65
    assert len({row // 3 for row in order[:64].tolist()}) > 40
    assert not np.array_equal(order, row_order(1000, True, 1, 0, 4, block=3))
    assert not np.array_equal(order, row_order(1000, True, 1, 0, 3))
    np.testing.assert_array_equal(row_order(1000, False, 1, 0, 3, block=3), np.arange(1000))
    # All rows at once are mixed as they are without blocks.
    np.testing.assert_array_equal(row_order(192, True, 1, 0, 3, block=3), row_order(192, True, 1, 0, 3))


def test_phases_have_their_own_random_numbers():
    assert phase_seed(7, 0) == 7
    assert len({phase_seed(7, phase) for phase in range(4)}) == 4
    assert phase_seed(7, 1) == phase_seed(7, 1) < 2**32


def diverge(linear, program, first_step=0, position=0, steps=0):
    """The error and what the diagnosis was called with."""
    executable = linear.Executable(program, 4)
    tensors = program.initial_state(5)
    executable.load(tensors)
    inputs = epoch_inputs(linear, program, first_step=first_step)
    start = EpochProgress(position, steps)
    seen = {}

    def diagnose(program, state, split, rows, step, hyperparameters, seed):
        seen.update(state=state, split=split, rows=rows, step=step)
        return "dense_1"

    def on_divergence(failing):
        return locate_divergence(executable, program, inputs, start, tensors, failing, 2, diagnose)

    def run():
        for _ in train_epoch(
            executable, inputs, EpochProgress(position, steps), FixedPacer(3), on_divergence=on_divergence
        ):
            pass
        raise on_divergence(inputs.steps(start))

    with pytest.raises(DivergenceError) as caught:
        run()
    return caught.value, seen, inputs


@pytest.mark.parametrize("position", [0, 8])
def test_a_loss_that_overflows_is_traced_to_its_step(linear, position):
    steps = position // 4
    error, seen, inputs = diverge(linear, linear.Program(overflow=7), position=position, steps=steps)
    assert "epoch 3, step 8 of 13, first in dense_1" in error.message
    assert error.exit_code == 4
    assert seen["step"] == 7
    assert seen["split"] is linear.split
    np.testing.assert_array_equal(seen["rows"], inputs.order[28:32])
    assert all(np.isfinite(value).all() for value in seen["state"].values())


@pytest.mark.parametrize("poison", [0, 5, 11, 12])
def test_weights_that_an_update_damaged_are_traced_to_that_update(linear, poison):
    error, seen, _ = diverge(linear, linear.Program(poison=poison))
    assert f"step {poison + 1} of 13" in error.message
    assert seen["step"] == poison
    assert all(np.isfinite(value).all() for value in seen["state"].values())


def test_steps_are_counted_from_the_runs_first(linear):
    error, seen, _ = diverge(linear, linear.Program(overflow=103), first_step=100)
    assert "step 4 of 13" in error.message
    assert seen["step"] == 103


def test_evaluation_sums_over_all_rows_and_can_be_stopped(linear):
    program = linear.Program()
    executable = linear.Executable(program, 4)
    executable.load(program.initial_state(5))
    totals = evaluate_split(executable, linear.split)
    assert float(totals["rows"]) == 50

    def stop():
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        evaluate_split(executable, linear.split, stop)
