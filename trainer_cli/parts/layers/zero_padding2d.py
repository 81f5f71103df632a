"""Zero padding: images in, the same images with zeros around them out."""

from __future__ import annotations

from typing import ClassVar

from pydantic import Field

from trainer_cli.parts.edges import Edges, ZeroPadding

ALIASES = ("zero_padding_2d",)


class ZeroPadding2d(ZeroPadding):
    """Rows of zeros above and below, columns of zeros left and right: `(batch, height, width, channels)` →
    `(batch, height + top + bottom, width + left + right, channels)`.
    """

    dimensions: ClassVar[int] = 2

    padding: Edges = Field(default=1, description="one number, [rows, columns], or [[top, bottom], [left, right]]")
