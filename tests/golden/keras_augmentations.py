"""Layers that are given the numbers that they draw, each row its own: lines as in `keras_lines.py` in, a group out."""

from __future__ import annotations

from keras_lines import SIGNED, Line
from make_keras_blocks import np

SQUARE = (3, 5, 5, 2)
UNIT, FREE = {"value_range": [0.0, 1.0]}, {"value_range": [-9.0, 9.0]}
LIGHT = np.round(np.random.default_rng(5).uniform(size=(3, 3, 4, 3)), 3)
LEVELS = np.random.default_rng(6).integers(0, 256, (3, 4, 5, 2)).astype(float)
MANY = np.round(np.random.default_rng(7).uniform(size=(20, 3, 4, 3)), 3)
AUGMENTATIONS = [
    Line("random_hue", {"factor": 0.5, **UNIT}, [LIGHT], drawn=True),
    Line("random_hue", {"factor": [0.25, 1.0], **SIGNED}, [(4, 3, 4, 3)], drawn=True),
    Line("random_hue", {"factor": 1.0}, [LIGHT * 255], drawn=True),
    Line("random_saturation", {"factor": [0.0, 1.0], **UNIT}, [LIGHT], drawn=True),
    Line("random_saturation", {"factor": [0.125, 0.5]}, [LIGHT * 255], drawn=True),
    Line("random_saturation", {"factor": [1.0, 1.0], **UNIT}, [LIGHT], drawn=True),
    Line(
        "random_color_jitter",
        {"brightness_factor": 0.25, "contrast_factor": [0.5, 0.5], "saturation_factor": [0.25, 0.75], "hue_factor": 0.5}
        | UNIT,
        [LIGHT],
        drawn=True,
    ),
    Line(
        "random_color_jitter", {"contrast_factor": [0.25, 0.5], "hue_factor": [0.0, 0.125]}, [LIGHT * 255], drawn=True
    ),
    Line("random_color_jitter", {"brightness_factor": [-0.5, 0.0]}, [LEVELS], drawn=True),
    *(Line("random_posterization", {"factor": bits}, [LEVELS], drawn=True) for bits in (3, 8, [4, 4], [2, 7])),
    Line("random_posterization", {"factor": [1, 5], "value_range": [-4.0, 4.0]}, [(3, 4, 5, 2)], drawn=True),
    Line("random_erasing", {}, [LEVELS], drawn=True),
    Line("random_erasing", {"factor": 0.75, "scale": 0.5, **SIGNED}, [(5, 4, 6, 1)], drawn=True),
    Line("random_erasing", {"factor": [1.0, 1.0], "scale": [0.25, 0.5], "fill_value": 0.5}, [SQUARE], drawn=True),
    Line("random_gaussian_blur", {}, [LEVELS], drawn=True),
    Line("random_gaussian_blur", {"kernel_size": 5, "sigma": [0.5, 1.0], "factor": [0.5, 1.0]}, [LEVELS], drawn=True),
    Line("random_gaussian_blur", {"kernel_size": [7, 1], "factor": [1.0, 1.0], **SIGNED}, [SQUARE], drawn=True),
    *(
        Line(name, {**own, "fill_mode": mode, "interpolation": between, "fill_value": 0.5}, [(3, 4, 6, 2)], drawn=True)
        for name, own, between, modes in (
            ("random_shear", {"x_factor": 0.75, "y_factor": [0.25, 0.5]}, "bilinear", ("reflect", "wrap", "constant")),
            ("random_shear", {"x_factor": [0.5, 1.0]}, "nearest", ("reflect", "nearest")),
            ("random_elastic_transform", {"factor": [1.0, 1.0], **FREE}, "bilinear", ("reflect", "constant")),
            ("random_elastic_transform", {"scale": [0.75, 1.0], **FREE}, "nearest", ("wrap", "nearest")),
        )
        for mode in modes
    ),
    Line("random_shear", {}, [SQUARE], drawn=True),
    Line(
        "random_elastic_transform", {"factor": [1.0, 1.0], "scale": [1.0, 1.0], **SIGNED}, [(2, 21, 14, 1)], drawn=True
    ),
    Line("random_perspective", {"factor": [1.0, 1.0]}, [(6, 4, 6, 2)], drawn=True),
    Line("random_perspective", {"scale": 0.5, "fill_value": 0.5}, [(5, 6, 5, 1)], drawn=True),
    Line("random_perspective", {"factor": [0.5, 1.0], "scale": 0.75, "interpolation": "nearest"}, [SQUARE], drawn=True),
    *(
        Line("rand_augment", {"num_ops": 1, **own, **UNIT}, [given], drawn=True)
        for own, given in (({}, MANY), ({"factor": 0.25, "interpolation": "nearest"}, MANY[:8, ::-1]))
    ),
    # Keras counts the pixels of a batch together, and of an image that is given by itself, as here.
    *(
        Line("equalization", own, given, drawn=True, apart=("inferred",))
        for own, given in (
            ({}, [LEVELS + 0.25]),
            ({"bins": 8, **UNIT}, [LIGHT]),
            ({"bins": 64, "value_range": [-2.0, 2.0]}, [(3, 5, 6, 2)]),
            ({}, [np.full((2, 3, 3, 1), 7.0)]),
        )
    ),
]
