"""The CPU executable beside the reference: bytes, dropout, penalties, constraints, divergence, and odd data."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from tests.programs import program, rows_for, same_bits, train
from trainer_cli.compiler.program import InputSpec, Program
from trainer_cli.data.source import Split
from trainer_cli.parts.families import CONSTRAINTS, REGULARIZERS
from trainer_cli.targets import open_target
from trainer_cli.targets.target import Executable

DENSE: dict[str, Any] = {"type": "dense", "units": 6, "activation": "tanh"}
OUTPUT: dict[str, Any] = {"type": "dense", "units": 3, "activation": "softmax"}


def compiled(made: Program, target: str = "cpu", threads: int = 1, batch_size: int = 8) -> Executable:
    executable = open_target(target, threads=threads if target == "cpu" else None).compile(made, batch_size=batch_size)
    executable.load(made.initial_state(1))
    return executable


def agree(made: Program, split: Split, *, steps: int = 12, tolerance: float = 1e-5) -> None:
    """Training, evaluation and prediction are near the reference's, with the same bits on any number of threads."""
    native, sums = train(made, split, steps=steps)
    exact, wanted = train(made, split, steps=steps, target="reference")
    for name in native:
        np.testing.assert_allclose(native[name], exact[name], rtol=tolerance, atol=tolerance, err_msg=name)
    for ours, theirs in zip(sums, wanted, strict=True):
        for name in theirs.totals:
            np.testing.assert_allclose(ours.totals[name], theirs.totals[name], rtol=tolerance, err_msg=name)
    assert same_bits(native, train(made, split, steps=steps, threads=3)[0])
    order = np.random.default_rng(0).permutation(split.rows).astype(np.int32)
    found: list[Any] = []
    for target, threads in (("reference", 1), ("cpu", 1), ("cpu", 2)):
        executable = compiled(made, target, threads)
        found.append(
            (executable.evaluate(split, order).totals, executable.predict(split, 1, split.rows - 2)["prediction"])
        )
    for name in found[0][0]:
        np.testing.assert_allclose(found[1][0][name], found[0][0][name], rtol=tolerance, err_msg=name)
        assert found[1][0][name].tobytes() == found[2][0][name].tobytes()
    np.testing.assert_allclose(found[1][1], found[0][1], rtol=tolerance, atol=tolerance)
    assert found[1][1].tobytes() == found[2][1].tobytes()


def test_bytes_are_scaled_as_they_are_gathered() -> None:
    made = program(
        [{"type": "flatten"}, OUTPUT], "sparse_categorical_crossentropy", inputs=InputSpec((4, 5), "uint8", 1 / 255)
    )
    split = rows_for(made, 21)
    assert split.inputs["input"].dtype == np.uint8
    agree(made, split)


def test_a_network_with_one_unit_and_many_metrics() -> None:
    made = program(
        [DENSE, {"type": "dense", "units": 1, "activation": "sigmoid"}],
        "binary_crossentropy",
        "adam",
        metrics=["accuracy", "precision", "recall", "mae", "mse"],
    )
    agree(made, rows_for(made, 21))


def test_metrics_of_classes() -> None:
    made = program(
        [OUTPUT], "sparse_categorical_crossentropy", metrics=["accuracy", {"type": "recall", "average": "macro"}]
    )
    agree(made, rows_for(made, 21))


def test_dropout_drops_the_same_elements_on_both_targets() -> None:
    layers = [DENSE | {"activation": "linear", "units": 40}, {"type": "dropout", "rate": 0.5}, OUTPUT]
    made = program(layers, "sparse_categorical_crossentropy", {"type": "sgd", "learning_rate": 0.1})
    split = rows_for(made, 21)
    # One element more or less would be far outside the tolerance.
    agree(made, split)
    one, _ = train(made, split, steps=3, seed=5)
    other, _ = train(made, split, steps=3, seed=6)
    assert not same_bits(one, other)


def test_penalties_of_every_kind() -> None:
    # The orthogonal one is for matrices alone.
    kinds = [name for name in REGULARIZERS.names() if name != "orthogonal_regularizer"]
    assert len(kinds) == 3
    layers = [
        DENSE | {"kernel_regularizer": kinds[0], "bias_regularizer": kinds[1]},
        OUTPUT | {"kernel_regularizer": kinds[2], "bias_regularizer": "l1"},
        {"type": "dense", "units": 3, "activation": "softmax", "kernel_regularizer": "orthogonal_regularizer"},
    ]
    made = program(layers, "categorical_crossentropy")
    agree(made, rows_for(made, 13))


CONSTRAINED: list[tuple[dict[str, Any], ...]] = [
    ({"type": "max_norm", "max_value": 0.8}, {"type": "unit_norm"}),
    ({"type": "max_norm", "max_value": 0.8, "axis": 1}, {"type": "non_neg"}),
    (
        {"type": "min_max_norm", "min_value": 0.5, "max_value": 0.9, "rate": 0.7},
        {"type": "max_norm", "max_value": 0.8, "axis": [0, 1]},
    ),
]


@pytest.mark.parametrize(("first", "second"), CONSTRAINED)
def test_constraints_of_every_kind(first: dict[str, Any], second: dict[str, Any]) -> None:
    layers = [DENSE | {"kernel_constraint": first}, OUTPUT | {"kernel_constraint": second}]
    made = program(layers, "categorical_crossentropy", {"type": "sgd", "momentum": 0.9, "learning_rate": 0.1})
    split = rows_for(made, 13)
    native, _ = train(made, split, steps=12)
    exact, _ = train(made, split, steps=12, target="reference")
    for name in native:
        np.testing.assert_allclose(native[name], exact[name], rtol=3e-5, atol=3e-5, err_msg=name)
    assert same_bits(native, train(made, split, steps=12, threads=3)[0])


def test_every_kind_of_constraint_is_among_those_tested() -> None:
    assert set(CONSTRAINTS.names()) == {constraint["type"] for pair in CONSTRAINED for constraint in pair}


@pytest.mark.parametrize("threads", [1, 2, 3])
@pytest.mark.parametrize("wrong", [np.nan, np.inf])
def test_training_stops_behind_the_step_whose_loss_is_no_number(threads: int, wrong: float) -> None:
    made = program([DENSE, OUTPUT], "categorical_crossentropy", "adam")
    split = rows_for(made, 61)
    split.inputs["input"][29, 1] = wrong
    order = np.arange(61, dtype=np.int32)
    native, reference = compiled(made, threads=threads), compiled(made, "reference")
    ours = native.train(split, order, 0, made.hyperparameters, 1)
    if np.isinf(wrong):
        # tanh(∞) is a number: the gradient of the first layer is none, which the loss shows a step later.
        theirs = reference.train(split, order, 0, made.hyperparameters, 1)
        assert (ours.steps, ours.rows, ours.diverged) == (theirs.steps, theirs.rows, theirs.diverged) == (5, 40, True)
    else:
        assert (ours.steps, ours.rows, ours.diverged) == (4, 32, True)
        assert np.isnan(ours.totals["loss"])
        assert np.isnan(native.state()["dense_1/kernel"]).all()
    # What comes behind is untouched by it, after a new start.
    native.load(made.initial_state(1))
    again = native.train(split, order[32:], 0, made.hyperparameters, 1)
    assert (again.steps, again.rows, again.diverged) == (4, 29, False)


def test_a_nan_reaches_the_prediction_of_its_row_alone() -> None:
    made = program([DENSE | {"activation": "relu"}, OUTPUT], "categorical_crossentropy")
    split = rows_for(made, 20)
    split.inputs["input"][7, 1] = np.nan
    predicted = compiled(made).predict(split, 0, 20)["prediction"]
    assert np.isnan(predicted).all(axis=1).tolist() == [row == 7 for row in range(20)]
    assert np.isfinite(np.delete(predicted, 7, axis=0)).all()


@pytest.mark.parametrize("batch_size", [1, 2, 64])
def test_batches_of_any_size(batch_size: int) -> None:
    made = program([DENSE, OUTPUT], "categorical_crossentropy")
    split = rows_for(made, 9)
    native, _ = train(made, split, steps=18, batch_size=batch_size, threads=2)
    exact, _ = train(made, split, steps=18, batch_size=batch_size, target="reference")
    for name in native:
        np.testing.assert_allclose(native[name], exact[name], rtol=1e-5, atol=1e-5)


def test_no_rows_are_no_steps() -> None:
    made = program([OUTPUT], "categorical_crossentropy")
    executable, split = compiled(made, threads=2), rows_for(made, 5)
    none = np.zeros(0, dtype=np.int32)
    assert executable.train(split, none, 0, made.hyperparameters, 0).steps == 0
    outcome = executable.evaluate(split, none)
    assert (outcome.rows, float(outcome.totals["loss"]), outcome.diverged) == (0, 0.0, False)
    assert executable.predict(split, 3, 3)["prediction"].shape == (0, 3)


def test_rows_that_do_not_exist_and_rows_of_another_shape_are_refused() -> None:
    made = program([OUTPUT], "categorical_crossentropy")
    executable, split = compiled(made), rows_for(made, 5)
    for row in (-1, 5):
        with pytest.raises(ValueError, match="does not have"):
            executable.evaluate(split, np.array([0, row], dtype=np.int32))
    wide = Split({"input": np.zeros((5, 4), np.float32)}, split.targets, 5)
    with pytest.raises(ValueError, match="rows of `input` have shape"):
        executable.predict(wide, 0, 5)


def test_other_types_and_layouts_of_data_are_taken() -> None:
    made = program([OUTPUT], "categorical_crossentropy")
    executable, split = compiled(made), rows_for(made, 6)
    wanted = executable.predict(split, 0, 6)["prediction"]
    turned = Split({"input": np.asfortranarray(split.inputs["input"].astype(np.float64))}, split.targets, 6)
    assert executable.predict(turned, 0, 6)["prediction"].tobytes() == wanted.tobytes()


def test_the_state_is_the_callers_own_copy() -> None:
    made = program([OUTPUT], "categorical_crossentropy", "adam")
    executable, first = compiled(made), made.initial_state(1)
    before = executable.state()
    assert same_bits(before, first)
    before["dense_1/kernel"][:] = 7.0
    first["dense_1/kernel"][:] = 8.0
    assert same_bits(executable.state(), made.initial_state(1))
    with pytest.raises(KeyError, match="dense_1/bias"):
        executable.load({name: array for name, array in first.items() if name != "dense_1/bias"})


def test_a_program_without_a_loss_predicts_and_nothing_else() -> None:
    from tests.programs import config
    from trainer_cli.compiler.program import build_program

    made = build_program(config([OUTPUT]), InputSpec((3,)))
    executable = compiled(made)
    split = Split({"input": np.ones((2, 3), np.float32)}, {}, 2)
    np.testing.assert_allclose(executable.predict(split, 0, 2)["prediction"].sum(axis=1), 1.0, rtol=1e-6)
    with pytest.raises(ValueError, match="not compiled"):
        executable.train(split, np.arange(2, dtype=np.int32), 0, {}, 0)


def test_the_description_counts_work_and_barriers() -> None:
    made = program([DENSE, OUTPUT], "categorical_crossentropy", "adam")
    executable = compiled(made, threads=2)
    shown = executable.description
    assert shown["target"] == "cpu"
    assert shown["threads"] == 2
    assert shown["barriers_per_step"] == len(shown["regions"]) == 2
    updates = {name for region in shown["regions"] for kernel in region["kernels"] for name in kernel["updates"]}
    assert updates == {*made.weights, *made.slots}
    assert "def entry(begin, end, rows, " in executable.source
