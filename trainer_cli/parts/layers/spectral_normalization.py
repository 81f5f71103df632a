"""Spectral normalization: a layer in, the same layer with its kernel divided by its largest singular value out."""

from __future__ import annotations

import math

from pydantic import Field

from trainer_cli.ir import language as ir
from trainer_cli.ir.graph import Value
from trainer_cli.parts.constraint import Constraint
from trainer_cli.parts.initializer import Initializer
from trainer_cli.parts.initializers.truncated_normal import TruncatedNormal
from trainer_cli.parts.layer import Layer, LayerField, LayerScope
from trainer_cli.parts.lengths import unit_length
from trainer_cli.parts.regularizer import Regularizer
from trainer_cli.parts.wrapper import InnerScope, check_inside

NORMALIZED = ("kernel", "embeddings")
"""The weights that are divided, by their names in the inner layer."""


class SpectralNormalization(Layer):
    """Runs a layer with `kernel / σ`, σ being an estimate of the kernel's largest singular value by power iteration
    (Miyato, Kataoka, Koyama and Yoshida, "Spectral normalization for generative adversarial networks", 2018).
    `(batch, …)` → what the inner layer makes of it.

    All axes of the kernel but the last count as rows. Each step of training makes `power_iterations` steps towards the
    singular vectors, which count as constants in the gradient; prediction uses those of the last step. The kernel that
    is stored is not divided. (Keras predicts with the kernel as it is stored, which depends on its backend.)

    Weights: those of the inner layer and, not trained, `vector_u` `(1, last extent of the kernel)`.
    """

    layer: LayerField = Field(description="the layer whose `kernel` or `embeddings` are normalized")
    power_iterations: int = Field(default=1, gt=0, description="steps of power iteration per step of training")

    def trace(self, scope: LayerScope, *inputs: Value) -> Value:
        check_inside(scope, self.layer)
        inner = _NormalizedScope(scope, self.layer, self.power_iterations)
        result = self.layer.apply(inner, *inputs)
        if not inner.found:
            scope.refuse(f"`{self.layer.type}` has no kernel that could be normalized", field="layer")
        return result


class _NormalizedScope(InnerScope):
    """The scope of a layer that is given its kernel divided by σ."""

    def __init__(self, outer: LayerScope, layer: Layer, iterations: int) -> None:
        super().__init__(outer, layer)
        self._iterations = iterations
        self.found = False

    def weight(
        self,
        name: str,
        shape: tuple[int, ...],
        initializer: Initializer,
        *,
        regularizer: Regularizer | None = None,
        constraint: Constraint | None = None,
        trainable: bool = True,
        learning_rate_multiplier: float = 1.0,
    ) -> Value:
        weight = super().weight(
            name,
            shape,
            initializer,
            regularizer=regularizer,
            constraint=constraint,
            trainable=trainable,
            learning_rate_multiplier=learning_rate_multiplier,
        )
        if name not in NORMALIZED:
            return weight
        self.found = True
        stored = super().weight("vector_u", (1, shape[-1]), TruncatedNormal(stddev=0.02), trainable=False)
        matrix = ir.reshape(weight, (math.prod(shape[:-1]), shape[-1]))
        fixed = ir.stop_gradient(matrix)
        right = stored
        left = unit_length(ir.contract("ao,io->ai", right, fixed), None)
        if self.training:
            for step in range(self._iterations):
                if step > 0:
                    left = unit_length(ir.contract("ao,io->ai", right, fixed), None)
                right = unit_length(ir.contract("ai,io->ao", left, fixed), None)
            self.assign(stored, right)
        sigma = ir.reduce_sum(ir.contract("ai,io->ao", left, matrix) * right)
        return weight / ir.select(ir.equal(sigma, 0.0), 1.0, sigma)
