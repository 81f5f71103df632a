"""Layers that recolor, blur, bend and erase images: what they draw, what they leave alone, refusals, both targets.

What they make of what they draw is compared with Keras in `test_keras_layers.py`.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from pydantic import ValidationError

from tests.alike import assert_trains_alike
from tests.golden_layers import read_layer
from tests.layer_runs import refusal, run
from trainer_cli.errors import ConfigError

random = np.random.default_rng(41)
UNIT: dict[str, Any] = {"value_range": [0.0, 1.0]}

AUGMENTATIONS: list[dict[str, Any]] = [
    {"type": "random_color_jitter", "brightness_factor": 0.2, "hue_factor": 0.5, **UNIT},
    {"type": "random_elastic_transform", "scale": [0.5, 1.0], **UNIT},
    {"type": "random_erasing", "factor": [1.0, 1.0], **UNIT},
    {"type": "random_gaussian_blur", "factor": [1.0, 1.0], "sigma": [0.5, 1.0], **UNIT},
    {"type": "random_hue", "factor": [0.2, 1.0], **UNIT},
    {"type": "random_perspective", "factor": [1.0, 1.0]},
    {"type": "random_posterization", "factor": [1, 4], **UNIT},
    {"type": "random_saturation", "factor": 0.4, **UNIT},
    {"type": "random_shear", "x_factor": 0.5, "y_factor": 0.2},
]


def named(part: dict[str, Any]) -> str:
    return str(part["type"])


def changed(found: NDArray[Any], x: NDArray[Any]) -> NDArray[np.bool_]:
    """Which images are not what they were."""
    return np.abs(found - x).max((1, 2, 3)) > 1e-9


@pytest.mark.parametrize("part", AUGMENTATIONS, ids=named)
def test_every_image_changes_in_its_own_way_and_none_in_inference(part: dict[str, Any]) -> None:
    x = np.tile(random.uniform(size=(1, 6, 7, 3)), (40, 1, 1, 1))
    found = run(part, x, training=True)[0]
    least = 3 if part["type"] == "random_posterization" else 20
    assert len(np.unique(found.reshape(40, -1).round(9), axis=0)) >= least
    assert not np.array_equal(found, run(part, x, training=True, step=1)[0])
    np.testing.assert_array_equal(found, run(part, x, training=True)[0])
    np.testing.assert_array_equal(run(part, x)[0], x)


@pytest.mark.parametrize("part", [*AUGMENTATIONS, {"type": "equalization"}], ids=named)
def test_what_is_no_image_is_refused(part: dict[str, Any]) -> None:
    assert "(height, width, channels), not (4, 4)" in refusal(part, (4, 4)).message


@pytest.mark.parametrize(
    "part",
    [
        {"type": "random_erasing", "factor": [0.3, 0.3]},
        {"type": "random_gaussian_blur", "factor": [0.3, 0.3], "sigma": [0.5, 1.0]},
        {"type": "random_perspective", "factor": 0.6},
        {"type": "random_elastic_transform", "factor": [0.2, 0.4], "scale": [0.5, 1.0]},
    ],
    ids=named,
)
def test_as_many_images_change_as_their_factor_says(part: dict[str, Any]) -> None:
    x = random.uniform(50.0, 200.0, size=(800, 8, 8, 1))
    assert changed(run(part, x, training=True)[0], x).mean() == pytest.approx(0.3, abs=0.06)


def test_a_third_of_a_turn_moves_colors_by_one_channel_in_either_direction() -> None:
    x = random.uniform(size=(200, 3, 4, 3))
    found = run({"type": "random_hue", "factor": [2 / 3, 2 / 3], **UNIT}, x, training=True)[0]
    forward, back = (np.isclose(found, np.roll(x, shift, -1)).all((1, 2, 3)) for shift in (1, -1))
    np.testing.assert_array_equal(forward, ~back)
    assert forward.mean() == pytest.approx(0.5, abs=0.12)


def test_hues_keep_lightness_chroma_and_grays() -> None:
    x = random.uniform(-1.0, 1.0, size=(100, 3, 4, 3))
    x[0] = x[0, ..., :1]
    part = {"type": "random_hue", "factor": 0.5, "value_range": [-1.0, 1.0]}
    found = run(part, x, training=True)[0]
    np.testing.assert_allclose(found.max(-1), x.max(-1))
    np.testing.assert_allclose(found.min(-1), x.min(-1))
    np.testing.assert_allclose(found[0], x[0])
    # A quarter of a turn at most: from red on, two neighbours of the circle's twelve hours at either side.
    red = np.broadcast_to([200.0, 0.0, 0.0], (300, 1, 1, 3))
    turned = run({"type": "random_hue", "factor": 0.5}, red, training=True)[0][:, 0, 0]
    np.testing.assert_allclose(turned.max(-1), 200.0)
    assert (turned[:, 0] >= 99.0).all()
    assert (turned[:, 0] < 110.0).any()
    assert (turned[:, 1] > 150.0).any()
    assert (turned[:, 2] > 150.0).any()


def test_saturation_goes_from_gray_to_as_strong_as_can_be() -> None:
    x = random.uniform(20.0, 230.0, size=(50, 3, 4, 3))
    for factor, wanted in (
        (0.0, np.broadcast_to(x.max(-1, keepdims=True), x.shape)),
        (0.5, x),
        (1.0, (x - x.min(-1, keepdims=True)) * x.max(-1, keepdims=True) / np.ptp(x, -1, keepdims=True)),
    ):
        part = {"type": "random_saturation", "factor": [factor, factor]}
        np.testing.assert_allclose(run(part, x, training=True)[0], wanted, rtol=1e-5, atol=1e-4)
    # Pixels of another range are measured from its least value.
    moved = {"type": "random_saturation", "factor": [0.75, 0.75], "value_range": [-100.0, 155.0]}
    found = run(moved, x - 100.0, training=True)[0]
    np.testing.assert_allclose(found, run({**moved, "value_range": [0.0, 255.0]}, x, training=True)[0] - 100.0)
    share = 1.0 - found.min(-1) / found.max(-1)
    assert np.isfinite(share).all()


@pytest.mark.parametrize(
    ("key", "alone"),
    [
        ("brightness_factor", "random_brightness"),
        ("contrast_factor", "random_contrast"),
        ("saturation_factor", "random_saturation"),
        ("hue_factor", "random_hue"),
    ],
)
def test_a_jitter_of_one_thing_is_the_layer_of_that_thing(key: str, alone: str) -> None:
    x = random.uniform(size=(5, 3, 4, 3))
    found = run({"type": "random_color_jitter", key: [0.25, 0.5], **UNIT}, x, training=True)[0]
    np.testing.assert_array_equal(found, run({"type": alone, "factor": [0.25, 0.5], **UNIT}, x, training=True)[0])
    assert changed(found, x).all()


def test_a_jitter_without_factors_leaves_images_alone() -> None:
    x = random.uniform(size=(2, 3, 4, 2))
    np.testing.assert_array_equal(run({"type": "random_color_jitter"}, x, training=True)[0], x)


@pytest.mark.parametrize(
    ("factor", "shares"),
    [([2, 5], {4: 1 / 3, 8: 1 / 3, 16: 1 / 3}), ([1, 1], {2: 1.0}), (3, {2: 0.5, 4: 0.5})],
    ids=str,
)
def test_posterization_keeps_bits_that_are_drawn(factor: Any, shares: dict[int, float]) -> None:
    x = np.arange(256.0).reshape(1, 16, 16, 1).repeat(600, 0)
    found = run({"type": "random_posterization", "factor": factor}, x, training=True)[0]
    levels = np.array([len(np.unique(image)) for image in found])
    assert {int(count): pytest.approx((levels == count).mean(), abs=0.07) for count in np.unique(levels)} == shares
    for image, count in zip(found[:20], levels, strict=False):
        step = 256 // int(count)
        np.testing.assert_array_equal(image, x[0] // step * step)


def test_rescaled_pixels_have_the_levels_of_bytes() -> None:
    x = np.arange(256.0).reshape(1, 16, 16, 1)
    part = {"type": "random_posterization", "factor": [8, 8], **UNIT}
    for scaled in (x / 255.0, np.float32(1 / 255.0) * x.astype(np.float32)):
        found = run(part, scaled, training=True)[0]
        np.testing.assert_allclose(found, x / 255.0, atol=1e-6)


def test_erased_rectangles_have_sides_by_their_scale_and_lie_everywhere() -> None:
    x = np.full((500, 20, 30, 3), 7.0)
    part = {"type": "random_erasing", "factor": [1.0, 1.0], "scale": [0.16, 0.36], "fill_value": [1.0, 2.0, 300.0]}
    found = run(part, x, training=True)[0]
    erased = found[..., 0] == 1.0
    np.testing.assert_array_equal(found[erased], np.broadcast_to([1.0, 2.0, 255.0], (int(erased.sum()), 3)))
    np.testing.assert_array_equal(found[~erased], 7.0)
    for axis, extent in ((1, 20), (2, 30)):
        line = erased.any(3 - axis)
        count = line.sum(1)
        first = line.argmax(1)
        np.testing.assert_array_equal(erased.sum((1, 2)), erased.any(2).sum(1) * erased.any(1).sum(1))
        # Sides are 0.4 to 0.6 of an extent, cut at whole pixels.
        assert count.min() == pytest.approx(0.4 * extent, abs=1)
        assert count.max() == pytest.approx(0.6 * extent, abs=1)
        assert first.min() == 1  # a rectangle that begins behind the middle of the first pixel leaves it out
        assert (first + count).max() == extent


def test_erased_pixels_are_noise_within_the_range_of_values() -> None:
    x = np.full((100, 8, 8, 1), 5.0)
    part = {"type": "random_erasing", "factor": [1.0, 1.0], "scale": [1.0, 1.0], "value_range": [-1.0, 1.0]}
    found = run(part, x, training=True)[0]
    assert (np.abs(found) <= 1.0).all()
    # Normal numbers beyond one deviation become the nearest of the two values.
    assert (found == 1.0).mean() == pytest.approx(0.1587, abs=0.02)
    assert (found == -1.0).mean() == pytest.approx(0.1587, abs=0.02)
    inside = found[np.abs(found) < 1.0]
    assert inside.std() == pytest.approx(0.5396, abs=0.02)


def test_a_blurred_point_is_a_bell_of_its_image_s_own_width() -> None:
    x = np.zeros((200, 9, 9, 1))
    x[:, 4, 4] = 200.0
    part = {"type": "random_gaussian_blur", "factor": [1.0, 1.0], "kernel_size": [5, 3], "sigma": [0.5, 0.75]}
    found = run(part, x, training=True)[0][..., 0]
    np.testing.assert_allclose(found.sum((1, 2)), 200.0)
    assert not found[:, :3].any()
    assert not found[:, :, :2].any()
    assert (found[:, 3:6, 2:7] > 0).all()
    widths = [
        np.sqrt(-0.5 / np.log(found[:, 4 + down, 4 + right] / found[:, 4, 4])) for down, right in ((1, 0), (0, 1))
    ]
    np.testing.assert_allclose(
        found[:, 4, 6] / found[:, 4, 4], np.exp(-2.0 / widths[1] ** 2), rtol=1e-9, err_msg="two pixels to the right"
    )
    for width in widths:
        assert 0.5 <= width.min() < 0.51
        assert 0.74 < width.max() <= 0.750001
    assert np.abs(np.corrcoef(*widths)[0, 1]) < 0.2


def test_images_of_one_value_stay_so_where_nothing_is_filled_in() -> None:
    x = np.full((20, 7, 6, 2), 3.0)
    for part in (
        {"type": "random_elastic_transform", "scale": [0.0, 1.0]},
        {"type": "random_shear", "x_factor": 1.0, "y_factor": [0.5, 1.0], "fill_mode": "wrap"},
        {"type": "random_gaussian_blur", "kernel_size": 1},
        {"type": "random_perspective", "fill_value": 3.0},
        {"type": "equalization"},
    ):
        np.testing.assert_allclose(run(part, x, training=True)[0], 3.0, err_msg=named(part))


def test_a_shear_by_whole_pixels_moves_every_row_by_one_more() -> None:
    x = random.normal(size=(100, 4, 7, 2))
    part = {"type": "random_shear", "x_factor": [1.0, 1.0], "fill_mode": "wrap"}
    found = run(part, x, training=True)[0]
    left, right = (np.stack([np.roll(x[:, row], by * row, 1) for row in range(4)], 1) for by in (-1, 1))
    which = np.isclose(found, left).all((1, 2, 3))
    np.testing.assert_allclose(found[~which], right[~which], atol=1e-9)
    assert which.mean() == pytest.approx(0.5, abs=0.15)


def test_a_perspective_leaves_the_first_corner_where_it_is_and_moves_the_others() -> None:
    # Pixels tell their own row and column: what is seen at a place says where it comes from.
    rows, columns = np.indices((9, 11)).astype(float)
    x = np.stack([rows, columns, np.ones_like(rows)], -1)[None].repeat(300, 0)
    found = run({"type": "random_perspective", "scale": 0.5, "factor": [1.0, 1.0]}, x, training=True)[0]
    np.testing.assert_allclose(found[:, 0, 0], np.broadcast_to([0.0, 0.0, 1.0], (300, 3)), atol=1e-9)
    # Along the upper edge only the column changes: it is stretched or pressed by up to a quarter, in perspective.
    upper = found[:, 0]
    np.testing.assert_allclose(upper[..., 0], 0.0, atol=1e-9)
    inside = upper[:, 3, 2] > 0.999
    assert inside.all()
    assert upper[:, 3, 1].std() > 0.2
    np.testing.assert_array_equal(run({"type": "random_perspective", "scale": 0.0}, x, training=True)[0], x)


def test_an_elastic_transform_moves_neighbours_alike_and_in_both_directions() -> None:
    rows, columns = np.indices((24, 30)).astype(float)
    x = np.stack([rows, columns], -1)[None].repeat(60, 0)
    part = {"type": "random_elastic_transform", "factor": [1.0, 1.0], "scale": [1.0, 1.0], "fill_mode": "nearest"}
    found = run(part, x, training=True)[0][:, 6:18, 6:24]
    moved = found - x[:, 6:18, 6:24]
    for each in (0, 1):
        way = moved[..., each]
        # Noise of deviation σ = 1.2, blurred with it, is as wide as σ/(2√π·σ) = 0.28; and α = 3.
        assert way.std() == pytest.approx(3 * 0.2821, rel=0.1)
        assert np.corrcoef(way[:, 1:].ravel(), way[:, :-1].ravel())[0, 1] > 0.7
    assert np.abs(np.corrcoef(moved[..., 0].ravel(), moved[..., 1].ravel())[0, 1]) < 0.15


def test_equalization_makes_levels_alike_often_and_keeps_their_order() -> None:
    every = np.arange(256.0).reshape(1, 16, 16, 1)
    np.testing.assert_array_equal(run({"type": "equalization"}, every)[0], every)
    x = np.round(random.normal(size=(4, 30, 30, 2)) * 12.0 + 90.0)
    found = run({"type": "equalization"}, x)[0]
    np.testing.assert_array_equal(found, run({"type": "equalization"}, x, training=True)[0])
    np.testing.assert_array_equal(run({"type": "equalization"}, x[2:3])[0], found[2:3])
    for image, made in zip(x.reshape(4, 900, 2)[0].T, found.reshape(4, 900, 2)[0].T, strict=True):
        order = np.argsort(image, kind="stable")
        assert (np.diff(made[order]) >= 0).all()
        assert (made.min(), made.max()) == (0.0, 255.0)
        quarters = np.histogram(made, 4, (0.0, 256.0))[0] / 900
        np.testing.assert_allclose(quarters, 0.25, atol=0.04)
    two = np.where(random.uniform(size=(1, 5, 5, 1)) < 0.3, 0.25, 0.5)
    np.testing.assert_array_equal(run({"type": "equalization", **UNIT}, two)[0], (two > 0.4).astype(float))


def test_rand_augment_changes_every_image_in_a_way_of_its_own() -> None:
    x = np.tile(random.uniform(size=(1, 5, 6, 3)), (660, 1, 1, 1))
    part: dict[str, Any] = {"type": "rand_augment", "num_ops": 1, "factor": [0.25, 0.5], **UNIT}
    found = run(part, x, training=True)[0]
    # These two draw nothing but themselves, so that their images are told from the others by their values.
    for name in ("auto_contrast", "equalization"):
        alone = run({"type": name, **UNIT}, x, training=True)[0]
        assert np.isclose(found, alone).all((1, 2, 3)).mean() == pytest.approx(1 / 11, abs=0.04)
    assert len(np.unique(found.reshape(660, -1).round(9), axis=0)) > 400
    twice = run({**part, "num_ops": 2}, x, training=True)[0]
    first = np.isclose(twice, found).all((1, 2, 3))
    assert first.mean() < 0.2
    np.testing.assert_array_equal(run(part, x)[0], x)
    np.testing.assert_array_equal(run({**part, "num_ops": 0}, x, training=True)[0], x)


def test_rand_augment_takes_images_of_one_channel_or_three() -> None:
    part = {"type": "rand_augment", "interpolation": "nearest"}
    assert run(part, np.ones((2, 4, 4, 1)), training=True)[0].shape == (2, 4, 4, 1)
    with pytest.raises(ConfigError, match="red, green and blue, not of 2"):
        run(part, np.ones((2, 4, 4, 2)), training=True)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"type": "random_hue", "factor": -0.1}, "between 0 and 1"),
        ({"type": "random_hue", "factor": 0.5, "value_range": [1.0, 1.0]}, "differ"),
        ({"type": "random_saturation", "factor": [0.5, 1.5]}, "between 0 and 1"),
        ({"type": "random_color_jitter", "brightness_factor": 1.5}, "between -1 and 1"),
        ({"type": "random_color_jitter", "contrast_factor": -0.5}, "between 0 and 1"),
        ({"type": "random_color_jitter", "hue_factor": [-0.5, 0.5]}, "between 0 and 1"),
        ({"type": "random_posterization", "factor": 0}, "from 1 to 8"),
        ({"type": "random_posterization", "factor": [2, 9]}, "from 1 to 8"),
        ({"type": "random_posterization", "factor": 2.5}, "integer"),
        ({"type": "random_erasing", "scale": [0.5, 1.5]}, "between 0 and 1"),
        ({"type": "random_erasing", "factor": 2.0}, "between 0 and 1"),
        ({"type": "random_gaussian_blur", "kernel_size": 4}, "odd"),
        ({"type": "random_gaussian_blur", "kernel_size": [3, -1]}, "greater than 0"),
        ({"type": "random_gaussian_blur", "sigma": 1.5}, "between 0 and 1"),
        ({"type": "random_shear", "x_factor": -0.5}, "between 0 and 1"),
        ({"type": "random_shear", "fill_mode": "mirror"}, "'reflect'"),
        ({"type": "random_perspective", "scale": 1.5}, "less than or equal to 1"),
        ({"type": "random_perspective", "interpolation": "bicubic"}, "'bilinear'"),
        ({"type": "random_elastic_transform", "scale": -1.0}, "between 0 and 1"),
        ({"type": "rand_augment", "factor": 1.5}, "between 0 and 1"),
        ({"type": "rand_augment", "num_ops": -1}, "greater than or equal to 0"),
        ({"type": "equalization", "bins": 1}, "greater than or equal to 2"),
        ({"type": "equalization", "value_range": [0.0, 0.0]}, "differ"),
    ],
    ids=str,
)
def test_arguments_that_make_no_sense_are_refused(arguments: dict[str, Any], words: str) -> None:
    with pytest.raises(ValidationError, match=words):
        read_layer(arguments)


def test_images_of_other_channels_are_refused_where_they_do_not_fit() -> None:
    for part in (
        {"type": "random_hue", "factor": 0.5},
        {"type": "random_saturation", "factor": 0.5},
        {"type": "random_color_jitter", "hue_factor": 0.5},
    ):
        with pytest.raises(ConfigError, match="red, green and blue, not of 1"):
            run(part, np.zeros((2, 3, 3, 1)), training=True)
    with pytest.raises(ConfigError, match="holds 3 numbers for images of 2 channels"):
        run({"type": "random_erasing", "fill_value": [1.0, 2.0, 3.0]}, np.zeros((2, 3, 3, 2)), training=True)


@pytest.mark.parametrize(
    "layers",
    [
        [AUGMENTATIONS[0], AUGMENTATIONS[4], AUGMENTATIONS[7], {"type": "random_erasing", **UNIT}],
        [{"type": "random_gaussian_blur", **UNIT}, {"type": "random_shear", "y_factor": 0.5}, AUGMENTATIONS[1]],
        [{"type": "random_perspective", "fill_value": 0.5}, "equalization"],
        [{"type": "random_posterization", "factor": 5, "value_range": [-4.0, 4.0]}],
    ],
    ids=["colors", "bent", "seen from aside", "few levels"],
)
def test_both_targets_change_images_alike(layers: list[Any]) -> None:
    head = [
        {"type": "conv2d", "filters": 3, "kernel_size": 3},
        "global_average_pooling2d",
        {"type": "dense", "units": 2},
    ]
    assert_trains_alike([*layers, *head], inputs=(5, 6, 3), rows=13, steps=4)
