"""RandAugment: images in, each changed in a few ways, of eleven, out."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Literal

from pydantic import Field, field_validator

from trainer_cli.ir import language as ir
from trainer_cli.ir.graph import Value
from trainer_cli.parts.augmentation import Augmentation, Factor, drawn
from trainer_cli.parts.families import LAYERS, read_part
from trainer_cli.parts.layer import Layer, LayerScope
from trainer_cli.parts.recoloring import ValueRange, check_share, range_field


class RandAugment(Augmentation):
    """During training changes every image `num_ops` times, each time in one of eleven ways that is drawn for it (Cubuk,
    Zoph, Shlens and Le, "RandAugment: practical automated data augmentation with a reduced search space", 2019): shear,
    translation, rotation, brightness, color degeneration, contrast, sharpness, posterization, solarization, automatic
    contrast and equalization, by the layers of these names with the same `factor`; posterization keeps up to
    `8 · factor` bits. Afterwards passes its input on. `(batch, height, width, channels)` → the same shape, of one
    channel or three. (Keras changes all images of a batch in the same ways.)

    All eleven are computed for every image, and one is taken: the work grows with `height² · width² · channels`.
    """

    value_range: ValueRange = range_field()
    num_ops: int = Field(default=2, ge=0, description="how many times an image is changed")
    factor: Factor = Field(default=0.5, description="largest strength, from 0 to 1, or [least, largest]")
    interpolation: Literal["nearest", "bilinear"] = Field(
        default="bilinear", description="what is between pixels: the `nearest` one, or `bilinear` between four"
    )

    @field_validator("factor")
    @classmethod
    def _bounds(cls, value: Factor) -> Factor:
        return check_share(value)

    def change(self, scope: LayerScope, x: Value) -> Value:
        ways = list(self._ways())
        for _ in range(self.num_ops):
            which = ir.floor(drawn(scope, x, 0.0, float(len(ways)), 4))
            result = x
            for number, way in enumerate(ways):
                taken = ir.broadcast_to(ir.equal(which, float(number)), x.shape)
                result = ir.select(taken, way.trace(scope, x), result)
            x = result
        return x

    def _ways(self) -> Iterator[Layer]:
        """The eleven layers."""
        low, high = sorted(self.factor) if isinstance(self.factor, tuple) else (0.0, self.factor)
        strength, within = (low, high), {"value_range": self.value_range}
        bent = {"interpolation": self.interpolation}
        colored = {"factor": strength, **within}
        given: dict[str, dict[str, Any]] = {
            "random_shear": {"x_factor": strength, "y_factor": strength, **bent},
            "random_translation": {"height_factor": strength, "width_factor": strength, **bent},
            "random_rotation": {"factor": strength, **bent},
            "random_brightness": colored,
            "random_color_degeneration": colored,
            "random_contrast": colored,
            "random_sharpness": colored,
            "random_posterization": {"factor": max(1, int(8 * high)), **within},
            "solarization": {"addition_factor": strength, "threshold_factor": strength, **within},
            "auto_contrast": within,
            "equalization": within,
        }
        for name, arguments in given.items():
            layer = read_part(LAYERS, {"type": name, **arguments})
            assert isinstance(layer, Layer)
            yield layer
