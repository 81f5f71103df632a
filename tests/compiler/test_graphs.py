"""Graphs of layers: several inputs and outputs, blocks and shared layers in, what the compiler makes of them out."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from tests.programs import rows_for
from trainer_cli.compiler.program import InputSpec, Program, build_program
from trainer_cli.config.schema import Config
from trainer_cli.errors import ConfigError
from trainer_cli.targets import open_target

ONE = InputSpec((3,))
TWO = {"left": InputSpec((3,)), "right": InputSpec((3,))}


def build(architecture: Any, inputs: Any = ONE, **keys: Any) -> Program:
    return build_program(Config.model_validate({"architecture": architecture, **keys}), inputs)


def problems(architecture: Any, inputs: Any = ONE, **keys: Any) -> list[tuple[str, Any]]:
    with pytest.raises(ConfigError) as caught:
        build(architecture, inputs, **keys)
    return [(problem.message, problem.path) for problem in caught.value.problems]


def input_layer(name: str, *shape: int, **others: Any) -> dict[str, Any]:
    return {"type": "input", "name": name, "shape": list(shape), **others}


def dense(units: int, **others: Any) -> dict[str, Any]:
    return {"type": "dense", "units": units, **others}


def trained(program: Program, target: str = "reference", steps: int = 3, **options: Any) -> tuple[Any, Any]:
    """The state and the totals after some steps from the same weights and rows."""
    executable = open_target(target, **options).compile(program, batch_size=4)
    executable.load(program.initial_state(0))
    split = rows_for(program, 4 * steps)
    order = np.arange(split.rows, dtype=np.int32)
    found = executable.train(split, order, 0, program.hyperparameters, 0)
    return executable.state(), found.totals


GRAPH: dict[str, Any] = {
    "layers": [
        input_layer("left", 3),
        input_layer("right", 3),
        dense(4, name="encoder", activation="tanh", inputs=["left"]),
        {"type": "shared", "of": "encoder", "name": "encoder_right", "inputs": ["right"]},
        {"type": "concatenate", "name": "both", "inputs": ["encoder", "encoder_right"]},
        dense(3, name="kind", activation="softmax", inputs=["both"]),
        dense(2, name="size", inputs=["both"]),
    ],
    "outputs": ["kind", "size"],
}
KEYS: dict[str, Any] = {
    "loss": {"kind": "sparse_categorical_crossentropy", "size": "mse"},
    "loss_weights": {"size": 0.5},
    "metrics": {"kind": ["accuracy"], "size": ["mae", {"type": "mse", "name": "squares"}]},
    "optimizer": "adam",
}


def test_a_graph_with_two_inputs_two_outputs_and_a_shared_layer() -> None:
    program = build(GRAPH, TWO, **KEYS)
    assert list(program.inputs) == ["left", "right"]
    assert {name: output.shape for name, output in program.outputs.items()} == {"kind": (3,), "size": (2,)}
    assert {name: spec.form for name, spec in program.targets.items()} == {"kind": "labels", "size": "values"}
    assert list(program.weights) == [
        f"{layer}/{kind}" for layer in ("encoder", "kind", "size") for kind in ("kernel", "bias")
    ]
    rows = {row.name: row.parameters for row in program.layers}
    assert (rows["encoder"], rows["encoder_right"]) == (16, 0)
    assert [bound.key for bound in program.metrics] == ["kind_accuracy", "size_mean_absolute_error", "squares"]


def test_the_loss_is_the_weighted_sum_of_the_outputs_losses() -> None:
    program = build(GRAPH, TWO, **KEYS)
    _, totals = trained(program)
    found = program.results(totals, 12)
    assert found["loss"] == pytest.approx(found["kind_loss"] + 0.5 * found["size_loss"], rel=1e-12)
    assert found["squares"] == pytest.approx(found["size_loss"], rel=1e-12)


@pytest.mark.parametrize("threads", [1, 2])
def test_graphs_run_natively(threads: int) -> None:
    program = build(GRAPH, TWO, **KEYS)
    expected, wanted = trained(program)
    found, totals = trained(program, "cpu", threads=threads)
    for name, value in expected.items():
        np.testing.assert_allclose(found[name], value, rtol=1e-4, atol=1e-6, err_msg=name)
    for name, value in wanted.items():
        np.testing.assert_allclose(totals[name], value, rtol=1e-5, err_msg=name)
    split = rows_for(program, 6)
    made = {target: open_target(target).compile(program, batch_size=4) for target in ("cpu", "reference")}
    for executable in made.values():
        executable.load(expected)
    ours, theirs = (executable.predict(split, 0, 6) for executable in made.values())
    assert list(ours) == list(theirs) == ["kind", "size"]
    for name in ours:
        np.testing.assert_allclose(ours[name], theirs[name], rtol=1e-5, atol=1e-6)


def test_a_shared_layer_is_trained_in_both_places() -> None:
    """The gradient of shared weights is the sum of those that two copies with the same values would have."""
    copies = {**GRAPH, "layers": [*GRAPH["layers"]]}
    copies["layers"][3] = dense(4, name="other", activation="tanh", inputs=["right"])
    copies["layers"][4] = {"type": "concatenate", "name": "both", "inputs": ["encoder", "other"]}
    keys = {**KEYS, "optimizer": {"type": "sgd", "learning_rate": 1.0}}
    shared, apart = build(GRAPH, TWO, **keys), build(copies, TWO, **keys)
    start = shared.initial_state(0)
    start_apart = {name: start[name.replace("other", "encoder")] for name in apart.weights}
    split = rows_for(shared, 4)
    steps = []
    for program, state in ((shared, start), (apart, start_apart)):
        executable = open_target("reference").compile(program, batch_size=4)
        executable.load(state)
        executable.train(split, np.arange(4, dtype=np.int32), 0, program.hyperparameters, 0)
        steps.append({name: executable.exact_state()[name] - state[name] for name in state})
    together, one_by_one = steps
    for kind in ("kernel", "bias"):
        expected = one_by_one[f"encoder/{kind}"] + one_by_one[f"other/{kind}"]
        np.testing.assert_allclose(together[f"encoder/{kind}"], expected, rtol=1e-9)
        assert np.abs(one_by_one[f"other/{kind}"]).max() > 0


def test_shared_statistics_are_updated_by_each_use_in_order() -> None:
    norm = {"type": "batch_normalization", "name": "norm", "momentum": 0.5, "inputs": ["left"]}
    layers = [
        input_layer("left", 3),
        input_layer("right", 3),
        norm,
        {"type": "shared", "of": "norm", "inputs": ["right"]},
        {"type": "add", "inputs": ["norm", "shared_1"]},
        dense(2),
    ]
    program = build(layers, TWO, loss="mse", optimizer="sgd")
    state, _ = trained(program, steps=1)
    rows = rows_for(program, 4).inputs
    expected = (0.5 * rows["left"].mean(0)) * 0.5 + 0.5 * rows["right"].mean(0)
    np.testing.assert_allclose(state["norm/moving_mean"], expected, rtol=1e-5)


BLOCK: dict[str, Any] = {
    "type": "block",
    "name": "residual",
    "repeat": 2,
    "layers": [dense(3, activation="tanh", name="inner"), {"type": "add", "inputs": ["inner", "input"]}],
}


def test_a_block_is_what_its_layers_are_when_written_out() -> None:
    block = build([BLOCK, dense(2)], loss="mse", optimizer="sgd")
    flat = build(
        [
            dense(3, activation="tanh", name="residual.1.inner"),
            {"type": "add", "name": "residual.1.add_1", "inputs": ["residual.1.inner", "input"]},
            dense(3, activation="tanh", name="residual.2.inner"),
            {"type": "add", "name": "residual.2.add_1", "inputs": ["residual.2.inner", "residual.1.add_1"]},
            dense(2, name="dense_1"),
        ],
        loss="mse",
        optimizer="sgd",
    )
    assert [row[:2] for row in block.layers] == [row[:2] for row in flat.layers]
    ours, theirs = trained(block)[0], trained(flat)[0]
    assert list(ours) == list(theirs)
    assert all(ours[name].tobytes() == theirs[name].tobytes() for name in ours)


def test_a_block_gives_further_inputs_to_every_repetition() -> None:
    block = {
        "type": "block",
        "repeat": 3,
        "inputs": ["wide", "input"],
        "layers": [{"type": "add", "inputs": ["input_1", "input_2"]}],
    }
    program = build([dense(3, name="wide"), block])
    executable = open_target("reference").compile(program, batch_size=4)
    state = program.initial_state(0)
    executable.load(state)
    split = rows_for(program, 4)
    expected = split.inputs["input"] @ state["wide/kernel"] + 3 * split.inputs["input"]
    np.testing.assert_allclose(executable.predict(split, 0, 4)["prediction"], expected, rtol=1e-5)


def test_a_block_may_hold_blocks_and_be_shared_and_frozen() -> None:
    outer = {"type": "block", "name": "outer", "layers": [BLOCK, dense(3, name="last")]}
    layers = [outer, {"type": "shared", "of": "outer", "name": "again"}, dense(2)]
    program = build(layers, loss="mse", optimizer="sgd", freeze=["outer.residual.2"])
    names = [row.name for row in program.layers]
    assert names[:2] == ["outer.residual.1.inner", "outer.residual.1.add_1"]
    assert names[5:7] == ["again.residual.1.inner", "again.residual.1.add_1"]
    assert {spec.layer for spec in program.weights.values() if not spec.trainable} == {"outer.residual.2.inner"}
    assert {spec.layer for spec in program.weights.values()} == {
        "outer.residual.1.inner",
        "outer.residual.2.inner",
        "outer.last",
        "dense_1",
    }


def test_one_loss_and_list_of_metrics_are_meant_for_every_output() -> None:
    graph = {"layers": [dense(4, name="a"), dense(4, name="b", inputs=["a"])], "outputs": ["b", "a"]}
    program = build(graph, loss="mse", metrics=["mae", {"type": "mse", "name": "squares"}], optimizer="sgd")
    keys = ["b_mean_absolute_error", "b_squares", "a_mean_absolute_error", "a_squares"]
    assert [bound.key for bound in program.metrics] == keys


def test_an_output_without_loss_is_only_predicted() -> None:
    graph = {"layers": [dense(4, name="a"), dense(2, name="b", inputs=["a"])], "outputs": ["a", "b"]}
    program = build(graph, loss={"b": "mse"}, optimizer="sgd")
    assert list(program.outputs) == ["a", "b"]
    assert list(program.targets) == ["b"]


def test_inputs_may_be_named_without_layers() -> None:
    architecture = {"inputs": ["left", "right"], "layers": [{"type": "add", "inputs": ["left", "right"]}, dense(2)]}
    assert list(build(architecture, TWO).inputs) == ["left", "right"]
    single = {"inputs": ["picture"], "layers": [dense(2, inputs=["picture"])]}
    assert list(build(single).inputs) == ["input"]


def test_every_mistake_in_a_graph_has_its_message_and_place() -> None:
    at: tuple[Any, ...] = ("architecture",)
    assert problems([input_layer("left", 3), input_layer("right", 3), dense(2)], TWO) == [
        ("no layer takes the output of `left`", (*at, 0))
    ]
    assert problems([dense(2), input_layer("late", 3)])[0] == (
        "late: an `input` layer stands first where the model has one input",
        (*at, 1, "type"),
    )
    assert problems({"layers": [dense(2)], "outputs": ["dense_2"]})[0] == (
        "no layer is called `dense_2`",
        (*at, "outputs", 0),
    )
    assert problems({"layers": [dense(2)], "outputs": ["dense_1", "dense_1"]})[0] == (
        "the output of `dense_1` is named twice",
        (*at, "outputs", 1),
    )
    assert problems({"inputs": ["a", "a"], "layers": [dense(2)]})[0] == (
        "the input `a` is named twice",
        (*at, "inputs", 1),
    )
    assert problems({"inputs": ["a", "b"], "layers": [dense(2)]}, TWO)[0] == (
        "dense_1: the model has several inputs, and no layer stands above this one",
        (*at, 0),
    )
    assert problems([dense(2), {"type": "shared", "of": "dense_2"}])[0] == (
        "shared_1: there is no layer `dense_2` above whose weights it could share",
        (*at, 1, "of"),
    )
    assert problems([dense(2), {"type": "shared", "of": "dense_1"}])[0] == (
        "shared_1: shares `dense_1/kernel` of shape (3, 2), but its own input asks for (2, 2)",
        (*at, 1, "of"),
    )
    assert problems([{"type": "block", "layers": [input_layer("x", 3)]}])[0] == (
        "x: an `input` layer cannot stand in a block",
        (*at, 0, "layers", 0, "type"),
    )
    assert problems([{"type": "block", "layers": [dense(2, inputs=["nobody"])]}])[0] == (
        "dense_1: the layer `nobody` does not exist; `inputs` name layers above",
        (*at, 0, "layers", 0, "inputs", 0),
    )
    assert problems([dense(2, name="input"), dense(3)])[0] == (
        "a layer cannot be called `input`: that is the input of the model or block",
        (*at, 0, "name"),
    )
    assert problems([dense(2)], TWO) == [
        ("the model has an input `input`, the data has the inputs `left`, `right`", ("data",)),
        ("the data has an input `left`, the model has `input`", ("data",)),
        ("the data has an input `right`, the model has `input`", ("data",)),
    ]
    graph = {"layers": [dense(4, name="a"), dense(2, name="b")], "outputs": ["a", "b"]}
    assert problems(graph, loss={"a": "mse"}, metrics={"b": ["mae"]}, optimizer="sgd") == [
        ("the output `b` has no loss", ("metrics", "b"))
    ]
    assert problems(graph, loss={"c": "mse"}, optimizer="sgd") == [("`c` is no output of the model", ("loss", "c"))]
    inner = {"type": "time_distributed", "layer": {"type": "block", "layers": [dense(3)]}}
    assert "a block stands in the list" in problems([inner], InputSpec((4, 3)))[0][0]
