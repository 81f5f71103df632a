"""Up-sampling: volumes in, larger volumes whose elements are repeated out."""

from __future__ import annotations

from typing import ClassVar

from trainer_cli.parts.repetition import UpSampling

ALIASES = ("up_sampling_3d", "upsampling3d")


class UpSampling3d(UpSampling):
    """Repeats elements in each dimension: `(batch, depth, height, width, channels)` →
    `(batch, depth · size, height · size, width · size, channels)`.
    """

    dimensions: ClassVar[int] = 3
