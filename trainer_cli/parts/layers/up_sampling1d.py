"""Up-sampling: sequences in, longer sequences whose steps are repeated out."""

from __future__ import annotations

from typing import ClassVar

from trainer_cli.parts.repetition import UpSampling

ALIASES = ("up_sampling_1d", "upsampling1d")


class UpSampling1d(UpSampling):
    """Repeats steps: `(batch, steps, channels)` → `(batch, steps · size, channels)`."""

    dimensions: ClassVar[int] = 1
