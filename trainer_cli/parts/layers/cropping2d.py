"""Cropping: images in, the same images without rows and columns at their edges out."""

from __future__ import annotations

from typing import ClassVar

from pydantic import Field

from trainer_cli.parts.edges import Cropping, Edges

ALIASES = ("cropping_2d",)


class Cropping2d(Cropping):
    """Takes rows and columns away: `(batch, height, width, channels)` →
    `(batch, height − top − bottom, width − left − right, channels)`.
    """

    dimensions: ClassVar[int] = 2

    cropping: Edges = Field(default=0, description="one number, [rows, columns], or [[top, bottom], [left, right]]")
