"""Architectures whose layers name their inputs in, the graph that follows the names, or the problems, out."""

from __future__ import annotations

from typing import Any

import pytest

from trainer_cli.compiler.trace import InputSpec, trace
from trainer_cli.config.schema import Config
from trainer_cli.errors import ConfigError


def architecture(*layers: dict[str, Any]) -> Any:
    return Config.model_validate({"architecture": list(layers)}).architecture


def problems(*layers: dict[str, Any]) -> list[tuple[str, Any, str | None]]:
    with pytest.raises(ConfigError) as caught:
        trace(architecture(*layers), {"input": InputSpec((3,))}, training=True)
    return [(problem.message, problem.path, problem.hint) for problem in caught.value.problems]


def test_a_layer_takes_the_one_that_it_names() -> None:
    traced = trace(
        architecture(
            {"type": "dense", "units": 4, "name": "wide"},
            {"type": "dense", "units": 2, "inputs": ["wide"]},
            {"type": "dense", "units": 5, "inputs": ["dense_2"]},
        ),
        {"input": InputSpec((3,))},
        training=True,
    )
    assert [row.output_shape for row in traced.layers] == [(4,), (2,), (5,)]
    assert traced.weights["dense_3/kernel"].shape == (2, 5)


def test_input_names_what_the_model_takes() -> None:
    traced = trace(
        architecture({"type": "dense", "units": 4, "inputs": ["input"]}), {"input": InputSpec((3,))}, training=False
    )
    assert traced.weights["dense_1/kernel"].shape == (3, 4)


def test_unknown_and_later_layers_are_refused_with_the_nearest_name() -> None:
    found = problems(
        {"type": "dense", "units": 4, "name": "first", "inputs": ["second"]},
        {"type": "dense", "units": 4, "name": "second", "inputs": ["frist"]},
    )
    assert found[0][0] == "first: the layer `second` stands below; `inputs` name layers above"
    assert found[0][1] == ("architecture", 0, "inputs", 0)
    assert found[1][0] == "second: the layer `frist` does not exist; `inputs` name layers above"
    assert found[1][2] == "did you mean `first`?"


def test_a_layer_of_one_input_refuses_two() -> None:
    found = problems(
        {"type": "dense", "units": 4},
        {"type": "dense", "units": 4, "inputs": ["dense_1", "input"]},
    )
    assert found == [
        (
            "dense_2: dense takes 1 input, not 2",
            ("architecture", 1, "inputs"),
            "name the layers whose outputs it takes: `inputs: [first, second]`",
        )
    ]


def test_a_layer_that_nobody_takes_is_refused() -> None:
    found = problems({"type": "dense", "units": 4}, {"type": "dense", "units": 2, "inputs": ["input"]})
    assert [message for message, _, _ in found] == ["no layer takes the output of `dense_1`"]
    assert found[0][1] == ("architecture", 0)
