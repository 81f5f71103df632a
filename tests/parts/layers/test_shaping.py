"""Layers that move, repeat, crop, pad and rescale: closed forms, refusals, names of both libraries."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from pydantic import ValidationError

from tests.golden_layers import read_layer
from tests.layer_runs import refusal, run
from trainer_cli.parts.families import LAYERS

random = np.random.default_rng(31)


def test_cropping_takes_away_what_padding_adds() -> None:
    for dimensions, space in ((1, (4,)), (2, (4, 3)), (3, (4, 3, 2))):
        x = random.normal(size=(2, *space, 3))
        for edges in (2, [[1, 2], [0, 1], [3, 0]][:dimensions] if dimensions > 1 else [1, 2]):
            padded, _ = run({"type": f"zero_padding{dimensions}d", "padding": edges}, x)
            assert padded.size > x.size
            np.testing.assert_array_equal(run({"type": f"cropping{dimensions}d", "cropping": edges}, padded)[0], x)


def test_repeated_elements_stand_next_to_each_other() -> None:
    x = random.normal(size=(2, 3, 4))
    np.testing.assert_array_equal(run({"type": "up_sampling1d", "size": 3}, x)[0], np.repeat(x, 3, axis=1))
    np.testing.assert_array_equal(run({"type": "repeat_vector", "n": 3}, x[:, 0])[0], np.repeat(x[:, :1], 3, axis=1))


def test_permuting_twice_gives_the_input() -> None:
    x = random.normal(size=(2, 3, 4, 5))
    once, _ = run({"type": "permute", "dims": [3, 1, 2]}, x)
    assert once.shape == (2, 5, 3, 4)
    np.testing.assert_array_equal(run({"type": "permute", "dims": [2, 3, 1]}, once)[0], x)


def test_rescaling_takes_whole_numbers() -> None:
    x = np.arange(6).reshape(2, 3)
    np.testing.assert_allclose(run({"type": "rescaling", "scale": 1 / 255}, x)[0], x / 255)


def test_thresholded_relu_is_zero_up_to_its_threshold() -> None:
    x = np.array([[-2.0, 0.5, 1.0, 1.5], [0.0, 3.0, -0.1, 1.1]])
    np.testing.assert_array_equal(run({"type": "thresholded_relu"}, x)[0], x * (x > 1.0))
    np.testing.assert_array_equal(run({"type": "thresholded_relu", "theta": 0.2}, x)[0], x * (x > 0.2))


def test_softmax_layers_tell_the_scope_their_activation() -> None:
    for axis in (-1, 1):
        _, scope = run({"type": "softmax", "axis": axis}, np.ones((2, 3)))
        assert [(each.type, each.axis) for each in scope.activated] == [("softmax", -1)]  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("arguments", "shape", "words", "path"),
    [
        ({"type": "permute", "dims": [2, 1]}, (3,), "orders 2 axes, but its input has rows of shape (3,)", ("dims",)),
        ({"type": "repeat_vector", "n": 2}, (3, 2), "repeats vectors, its input has rows of shape (3, 2)", ()),
        ({"type": "cropping1d", "cropping": 2}, (4, 1), "nothing is left of (4,)", ("cropping",)),
        ({"type": "cropping2d", "cropping": [0, 2]}, (4, 4, 1), "nothing is left of (4, 4)", ("cropping",)),
        ({"type": "zero_padding3d"}, (4, 4, 1), "(depth, height, width, channels), not (4, 4, 1)", ()),
        ({"type": "up_sampling3d"}, (4, 4, 1), "(depth, height, width, channels), not (4, 4, 1)", ()),
        ({"type": "rescaling", "scale": [1.0, 2.0]}, (3,), "2 numbers for a last axis", ("scale",)),
        ({"type": "rescaling", "scale": 1.0, "offset": [1.0]}, (3,), "1 numbers for a last axis", ("offset",)),
        ({"type": "prelu", "shared_axes": [0]}, (3,), "cannot run along axis 0, the batch", ("shared_axes",)),
        ({"type": "softmax", "axis": 2}, (3,), "runs along axis 2", ("axis",)),
        ({"type": "group_normalization", "groups": 2}, (3,), "3 channels do not divide into 2 groups", ("groups",)),
        ({"type": "spectral_normalization", "layer": "flatten"}, (3,), "`flatten` has no kernel", ("layer",)),
        ({"type": "spectral_normalization", "layer": "add"}, (3,), "cannot stand inside another", ("layer",)),
    ],
    ids=str,
)
def test_inputs_that_do_not_fit_are_refused(
    arguments: dict[str, Any], shape: tuple[int, ...], words: str, path: tuple[str, ...]
) -> None:
    problem = refusal(arguments, shape)
    assert words in problem.message
    assert problem.path == path


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"type": "permute", "dims": [1, 1]}, "the numbers from 1 to 2 stand in `dims`, each once"),
        ({"type": "permute", "dims": [0, 1]}, "the numbers from 1 to 2"),
        ({"type": "cropping1d", "cropping": -1}, "not negative"),
        ({"type": "cropping1d", "cropping": [1, 2, 3]}, "before and after"),
        ({"type": "cropping2d", "cropping": [1, 2, 3]}, "one entry for each of 2 dimensions"),
        ({"type": "cropping3d", "cropping": [[1, 2], 1]}, "one entry for each of 3 dimensions"),
        ({"type": "zero_padding1d", "padding": [[1, 2], 3]}, "before and after"),
        ({"type": "up_sampling3d", "size": [1, 2]}, "3 numbers"),
        ({"type": "separable_conv2d", "filters": 1, "kernel_size": [1, 2, 3]}, "2 numbers"),
        ({"type": "conv1d_transpose", "filters": 1, "kernel_size": 3, "output_padding": 1}, "less than `strides`"),
        ({"type": "group_normalization", "groups": 0}, "`groups` is 1 or more"),
    ],
    ids=str,
)
def test_arguments_that_make_no_sense_are_refused(arguments: dict[str, Any], words: str) -> None:
    with pytest.raises(ValidationError, match=words):
        read_layer(arguments)


@pytest.mark.parametrize(
    ("name", "canonical"),
    [
        ("Permute", "permute"),
        ("repeatVector", "repeat_vector"),
        ("Cropping2D", "cropping2d"),
        ("cropping2D", "cropping2d"),
        ("ZeroPadding3D", "zero_padding3d"),
        ("UpSampling1D", "up_sampling1d"),
        ("SpatialDropout1D", "spatial_dropout1d"),
        ("spatialDropout1d", "spatial_dropout1d"),
        ("LeakyReLU", "leaky_relu"),
        ("leakyReLU", "leaky_relu"),
        ("PReLU", "prelu"),
        ("prelu", "prelu"),
        ("ELU", "elu"),
        ("ReLU", "relu"),
        ("reLU", "relu"),
        ("ThresholdedReLU", "thresholded_relu"),
        ("thresholdedReLU", "thresholded_relu"),
        ("SeparableConv2D", "separable_conv2d"),
        ("SeparableConvolution1D", "separable_conv1d"),
        ("separableConv2d", "separable_conv2d"),
        ("DepthwiseConv1D", "depthwise_conv1d"),
        ("Conv1DTranspose", "conv1d_transpose"),
        ("Convolution3DTranspose", "conv3d_transpose"),
        ("conv3dTranspose", "conv3d_transpose"),
        ("GaussianNoise", "gaussian_noise"),
        ("alphaDropout", "alpha_dropout"),
        ("GroupNormalization", "group_normalization"),
        ("SpectralNormalization", "spectral_normalization"),
        ("Rescaling", "rescaling"),
    ],
)
def test_names_of_both_libraries(name: str, canonical: str) -> None:
    assert LAYERS.canonical(name) == canonical
