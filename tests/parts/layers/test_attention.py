"""Attention: Keras's values and learning, what a causal layer sees, dropout of shares, small Transformers."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from tests.alike import assert_trains_alike
from tests.golden_layers import assert_as_keras, read_layer, stored
from tests.scopes import LayerScope
from trainer_cli.errors import ConfigError
from trainer_cli.ir.graph import BATCH, Graph
from trainer_cli.targets.reference.interpreter import evaluate

GOLDEN = stored("keras_blocks.json")
random = np.random.default_rng(8)


def layer(**arguments: Any) -> dict[str, Any]:
    return {"type": "multi_head_attention", "num_heads": 2, "key_dim": 3, **arguments}


def run(arguments: dict[str, Any], *inputs: Any, training: bool = False, step: int = 0) -> tuple[Any, LayerScope]:
    graph = Graph()
    scope = LayerScope(graph, training)
    values = [graph.input(f"x{i}", (BATCH, *x.shape[1:])) for i, x in enumerate(inputs)]
    result = read_layer(arguments).trace(scope, *values)
    bound = {f"x{i}": x for i, x in enumerate(inputs)} | scope.values | {"step": step}
    return evaluate([result], bound, len(inputs[0]))[0], scope


def refusal(*shapes: tuple[int, ...]) -> str:
    with pytest.raises(ConfigError) as caught:
        run(layer(), *(np.zeros((2, *shape)) for shape in shapes))
    (problem,) = caught.value.problems
    return problem.message


@pytest.mark.parametrize("case", GOLDEN["attention"], ids=lambda case: str(case["part"]))
def test_values_and_learning_are_keras_s(case: dict[str, Any]) -> None:
    assert_as_keras(case, GOLDEN["rate"])


def test_its_weights_are_keras_s() -> None:
    result, scope = run(layer(value_dim=4), random.normal(size=(2, 5, 6)))
    assert result.shape == (2, 5, 6)
    assert {name: values.shape for name, values in scope.values.items()} == {
        "query/kernel": (6, 2, 3),
        "query/bias": (2, 3),
        "key/kernel": (6, 2, 3),
        "key/bias": (2, 3),
        "value/kernel": (6, 2, 4),
        "value/bias": (2, 4),
        "attention_output/kernel": (2, 4, 6),
        "attention_output/bias": (6,),
    }
    assert not [name for name in run(layer(use_bias=False), np.ones((1, 2, 3)))[1].values if "bias" in name]


def test_weights_are_governed_by_kind() -> None:
    _, scope = run(layer(kernel_regularizer="l2", bias_constraint="non_neg"), np.ones((1, 2, 3)))
    for name, governed in scope.governed.items():
        kernel = name.endswith("kernel")
        assert (governed["regularizer"] is not None, governed["constraint"] is not None) == (kernel, not kernel)


def test_a_causal_layer_does_not_see_what_comes_later() -> None:
    x = random.normal(size=(1, 6, 4))
    changed = x.copy()
    changed[:, 4:] += 1.0
    first, second = (run(layer(causal=True), each)[0] for each in (x, changed))
    np.testing.assert_array_equal(first[:, :4], second[:, :4])
    assert not np.allclose(first[:, 4], second[:, 4])
    assert not np.allclose(*(run(layer(), each)[0][:, 0] for each in (x, changed)))


def test_without_masks_the_order_of_places_does_not_matter() -> None:
    query, value = random.normal(size=(2, 3, 4)), random.normal(size=(2, 5, 6))
    found, turned = run(layer(), query, value)[0], run(layer(), query, value[:, ::-1])[0]
    np.testing.assert_allclose(found, turned, rtol=1e-12, atol=1e-12)


def test_shares_are_dropped_in_training_alone() -> None:
    x = random.normal(size=(2, 5, 4))
    part = layer(dropout=0.5)
    plain = run(layer(), x)[0]
    np.testing.assert_array_equal(run(part, x)[0], plain)
    np.testing.assert_array_equal(run(layer(), x, training=True)[0], plain)
    drops = np.stack([run(part, x, training=True, step=step)[0] for step in range(400)])
    assert not np.allclose(drops[0], drops[1])
    np.testing.assert_allclose(drops.mean(0), plain, atol=6 * drops.std() / np.sqrt(400))


@pytest.mark.parametrize(
    ("shapes", "message"),
    [
        ([(4,)], "needs sequences of vectors, rows of shape (time, features), and its input has (4,)"),
        ([(4, 3), (4,)], "needs sequences of vectors, rows of shape (time, features), and its value has (4,)"),
        ([(4, 3), (5, 3), (6, 3)], "its value and key of shape (5, 3) and (6, 3) have different numbers of places"),
    ],
)
def test_shapes_that_do_not_fit_are_refused(shapes: list[tuple[int, ...]], message: str) -> None:
    assert refusal(*shapes) == message


LABELS = "sparse_categorical_crossentropy"
HEAD: list[Any] = ["flatten", {"type": "dense", "units": 3, "activation": "softmax"}]


def block(number: int, **attention: Any) -> list[Any]:
    """A pre-norm block of a Transformer on the layer above, which is named `stream_<number>`."""
    stream, middle = f"stream_{number}", f"middle_{number}"
    return [
        {"type": "layer_normalization", "inputs": [stream]},
        layer(name=f"attention_{number}", **attention),
        {"type": "add", "inputs": [stream, f"attention_{number}"], "name": middle},
        "layer_normalization",
        {"type": "dense", "units": 16, "activation": "gelu"},
        {"type": "dense", "units": 8, "name": f"wide_{number}"},
        {"type": "add", "inputs": [middle, f"wide_{number}"], "name": f"stream_{number + 1}"},
    ]


@pytest.mark.parametrize(
    "layers",
    [
        [layer(causal=True, dropout=0.2, value_dim=5), *HEAD],
        [
            {"type": "dense", "units": 5, "name": "query"},
            {"type": "reshape", "target_shape": [8, 3], "name": "value", "inputs": ["input"]},
            layer(inputs=["query", "value"], num_heads=3, use_bias=False),
            *HEAD,
        ],
    ],
    ids=["causal with dropout", "query and value"],
)
def test_both_targets_learn_alike(layers: list[Any]) -> None:
    assert_trains_alike(layers, LABELS, inputs=(6, 4), undetermined=("key/bias",))


def test_a_small_transformer_learns_alike_on_both_targets() -> None:
    layers = [
        {"type": "input", "shape": [7], "dtype": "int32"},
        {"type": "embedding", "input_dim": 13, "output_dim": 8},
        {"type": "position_embedding", "sequence_length": 7, "name": "stream_0"},
        *block(0, causal=True, dropout=0.1),
        *block(1, causal=True),
        "rms_normalization",
        {"type": "dense", "units": 13, "activation": "softmax"},
    ]
    model, _ = assert_trains_alike(layers, LABELS, inputs=(7,), steps=8, undetermined=("key/bias",))
    assert model.outputs["prediction"].shape == (7, 13)
