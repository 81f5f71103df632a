"""What layers with noise share: a scope and a value in, random numbers of a distribution and of its shape out."""

from __future__ import annotations

import math
from typing import Annotated, TypeAlias

from pydantic import Field

from trainer_cli.ir import language as ir
from trainer_cli.ir.graph import Value
from trainer_cli.parts.layer import LayerScope

NoiseShape: TypeAlias = Annotated[tuple[int | None, ...], Field(strict=False, min_length=1)]
"""Extents of random numbers, the batch axis first: 1 where all elements share one, else null or the input's own."""


def drawn_together(scope: LayerScope, x: Value, noise_shape: tuple[int | None, ...] | None) -> Value:
    """A value of the shape that random numbers for x have. Stops with a config error where that does not fit x."""
    if noise_shape is None:
        return x
    fits = len(noise_shape) == x.rank and noise_shape[0] is None
    if not fits or any(each not in (None, 1, own) for each, own in zip(noise_shape[1:], x.shape[1:], strict=True)):
        scope.refuse(
            f"`noise_shape` {noise_shape} does not fit rows of shape {x.shape[1:]}",
            field="noise_shape",
            hint="null stands first, for the batch, then null or 1 for each axis of a row",
        )
    shape = (own if each is None else each for each, own in zip(noise_shape[1:], x.shape[1:], strict=True))
    return ir.zeros(x.graph, (x.shape[0], *shape))


def normal(scope: LayerScope, like: Value) -> Value:
    """Standard normal numbers in `like`'s shape (Box and Muller, "A note on the generation of random normal deviates",
    1958). The largest is 5.8: the uniform numbers behind them have 24 bits."""
    radius = ir.sqrt(ir.log1p(-scope.random_uniform(like)) * -2.0)
    return radius * ir.cos(scope.random_uniform(like) * (2.0 * math.pi))


def dropped(scope: LayerScope, x: Value, like: Value, rate: float) -> Value:
    """x with a fraction of its elements set to 0 and the others made larger, so that the expectation stays.

    `like` broadcasts with x: what shares one of its elements is dropped together.
    """
    if rate == 0:
        return x
    if rate == 1:
        return ir.zeros_like(x)
    kept = ir.greater_equal(scope.random_uniform(like), rate)
    return ir.select(ir.broadcast_to(kept, x.shape), x * (1.0 / (1.0 - rate)), 0.0)
