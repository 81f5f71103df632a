"""Every layer is compared with Keras: by its numbers, or by a closed form in a test that is named here."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tests.golden_layers import GOLDEN, stored
from trainer_cli.parts.families import LAYERS

FOLDER = Path(__file__).parent.parent

CLOSED_FORMS = {
    "block": "../compiler/test_graphs.py::test_a_block_is_what_its_layers_are_when_written_out",
    "alpha_dropout": "layers/test_noise.py::test_alpha_dropout_keeps_mean_and_variance_of_normal_numbers",
    "depthwise_conv3d": "layers/test_convolutions.py::test_channels_of_volumes_are_convolved_one_by_one",
    "dropout": "test_layers.py::test_dropout_keeps_the_expected_share_and_scales_it",
    "gaussian_dropout": "layers/test_noise.py::test_gaussian_dropout_multiplies_by_numbers_around_one",
    "gaussian_noise": "layers/test_noise.py::test_gaussian_noise_has_mean_zero_and_its_deviation",
    "input": "test_layers.py::test_input_refuses_rows_of_another_shape",
    "masking": "layers/test_masks.py::test_masking_leaves_out_steps_of_one_value",
    "random_crop": "layers/test_images.py::test_random_crop_takes_parts_from_everywhere",
    "random_flip": "layers/test_images.py::test_random_flip_mirrors_half_of_the_images",
    "integer_lookup": "layers/test_categories.py::test_an_integer_lookup_counts_through_its_vocabulary",
    "position_embedding": "layers/test_embedding.py::test_learned_positions_are_added",
    "separable_conv3d": (
        "layers/test_convolutions.py::test_a_separable_convolution_of_volumes_mixes_what_single_channels_give"
    ),
    "shared": "../compiler/test_graphs.py::test_a_shared_layer_is_trained_in_both_places",
    "sinusoidal_position_encoding": "layers/test_embedding.py::test_sinusoidal_positions_are_those_of_the_paper",
    "spatial_dropout1d": "layers/test_noise.py::test_spatial_dropout_drops_whole_channels",
    "spatial_dropout2d": "layers/test_noise.py::test_spatial_dropout_drops_whole_channels",
    "spatial_dropout3d": "layers/test_noise.py::test_spatial_dropout_drops_whole_channels",
    "thresholded_relu": "layers/test_shaping.py::test_thresholded_relu_is_zero_up_to_its_threshold",
}
"""Layers that Keras lacks, or that draw random numbers in training: the test that says what they compute."""


def computed() -> Iterator[dict[str, Any]]:
    """Everything that Keras computed for some part."""
    for path in GOLDEN.glob("keras_*.json"):
        for group in stored(path.name).values():
            yield from group if isinstance(group, list) else ()


def test_every_layer_has_numbers_of_keras_s_or_a_closed_form() -> None:
    learned = {"value", "gradients", "input_gradients", "trained", "losses"}
    compared = {case["part"]["type"] for case in computed() if learned <= case.keys()}
    assert [name for name in LAYERS.names() if name not in compared and name not in CLOSED_FORMS] == []
    assert [name for name in CLOSED_FORMS if name in compared] == [], "compared by numbers: the entry can go"


def test_the_closed_forms_exist() -> None:
    for layer, place in CLOSED_FORMS.items():
        assert layer in LAYERS.names()
        file, _, name = place.partition("::")
        assert re.search(rf"^def {name}\(", (FOLDER / file).read_text(), re.MULTILINE), place


def test_stored_numbers_are_of_layers_that_exist() -> None:
    """A layer without numbers in training draws random ones there, and its closed form is named."""
    for path in GOLDEN.glob("keras_layers_*.json"):
        cases = stored(path.name)["cases"]
        learning = {case["part"]["type"] for case in cases if "value" in case}
        for case in cases:
            assert case["part"]["type"] in LAYERS.names()
            assert case["part"]["type"] in {*learning, *CLOSED_FORMS}
