"""Random numbers for Keras's layers: the numbers of a row in, in the order in which they are taken; layers that draw
them, and no others, out.

Layers here draw the same numbers in the same order, so that what they make of them can be compared. A normal number
takes two uniform ones, as in `trainer_cli/parts/noise.py`. A row is computed by itself: some layers of Keras draw
one number for all rows of a batch.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from make_keras_blocks import jax, keras, np, random

image, drawing = keras.src.backend.jax.image, keras.src.backend.jax.random

STEPS = 256
"""Numbers are multiples of one through this, which float32 holds exactly."""


class Draws:
    """The uniform numbers of a row: drawn when first taken, and the same ever after."""

    def __init__(self) -> None:
        self.numbers: list[float] = []
        self._taken = 0

    def _take(self, shape: Any) -> Any:
        end = self._taken + math.prod(shape)
        self.numbers += (random.integers(0, STEPS, size=max(end - len(self.numbers), 0)) / STEPS).tolist()
        found = self.numbers[self._taken : end]
        self._taken = end
        return jax.numpy.asarray(np.reshape(found, shape))

    def _uniform(self, shape: Any, minval: float = 0.0, maxval: float = 1.0, **_: Any) -> Any:
        return self._take(shape) * (maxval - minval) + minval

    def _randint(self, shape: Any, minval: int, maxval: int, dtype: str = "int32", **_: Any) -> Any:
        return jax.numpy.floor(self._uniform(shape, minval, maxval)).astype(dtype)

    def _normal(self, shape: Any, **_: Any) -> Any:
        radius = jax.numpy.sqrt(-2.0 * jax.numpy.log1p(-self._take(shape)))
        return radius * jax.numpy.cos(2.0 * math.pi * self._take(shape))

    @contextmanager
    def given(self) -> Iterator[None]:
        """Within the block Keras draws these numbers, from the first one on."""
        self._taken = 0
        own = drawing.uniform, drawing.randint, drawing.normal, jax.random.normal
        drawing.uniform, drawing.randint, drawing.normal = self._uniform, self._randint, self._normal
        jax.random.normal = lambda key, shape, dtype: self._normal(shape)
        try:
            yield
        finally:
            drawing.uniform, drawing.randint, drawing.normal, jax.random.normal = own


def in_float64() -> None:
    """Have Keras keep float64 where its layers of images convert to float32."""
    for each in keras.layers.RandomHue.__mro__:
        if "_transform_value_range" in vars(each):
            each._transform_value_range.__defaults__ = ("float64",)
    solved = image.compute_homography_matrix

    def homography(start: Any, end: Any) -> Any:
        return solved(start.astype("float64"), end.astype("float64"))

    image.compute_homography_matrix = homography
