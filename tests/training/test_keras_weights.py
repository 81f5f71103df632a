"""Weights of classes and of samples: stored runs of Keras's in, the same history and weights out, on both targets."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from tests.golden_layers import stored
from tests.programs import config
from trainer_cli.compiler.program import InputSpec, Program, build_program
from trainer_cli.data.source import SAMPLE_WEIGHT, Split
from trainer_cli.data.targets import TargetEncoding
from trainer_cli.data.weighting import with_class_weights
from trainer_cli.targets import open_target
from trainer_cli.training.epoch import evaluate_split

GOLDEN = stored("keras_weights.json")


def built(name: str) -> Program:
    units, activation, loss, metrics, _, kind = GOLDEN["cases"][name]["case"]
    head = {"type": "dense", "units": units, "activation": activation or "linear"}
    layers: Any = [{**head, "kernel_regularizer": {"type": "l2", "l2": 0.01}}]
    spec = InputSpec((3,))
    if name.startswith("padded"):
        embedding = {"type": "embedding", "input_dim": 9, "output_dim": 4, "mask_zero": True}
        layers, spec = (
            [embedding, {"type": "lstm", "units": 4, "return_sequences": True}, head],
            InputSpec((6,), "int32"),
        )
    # Keras takes weights of classes that no output has a unit for, which here is an error.
    weights = {key: weight for key, weight in GOLDEN["class_weight"].items() if int(key) < max(units, 2)}
    keys: dict[str, Any] = {"class_weight": weights} if kind == "class" else {}
    optimizer = {"type": "sgd", "learning_rate": GOLDEN["rate"]}
    if name == "accumulated":
        optimizer["gradient_accumulation_steps"] = 2
    made = config(layers, loss=loss, optimizer=optimizer, **keys)
    measured = [*metrics, *({"type": metric, "weighted": True} for metric in metrics)]
    values = made.model_dump(mode="json", exclude_none=True) | {"metrics": measured}
    if name == "two outputs":
        ends = [{**head, "name": each, "inputs": ["input"]} for each in ("first", "second")]
        values["architecture"] = {"layers": ends, "outputs": ["first", "second"]}
    return build_program(type(made).model_validate(values), spec, sample_weights=kind == "sample")


def rows_of(name: str, program: Program, suffix: str = "") -> Split:
    units, *_, form, kind = GOLDEN["cases"][name]["case"]
    case = GOLDEN["cases"][name]
    given = case[f"y{suffix}"] if name == "two outputs" else [case[f"y{suffix}"]]
    dtype = np.int32 if form.startswith("labels") else np.float32
    targets = {target: np.asarray(y, dtype) for target, y in zip(program.targets, given, strict=True)}
    x = np.asarray(case[f"x{suffix}"], np.int32 if name.startswith("padded") else np.float32)
    weights = {SAMPLE_WEIGHT: np.asarray(case[f"weights{suffix}"], np.float32)} if kind == "sample" else {}
    split = Split({"input": x}, targets, len(x), weights)
    if suffix:
        return split
    encoding = TargetEncoding(program.targets[next(iter(targets))].form, (), (units,), tuple(range(max(units, 2))))
    return with_class_weights(split, program.class_weights, dict.fromkeys(targets, encoding))


@pytest.mark.parametrize("target", ["reference", "cpu"])
@pytest.mark.parametrize("name", list(GOLDEN["cases"]))
def test_a_run_has_the_history_of_keras_s(name: str, target: str) -> None:
    case, program = GOLDEN["cases"][name], built(name)
    executable = open_target(target).compile(program, batch_size=GOLDEN["batch"])
    start = [np.asarray(value) for value in case["before"]]
    assert [value.shape for value in start] == [weight.shape for weight in program.weights.values()]
    executable.load({**program.initial_slots(), **dict(zip(program.weights, start, strict=True))})
    split, held_out = rows_of(name, program), rows_of(name, program, "_held")
    order, steps = np.arange(split.rows, dtype=np.int32), 0
    for epoch in range(GOLDEN["epochs"]):
        done = executable.train(split, order, steps, program.hyperparameters, 0)
        steps += done.steps
        found = program.results(done.totals, split.rows)
        held = program.results(evaluate_split(executable, held_out), held_out.rows)
        found |= {f"val_{key}": value for key, value in held.items()}
        assert found.keys() == case["history"].keys()
        for key, value in found.items():
            # Keras keeps its metrics in float32.
            np.testing.assert_allclose(value, case["history"][key][epoch], rtol=2e-6, err_msg=f"{key}, epoch {epoch}")
    for weight, value in zip(program.weights, case["behind"], strict=True):
        tolerance = 1e-6 if target == "reference" else 1e-5
        np.testing.assert_allclose(executable.state()[weight], value, rtol=tolerance, atol=tolerance, err_msg=weight)
