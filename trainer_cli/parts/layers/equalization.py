"""Equalization: images in, the same images with all levels of lightness alike often out."""

from __future__ import annotations

import math

from pydantic import Field

from trainer_cli.ir import language as ir
from trainer_cli.ir.graph import Value
from trainer_cli.lazy import np
from trainer_cli.parts.layer import Layer, LayerScope
from trainer_cli.parts.recoloring import ValueRange, range_field
from trainer_cli.parts.space import space_of


class Equalization(Layer):
    """Gives every pixel the lightness that its rank in the image has, each channel by itself: with c the number of
    pixels that are not lighter, of n, and c₀ that of the darkest, the fraction `(c − c₀) / (n − c₀)` of `value_range`,
    in 256 steps. A channel of one level stays what it is. `(batch, height, width, channels)` → the same shape. In
    inference too. Levels have no gradients. (Keras counts the pixels of all images of a batch together, and leaves
    images alone in inference, though its description says otherwise.)
    """

    value_range: ValueRange = range_field()
    bins: int = Field(default=256, ge=2, description="levels of lightness that are told apart")

    def trace(self, scope: LayerScope, *inputs: Value) -> Value:
        (x,) = inputs
        height, width = space_of(scope, x, 2)
        x = ir.cast(x, "float")
        batch, channels, pixels = x.shape[0], x.shape[3], height * width
        low, high = sorted(self.value_range)
        level = ir.floor(ir.clip((x - low) * ((self.bins - 1) / (high - low)), 0.0, self.bins - 1.0))
        digits = _digits(ir.reshape(ir.transpose(level, (0, 3, 1, 2)), (batch, channels, pixels)), self._base)
        often = ir.contract("bcpi,bcpj->bcij", *digits)
        ranks, others = self._ranks(ir.reshape(often, (batch, channels, self._base**2)), pixels)
        shown = ir.clip(_to_even(ranks), 0.0, 255.0) * ((high - low) / 255.0) + low
        table = ir.reshape(shown, (batch, channels, self._base, self._base))
        found = ir.reduce_sum(ir.contract("bcpi,bcij->bcpj", digits[0], table) * digits[1], -1)
        found = ir.transpose(ir.reshape(found, (batch, channels, height, width)), (0, 2, 3, 1))
        several = ir.reshape(ir.greater(others, 0.0), (batch, 1, 1, channels))
        return ir.select(ir.broadcast_to(several, x.shape), found, x)

    @property
    def _base(self) -> int:
        """In which a level has two digits. So the counting of levels, and the finding of theirs, are products of
        matrices, and an image needs no place for each pair of a pixel and a level."""
        return math.isqrt(self.bins - 1) + 1

    def _ranks(self, often: Value, pixels: int) -> tuple[Value, Value]:
        """For each level its place among the pixels that are not the darkest, from 0 to 255, and how many those are."""
        total = ir.constant(often.graph, np.triu(np.ones((self._base**2, self._base**2))))
        lighter = float(pixels) - ir.contract("bck,kl->bcl", often, total)
        # The most that are lighter than some level which is there: than the darkest one.
        others = ir.reduce_max(ir.select(ir.greater(often, 0.0), lighter, 0.0), -1, keepdims=True)
        return (others - lighter) * 255.0 / ir.maximum(others, 1.0), others


def _digits(level: Value, base: int) -> tuple[Value, Value]:
    """The two digits of levels, as indicators: `(batch, channels, pixels)` → two of `(…, base)`."""
    first = ir.floor(level * (1.0 / base) + 0.5 / base)
    numbers = ir.constant(level.graph, np.arange(float(base)))
    wide = (*level.shape, base)
    indicators = [
        ir.cast(
            ir.equal(ir.broadcast_to(ir.reshape(digit, (*level.shape, 1)), wide), ir.broadcast_to(numbers, wide)),
            "float",
        )
        for digit in (first, level - first * float(base))
    ]
    return indicators[0], indicators[1]


def _to_even(x: Value) -> Value:
    """The nearest whole number, and of two the even one."""
    whole = ir.floor(x + 0.5)
    odd = ir.greater(whole - ir.floor(whole * 0.5) * 2.0, 0.5)
    return ir.select(ir.logical_and(ir.equal(whole - x, 0.5), odd), whole - 1.0, whole)
