"""Cropping: volumes in, the same volumes without their outer parts out."""

from __future__ import annotations

from typing import ClassVar

from pydantic import Field

from trainer_cli.parts.edges import Cropping, Edges

ALIASES = ("cropping_3d",)


class Cropping3d(Cropping):
    """Takes edges away in each dimension: `(batch, depth, height, width, channels)` → the same with smaller extents
    between batch and channels.
    """

    dimensions: ClassVar[int] = 3

    cropping: Edges = Field(
        default=1, description="one number, three, or three pairs [before, after]: for depth, height and width"
    )
