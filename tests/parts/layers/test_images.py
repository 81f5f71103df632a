"""Layers on images: what random ones do in training, what they leave alone in inference, refusals, both targets."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from pydantic import ValidationError

from tests.alike import assert_trains_alike
from tests.golden_layers import read_layer
from tests.layer_runs import refusal, run
from trainer_cli.errors import ConfigError
from trainer_cli.parts.families import LAYERS

random = np.random.default_rng(23)


def test_random_flip_mirrors_half_of_the_images() -> None:
    x = random.normal(size=(400, 3, 4, 2))
    turned = {"horizontal": x[:, :, ::-1], "vertical": x[:, ::-1], "horizontal_and_vertical": x[:, ::-1, ::-1]}
    for mode, other in turned.items():
        found = run({"type": "random_flip", "mode": mode}, x, training=True)[0]
        flipped = (found == other).all((1, 2, 3))
        np.testing.assert_array_equal(found[~flipped], x[~flipped])
        assert flipped.mean() == pytest.approx(0.5, abs=0.1)


@pytest.mark.parametrize(
    "part", [{"type": "random_invert", "factor": [0.3, 0.3]}, {"type": "random_grayscale", "factor": 0.3}], ids=str
)
def test_colors_of_some_images_change(part: dict[str, Any]) -> None:
    x = random.uniform(size=(600, 3, 4, 3))
    changed = 255.0 - x
    if part["type"] == "random_grayscale":
        changed = np.broadcast_to((x @ [0.2989, 0.587, 0.114])[..., None], x.shape)
    found = run(part, x, training=True)[0]
    which = np.isclose(found, changed).all((1, 2, 3))
    np.testing.assert_array_equal(found[~which], x[~which])
    assert which.mean() == pytest.approx(0.3, abs=0.06)
    np.testing.assert_array_equal(run(part, x)[0], x)


def test_solarization_draws_a_threshold_and_what_it_adds_for_every_image() -> None:
    x = np.linspace(0.0, 0.5, 40).reshape(1, 5, 8, 1).repeat(400, 0)
    part = {"type": "solarization", "addition_factor": [0.2, 0.4], "threshold_factor": 0.8, "value_range": [0, 1]}
    found = run(part, x, training=True)[0].reshape(400, 40)
    rising = np.diff(found, axis=1) > 0
    kept = rising[:, 0]  # the threshold is above the darkest pixel
    added = found[kept, 0]
    assert 0.2 <= added.min() < 0.22
    assert 0.38 < added.max() <= 0.4
    turned = ~kept
    assert 0.2 < turned.mean() < 0.55
    np.testing.assert_allclose(found[turned] + x.reshape(400, 40)[turned], found[turned][:, :1].repeat(40, 1))
    assert found[:, :-1][rising].max() <= 0.8
    np.testing.assert_array_equal(run(part, x)[0], x)


def test_images_of_two_channels_have_no_colors_to_take() -> None:
    with pytest.raises(ConfigError, match="red, green and blue"):
        run({"type": "random_grayscale"}, np.zeros((2, 3, 3, 2)), training=True)
    for name in ("random_sharpness", "random_color_degeneration"):
        for wrong in (-0.1, 1.5, [0.5, 2.0]):
            with pytest.raises(ValidationError, match="between 0 and 1"):
                read_layer({"type": name, "factor": wrong})


def test_a_channel_without_differences_keeps_its_values() -> None:
    x = np.concatenate([np.full((1, 2, 2, 1), 7.0), np.arange(4.0).reshape(1, 2, 2, 1)], -1)
    found = run({"type": "auto_contrast", "value_range": [0, 1]}, x)[0]
    np.testing.assert_allclose(found[..., 0], 7.0)
    np.testing.assert_allclose(found[..., 1].ravel(), [0, 1 / 3, 2 / 3, 1])


def test_random_crop_takes_parts_from_everywhere() -> None:
    places = np.arange(5.0 * 6.0).reshape(5, 6)
    x = np.tile(places[None, :, :, None], (600, 1, 1, 2))
    found = run({"type": "random_crop", "height": 3, "width": 5}, x, training=True)[0]
    assert found.shape == (600, 3, 5, 2)
    corner = found[:, 0, 0, 0]
    rows, columns = corner // 6, corner % 6
    np.testing.assert_array_equal(found[..., 0], corner[:, None, None] + places[:3, :5])
    for begins, count in ((rows, 3), (columns, 2)):
        shares = np.bincount(begins.astype(int), minlength=count) / 600
        np.testing.assert_allclose(shares, 1 / count, atol=0.08)


def test_random_crop_resizes_the_largest_part_in_inference_and_where_images_are_small() -> None:
    x = random.normal(size=(2, 6, 8, 1))
    part = {"type": "random_crop", "height": 3, "width": 3}
    np.testing.assert_allclose(
        run(part, x)[0], run({"type": "resizing", "height": 3, "width": 3, "crop_to_aspect_ratio": True}, x)[0]
    )
    large = {**part, "height": 7}
    np.testing.assert_array_equal(run(large, x, training=True)[0], run(large, x)[0])


AUGMENTATIONS: list[dict[str, Any]] = [
    {"type": "random_flip"},
    {"type": "random_translation", "height_factor": 0.3, "width_factor": 0.3},
    {"type": "random_rotation", "factor": 0.2},
    {"type": "random_zoom", "height_factor": 0.3},
    {"type": "random_contrast", "factor": 0.5, "value_range": [-9.0, 9.0]},
    {"type": "random_brightness", "factor": 0.5, "value_range": [-9.0, 9.0]},
]


def named(part: dict[str, Any]) -> str:
    return str(part["type"])


@pytest.mark.parametrize("part", AUGMENTATIONS, ids=named)
def test_every_image_changes_in_its_own_way_and_none_in_inference(part: dict[str, Any]) -> None:
    x = np.tile(random.normal(size=(1, 4, 5, 2)), (40, 1, 1, 1))
    found = run(part, x, training=True)[0]
    assert len(np.unique(found.reshape(40, -1).round(9), axis=0)) >= (2 if part["type"] == "random_flip" else 30)
    assert not np.array_equal(found, run(part, x, training=True, step=1)[0])
    np.testing.assert_array_equal(found, run(part, x, training=True)[0])
    np.testing.assert_array_equal(run(part, x)[0], x)


def test_contrast_and_brightness_stay_within_their_factors() -> None:
    x = random.uniform(0.3, 0.7, (300, 3, 3, 1))
    spread = x.std((1, 2, 3))
    part = {"type": "random_contrast", "factor": [0.2, 0.6], "value_range": [-9.0, 9.0]}
    found = run(part, x, training=True)[0]
    factors = found.std((1, 2, 3)) / spread
    assert factors.min() == pytest.approx(0.8, abs=0.02)
    assert factors.max() == pytest.approx(1.6, abs=0.02)
    np.testing.assert_allclose(found.mean((1, 2, 3)), x.mean((1, 2, 3)))
    bright = run({"type": "random_brightness", "factor": 0.25, "value_range": [0.0, 1.0]}, x, training=True)[0]
    assert bright.min() >= 0.0
    assert bright.max() <= 1.0
    moved = (bright - x)[(bright > 0).all((1, 2, 3)) & (bright < 1).all((1, 2, 3))]
    np.testing.assert_allclose(moved.max((1, 2, 3)), moved.min((1, 2, 3)))
    assert np.abs(moved).max() == pytest.approx(0.25, abs=0.01)


def test_a_quarter_turn_is_numpy_s() -> None:
    x = random.normal(size=(2, 5, 5, 2))
    found = run({"type": "random_rotation", "factor": [0.25, 0.25]}, x, training=True)[0]
    np.testing.assert_allclose(found, np.rot90(x, 1, axes=(1, 2)), atol=1e-12)


def test_resizing_to_twice_and_back_by_the_nearest_pixel() -> None:
    x = random.normal(size=(2, 3, 4, 2))
    large, _ = run({"type": "resizing", "height": 6, "width": 8, "interpolation": "nearest"}, x)
    np.testing.assert_array_equal(large, run({"type": "up_sampling2d"}, x)[0])
    back, _ = run({"type": "resizing", "height": 3, "width": 4, "interpolation": "nearest"}, large)
    np.testing.assert_array_equal(back, x)
    np.testing.assert_array_equal(run({"type": "resizing", "height": 3, "width": 4}, x)[0], x)


@pytest.mark.parametrize("interpolation", ["nearest", "bilinear", "bicubic", "lanczos3", "lanczos5"])
def test_resizing_keeps_what_is_everywhere_the_same(interpolation: str) -> None:
    for antialias in (False, True):
        part = {"type": "resizing", "height": 3, "width": 9, "interpolation": interpolation, "antialias": antialias}
        np.testing.assert_allclose(run(part, np.full((1, 7, 5, 1), 2.5))[0], 2.5)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"type": "random_flip", "mode": "both"}, "'horizontal'"),
        ({"type": "random_translation", "height_factor": 1.5, "width_factor": 0}, "between -1 and 1"),
        ({"type": "random_zoom", "height_factor": [-1.0, 0.5]}, "more than -1"),
        ({"type": "random_rotation", "factor": [0.1, 0.2, 0.3]}, "at most 2"),
        ({"type": "random_rotation", "factor": 0.1, "interpolation": "bicubic"}, "'bilinear'"),
        ({"type": "random_rotation", "factor": 0.1, "fill_mode": "mirror"}, "'reflect'"),
        ({"type": "random_contrast", "factor": -0.1}, "between 0 and 1"),
        ({"type": "random_brightness", "factor": [-2.0, 0.0]}, "between -1 and 1"),
        ({"type": "resizing", "height": 0, "width": 2}, "greater than 0"),
        (
            {"type": "resizing", "height": 1, "width": 2, "crop_to_aspect_ratio": True, "pad_to_aspect_ratio": True},
            "exclude each other",
        ),
    ],
    ids=str,
)
def test_arguments_that_make_no_sense_are_refused(arguments: dict[str, Any], words: str) -> None:
    with pytest.raises(ValidationError, match=words):
        read_layer(arguments)


@pytest.mark.parametrize("part", [*AUGMENTATIONS, {"type": "center_crop", "height": 2, "width": 2}], ids=named)
def test_what_is_no_image_is_refused(part: dict[str, Any]) -> None:
    assert "(height, width, channels), not (4, 4)" in refusal(part, (4, 4)).message


@pytest.mark.parametrize(
    ("name", "canonical"),
    [
        ("RandomFlip", "random_flip"),
        ("CenterCrop", "center_crop"),
        ("centerCrop", "center_crop"),
        ("Resizing", "resizing"),
    ],
)
def test_names_of_both_libraries(name: str, canonical: str) -> None:
    assert LAYERS.canonical(name) == canonical


@pytest.mark.parametrize(
    "layers",
    [
        [AUGMENTATIONS[0], {"type": "random_crop", "height": 4, "width": 4}, AUGMENTATIONS[4], AUGMENTATIONS[5]],
        [{**AUGMENTATIONS[1], "fill_mode": "constant", "fill_value": 0.5}, AUGMENTATIONS[2], AUGMENTATIONS[3]],
    ],
    ids=["pixels stay", "pixels move"],
)
def test_both_targets_change_images_alike(layers: list[Any]) -> None:
    head = [
        {"type": "conv2d", "filters": 3, "kernel_size": 3},
        "global_average_pooling2d",
        {"type": "dense", "units": 2},
    ]
    assert_trains_alike([*layers, *head], inputs=(5, 6, 2), rows=13, steps=4)
