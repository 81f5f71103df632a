"""`numerics: tfjs`: stored runs of TensorFlow.js's models in, the same losses, weights and predictions out."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from tests.golden_layers import stored
from trainer_cli.compiler.program import PREDICTION, InputSpec, Program, build_program
from trainer_cli.config.schema import Config
from trainer_cli.data.source import Split
from trainer_cli.ir.random import RandomStream
from trainer_cli.parts.families import FAMILIES
from trainer_cli.parts.initializer import Initializer
from trainer_cli.parts.numerics import TFJS
from trainer_cli.targets import open_target

GOLDEN = stored("tfjs.json")
CASES = GOLDEN["cases"]
DIFFERENT = (  # where Keras's defaults give other numbers than TensorFlow.js's
    "categorical crossentropy, far",
    "sparse crossentropy, far",
    "binary crossentropy, far",
    "divergence, far",
    "cosine of short vectors",
    "adam, large epsilon",
    "adagrad",
    "adamax",
    "momentum, two rates",
    "nesterov, two rates",
    "gru",
    "lstm",
    "bidirectional gru",
    "hard sigmoid",
    "l1l2",
    "conv lstm",
)


def read(name: str, numerics: str) -> Program:
    case = CASES[name]
    values = {"architecture": case["layers"], "loss": case["loss"], "optimizer": case["optimizer"]}
    made = Config.model_validate({**values, "numerics": numerics})
    return build_program(made, InputSpec(np.shape(case["x"])[1:]))


def rows(name: str, program: Program) -> Split:
    case = CASES[name]
    (form,) = (spec.form for spec in program.targets.values())
    y = np.asarray(case["y"], np.float32)
    if form == "labels":
        y = y[:, 0].astype(np.int32)
    elif form == "binary":
        y = (y > 0).astype(np.float32)  # answers written as -1 and 1 become 0 and 1 when data is read
    return Split({"input": np.asarray(case["x"], np.float32)}, {"target": y}, len(y))


def differences(name: str, numerics: str, target: str) -> list[tuple[float, float]]:
    """The greatest and the allowed difference of losses, weights, predictions and the evaluated loss."""
    case, program = CASES[name], read(name, numerics)
    split = rows(name, program)
    # In float64 what is kept below 1 - 1e-7 is another number.
    options: dict[str, Any] = {"precision": "float32"} if target == "reference" else {}
    executable = open_target(target, **options).compile(program, batch_size=split.rows)
    # There, the weights that are not trained follow all others.
    names = sorted(program.weights, key=lambda weight: not program.weights[weight].trainable)
    start = {weight: np.asarray(value) for weight, value in zip(names, case["before"], strict=True)}
    if any(start[weight].shape != spec.shape for weight, spec in program.weights.items()):
        return [(np.inf, 0.0)]
    executable.load({**program.initial_slots(), **start})
    order = np.arange(split.rows, dtype=np.int32)
    numbers = dict(program.hyperparameters)
    losses = []
    for step in range(GOLDEN["steps"]):
        if "then" in case and step == GOLDEN["steps"] // 2:
            numbers["learning_rate"] = case["then"]
        losses.append(program.results(executable.train(split, order, step, numbers, 0).totals, split.rows)["loss"])
    state = executable.state()
    evaluated = program.results(executable.evaluate(split, order).totals, split.rows)["loss"]
    pairs = [(losses, case["losses"]), (evaluated, case["evaluated"])]
    pairs += [(state[weight], value) for weight, value in zip(names, case["after"], strict=True)]
    pairs.append((executable.predict(split, 0, split.rows)[PREDICTION], case["predicted"]))
    # Both compute in float32; numbers near 0 are differences of greater ones.
    return [
        (float(np.max(np.abs(np.asarray(found) - wanted))), 1e-5 * max(1.0, float(np.max(np.abs(wanted)))))
        for found, wanted in pairs
    ]


@pytest.mark.parametrize("target", ["reference", "cpu"])
@pytest.mark.parametrize("name", list(CASES))
def test_ten_steps_are_those_of_tensorflow_js(name: str, target: str) -> None:
    found = differences(name, "tfjs", target)
    assert all(difference <= allowed for difference, allowed in found), found


@pytest.mark.parametrize("name", list(CASES))
def test_the_cases_tell_the_two_libraries_apart(name: str) -> None:
    found = differences(name, "keras", "reference")
    assert any(difference > 3 * allowed for difference, allowed in found) == (name in DIFFERENT), found


def test_every_argument_of_the_table_is_one_of_its_part_and_not_the_default() -> None:
    families = {family.noun: family for family in FAMILIES}
    for (noun, name), arguments in TFJS.items():
        part = families[noun].find(name)
        required: dict[str, Any] = {"filters": 1, "kernel_size": 1, "units": 1}
        given = {key: value for key, value in required.items() if key in part.model_fields}
        plain = part.model_validate(given).model_dump(mode="json")
        for key, value in arguments.items():
            assert plain[key] != value, (noun, name, key)
            if isinstance(value, str):
                assert plain[key]["type"] != value


def test_what_the_config_gives_counts_and_defaults_reach_layers_within() -> None:
    layers = [
        {"type": "bidirectional", "layer": {"type": "lstm", "units": 2, "unit_forget_bias": True}},
        {"type": "block", "layers": [{"type": "dense", "units": 2, "kernel_initializer": "heNormal"}]},
        {"type": "dense", "units": 2, "activation": {"type": "hard_sigmoid", "slope": 0.5}},
    ]
    made = Config.model_validate({"numerics": "tfjs", "architecture": layers, "optimizer": {"type": "adagrad"}})
    plain = made.model_dump(mode="json")["architecture"]["layers"]
    assert plain[0]["layer"]["unit_forget_bias"] is True
    assert plain[0]["layer"]["recurrent_activation"] == {"type": "hard_sigmoid", "slope": 0.2}
    assert plain[0]["layer"]["kernel_initializer"] == {"type": "glorot_normal", "corrected": False}
    assert plain[1]["layers"][0]["kernel_initializer"] == {"type": "he_normal", "corrected": False}
    assert plain[2]["activation"] == {"type": "hard_sigmoid", "slope": 0.5}
    again = Config.model_validate(made.model_dump(mode="json"))
    assert again == made
    (dense,) = Config.model_validate({"architecture": [{"type": "dense", "units": 2}]}).architecture.layers
    assert getattr(dense, "kernel_initializer").type == "glorot_uniform"  # noqa: B009  # the choice ends with its config


@pytest.mark.parametrize("kind", list(GOLDEN["deviations"]))
def test_first_values_spread_as_tensorflow_js_s_do(kind: str) -> None:
    arguments, shape = {
        "dense": ({"units": 300}, (300, 300)),
        "simpleRNN": ({"units": 300}, (300, 300)),
        "depthwiseConv2d": ({"kernel_size": 9}, (9, 9, 60, 1)),
        "conv2d": ({"filters": 40, "kernel_size": 9}, (9, 9, 40, 40)),
    }[kind]
    made = Config.model_validate({"numerics": "tfjs", "architecture": [{"type": kind, **arguments}]})
    layer: Any = made.architecture.layers[0]
    initializer: Initializer = layer.depthwise_initializer if kind == "depthwiseConv2d" else layer.kernel_initializer
    deviation = float(initializer.values(shape, RandomStream(1, kind)).std())
    assert deviation == pytest.approx(GOLDEN["deviations"][kind], rel=0.03)
    assert deviation < 0.95 * float(type(initializer)().values(shape, RandomStream(1, kind)).std())
