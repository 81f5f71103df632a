"""Cropping: sequences in, the same sequences without steps at their ends out."""

from __future__ import annotations

from typing import ClassVar

from pydantic import Field

from trainer_cli.parts.edges import Cropping, Edges

ALIASES = ("cropping_1d",)


class Cropping1d(Cropping):
    """Takes steps away: `(batch, steps, channels)` → `(batch, steps − before − after, channels)`."""

    dimensions: ClassVar[int] = 1

    cropping: Edges = Field(default=1, description="steps taken away: one number, or [before, after]")
