"""Masks: sequences padded to any length in, the same results for what is no padding out, on both targets."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from tests.programs import config
from trainer_cli.compiler.program import InputSpec, Program, build_program
from trainer_cli.data.source import Split
from trainer_cli.targets import open_target

TOKENS = 11
ROWS = 6
EMBEDDING = {"type": "embedding", "input_dim": TOKENS, "output_dim": 4, "mask_zero": True}
HEAD = {"type": "dense", "units": 3, "activation": "softmax"}
ATTENTION = {"type": "multi_head_attention", "num_heads": 2, "key_dim": 3, "name": "attention"}
GROUPED = {"type": "grouped_query_attention", "head_dim": 2, "num_query_heads": 2, "num_key_value_heads": 1}

SEQUENCE_TO_CLASS: dict[str, list[Any]] = {
    "simple_rnn": [EMBEDDING, {"type": "simple_rnn", "units": 5}, HEAD],
    "gru": [EMBEDDING, {"type": "gru", "units": 5}, HEAD],
    "lstm": [EMBEDDING, {"type": "lstm", "units": 5}, HEAD],
    "lstm backwards": [EMBEDDING, {"type": "lstm", "units": 5, "go_backwards": True}, HEAD],
    "stacked": [EMBEDDING, {"type": "gru", "units": 5, "return_sequences": True}, {"type": "lstm", "units": 4}, HEAD],
    "bidirectional": [EMBEDDING, {"type": "bidirectional", "layer": {"type": "lstm", "units": 3}}, HEAD],
    "pooled": [EMBEDDING, {"type": "dense", "units": 5}, {"type": "global_average_pooling1d"}, HEAD],
    "normalized": [EMBEDDING, "batch_normalization", "global_average_pooling1d", HEAD],
    "attention": [
        {**EMBEDDING, "name": "tokens"},
        {"type": "attention", "inputs": ["tokens", "tokens"], "causal": True, "use_scale": True},
        "leaky_relu",
        "global_average_pooling1d",
        HEAD,
    ],
    "additive attention": [
        {**EMBEDDING, "name": "tokens"},
        {"type": "additive_attention", "inputs": ["tokens", "tokens"]},
        "unit_normalization",
        "global_average_pooling1d",
        HEAD,
    ],
    "grouped attention": [EMBEDDING, GROUPED, "global_average_pooling1d", HEAD],
    "transformer": [
        {**EMBEDDING, "name": "tokens"},
        {"type": "position_embedding", "sequence_length": 80, "name": "placed"},
        ATTENTION,
        {"type": "add", "inputs": ["placed", "attention"]},
        "layer_normalization",
        {"type": "dense", "units": 4, "activation": "gelu"},
        "global_average_pooling1d",
        HEAD,
    ],
}
TOKEN_BY_TOKEN: dict[str, list[Any]] = {
    "lstm": [EMBEDDING, {"type": "lstm", "units": 5, "return_sequences": True}, HEAD],
    "bidirectional": [
        EMBEDDING,
        {"type": "bidirectional", "layer": {"type": "gru", "units": 3, "return_sequences": True}},
        HEAD,
    ],
    "sliding": [EMBEDDING, {**GROUPED, "sliding_window": 3, "use_gate": True}, "elu", HEAD],
    "causal": [EMBEDDING, {**ATTENTION, "causal": True}, "rms_normalization", HEAD],
    "distributed": [EMBEDDING, {"type": "time_distributed", "layer": {"type": "dense", "units": 3}}, HEAD],
    "concatenated": [
        {**EMBEDDING, "name": "tokens"},
        {"type": "dense", "units": 2, "name": "narrow"},
        {"type": "concatenate", "inputs": ["narrow", "tokens"]},
        HEAD,
    ],
}
CASES = [
    pytest.param(layers, each, id=f"{name}{' by token' if each else ''}")
    for group, each in ((SEQUENCE_TO_CLASS, False), (TOKEN_BY_TOKEN, True))
    for name, layers in group.items()
]


def build(layers: list[Any], length: int) -> Program:
    made = config(
        layers,
        loss="sparse_categorical_crossentropy",
        metrics=["accuracy", {"type": "recall", "average": "macro"}, "mae"],
        optimizer={"type": "sgd", "learning_rate": 0.5},
    )
    return build_program(made, InputSpec((length,), "int32"))


def rows(length: int, each: bool) -> Split:
    """Sequences of 1 to 12 tokens behind which zeros stand; a class for all or for every token."""
    random = np.random.default_rng(3)
    tokens, labels = np.zeros((ROWS, length), np.int32), np.zeros((ROWS, length), np.int32)
    for row, count in enumerate((1, 12, 5, 7, 12, 3)):
        tokens[row, :count] = random.integers(1, TOKENS, count)
        labels[row, :count] = random.integers(0, 3, count)
    return Split({"input": tokens}, {"target": labels if each else np.ascontiguousarray(labels[:, 0])}, ROWS)


def run(layers: list[Any], length: int, each: bool, target: str, **options: Any) -> dict[str, Any]:
    """State, results and predictions after two steps."""
    program = build(layers, length)
    executable = open_target(target, **options).compile(program, batch_size=4)
    executable.load(program.initial_state(1))
    split, order = rows(length, each), np.arange(ROWS, dtype=np.int32)
    trained = executable.train(split, order, 0, program.hyperparameters, 0)
    tested = executable.evaluate(split, order)
    predicted = executable.predict(split, 0, ROWS)["prediction"]
    if each:
        predicted = np.where((split.inputs["input"] > 0)[..., np.newaxis], predicted, 0)[:, :12]
    results = {**program.results(trained.totals, ROWS)}
    results |= {f"val_{name}": value for name, value in program.results(tested.totals, ROWS).items()}
    return {**executable.state(), **results, "prediction": predicted}


@pytest.mark.parametrize(("layers", "each"), CASES)
def test_padding_to_any_length_gives_the_same(layers: list[Any], each: bool) -> None:
    short, long = (run(layers, length, each, "reference") for length in (50, 80))
    assert short.keys() == long.keys()
    for name, value in short.items():
        np.testing.assert_allclose(long[name], value, rtol=2e-6, atol=1e-7, err_msg=name)


NATIVE = (
    "stacked",
    "attention",
    "sliding by token",
    "normalized",
    "transformer",
    "bidirectional by token",
    "concatenated by token",
)


@pytest.mark.parametrize(("layers", "each"), [case for case in CASES if case.id in NATIVE])
def test_masks_work_natively(layers: list[Any], each: bool) -> None:
    expected = run(layers, 15, each, "reference")
    one, two = (run(layers, 15, each, "cpu", threads=threads) for threads in (1, 2))
    for name, value in expected.items():
        np.testing.assert_allclose(one[name], value, rtol=1e-4, atol=2e-6, err_msg=name)
        assert np.asarray(one[name]).tobytes() == np.asarray(two[name]).tobytes()


def test_without_a_mask_padding_counts() -> None:
    """The comparison above could fail: without the mask the results differ."""
    layers = [{**EMBEDDING, "mask_zero": False}, *SEQUENCE_TO_CLASS["lstm"][1:]]
    short, long = (run(layers, length, False, "reference") for length in (15, 24))
    assert abs(short["loss"] - long["loss"]) > 1e-4


def test_loss_and_metrics_are_means_over_what_is_no_padding() -> None:
    split = rows(15, True)
    program = build(TOKEN_BY_TOKEN["lstm"], 15)
    executable = open_target("reference").compile(program, batch_size=ROWS)
    executable.load(program.initial_state(1))
    found = program.results(executable.evaluate(split, np.arange(ROWS, dtype=np.int32)).totals, ROWS)
    kept, labels = split.inputs["input"] > 0, split.targets["target"]
    predicted = executable.predict(split, 0, ROWS)["prediction"].astype(np.float64)
    chosen = np.take_along_axis(predicted, labels[..., np.newaxis], -1)[..., 0]
    assert found["loss"] == pytest.approx(-np.log(chosen[kept]).mean(), rel=1e-5)
    assert found["accuracy"] == pytest.approx((predicted.argmax(-1) == labels)[kept].mean(), rel=1e-6)
    absolute = np.abs(predicted - np.eye(3)[labels])[kept].mean()
    assert found["mean_absolute_error"] == pytest.approx(absolute, rel=1e-5)


def test_masking_leaves_out_steps_of_one_value() -> None:
    layers = [{"type": "masking", "mask_value": -1.0}, {"type": "gru", "units": 4}, {"type": "dense", "units": 2}]
    made = config(layers, loss="mse", optimizer="sgd")
    random = np.random.default_rng(0)
    values = random.normal(size=(3, 9, 2)).astype(np.float32)
    values[0, 2:], values[1, 6:] = -1.0, -1.0
    values[2, 4, 0] = -1.0  # one element of a step is no padding
    found = []
    for length in (9, 14):
        padded = np.full((3, length, 2), -1.0, np.float32)
        padded[:, :9] = values
        program = build_program(made, InputSpec((length, 2)))
        executable = open_target("reference").compile(program, batch_size=3)
        executable.load(program.initial_state(0))
        found.append(executable.predict(Split({"input": padded}, {}, 3), 0, 3)["prediction"])
        alone = build_program(config(layers[1:], loss="mse", optimizer="sgd"), InputSpec((2, 2)))
        short = open_target("reference").compile(alone, batch_size=1)
        short.load({name: program.initial_state(0)[name] for name in alone.weights})
        expected = short.predict(Split({"input": np.ascontiguousarray(values[:1, :2])}, {}, 1), 0, 1)["prediction"]
        np.testing.assert_allclose(found[-1][:1], expected, rtol=1e-6)
    np.testing.assert_allclose(found[0], found[1], rtol=1e-6)


def test_a_layer_that_takes_padding_for_data_is_warned_of() -> None:
    program = build([EMBEDDING, {"type": "conv1d", "filters": 2, "kernel_size": 3}, "flatten", HEAD], 15)
    assert [warning.message for warning in program.warnings] == [
        "conv1d_1: takes padded steps for data, because `conv1d` knows no masks"
    ]
    assert program.warnings[0].path == ("architecture", 1)
