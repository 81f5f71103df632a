"""Which layers `make_keras_layers.py` has Keras compute: lines of a layer, its arguments and shapes in, groups out."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from make_keras_blocks import keras, np

layers = keras.layers


class Line(NamedTuple):
    """A case: our layer with its arguments, and what it is given.

    `shapes`: of the inputs, with the batch; an array stands for itself. `keras`: arguments that Keras spells otherwise
    (None leaves one out). `made`: the layer itself, if its class has no arguments that a config could give. `call`:
    arguments of its call. `separate`: whether it takes its inputs as arguments of their own. `random`: whether training
    draws numbers, so that inference alone can be compared. `drawn`: whether it is given the numbers that it draws, each
    row by itself. `apart`: what of Keras's results is not to be compared.
    """

    name: str
    arguments: dict[str, Any] = {}
    shapes: Sequence[Any] = ((2, 3),)
    keras: dict[str, Any] = {}
    made: Any = None
    call: dict[str, Any] = {}
    separate: bool = False
    random: bool = False
    drawn: bool = False
    apart: Sequence[str] = ()


SEQUENCE, IMAGE, VOLUME = (2, 5, 3), (2, 4, 5, 2), (2, 3, 4, 2, 2)

SHAPES = [
    Line("identity", {}, [SEQUENCE]),
    Line("dense", {"units": 4}),
    Line("dense", {"units": 4, "activation": "tanh", "use_bias": False}, [SEQUENCE]),
    Line("activation", {"activation": "softplus"}, [SEQUENCE]),
    Line("flatten", {}, [IMAGE]),
    Line("reshape", {"target_shape": [5, -1]}, [IMAGE]),
    Line("permute", {"dims": [2, 1]}, [SEQUENCE]),
    Line("permute", {"dims": [3, 1, 2]}, [IMAGE]),
    Line("repeat_vector", {"n": 4}),
    Line("cropping1d", {}, [SEQUENCE]),
    Line("cropping1d", {"cropping": [2, 0]}, [SEQUENCE]),
    Line("cropping2d", {}, [IMAGE]),
    Line("cropping2d", {"cropping": 1}, [IMAGE]),
    Line("cropping2d", {"cropping": [0, 2]}, [IMAGE]),
    Line("cropping2d", {"cropping": [[1, 0], [0, 2]]}, [IMAGE]),
    Line("cropping3d", {}, [(2, 4, 3, 5, 1)]),
    Line("cropping3d", {"cropping": [[1, 0], [0, 2], [0, 1]]}, [VOLUME]),
    Line("zero_padding1d", {}, [SEQUENCE]),
    Line("zero_padding1d", {"padding": [2, 0]}, [SEQUENCE]),
    Line("zero_padding3d", {}, [VOLUME]),
    Line("zero_padding3d", {"padding": [[1, 0], [0, 2], [0, 1]]}, [VOLUME]),
    Line("zero_padding3d", {"padding": [0, 1, 2]}, [VOLUME]),
    Line("up_sampling1d", {}, [SEQUENCE]),
    Line("up_sampling1d", {"size": 3}, [SEQUENCE]),
    Line("up_sampling3d", {}, [VOLUME]),
    Line("up_sampling3d", {"size": [1, 3, 2]}, [VOLUME]),
    Line("rescaling", {"scale": 0.5}, [IMAGE]),
    Line("rescaling", {"scale": [0.5, 2.0], "offset": [1.0, -1.0]}, [IMAGE]),
]

ACTIVATIONS = [
    Line("leaky_relu", {}, [SEQUENCE]),
    Line("leaky_relu", {"negative_slope": 0.1}, [SEQUENCE]),
    Line("elu", {}, [SEQUENCE]),
    Line("elu", {"alpha": 0.5}, [SEQUENCE]),
    Line("relu", {}, [SEQUENCE]),
    Line("relu", {"max_value": 1.0, "negative_slope": 0.2, "threshold": 0.25}, [SEQUENCE]),
    Line("softmax", {}, [SEQUENCE]),
    Line("softmax", {"axis": 1}, [SEQUENCE]),
    Line("softmax", {"axis": [1, 2]}, [IMAGE]),
    Line("prelu", {}, [SEQUENCE]),
    Line("prelu", {"shared_axes": [1, 2]}, [IMAGE]),
    Line("prelu", {"shared_axes": [1]}, [SEQUENCE]),
]

NOISE = [
    Line("dropout", {"rate": 0.5}, [SEQUENCE], random=True),
    Line("spatial_dropout1d", {"rate": 0.5}, [SEQUENCE], random=True),
    Line("spatial_dropout2d", {"rate": 0.5}, [IMAGE], random=True),
    Line("spatial_dropout3d", {"rate": 0.5}, [VOLUME], random=True),
    Line("gaussian_noise", {"stddev": 0.5}, [SEQUENCE], random=True),
    Line("gaussian_dropout", {"rate": 0.5}, [SEQUENCE], random=True),
    Line("alpha_dropout", {"rate": 0.5}, [SEQUENCE], random=True),
]

KERNEL: dict[str, Any] = {"filters": 2, "kernel_size": 3}
CONVOLUTIONS = [
    Line("depthwise_conv1d", {"kernel_size": 3}, [SEQUENCE]),
    Line("depthwise_conv1d", {"kernel_size": 2, "strides": 2, "padding": "same", "depth_multiplier": 2}, [SEQUENCE]),
    Line("separable_conv1d", {**KERNEL, "activation": "tanh"}, [SEQUENCE]),
    Line("separable_conv1d", {**KERNEL, "padding": "same", "dilation_rate": 2}, [SEQUENCE]),
    Line("separable_conv1d", {**KERNEL, "strides": 2, "depth_multiplier": 2, "padding": "same"}, [SEQUENCE]),
    Line("separable_conv2d", KERNEL, [IMAGE]),
    Line("separable_conv2d", {**KERNEL, "padding": "same", "depth_multiplier": 3, "use_bias": False}, [IMAGE]),
    Line("separable_conv2d", {**KERNEL, "padding": "same", "strides": 2}, [IMAGE]),
    Line("conv1d_transpose", KERNEL, [SEQUENCE]),
    Line("conv1d_transpose", {**KERNEL, "strides": 2, "padding": "same", "activation": "tanh"}, [SEQUENCE]),
    Line("conv1d_transpose", {**KERNEL, "strides": 2, "output_padding": 1}, [SEQUENCE]),
    Line("conv1d_transpose", {"filters": 2, "kernel_size": 2, "dilation_rate": 2, "padding": "same"}, [SEQUENCE]),
    Line("conv3d_transpose", {"filters": 2, "kernel_size": 2}, [(1, 2, 3, 2, 2)]),
    Line("conv3d_transpose", {**KERNEL, "strides": [1, 2, 1], "padding": "same"}, [(1, 2, 2, 3, 1)]),
    Line("conv3d_transpose", {"filters": 1, "kernel_size": [1, 2, 2], "strides": 2}, [(1, 2, 2, 1, 2)]),
]

NORMALIZATIONS = [
    Line("group_normalization", {"groups": 2}, [(2, 3, 4)]),
    Line("group_normalization", {"groups": 2, "epsilon": 0.1, "center": False}, [(2, 3, 2, 4)]),
    Line("group_normalization", {"groups": -1, "scale": False}, [IMAGE]),
    Line("group_normalization", {"groups": 2, "axis": 1}, [IMAGE]),
    Line("group_normalization", {"groups": 2, "axis": -2}, [(2, 3, 4, 2)]),
    Line("unit_normalization", {}, [SEQUENCE]),
    Line("unit_normalization", {"axis": [1, 2]}, [IMAGE]),
    *(
        Line(
            "spectral_normalization",
            {"layer": {"type": name, **arguments}, "power_iterations": count},
            [shape],
            made=layers.SpectralNormalization(getattr(layers, known)(**arguments), power_iterations=count),
            apart=("inferred",),  # Keras predicts with the kernel as it is stored, which depends on its backend
        )
        for name, known, arguments, shape, count in (
            ("dense", "Dense", {"units": 4}, SEQUENCE, 1),
            ("conv2d", "Conv2D", {"filters": 3, "kernel_size": 2}, IMAGE, 3),
        )
    ),
]

QUERY, VALUE, KEY = (2, 4, 3), (2, 5, 2), (2, 5, 3)


def causally(**call: Any) -> dict[str, Any]:
    return {"use_causal_mask": True, **call}


def headed(shapes: Sequence[tuple[int, ...]], **arguments: Any) -> Any:
    """Of several heads, without JAX's softmax in float32, as `grouped` is."""
    built = layers.MultiHeadAttention(**arguments)
    built.build(*shapes)
    built._dropout = 0.5
    return built


def grouped(shapes: Sequence[tuple[int, ...]], **arguments: Any) -> Any:
    """Its layer of dropout is built with the rate 0. Behind it Keras then takes its own path instead of JAX's, which
    computes the softmax in float32."""
    built = layers.GroupQueryAttention(**arguments)
    built.build(*shapes)
    built.dropout = 0.5
    return built


TWO_HEADS: dict[str, Any] = {"num_heads": 2, "key_dim": 3}
HEADS: dict[str, Any] = {"head_dim": 2, "num_query_heads": 4, "num_key_value_heads": 2}
ATTENTION = [
    Line("attention", {}, [QUERY, KEY]),
    Line("attention", {"use_scale": True}, [QUERY, VALUE, KEY]),
    Line("attention", {"causal": True}, [QUERY, VALUE, KEY], keras={"causal": None}, call=causally()),
    Line("attention", {"score_mode": "concat"}, [QUERY, VALUE, KEY]),
    Line("attention", {"score_mode": "concat", "use_scale": True}, [QUERY, KEY]),
    Line("additive_attention", {}, [QUERY, VALUE, KEY]),
    Line("additive_attention", {"use_scale": False}, [QUERY, KEY]),
    Line("additive_attention", {"causal": True}, [QUERY, KEY], keras={"causal": None}, call=causally()),
    *(
        Line("grouped_query_attention", HEADS | own, given, made=grouped(given, **HEADS, **own), separate=True)
        for own, given in (
            ({}, [QUERY, KEY]),
            ({"sliding_window": 2, "use_bias": False}, [QUERY, KEY]),
            ({"use_gate": True}, [QUERY, VALUE, KEY]),
        )
    ),
    Line(
        "grouped_query_attention",
        {"head_dim": 3, "num_query_heads": 3, "num_key_value_heads": 1, "causal": True},
        [QUERY, KEY],
        made=grouped([QUERY, KEY], head_dim=3, num_query_heads=3, num_key_value_heads=1),
        call=causally(),
        separate=True,
    ),
    Line("einsum_dense", {"equation": "ab,bc->ac", "output_shape": 4, "bias_axes": "c"}),
    Line("einsum_dense", {"equation": "abc,cd->abd", "output_shape": [5, 4], "activation": "tanh"}, [SEQUENCE]),
    Line("einsum_dense", {"equation": "...x,xy->...y", "output_shape": 4, "bias_axes": "y"}, [IMAGE]),
    Line("einsum_dense", {"equation": "ab...,bc->ac...", "output_shape": 3, "bias_axes": "c"}, [IMAGE]),
    Line("einsum_dense", {"equation": "abc,cde->abde", "output_shape": [5, 2, 3], "bias_axes": "de"}, [SEQUENCE]),
    Line("einsum_dense", {"equation": "abcd,cde->abe", "output_shape": [4, 3], "bias_axes": "b"}, [IMAGE]),
    Line("einsum_dense", {"equation": "abc,bd->acd", "output_shape": [3, 2], "bias_axes": "cd"}, [SEQUENCE]),
    Line("einsum_dense", {"equation": "abc,bd->ad", "output_shape": 2}, [SEQUENCE]),
    *(
        Line("multi_head_attention", TWO_HEADS | own, given, made=headed(given, **TWO_HEADS, **own), separate=True)
        for own, given in (
            ({"use_gate": True, "value_dim": 2}, [QUERY, VALUE, KEY]),
            ({"sliding_window": 2, "use_bias": False}, [QUERY, KEY]),
            ({"output_shape": 5}, [QUERY, KEY]),
        )
    ),
]

FILMS = (2, 3, 4, 5, 2)
CELLS = {"lstm": layers.LSTMCell, "gru": layers.GRUCell, "simple_rnn": layers.SimpleRNNCell}


def cells(*given: tuple[str, dict[str, Any]]) -> dict[str, Any]:
    """Cells as a config has them."""
    found = [{"type": name, **arguments} for name, arguments in given]
    return {"cell": found[0] if len(found) == 1 else found}


def made_cells(*given: tuple[str, dict[str, Any]]) -> Any:
    """The same as Keras has them, called as ours are."""
    found = [CELLS[name](**arguments, name=f"cell_{number}") for number, (name, arguments) in enumerate(given, 1)]
    return found[0] if len(found) == 1 else found


RECURRENT = [
    Line("conv_lstm1d", {**KERNEL, "padding": "same"}, [(2, 3, 4, 2)]),
    Line("conv_lstm1d", {"filters": 2, "kernel_size": 2, "return_sequences": True}, [(2, 3, 4, 2)]),
    Line("conv_lstm2d", {"filters": 2, "kernel_size": 2}, [FILMS]),
    Line("conv_lstm2d", {**KERNEL, "padding": "same", "return_sequences": True}, [(2, 3, 3, 4, 1)]),
    Line("conv_lstm2d", {"filters": 2, "kernel_size": [2, 1], "strides": [2, 1], "go_backwards": True}, [FILMS]),
    Line(
        "conv_lstm2d",
        {
            "filters": 1,
            "kernel_size": 2,
            "dilation_rate": 2,
            "use_bias": False,
            "recurrent_activation": "hard_sigmoid",
            "activation": "relu",
            "return_sequences": True,
            "go_backwards": True,
        },
        [FILMS],
    ),
    Line("conv_lstm3d", {"filters": 2, "kernel_size": 2}, [(2, 3, 2, 3, 3, 2)]),
    Line(
        "conv_lstm3d",
        {"filters": 1, "kernel_size": [1, 2, 2], "strides": [1, 1, 2], "padding": "same", "return_sequences": True},
        [(2, 2, 2, 3, 4, 1)],
    ),
    *(
        Line("rnn", {**cells(*given), **own}, [SEQUENCE], made=layers.RNN(made_cells(*given), **own))
        for given, own in (
            ([("lstm", {"units": 3})], {}),
            ([("simple_rnn", {"units": 3, "activation": "relu"})], {"return_sequences": True, "go_backwards": True}),
            ([("gru", {"units": 2, "reset_after": False}), ("lstm", {"units": 3})], {"return_sequences": True}),
            ([("lstm", {"units": 2}), ("simple_rnn", {"units": 3}), ("gru", {"units": 2})], {"go_backwards": True}),
        )
    ),
]

# A factor whose bounds are equal leaves nothing to chance: so what training does can be compared.
WIDE = (2, 4, 6, 2)
IMAGES = [
    *(
        Line("resizing", {"height": 3, "width": 8, **own}, [IMAGE])
        for own in (
            {},
            {"interpolation": "nearest"},
            {"interpolation": "bicubic"},
            {"interpolation": "lanczos3"},
            {"antialias": True},
            {"antialias": True, "interpolation": "lanczos5"},
            {"crop_to_aspect_ratio": True},
            {"pad_to_aspect_ratio": True, "fill_value": 0.5},
        )
    ),
    Line("center_crop", {"height": 2, "width": 3}, [IMAGE]),
    Line("center_crop", {"height": 6, "width": 4}, [IMAGE]),
    Line("up_sampling2d", {"interpolation": "bilinear"}, [IMAGE]),
    Line("up_sampling2d", {"interpolation": "bicubic", "size": [1, 3]}, [IMAGE]),
    *(
        Line(name, {**own, "fill_mode": mode, "interpolation": between, "fill_value": 0.5}, [WIDE])
        for name, own, between in (
            ("random_translation", {"height_factor": [0.3125, 0.3125], "width_factor": [-0.6875] * 2}, "bilinear"),
            ("random_zoom", {"height_factor": [0.8125] * 2, "width_factor": [-0.3125] * 2}, "bilinear"),
            ("random_rotation", {"factor": [0.0625, 0.0625]}, "bilinear"),
            ("random_rotation", {"factor": [-0.1875, -0.1875]}, "nearest"),
        )
        for mode in ("reflect", "wrap", "constant", "nearest")
    ),
    Line("random_zoom", {"height_factor": [0.3125] * 2, "interpolation": "nearest"}, [IMAGE]),
    Line("random_brightness", {"factor": [0.25, 0.25], "value_range": [-1.0, 1.0]}, [IMAGE]),
    Line("random_brightness", {"factor": [-0.0625, -0.0625]}, [IMAGE]),
    Line("random_contrast", {"factor": [0.0, 0.0], "value_range": [-1.0, 0.5]}, [IMAGE]),
    Line("random_flip", {}, [IMAGE], random=True),
]

RGB, SIGNED = (2, 3, 4, 3), {"value_range": [-1.0, 1.0]}
COLORS = [
    Line("random_invert", {"factor": [1.0, 1.0], **SIGNED}, [IMAGE]),
    Line("random_grayscale", {"factor": 1.0}, [RGB]),
    Line("random_grayscale", {"factor": 1.0}, [(2, 3, 3, 1)]),
    Line("random_color_degeneration", {"factor": [0.25, 0.25], **SIGNED}, [RGB]),
    Line("random_sharpness", {"factor": [0.25, 0.25], **SIGNED}, [IMAGE]),
    Line("random_sharpness", {"factor": [0.75, 0.75], **SIGNED}, [IMAGE]),
    Line("solarization", {"value_range": [-3.0, 3.0]}, [IMAGE]),
    Line("auto_contrast", {}, [IMAGE]),
    Line("auto_contrast", SIGNED, [RGB]),
]

TOKENS = np.array([[0, 2, 2], [3, 1, 0]], dtype="int32")
BOUNDARIES = {"bin_boundaries": [-0.5, 0.25, 1.0]}
CATEGORIES = [
    Line("category_encoding", {"num_tokens": 4}, [TOKENS]),
    Line("category_encoding", {"num_tokens": 4, "output_mode": "count"}, [TOKENS]),
    Line("category_encoding", {"num_tokens": 5, "output_mode": "one_hot"}, [TOKENS]),
    Line("category_encoding", {"num_tokens": 4, "output_mode": "one_hot"}, [TOKENS[:, :1]]),
    Line("category_encoding", {"num_tokens": 4, "output_mode": "count"}, [TOKENS[:, :, None]]),
    Line("discretization", BOUNDARIES, [SEQUENCE], random=True),  # whole numbers have no error to learn from
    *(
        Line("discretization", {**BOUNDARIES, "output_mode": mode}, [SEQUENCE])
        for mode in ("one_hot", "multi_hot", "count")
    ),
    Line("normalization", {"mean": 0.5, "variance": 4.0, "axis": None}, [SEQUENCE]),
    Line("normalization", {"mean": [0.5, 1.0, 2.0], "variance": [4.0, 1.0, 0.0]}, [SEQUENCE]),
    Line("normalization", {"mean": [0.5, 1.0, 2.0], "variance": [4.0, 1.0, 0.25], "invert": True}, [(2, 3)]),
    Line("normalization", {"axis": 1, "mean": [0.5, 1.0], "variance": [4.0, 1.0]}, [(3, 2, 3)]),
]

POOLINGS = [
    Line("adaptive_average_pooling1d", {"output_size": [3]}, [(2, 7, 2)]),
    Line("adaptive_average_pooling2d", {"output_size": [3, 2]}, [(2, 5, 4, 2)]),
    Line("adaptive_average_pooling3d", {"output_size": [3, 2, 2]}, [(1, 4, 3, 5, 2)]),
    Line("adaptive_max_pooling1d", {"output_size": [3]}, [(2, 7, 2)]),
    Line("adaptive_max_pooling2d", {"output_size": [3, 2]}, [(2, 5, 4, 2)]),
    Line("adaptive_max_pooling3d", {"output_size": [3, 2, 2]}, [(1, 4, 3, 5, 2)]),
    Line("adaptive_average_pooling2d", {"output_size": 3}, [(2, 7, 3, 2)]),
    Line("adaptive_max_pooling2d", {"output_size": 2}, [(2, 7, 4, 2)]),
]

L1_L2 = {"activity_regularizer": {"type": "l1_l2", "l1": 0.03125, "l2": 0.0625}}
MADE = {"activity_regularizer": keras.regularizers.L1L2(0.03125, 0.0625)}
LSTM: dict[str, Any] = {"units": 2, "return_sequences": True}
PENALTIES = [
    Line("activity_regularization", {"l1": 0.125, "l2": 0.0625}, [SEQUENCE]),
    Line("dense", {"units": 4, **L1_L2}, [(3, 2)], keras=MADE),
    Line("conv2d", {"filters": 2, "kernel_size": 2, "activation": "tanh", **L1_L2}, [IMAGE], keras=MADE),
    Line("lstm", {**LSTM, **L1_L2}, [SEQUENCE], keras=MADE),
    Line("flatten", L1_L2, [IMAGE], keras=MADE),
]

GROUPS = {
    "penalties": PENALTIES,
    "poolings": POOLINGS,
    "categories": CATEGORIES,
    "images": IMAGES,
    "colors": COLORS,
    "attention": ATTENTION,
    "recurrent": RECURRENT,
    "shapes": SHAPES,
    "activations": ACTIVATIONS,
    "noise": NOISE,
    "convolutions": CONVOLUTIONS,
    "normalizations": NORMALIZATIONS,
}
