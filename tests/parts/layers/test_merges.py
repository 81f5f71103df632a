"""Merging layers: Keras's values and gradients, shapes that broadcast, shapes that are refused."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from tests.alike import assert_trains_alike
from tests.golden_layers import GoldenLayer, assert_as_keras, read_layer, stored
from tests.scopes import LayerScope
from trainer_cli.errors import ConfigError
from trainer_cli.ir.graph import BATCH, Graph
from trainer_cli.targets.reference.interpreter import evaluate

GOLDEN = stored("keras_blocks.json")
ELEMENTWISE = ["add", "subtract", "multiply", "average", "maximum", "minimum"]
COMBINE: dict[str, Any] = {"add": np.add, "subtract": np.subtract, "multiply": np.multiply, "maximum": np.maximum}


def named(case: dict[str, Any]) -> str:
    return f"{case['part']}-{[np.shape(x) for x in case['inputs']]}"


def run(arguments: dict[str, Any], *inputs: Any, dtype: str = "float") -> Any:
    graph = Graph()
    values = [graph.input(f"x{i}", (BATCH, *x.shape[1:]), dtype) for i, x in enumerate(inputs)]  # type: ignore[arg-type]
    result = read_layer(arguments).trace(LayerScope(graph), *values)
    return evaluate([result], {f"x{i}": x for i, x in enumerate(inputs)}, len(inputs[0]))[0]


def refusal(arguments: dict[str, Any], *shapes: tuple[int, ...]) -> Any:
    with pytest.raises(ConfigError) as caught:
        run(arguments, *(np.zeros((2, *shape)) for shape in shapes))
    (problem,) = caught.value.problems
    return problem


@pytest.mark.parametrize("case", GOLDEN["merges"], ids=named)
def test_values_and_gradients_are_keras_s(case: dict[str, Any]) -> None:
    assert_as_keras(case, GOLDEN["rate"])


@pytest.mark.parametrize("name", ELEMENTWISE)
def test_shapes_that_do_not_broadcast_are_refused(name: str) -> None:
    problem = refusal({"type": name}, (3, 2), (4, 2))
    assert problem.message == "its inputs of shape (3, 2) and (4, 2) do not broadcast"


@pytest.mark.parametrize("name", COMBINE)
def test_whole_numbers_stay_whole(name: str) -> None:
    x, y = np.asarray([[1, -2]], np.int32), np.asarray([[3, 4]], np.int32)
    result = run({"type": name}, x, y, dtype="int")
    assert result.dtype == np.int32
    np.testing.assert_array_equal(result, COMBINE[name](x, y))


def test_the_average_of_whole_numbers_is_no_whole_number() -> None:
    result = run({"type": "average"}, np.asarray([[1, 2]]), np.asarray([[2, 4]]), dtype="int")
    np.testing.assert_allclose(result, [[1.5, 3.0]])


@pytest.mark.parametrize(
    ("axis", "shapes", "message"),
    [
        (-1, [(3, 2), (4, 2)], "its inputs of shape (3, 2) and (4, 2) differ along other axes than -1"),
        (1, [(3, 2), (3, 4)], "its inputs of shape (3, 2) and (3, 4) differ along other axes than 1"),
        (1, [(3, 2), (2,)], "its inputs of shape (3, 2) and (2,) have different numbers of axes"),
        (0, [(3,), (3,)], "`concatenate` cannot run along axis 0, the batch"),
        (2, [(3,), (3,)], "`concatenate` runs along axis 2, but its input's axes end at 1"),
    ],
)
def test_concatenate_refuses(axis: int, shapes: list[tuple[int, ...]], message: str) -> None:
    assert refusal({"type": "concatenate", "axis": axis}, *shapes).message == message


@pytest.mark.parametrize(
    ("axes", "shapes", "message"),
    [
        (1, [(3,), (4,)], "its inputs of shape (3,) and (4,) have 3 and 4 elements along their axes"),
        ([1, 2], [(3, 2), (3, 4)], "its inputs of shape (3, 2) and (3, 4) have 3 and 4 elements along their axes"),
        (0, [(3,), (3,)], "`dot` cannot run along axis 0, the batch"),
        ([1, -3], [(3,), (3,)], "`dot` runs along axis -3, but its input's axes end at 1"),
    ],
)
def test_dot_refuses(axes: Any, shapes: list[tuple[int, ...]], message: str) -> None:
    problem = refusal({"type": "dot", "axes": axes}, *shapes)
    assert (problem.message, problem.path) == (message, ("axes",))


def test_the_cosine_of_a_zero_vector_is_zero_with_a_finite_gradient() -> None:
    case = {"part": {"type": "dot", "axes": 1, "normalize": True}, "target": [[1.0]], "weights": {}, "losses": [0.0]}
    golden = GoldenLayer({**case, "inputs": [[[0.0, 0.0]], [[1.0, 2.0]]]}, 0.1)
    value, _, _, slopes, _ = golden.learn(1)
    np.testing.assert_array_equal(value, [[0.0]])
    assert all(np.isfinite(slope).all() for slope in slopes)


def test_networks_that_merge_learn_alike_on_both_targets() -> None:
    both = {"inputs": ["left", "right"]}
    merges: list[dict[str, Any]] = [
        *({"type": name} for name in ELEMENTWISE),
        {"type": "concatenate"},
        {"type": "dot", "axes": 1},
        {"type": "dot", "axes": 1, "normalize": True},
    ]
    layers: list[Any] = [
        {"type": "dense", "units": 6, "name": "left", "inputs": ["input"], "activation": "tanh"},
        {"type": "dense", "units": 6, "name": "right", "inputs": ["input"], "activation": "sigmoid"},
        *({**merge, **both, "name": f"merge_{number}"} for number, merge in enumerate(merges)),
        {"type": "concatenate", "inputs": [f"merge_{number}" for number in range(len(merges))]},
        {"type": "dense", "units": 2},
    ]
    assert_trains_alike(layers, inputs=(5,))


def test_merges_along_time_learn_alike_on_both_targets() -> None:
    layers: list[Any] = [
        {"type": "dense", "units": 3, "name": "left", "inputs": ["input"]},
        {"type": "dense", "units": 3, "name": "right", "inputs": ["input"]},
        {"type": "dot", "axes": 2, "inputs": ["left", "right"], "name": "scores"},
        {"type": "dot", "axes": [2, 1], "inputs": ["scores", "left"], "name": "mixed"},
        {"type": "concatenate", "axis": 1, "inputs": ["mixed", "right"]},
        "flatten",
        {"type": "dense", "units": 2},
    ]
    assert_trains_alike(layers, inputs=(4, 5))
