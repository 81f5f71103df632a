"""What layers share that blur images: widths of a bell curve in, weights of rows or columns for `weighted_sums` out."""

from __future__ import annotations

from trainer_cli.ir import language as ir
from trainer_cli.ir.graph import Value
from trainer_cli.lazy import NDArray, np


def blur_weights(sigma: Value, extent: int, reach: Value | float, most: int) -> Value:
    """What a place takes of each of `extent` places, by `exp(−d²/2σ²)` of their distance d: `(batch, 1)` →
    `(batch, extent, extent)`.

    Places further away than `reach`, a whole number up to `most`, weigh nothing. The weights of a place sum to 1 over
    all within reach, beyond the edges too, where there is 0.
    """
    offsets = np.arange(most + 1.0)
    # A place at the distance 0 there is once, all others twice.
    counted = np.where(offsets > 0, 2.0, 1.0)
    narrow = -0.5 / ir.square(sigma)
    total = ir.reduce_sum(_bell(narrow, reach, offsets) * ir.constant(sigma.graph, counted), -1, keepdims=True)
    apart = np.abs(np.subtract.outer(np.arange(float(extent)), np.arange(float(extent))))
    weights = _bell(narrow, reach, apart.ravel()) / total
    return ir.reshape(weights, (sigma.shape[0], extent, extent))


def _bell(narrow: Value, reach: Value | float, distances: NDArray[np.float64]) -> Value:
    """The weights of places at these distances: `(batch, 1)` → `(batch, distances)`."""
    apart = ir.constant(narrow.graph, distances)
    heights = ir.exp(narrow * ir.square(apart))
    near = ir.less_equal(ir.broadcast_to(apart, heights.shape), reach)
    return ir.select(near, heights, 0.0)
