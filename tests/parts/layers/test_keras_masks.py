"""Models over padded sequences: stored numbers of Keras's in, the same losses, weights and predictions out."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from tests.golden_layers import stored
from tests.programs import config
from trainer_cli.compiler.program import InputSpec, build_program
from trainer_cli.data.source import Split
from trainer_cli.targets import open_target

GOLDEN = stored("keras_masks.json")
EMBEDDING = {"type": "embedding", "input_dim": 11, "output_dim": 4, "mask_zero": True, "name": "tokens"}
HEAD = {"type": "dense", "units": 3, "activation": "softmax"}
LSTM = {"type": "lstm", "units": 4}


def attention(causal: bool) -> list[Any]:
    return [
        {"type": "multi_head_attention", "num_heads": 2, "key_dim": 3, "causal": causal, "name": "seen"},
        "layer_normalization",
    ]


MODELS: dict[str, list[Any]] = {
    "simple_rnn": [{"type": "simple_rnn", "units": 4}],
    "lstm": [LSTM],
    "lstm backwards": [{**LSTM, "go_backwards": True}],
    "gru": [{"type": "gru", "units": 4}],
    "gru before": [{"type": "gru", "units": 4, "reset_after": False}],
    "stacked": [{"type": "gru", "units": 4, "return_sequences": True}, {"type": "lstm", "units": 3}],
    "lstm by token": [{**LSTM, "return_sequences": True}],
    "zeros by token": [{**LSTM, "return_sequences": True, "zero_output_for_mask": True}],
    "bidirectional": [{"type": "bidirectional", "layer": {"type": "lstm", "units": 3}}],
    "bidirectional by token": [
        {"type": "bidirectional", "layer": {"type": "gru", "units": 3, "return_sequences": True}}
    ],
    "distributed by token": [
        {"type": "time_distributed", "layer": {"type": "dense", "units": 5, "activation": "tanh"}}
    ],
    "pooled": ["global_average_pooling1d"],
    "normalized": ["batch_normalization", "global_average_pooling1d"],
    "normalized by token": ["batch_normalization"],
    "attention by token": attention(causal=False),
    "causal by token": attention(causal=True),
    "joined by token": [
        {"type": "dense", "units": 2, "activation": "tanh", "name": "narrow"},
        {"type": "concatenate", "inputs": ["narrow", "tokens"]},
    ],
    "masking": [{"type": "masking", "mask_value": -1.0}, {"type": "gru", "units": 4}],
}
NATIVE = ("lstm by token", "bidirectional", "causal by token", "normalized")
CASES = [(name, "reference") for name in MODELS] + [(name, "cpu") for name in NATIVE]


def test_every_model_of_keras_s_is_built() -> None:
    assert set(MODELS) == set(GOLDEN["models"])


@pytest.mark.parametrize(("name", "target"), CASES)
def test_padded_sequences_are_learned_as_keras_learns_them(name: str, target: str) -> None:
    case = GOLDEN["models"][name]
    layers = [*([] if name == "masking" else [EMBEDDING]), *MODELS[name], HEAD]
    optimizer = {"type": "sgd", "learning_rate": GOLDEN["rate"]}
    made = config(layers, loss="sparse_categorical_crossentropy", optimizer=optimizer)
    inputs, labels = np.asarray(case["inputs"]), np.asarray(case["labels"], np.int32)
    spec = InputSpec(inputs.shape[1:], "float32" if name == "masking" else "int32")
    program = build_program(made, spec)
    executable = open_target(target).compile(program, batch_size=len(inputs))
    start = [np.asarray(value) for value in case["before"]]
    assert [value.shape for value in start] == [weight.shape for weight in program.weights.values()]
    executable.load(dict(zip(program.weights, start, strict=True)))
    data = inputs if target == "reference" else inputs.astype(np.float32 if name == "masking" else np.int32)
    split = Split({"input": data}, {"target": labels}, len(inputs))
    order = np.arange(len(inputs), dtype=np.int32)
    tolerance = 1e-9 if target == "reference" else 1e-5
    if target == "reference" and ("by token" in name or "normalized" in name):
        # Keras adds 1e-7 to the number of places that count (here from 27 on) before it divides by it.
        tolerance = 1e-7
    for step, expected in enumerate(case["losses"]):
        totals = executable.train(split, order, step, program.hyperparameters, 0).totals
        np.testing.assert_allclose(program.results(totals, len(inputs))["loss"], expected, rtol=tolerance)
    state = executable.exact_state() if target == "reference" else executable.state()
    for weight, value in zip(program.weights, case["behind"], strict=True):
        # A gradient that is 0 but for rounding, as that of a key's bias, has no digits to compare.
        np.testing.assert_allclose(state[weight], value, rtol=tolerance, atol=tolerance, err_msg=weight)
    found, kept = executable.predict(split, 0, len(inputs))["prediction"], np.asarray(case["kept"])
    predicted = np.asarray(case["predicted"])
    if predicted.ndim == 3:
        found, predicted = found[kept], predicted[kept]
    np.testing.assert_allclose(found, predicted, rtol=1e-5)
