"""Embeddings: Keras's values and learning, whole numbers on both targets, positions, what is refused."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from tests.alike import assert_trains_alike
from tests.golden_layers import assert_as_keras, read_layer, stored
from tests.programs import program, rows_for
from tests.scopes import LayerScope
from trainer_cli.compiler.program import InputSpec
from trainer_cli.errors import ConfigError
from trainer_cli.ir.graph import BATCH, Graph, Value
from trainer_cli.targets import open_target
from trainer_cli.targets.reference.interpreter import evaluate

GOLDEN = stored("keras_blocks.json")
random = np.random.default_rng(4)


def trace(arguments: dict[str, Any], shape: tuple[int, ...], dtype: Any = "float") -> tuple[LayerScope, Value]:
    graph = Graph()
    scope = LayerScope(graph)
    return scope, read_layer(arguments).trace(scope, graph.input("x", (BATCH, *shape), dtype))


def refusal(arguments: dict[str, Any], shape: tuple[int, ...], dtype: Any = "float") -> Any:
    with pytest.raises(ConfigError) as caught:
        trace(arguments, shape, dtype)
    (problem,) = caught.value.problems
    return problem


@pytest.mark.parametrize("case", GOLDEN["embeddings"], ids=lambda case: str(np.shape(case["inputs"][0])))
def test_values_and_learning_are_keras_s(case: dict[str, Any]) -> None:
    assert_as_keras(case, GOLDEN["rate"])


def test_an_embedding_says_which_numbers_it_takes() -> None:
    scope, result = trace({"type": "embedding", "input_dim": 7, "output_dim": 3}, (4, 2), "int")
    assert result.shape == (BATCH, 4, 2, 3)
    assert list(scope.bounds.values()) == [7]
    values = scope.values["embeddings"]
    assert (values.shape, np.abs(values).max() <= 0.05) == ((7, 3), True)


def test_an_embedding_refuses_floats() -> None:
    part = {"type": "embedding", "input_dim": 7, "output_dim": 3}
    problem = refusal(part, (4,))
    assert problem.message == "takes whole numbers, its input is float"
    assert "dtype: int32" in problem.hint


def test_learned_positions_are_added() -> None:
    scope, result = trace({"type": "position_embedding", "sequence_length": 6}, (4, 3))
    x = random.normal(size=(2, 4, 3))
    found = evaluate([result], {"x": x, **scope.values}, 2)[0]
    assert scope.values["embeddings"].shape == (6, 3)
    np.testing.assert_allclose(found, x + scope.values["embeddings"][:4])


@pytest.mark.parametrize("features", [4, 5])
def test_sinusoidal_positions_are_those_of_the_paper(features: int) -> None:
    _, result = trace({"type": "sinusoidal_position_encoding", "max_wavelength": 100}, (7, features))
    x = random.normal(size=(2, 7, features))
    found = evaluate([result], {"x": x}, 2)[0] - x
    for position in range(7):
        for feature in range(features):
            angle = position / 100 ** ((feature - feature % 2) / features)
            expected = np.cos(angle) if feature % 2 else np.sin(angle)
            np.testing.assert_allclose(found[:, position, feature], expected, atol=1e-12)


def test_positions_refuse_what_is_no_sequence_of_vectors() -> None:
    learned = {"type": "position_embedding", "sequence_length": 6}
    for part in (learned, {"type": "sinusoidal_position_encoding"}):
        assert refusal(part, (4,)).message.endswith("rows of shape (time, features), and its input has (4,)")
        assert refusal(part, (4, 3), "int").message == "its input is whole numbers"
    problem = refusal(learned, (7, 3))
    assert (problem.message, problem.path) == ("its input has 7 positions", ("sequence_length",))


TOKENS: Any = {"type": "input", "shape": [6], "dtype": "int32"}
HEAD: list[Any] = ["flatten", {"type": "dense", "units": 4, "activation": "softmax"}]
LABELS = "sparse_categorical_crossentropy"


def embedding(**arguments: Any) -> dict[str, Any]:
    return {"type": "embedding", "input_dim": 11, "output_dim": 5, **arguments}


@pytest.mark.parametrize(
    "layers",
    [
        [TOKENS, embedding(input_dim=70, output_dim=9, embeddings_regularizer="l2"), *HEAD],
        [
            TOKENS,
            embedding(),
            {"type": "position_embedding", "sequence_length": 8},
            {"type": "dense", "units": 4},
            "sinusoidal_position_encoding",
            *HEAD,
        ],
        [
            TOKENS,
            embedding(name="words"),
            embedding(name="more", inputs=["input_1"], embeddings_constraint="unit_norm"),
            {"type": "multiply", "inputs": ["words", "more"]},
            *HEAD,
        ],
    ],
    ids=["wide", "positions", "two tables"],
)
def test_both_targets_learn_alike(layers: list[Any]) -> None:
    assert_trains_alike(layers, LABELS, inputs=(6,))


def test_the_program_knows_the_type_and_the_bound_of_its_input() -> None:
    layers = [TOKENS, embedding(input_dim=9), *HEAD]
    for given in (InputSpec((6,)), InputSpec((6,), "uint8", 1 / 255), InputSpec((6,), "int32")):
        model = program(layers, LABELS, inputs=given)
        assert model.inputs["input"] == InputSpec((6,), "int32")
        assert model.tokens == {"input": 9}
    assert program(["flatten", *HEAD], LABELS, inputs=(6,)).tokens == {}


def test_the_least_bound_counts_whatever_moves_the_elements() -> None:
    layers = [
        TOKENS,
        {"type": "reshape", "target_shape": [2, 3]},
        embedding(name="words"),
        embedding(name="few", input_dim=3, inputs=["reshape_1"]),
        {"type": "add", "inputs": ["words", "few"]},
        *HEAD,
    ]
    assert program(layers, LABELS, inputs=(6,)).tokens == {"input": 3}


def test_computed_whole_numbers_are_refused() -> None:
    layers = [TOKENS, {"type": "add", "inputs": ["input_1", "input_1"]}, embedding(), *HEAD]
    with pytest.raises(ConfigError) as caught:
        program(layers, LABELS, inputs=(6,))
    assert "straight from an `input` layer" in caught.value.problems[0].message


def test_predictions_agree() -> None:
    model = program([TOKENS, embedding(), *HEAD], LABELS, inputs=(6,))
    split = rows_for(model, 11)
    found = []
    for name in ("cpu", "reference"):
        executable = open_target(name, threads=1 if name == "cpu" else None).compile(model, batch_size=4)
        executable.load(model.initial_state(0))
        found.append(executable.predict(split, 2, 11)["prediction"])
    np.testing.assert_allclose(*found, rtol=1e-5)
