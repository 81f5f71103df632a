"""Sinusoidal position encoding: a sequence of vectors in, the same vectors with waves over the positions added out."""

from __future__ import annotations

from pydantic import Field

from trainer_cli.ir import language as ir
from trainer_cli.ir.graph import Value
from trainer_cli.lazy import np
from trainer_cli.parts.layer import Layer, LayerScope
from trainer_cli.parts.positions import sequence_of_vectors

ALIASES = ("sine_position_encoding",)


class SinusoidalPositionEncoding(Layer):
    """`x[t, 2i] + sin(t / w^(2i/features))` and `x[t, 2i+1] + cos(t / w^(2i/features))` with `w` the `max_wavelength`:
    `(batch, time, features)` → the same shape (Vaswani et al., "Attention is all you need", 2017).

    KerasHub's `SinePositionEncoding` gives the waves alone, to be added by another layer.
    """

    mask_use = "keeps"

    max_wavelength: float = Field(default=10000.0, gt=0, description="the longest wave, divided by 2π, in positions")

    def trace(self, scope: LayerScope, *inputs: Value) -> Value:
        (x,) = inputs
        length, features = sequence_of_vectors(scope, x)
        feature = np.arange(features)
        frequencies = self.max_wavelength ** -((2 * (feature // 2)) / features)
        angles = np.arange(length)[:, np.newaxis] * frequencies
        return x + ir.constant(x.graph, np.where(feature % 2 == 0, np.sin(angles), np.cos(angles)))
