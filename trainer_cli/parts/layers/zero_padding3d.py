"""Zero padding: volumes in, the same volumes with zeros around them out."""

from __future__ import annotations

from typing import ClassVar

from pydantic import Field

from trainer_cli.parts.edges import Edges, ZeroPadding

ALIASES = ("zero_padding_3d",)


class ZeroPadding3d(ZeroPadding):
    """Zeros before and after in each dimension: `(batch, depth, height, width, channels)` → the same with larger
    extents between batch and channels.
    """

    dimensions: ClassVar[int] = 3

    padding: Edges = Field(
        default=1, description="one number, three, or three pairs [before, after]: for depth, height and width"
    )
