"""Zero padding: images in, the same images with zeros around them out."""

from __future__ import annotations

from typing import Annotated, TypeAlias

from pydantic import Field, field_validator

from trainer_cli.ir import language as ir
from trainer_cli.ir.graph import Value
from trainer_cli.parts.convolution import space_of
from trainer_cli.parts.layer import Layer, LayerScope
from trainer_cli.parts.part import IntegerList

ALIASES = ("zero_padding_2d",)

Edges: TypeAlias = Annotated[tuple[int | IntegerList, ...], Field(strict=False, min_length=2, max_length=2)]


class ZeroPadding2d(Layer):
    """Rows of zeros above and below, columns of zeros left and right: `(batch, height, width, channels)` →
    `(batch, height + top + bottom, width + left + right, channels)`.
    """

    padding: int | Edges = Field(
        default=1, description="one number, [rows, columns], or [[top, bottom], [left, right]]"
    )

    @field_validator("padding")
    @classmethod
    def _counts(cls, value: int | tuple[int | tuple[int, ...], ...]) -> int | tuple[int | tuple[int, ...], ...]:
        if min(number for edge in _edges(value) for number in edge) < 0:
            raise ValueError("padding is not negative")
        if any(len(edge) != 2 for edge in _edges(value)):
            raise ValueError("each dimension takes a number, or two: before and after")
        return value

    def trace(self, scope: LayerScope, *inputs: Value) -> Value:
        (x,) = inputs
        space_of(scope, x, 2)
        (top, bottom), (left, right) = _edges(self.padding)
        return ir.pad(x, (0, top, left, 0), (0, bottom, right, 0))


def _edges(padding: int | tuple[int | tuple[int, ...], ...]) -> list[tuple[int, ...]]:
    """Numbers before and after, for rows and columns."""
    both = (padding, padding) if isinstance(padding, int) else padding
    return [(edge, edge) if isinstance(edge, int) else tuple(edge) for edge in both]
