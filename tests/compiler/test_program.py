"""Programs: configs in, graphs with losses, metrics and updates out; refusals carry the config's path."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from tests.programs import config, program, rows_for, train
from trainer_cli.compiler.bind import LOSS_TOTAL
from trainer_cli.compiler.program import InputSpec, build_program
from trainer_cli.errors import ConfigError
from trainer_cli.ir.graph import Graph, reachable
from trainer_cli.targets import open_target
from trainer_cli.targets.reference.interpreter import evaluate

DENSE: dict[str, Any] = {"type": "dense", "units": 4, "activation": "tanh"}
SOFTMAX: dict[str, Any] = {"type": "dense", "units": 3, "activation": "softmax"}


def refused(architecture: list[Any], inputs: tuple[int, ...] = (5,), **keys: Any) -> list[Any]:
    keys = {"loss": "mse", "optimizer": "sgd"} | keys
    with pytest.raises(ConfigError) as caught:
        build_program(config(architecture, **keys), InputSpec(inputs))
    return caught.value.problems


# trace


def test_weights_are_named_after_layers_and_hold_what_governs_them() -> None:
    made = program([DENSE | {"kernel_regularizer": "l2"}, DENSE | {"name": "out", "bias_constraint": "non_neg"}])
    assert list(made.weights) == ["dense_1/kernel", "dense_1/bias", "out/kernel", "out/bias"]
    assert [spec.shape for spec in made.weights.values()] == [(3, 4), (4,), (4, 4), (4,)]
    assert made.weights["dense_1/kernel"].regularizer is not None
    assert made.weights["dense_1/bias"].regularizer is None
    assert made.weights["out/bias"].constraint is not None
    assert [(row.name, row.type, row.output_shape, row.parameters) for row in made.layers] == [
        ("dense_1", "dense", (4,), 16),
        ("out", "dense", (4,), 20),
    ]
    assert made.parameters == 36
    assert made.outputs["prediction"].activation == "tanh"


@pytest.mark.parametrize(
    ("architecture", "inputs", "path"),
    [
        ([DENSE, {"type": "reshape", "target_shape": [3]}], (5,), ("architecture", 1, "target_shape")),
        ([DENSE], (), ("architecture", 0)),
        ([{"type": "input", "shape": [6]}, DENSE], (5,), ("architecture", 0, "shape")),
        ([DENSE, {"type": "input", "shape": [4]}], (5,), ("architecture", 1, "type")),
        (
            [DENSE | {"kernel_constraint": {"type": "max_norm", "axis": 5}}],
            (5,),
            ("architecture", 0, "kernel_constraint"),
        ),
        ([DENSE | {"inputs": ["nobody"]}], (5,), ("architecture", 0, "inputs", 0)),
    ],
)
def test_what_does_not_fit_is_refused_at_its_place(architecture: Any, inputs: Any, path: Any) -> None:
    problem = refused(architecture, inputs)[0]
    assert problem.path == path


@pytest.mark.parametrize(
    ("keys", "path"),
    [
        ({"loss": {"dense_2": "mse"}}, ("loss", "dense_2")),
        ({"metrics": {"dense_2": ["mae"]}}, ("metrics", "dense_2")),
        ({"loss_weights": {"dense_2": 1.0}}, ("loss_weights", "dense_2")),
    ],
)
def test_settings_of_no_output_are_refused(keys: dict[str, Any], path: Any) -> None:
    (problem,) = refused([DENSE], **keys)
    assert problem.path == path
    assert problem.message == "`dense_2` is no output of the model"
    assert problem.hint == "the model has one, `dense_1`"


def test_frozen_layers_stay_in_the_forward_pass_and_out_of_the_update() -> None:
    made = program(
        [DENSE, DENSE, SOFTMAX | {"trainable": False}], "categorical_crossentropy", "adam", freeze=["dense_1"]
    )
    assert made.trainable_weights == ["dense_2/kernel", "dense_2/bias"]
    assert made.train is not None
    updated = set(made.train.updates)
    assert {name for name in updated if name in made.weights} == {"dense_2/kernel", "dense_2/bias"}
    assert {slot.weight for slot in made.slots.values()} == {"dense_2/kernel", "dense_2/bias"}
    assert [row.trainable_parameters for row in made.layers] == [0, 20, 0]
    split = rows_for(made, 16)
    state, _ = train(made, split, steps=3, target="reference")
    first = made.initial_state(5)
    same = {name for name in made.weights if state[name].tobytes() == first[name].tobytes()}
    assert same == {"dense_1/kernel", "dense_1/bias", "dense_3/kernel", "dense_3/bias"}


def test_a_model_without_anything_to_train_is_refused() -> None:
    (problem,) = refused([DENSE], freeze=["dense_1"])
    assert "nothing to train" in problem.message
    assert "nothing to train" in refused([{"type": "activation", "activation": "relu"}])[0].message


# bind


def test_without_loss_or_optimizer_a_program_can_predict_alone() -> None:
    alone = build_program(config([DENSE]), InputSpec((5,)))
    assert not alone.trainable
    assert alone.evaluate is None
    assert alone.totals() == {}
    assert alone.targets == {}
    measured = build_program(config([DENSE], loss="mse"), InputSpec((5,)))
    assert not measured.trainable
    assert measured.evaluate is not None


def test_metrics_get_keys_of_their_own() -> None:
    metrics = ["mae", {"type": "mae", "name": "error"}, "mae", "mse"]
    made = program([DENSE], metrics=metrics)
    keys = [bound.key for bound in made.metrics]
    assert keys == ["mean_absolute_error", "error", "mean_absolute_error_2", "mean_squared_error"]
    totals = [name for bound in made.metrics for name in bound.totals.values()]
    assert len(totals) == len(set(totals))
    assert set(made.totals()) == {LOSS_TOTAL, *totals}
    assert program([SOFTMAX], "categorical_crossentropy", metrics=["acc"]).metrics[0].key == "accuracy"


@pytest.mark.parametrize(
    "name", ["loss", "val_loss", "val_error", "epoch", "steps", "phase", "seconds", "learning_rate"]
)
def test_a_metric_cannot_take_the_key_of_another_value(name: str) -> None:
    (problem,) = refused([DENSE], metrics=["mae", {"type": "mse", "name": name}])
    assert problem.path == ("metrics", 1, "name")
    assert f"`{name}`" in problem.message


def test_two_metrics_cannot_have_one_name() -> None:
    metrics = [{"type": "mae", "name": "error"}, {"type": "mse", "name": "error"}]
    (problem,) = refused([DENSE], metrics=metrics)
    assert problem.path == ("metrics", 1, "name")
    assert "two metrics are called `error`" in problem.message


def test_impossible_pairings_are_refused_and_doubtful_ones_are_warnings() -> None:
    assert refused([SOFTMAX], loss="binary_crossentropy")[0].path == ("loss",)
    assert refused([DENSE], metrics=["mae", "precision"])[0].path == ("metrics", 1)
    doubtful = program([DENSE], metrics=["mae", "binary_accuracy"]).warnings
    assert [problem.path for problem in doubtful] == [("loss",), ("metrics", 1)]


def step(graph: Graph, bound: dict[str, Any], rows: int) -> dict[str, Any]:
    names = [*graph.outputs, *graph.updates]
    return dict(zip(names, evaluate(graph.roots(), bound, rows), strict=True))


def bindings(made: Any, rows: int) -> dict[str, Any]:
    split = rows_for(made, rows)
    return {**made.initial_state(1), **split.inputs, **split.targets, **made.hyperparameters}


@pytest.mark.parametrize("rows", [1, 7])
def test_the_penalty_is_counted_once_a_sample(rows: int) -> None:
    plain = program([DENSE, DENSE])
    made = program([DENSE | {"kernel_regularizer": {"type": "l2", "l2": 0.3}}, DENSE])
    bound = bindings(made, rows)
    penalty = 0.3 * np.sum(np.square(bound["dense_1/kernel"].astype(np.float64)))
    for one, other in ((plain.train, made.train), (plain.evaluate, made.evaluate)):
        assert one is not None
        assert other is not None
        loss, penalised = (step(graph, bound, rows)["loss"] for graph in (one, other))
        np.testing.assert_allclose(penalised - loss, penalty * rows, rtol=1e-6)
    # The mean loss that is differentiated holds it once.
    assert made.train is not None
    assert plain.train is not None
    moved = step(plain.train, bound, rows)["dense_1/kernel"] - step(made.train, bound, rows)["dense_1/kernel"]
    np.testing.assert_allclose(moved, 0.01 * 2 * 0.3 * bound["dense_1/kernel"], rtol=1e-5, atol=1e-12)


def test_a_frozen_weight_has_no_penalty() -> None:
    layers = [DENSE | {"kernel_regularizer": "l2"}, DENSE]
    free, frozen, plain = program(layers), program(layers, freeze=["dense_1"]), program([DENSE, DENSE])
    bound = bindings(free, 4)
    losses = [step(made.evaluate, bound, 4)["loss"] for made in (free, frozen, plain) if made.evaluate is not None]
    assert losses[0] > losses[1] == losses[2]


# update


def test_hyperparameters_are_read_when_a_step_runs() -> None:
    made = program([DENSE], "mse", {"type": "adam", "learning_rate": 0.25, "beta_1": 0.5})
    assert made.hyperparameters == {"learning_rate": 0.25, "beta_1": 0.5, "beta_2": 0.999, "epsilon": 1e-7}
    assert made.train is not None
    constants = [value.attributes["value"] for value in reachable(made.train.roots()) if value.op == "constant"]
    assert 0.25 not in constants
    assert 0.5 not in constants


def test_slots_begin_with_their_own_value() -> None:
    made = program([DENSE], "mse", {"type": "adagrad", "initial_accumulator_value": 0.7})
    state = made.initial_slots()
    assert set(state) == {"dense_1/kernel/accumulator", "dense_1/bias/accumulator"}
    assert all((array == np.float32(0.7)).all() and array.dtype == np.float32 for array in state.values())


def test_a_constraint_follows_the_step() -> None:
    made = program([DENSE | {"kernel_constraint": "non_neg"}], "mse", {"type": "sgd", "learning_rate": 0.5})
    free = program([DENSE], "mse", {"type": "sgd", "learning_rate": 0.5})
    bound = bindings(made, 6)
    assert made.train is not None
    assert free.train is not None
    wanted = np.maximum(step(free.train, bound, 6)["dense_1/kernel"], 0.0)
    np.testing.assert_allclose(step(made.train, bound, 6)["dense_1/kernel"], wanted)


# program


def test_phases_bind_anew_and_keep_the_weights() -> None:
    keys: dict[str, Any] = {
        "phases": [{"freeze": ["dense_1"], "optimizer": "adam"}, {"loss": "mae", "metrics": ["mse"]}],
    }
    first, second = (program([DENSE, DENSE], "mse", "sgd", phase=phase, **keys) for phase in (0, 1))
    assert first.trainable_weights == ["dense_2/kernel", "dense_2/bias"]
    assert first.slots
    assert not second.slots
    assert list(first.weights) == list(second.weights)
    assert [bound.key for bound in second.metrics] == ["mean_squared_error"]
    losses = [made.outputs["prediction"].loss for made in (first, second)]
    assert [loss and loss.type for loss in losses] == ["mean_squared_error", "mean_absolute_error"]
    with pytest.raises(IndexError):
        program([DENSE], phase=2, **keys)


def test_first_values_depend_on_the_seed_and_the_weights_name_alone() -> None:
    small, large = (
        program([DENSE | {"name": "a"}]),
        program([DENSE | {"name": "b"}, DENSE | {"name": "a"}], inputs=(3,)),
    )
    assert small.initial_state(3)["a/kernel"].tobytes() == small.initial_state(3)["a/kernel"].tobytes()
    assert small.initial_state(3)["a/kernel"].tobytes() != small.initial_state(4)["a/kernel"].tobytes()
    twice = program([DENSE | {"units": 3, "name": "b"}, DENSE | {"name": "a"}], inputs=(3,))
    assert small.initial_state(3)["a/kernel"].tobytes() == twice.initial_state(3)["a/kernel"].tobytes()
    assert large.initial_state(3)["a/kernel"].shape == (4, 4)


def test_results_are_quotients_of_sums() -> None:
    made = program([DENSE], metrics=["mae"])
    split = rows_for(made, 11)
    executable = open_target("reference").compile(made, batch_size=4)
    executable.load(made.initial_state(0))
    outcome = executable.evaluate(split, np.arange(11, dtype=np.int32))
    results = made.results(outcome.totals, outcome.rows)
    predicted = executable.predict(split, 0, 11)["prediction"]
    assert results["loss"] == pytest.approx(np.mean(np.square(predicted - split.targets["target"])), rel=1e-5)
    assert results["mean_absolute_error"] == pytest.approx(
        np.mean(np.abs(predicted - split.targets["target"])), rel=1e-5
    )
    assert np.isnan(made.results(outcome.totals, 0)["loss"])


def test_building_a_program_twice_gives_the_same_graphs() -> None:
    one, other = (program([DENSE, {"type": "dropout", "rate": 0.5}, DENSE], metrics=["mae"]) for _ in range(2))
    assert one.train is not None
    assert other.train is not None
    assert list(map(repr, one.train.values)) == list(map(repr, other.train.values))
