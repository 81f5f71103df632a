"""Adaptive pooling: images of any size in, means of windows that cover them, in a given number, out."""

from __future__ import annotations

from typing import ClassVar

from trainer_cli.parts.adaptive import AdaptiveAverage


class AdaptiveAveragePooling2d(AdaptiveAverage):
    """The means of windows that are as equal as can be, each channel by itself:
    `(batch, height, width, channels)` → `(batch, *output_size, channels)`.

    Window i begins at `⌊i · extent / output_size⌋` and ends before `⌈(i + 1) · extent / output_size⌉`.
    """

    dimensions: ClassVar[int] = 2
