"""What layers share that change images at random in training: images in, others of the same meaning out."""

from __future__ import annotations

from abc import abstractmethod
from typing import Annotated, Literal, TypeAlias

from pydantic import Field

from trainer_cli.ir import language as ir
from trainer_cli.ir.graph import Value
from trainer_cli.parts.layer import Layer, LayerScope
from trainer_cli.parts.part import FloatList
from trainer_cli.parts.resampling import Filling, FillMode
from trainer_cli.parts.space import space_of

Pair: TypeAlias = Annotated[FloatList, Field(min_length=2, max_length=2)]
Factor: TypeAlias = float | Pair
"""A number for both directions, or the least and the largest."""


def bounds(factor: Factor) -> tuple[float, float]:
    """The least and the largest factor; one number counts in both directions."""
    low, high = sorted(factor) if isinstance(factor, tuple) else (-abs(factor), abs(factor))
    return low, high


def check_factor(factor: Factor, least: float, most: float) -> Factor:
    """The factor. Raises ValueError if it is out of bounds."""
    low, high = bounds(factor)
    if (low < least and isinstance(factor, tuple)) or high > most:
        raise ValueError(f"factors lie between {least:g} and {most:g}")
    return factor


def drawn(scope: LayerScope, x: Value, low: float, high: float, rank: int) -> Value:
    """A number between the bounds for every sample: `(batch, 1, …)` of that rank."""
    like = ir.zeros(x.graph, (x.shape[0], *(1,) * (rank - 1)))
    return scope.random_uniform(like) * (high - low) + low


class Augmentation(Layer):
    """A layer that changes images `(batch, height, width, channels)` in training and passes them on in inference."""

    def trace(self, scope: LayerScope, *inputs: Value) -> Value:
        (x,) = inputs
        space_of(scope, x, 2)
        x = ir.cast(x, "float")
        return self.change(scope, x) if scope.training else x

    @abstractmethod
    def change(self, scope: LayerScope, x: Value) -> Value:
        """Write what training does to images; every sample has random numbers of its own."""


class Warp(Augmentation):
    """An augmentation that moves pixels."""

    fill_mode: FillMode = Field(
        default="reflect",
        description="what is beyond the edges: the image mirrored or repeated, `fill_value`, or the pixel at the edge",
    )
    interpolation: Literal["nearest", "bilinear"] = Field(
        default="bilinear", description="what is between pixels: the `nearest` one, or `bilinear` between four"
    )
    fill_value: float = Field(default=0.0, description="the value beyond the edges with `fill_mode: constant`")

    @property
    def filling(self) -> Filling:
        return Filling(self.fill_mode, self.fill_value, self.interpolation == "bilinear")


def places(x: Value, axis: int) -> Value:
    """The numbers of rows (axis 1) or columns (axis 2) of images, as floats `(batch, extent)`."""
    like = ir.zeros(x.graph, (x.shape[0], x.shape[axis]))
    return ir.cast(ir.iota(like, 1), "float")
