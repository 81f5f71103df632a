"""GELU in the form with tanh: a value in, approximately its `gelu` out."""

from __future__ import annotations

import math

from trainer_cli.ir.graph import Value
from trainer_cli.parts import formulas
from trainer_cli.parts.activation import Activation


class GeluNew(Activation):
    """`x/2 · (1 + tanh(√(2/π) · (x + 0.044715·x³)))`, element by element: TensorFlow.js's name for Keras's
    `{type: gelu, approximate: true}` (Hendrycks and Gimpel, "Gaussian error linear units", 2016)."""

    @property
    def interval(self) -> tuple[float, float]:
        return (-0.17005, math.inf)

    def apply(self, x: Value) -> Value:
        return formulas.gelu_with_tanh(x)
