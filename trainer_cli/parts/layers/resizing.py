"""Resizing: images in, the same images in another size out."""

from __future__ import annotations

from typing import Literal, Self

from pydantic import Field, model_validator

from trainer_cli.ir import language as ir
from trainer_cli.ir.graph import Value
from trainer_cli.parts.layer import Layer, LayerScope
from trainer_cli.parts.resampling import Interpolation, central, cut, resized
from trainer_cli.parts.space import space_of


class Resizing(Layer):
    """Images in another size: `(batch, rows, columns, channels)` → `(batch, height, width, channels)`.

    Centers of pixels are half a pixel from their edges; weights of pixels beyond the image go to those within.
    """

    height: int = Field(gt=0, description="rows of the result")
    width: int = Field(gt=0, description="columns of the result")
    interpolation: Interpolation = Field(default="bilinear", description="how pixels between others are made of them")
    crop_to_aspect_ratio: bool = Field(
        default=False, description="whether edges are cropped, so that nothing is distorted"
    )
    pad_to_aspect_ratio: bool = Field(
        default=False, description="whether edges are added, so that nothing is distorted"
    )
    fill_mode: Literal["constant"] = Field(default="constant", description="what edges hold: `fill_value`")
    fill_value: float = Field(default=0.0, description="value of edges that are added")
    antialias: bool = Field(default=False, description="whether smaller images are made of wider averages")

    @model_validator(mode="after")
    def _either(self) -> Self:
        if self.crop_to_aspect_ratio and self.pad_to_aspect_ratio:
            raise ValueError("`crop_to_aspect_ratio` and `pad_to_aspect_ratio` exclude each other")
        return self

    def trace(self, scope: LayerScope, *inputs: Value) -> Value:
        (x,) = inputs
        rows, columns = space_of(scope, x, 2)
        x = ir.cast(x, "float")
        if self.crop_to_aspect_ratio:
            begin, size = central((rows, columns), (self.height, self.width))
            x = cut(x, begin, size)
        if self.pad_to_aspect_ratio:
            added = (
                max(int(columns * self.height / self.width) - rows, 0) // 2,
                max(int(rows * self.width / self.height) - columns, 0) // 2,
            )
            x = ir.pad(x, (0, *added, 0), (0, *added, 0), fill=self.fill_value)
        return resized(x, self.height, self.width, self.interpolation, self.antialias)
