"""Convolutions and poolings: Keras's values, gradients and learned weights; what is refused; both targets."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from pydantic import ValidationError

from tests.alike import assert_trains_alike
from tests.golden_layers import assert_as_keras, read_layer, stored
from tests.numeric import batch, check_gradients, whole
from tests.scopes import LayerScope
from trainer_cli.errors import ConfigError
from trainer_cli.ir.graph import BATCH, Graph, Value
from trainer_cli.parts.families import LAYERS
from trainer_cli.targets.reference.interpreter import evaluate

GOLDEN = stored("keras_convolutions.json")
random = np.random.default_rng(17)


def named(case: dict[str, Any]) -> str:
    return " ".join(str(value) for value in case["part"].values())


def run(arguments: dict[str, Any], x: Any) -> tuple[Any, LayerScope]:
    graph = Graph()
    scope = LayerScope(graph)
    result = read_layer(arguments).trace(scope, graph.input("x", (BATCH, *x.shape[1:])))
    return evaluate([result], {"x": x, **scope.values}, len(x))[0], scope


def refusal(arguments: dict[str, Any], *shape: int) -> Any:
    with pytest.raises(ConfigError) as caught:
        run(arguments, np.zeros((1, *shape)))
    (problem,) = caught.value.problems
    return problem


@pytest.mark.parametrize("case", GOLDEN["convolutions"] + GOLDEN["poolings"], ids=named)
def test_values_gradients_and_training_are_keras_s(case: dict[str, Any]) -> None:
    assert_as_keras(case, GOLDEN["rate"])


GRADIENTS: list[tuple[dict[str, Any], tuple[int, ...]]] = [
    ({"type": "conv1d", "filters": 2, "kernel_size": 3, "padding": "causal", "activation": "tanh"}, (4, 2)),
    ({"type": "conv2d", "filters": 2, "kernel_size": [2, 3], "strides": 2, "padding": "same"}, (3, 4, 2)),
    ({"type": "conv3d", "filters": 2, "kernel_size": 2, "groups": 2}, (2, 3, 2, 2)),
    ({"type": "depthwise_conv2d", "kernel_size": 2, "depth_multiplier": 2}, (3, 2, 2)),
    ({"type": "conv2d_transpose", "filters": 2, "kernel_size": 3, "strides": 2, "padding": "same"}, (2, 3, 2)),
    ({"type": "max_pooling2d", "pool_size": 2, "strides": 1}, (3, 3, 2)),
    ({"type": "average_pooling2d", "padding": "same"}, (3, 3, 2)),
    ({"type": "up_sampling2d"}, (2, 3, 1)),
]


@pytest.mark.parametrize(("arguments", "shape"), GRADIENTS, ids=str)
def test_gradients(arguments: dict[str, Any], shape: tuple[int, ...]) -> None:
    x = random.normal(size=(2, *shape))
    _, scope = run(arguments, x)
    names = list(scope.values)

    def build(x: Value, *weights: Value) -> Value:
        inner = LayerScope(x.graph)
        inner.weight = lambda name, *_, **__: weights[names.index(name)]  # type: ignore[method-assign]
        return read_layer(arguments).trace(inner, x)

    check_gradients(build, batch(x), *(whole(random.normal(size=scope.values[name].shape)) for name in names))


NETWORKS: list[tuple[list[Any], tuple[int, ...]]] = [
    (
        [
            {"type": "conv2d", "filters": 4, "kernel_size": 3, "kernel_regularizer": "l2", "activation": "relu"},
            "max_pooling2d",
            {"type": "conv2d", "filters": 3, "kernel_size": 2, "padding": "same", "kernel_constraint": "max_norm"},
            "global_average_pooling2d",
        ],
        (9, 8, 2),
    ),
    (
        [
            {"type": "depthwise_conv2d", "kernel_size": 3, "depth_multiplier": 2, "padding": "same"},
            {"type": "average_pooling2d", "pool_size": 3, "strides": 2, "padding": "same"},
            {"type": "conv2d_transpose", "filters": 3, "kernel_size": 3, "strides": 2, "padding": "same"},
            "zero_padding2d",
            "global_max_pooling2d",
        ],
        (5, 4, 2),
    ),
    (
        [
            {"type": "conv1d", "filters": 4, "kernel_size": 3, "padding": "causal", "dilation_rate": 2},
            "max_pooling1d",
            "average_pooling1d",
            "global_average_pooling1d",
        ],
        (9, 2),
    ),
    (
        [
            {"type": "conv3d", "filters": 4, "kernel_size": 2, "groups": 2},
            {"type": "max_pooling3d", "padding": "same"},
            "flatten",
        ],
        (4, 3, 3, 2),
    ),
]


@pytest.mark.parametrize(("layers", "shape"), NETWORKS, ids=["images", "depthwise", "sequences", "volumes"])
def test_both_targets_learn_the_same(layers: list[Any], shape: tuple[int, ...]) -> None:
    assert_trains_alike([*layers, {"type": "dense", "units": 2}], inputs=shape, rows=13, steps=4)


def test_a_kernel_asks_for_what_governs_it() -> None:
    rules = {"kernel_regularizer": "l2", "bias_constraint": "non_neg", "kernel_initializer": "he_normal"}
    _, scope = run({"type": "conv2d", "filters": 2, "kernel_size": 3, **rules}, np.zeros((1, 4, 4, 3)))
    assert list(scope.values) == ["kernel", "bias"]
    assert scope.values["kernel"].shape == (3, 3, 3, 2)
    assert scope.governed["kernel"]["regularizer"].type == "l2"
    assert scope.governed["bias"]["constraint"].type == "non_neg"
    _, scope = run(
        {"type": "depthwise_conv2d", "kernel_size": 3, "depthwise_regularizer": "l1"}, np.zeros((1, 4, 4, 3))
    )
    assert scope.governed["kernel"]["regularizer"].type == "l1"


def test_causal_convolution_sees_no_later_step() -> None:
    arguments = {"type": "conv1d", "filters": 2, "kernel_size": 3, "padding": "causal", "dilation_rate": 2}
    x = random.normal(size=(1, 8, 2))
    changed = x.copy()
    changed[:, 5:] += 1.0
    before, after = run(arguments, x)[0], run(arguments, changed)[0]
    np.testing.assert_array_equal(before[:, :5], after[:, :5])
    assert not np.array_equal(before[:, 5:], after[:, 5:])


def test_same_keeps_one_position_for_each_stride() -> None:
    for extent in range(1, 9):
        for stride in range(1, 5):
            for name in ("conv1d", "max_pooling1d"):
                size = {"filters": 1, "kernel_size": 3} if name == "conv1d" else {"pool_size": 3}
                made, _ = run({"type": name, **size, "strides": stride, "padding": "same"}, np.ones((1, extent, 1)))
                assert made.shape == (1, -(-extent // stride), 1)


@pytest.mark.parametrize(
    ("arguments", "shape", "words", "path"),
    [
        ({"type": "conv2d", "filters": 1, "kernel_size": 3}, (5, 5), "(height, width, channels), not (5, 5)", ()),
        ({"type": "conv2d", "filters": 1, "kernel_size": 6}, (5, 5, 1), "does not fit into (5, 5)", ("kernel_size",)),
        ({"type": "max_pooling2d"}, (1, 4, 2), "a window of (2, 2) does not fit into (1, 4)", ("pool_size",)),
        ({"type": "conv1d", "filters": 2, "kernel_size": 1, "groups": 2}, (5, 3), "3 channels do not", ("groups",)),
        ({"type": "global_max_pooling1d"}, (5,), "(steps, channels), not (5,)", ()),
        ({"type": "up_sampling2d"}, (5, 2), "(height, width, channels)", ()),
    ],
)
def test_inputs_that_do_not_fit_are_refused(
    arguments: dict[str, Any], shape: tuple[int, ...], words: str, path: tuple[str, ...]
) -> None:
    problem = refusal(arguments, *shape)
    assert words in problem.message
    assert problem.path == path


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"type": "conv2d", "filters": 1, "kernel_size": [3, 3, 3]}, "one number or 2 numbers, not 3"),
        ({"type": "conv1d", "filters": 1, "kernel_size": [3, 3]}, "a list of one number, not 2"),
        ({"type": "conv2d", "filters": 1, "kernel_size": 0}, "`kernel_size` are 1 or more"),
        ({"type": "conv2d", "filters": 1, "kernel_size": 1, "strides": [1, 0]}, "`strides` are 1 or more"),
        ({"type": "conv2d", "filters": 1, "kernel_size": 1, "dilation_rate": -1}, "`dilation_rate` are 1 or more"),
        ({"type": "conv2d", "filters": 3, "kernel_size": 1, "groups": 2}, "3 filters do not divide into 2 groups"),
        ({"type": "conv2d", "filters": 3, "kernel_size": 1, "padding": "causal"}, "'valid' or 'same'"),
        ({"type": "max_pooling2d", "pool_size": [2, 0]}, "`pool_size` are 1 or more"),
        ({"type": "average_pooling1d", "strides": 0}, "`strides` are 1 or more"),
        ({"type": "conv2d_transpose", "filters": 1, "kernel_size": 3, "output_padding": 1}, "less than `strides`"),
        ({"type": "zero_padding2d", "padding": -1}, "not negative"),
        ({"type": "zero_padding2d", "padding": [[1, 2, 3], 1]}, "before and after"),
        ({"type": "up_sampling2d", "size": 0}, "`size` are 1 or more"),
        ({"type": "up_sampling2d", "interpolation": "linear"}, "'nearest'"),
    ],
)
def test_arguments_that_make_no_sense_are_refused(arguments: dict[str, Any], words: str) -> None:
    with pytest.raises(ValidationError, match=words.replace("(", r"\(")):
        read_layer(arguments)


@pytest.mark.parametrize(
    ("name", "canonical"),
    [
        ("Conv2D", "conv2d"),
        ("conv2d", "conv2d"),
        ("Convolution2D", "conv2d"),
        ("Conv2DTranspose", "conv2d_transpose"),
        ("conv2dTranspose", "conv2d_transpose"),
        ("DepthwiseConv2D", "depthwise_conv2d"),
        ("MaxPooling2D", "max_pooling2d"),
        ("MaxPool3D", "max_pooling3d"),
        ("maxPooling1d", "max_pooling1d"),
        ("AveragePooling1D", "average_pooling1d"),
        ("avgPool2d", "average_pooling2d"),
        ("GlobalAveragePooling2D", "global_average_pooling2d"),
        ("globalMaxPool2d", "global_max_pooling2d"),
        ("ZeroPadding2D", "zero_padding2d"),
        ("upSampling2d", "up_sampling2d"),
    ],
)
def test_names_of_both_libraries(name: str, canonical: str) -> None:
    assert LAYERS.canonical(name) == canonical


def test_channels_of_volumes_are_convolved_one_by_one() -> None:
    x = random.normal(size=(2, 3, 4, 3, 2))
    part = {"type": "depthwise_conv3d", "kernel_size": [2, 2, 1], "strides": [1, 2, 1], "padding": "same"}
    found, scope = run({**part, "depth_multiplier": 2}, x)
    kernel = scope.values["kernel"]
    assert kernel.shape == (2, 2, 1, 2, 2)
    for channel in range(2):
        arguments = {"type": "conv3d", "filters": 2, **{key: value for key, value in part.items() if key != "type"}}
        graph = Graph()
        other = LayerScope(graph)
        alone = read_layer(arguments).trace(other, graph.input("x", (BATCH, *x.shape[1:-1], 1)))
        given = {**other.values, "kernel": kernel[..., channel : channel + 1, :], "x": x[..., channel : channel + 1]}
        expected = evaluate([alone], given, len(x))[0]
        np.testing.assert_allclose(found[..., 2 * channel : 2 * channel + 2], expected, rtol=1e-12)


def test_a_separable_convolution_of_volumes_mixes_what_single_channels_give() -> None:
    x = random.normal(size=(2, 3, 4, 3, 2))
    found, scope = run({"type": "separable_conv3d", "filters": 3, "kernel_size": 2, "depth_multiplier": 2}, x)
    own = {name: scope.values[name].shape for name in ("depthwise_kernel", "pointwise_kernel")}
    assert own == {"depthwise_kernel": (2, 2, 2, 2, 2), "pointwise_kernel": (1, 1, 1, 4, 3)}
    graph = Graph()
    other = LayerScope(graph)
    layer = read_layer({"type": "depthwise_conv3d", "kernel_size": 2, "depth_multiplier": 2})
    single = layer.trace(other, graph.input("x", (BATCH, *x.shape[1:])))
    given = {**other.values, "kernel": scope.values["depthwise_kernel"], "x": x}
    expected = evaluate([single], given, len(x))[0] @ scope.values["pointwise_kernel"][0, 0, 0]
    np.testing.assert_allclose(found, expected, rtol=1e-12)
