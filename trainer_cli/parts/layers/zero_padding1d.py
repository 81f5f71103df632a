"""Zero padding: sequences in, the same sequences with zeros before and after them out."""

from __future__ import annotations

from typing import ClassVar

from pydantic import Field

from trainer_cli.parts.edges import Edges, ZeroPadding

ALIASES = ("zero_padding_1d",)


class ZeroPadding1d(ZeroPadding):
    """Steps of zeros: `(batch, steps, channels)` → `(batch, before + steps + after, channels)`."""

    dimensions: ClassVar[int] = 1

    padding: Edges = Field(default=1, description="steps of zeros: one number, or [before, after]")
