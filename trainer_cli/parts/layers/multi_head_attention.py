"""Multi-head attention: sequences of vectors in, for each of their places a weighted mean of what is elsewhere out."""

from __future__ import annotations

import math
from typing import ClassVar

from pydantic import Field

from trainer_cli.ir import language as ir
from trainer_cli.ir.graph import BATCH, Value
from trainer_cli.parts.constraint import ConstraintField
from trainer_cli.parts.formulas import softmax
from trainer_cli.parts.initializer import InitializerField
from trainer_cli.parts.layer import Layer, LayerScope
from trainer_cli.parts.merge import shapes
from trainer_cli.parts.positions import sequence_of_vectors
from trainer_cli.parts.regularizer import RegularizerField

FORBIDDEN = -1e9
"""The score of a place that must not be looked at, as in Keras: its share is 0 behind a softmax."""


class MultiHeadAttention(Layer):
    """In each head, `softmax(q · kᵀ / √key_dim) · v` for learned projections q, k and v of the inputs; a last
    projection joins the heads (Vaswani et al., "Attention is all you need", 2017). `(batch, time, features)` → the same
    shape.

    One input attends to itself. With `inputs: [query, value]`, or `[query, value, key]` as in Keras, places of the
    query `(batch, time, features)` look at those of value and key `(batch, places, …)`. No place looks at one that the
    mask of value or key leaves out.

    Weights: `query/kernel` `(features, num_heads, key_dim)`, `key/kernel` and `value/kernel` likewise (the latter with
    `value_dim`), `attention_output/kernel` `(num_heads, value_dim, features)`; with `use_bias` a `bias` beside each.
    """

    mask_use = "reads"

    input_count: ClassVar[tuple[int, int | None]] = (1, 3)

    num_heads: int = Field(gt=0, description="number of heads")
    key_dim: int = Field(gt=0, description="length of a head's queries and keys")
    value_dim: int | None = Field(default=None, gt=0, description="length of a head's values; key_dim unless given")
    dropout: float = Field(default=0.0, ge=0, lt=1, description="fraction of the shares that is dropped in training")
    use_bias: bool = Field(default=True, description="whether the projections add a bias")
    causal: bool = Field(
        default=False, description="whether a place looks at itself and at what is before it alone (use_causal_mask)"
    )
    kernel_initializer: InitializerField = Field(
        default="glorot_uniform", validate_default=True, description="first values of the kernels"
    )
    bias_initializer: InitializerField = Field(
        default="zeros", validate_default=True, description="first values of the biases"
    )
    kernel_regularizer: RegularizerField | None = Field(default=None, description="penalty on the kernels")
    bias_regularizer: RegularizerField | None = Field(default=None, description="penalty on the biases")
    kernel_constraint: ConstraintField | None = Field(default=None, description="projection of the updated kernels")
    bias_constraint: ConstraintField | None = Field(default=None, description="projection of the updated biases")

    def trace(self, scope: LayerScope, *inputs: Value) -> Value:
        query, value = inputs[0], inputs[1] if len(inputs) > 1 else inputs[0]
        key = inputs[2] if len(inputs) > 2 else value
        _, features = sequence_of_vectors(scope, query, "its query" if len(inputs) > 1 else "its input")
        if len(inputs) > 1:
            sequence_of_vectors(scope, value, "its value")
            sequence_of_vectors(scope, key, "its key")
        if key.shape[1] != value.shape[1]:
            scope.refuse(f"its value and key of shape {shapes((value, key))} have different numbers of places")
        value_dim = self.value_dim or self.key_dim
        q = self._project(scope, "query", "bti,ihd->bthd", query, (self.num_heads, self.key_dim))
        k = self._project(scope, "key", "bti,ihd->bthd", key, (self.num_heads, self.key_dim))
        v = self._project(scope, "value", "bti,ihd->bthd", value, (self.num_heads, value_dim))
        scores = ir.contract("bqhd,bkhd->bhqk", q * (1.0 / math.sqrt(self.key_dim)), k)
        if self.causal:
            seen = ir.greater_equal(ir.iota(scores, 2), ir.iota(scores, 3))
            scores = ir.select(seen, scores, FORBIDDEN)
        scope.give_mask(scope.masks[0])
        # One input is query and value at once; a mask that both have is applied once.
        for mask in dict.fromkeys(scope.masks[1:] or scope.masks):
            if mask is not None:
                scores = ir.select(ir.reshape(mask, (BATCH, 1, 1, mask.shape[1])), scores, FORBIDDEN)
        shares = softmax(scores)
        if scope.training and self.dropout > 0:
            kept = ir.greater_equal(scope.random_uniform(shares), self.dropout)
            shares = ir.select(kept, shares * (1.0 / (1.0 - self.dropout)), 0.0)
        heads = ir.contract("bhqk,bkhd->bqhd", shares, v)
        return self._project(scope, "attention_output", "bthd,hdo->bto", heads, (features,))

    def _project(self, scope: LayerScope, name: str, contraction: str, x: Value, target: tuple[int, ...]) -> Value:
        """`x · kernel + bias`: the axes that the contraction sums over become those of the target."""
        kernel = scope.weight(
            f"{name}/kernel",
            (*(int(extent) for extent in x.shape[2:]), *target),
            self.kernel_initializer,
            regularizer=self.kernel_regularizer,
            constraint=self.kernel_constraint,
        )
        result = ir.contract(contraction, x, kernel)
        if not self.use_bias:
            return result
        bias = scope.weight(
            f"{name}/bias",
            target,
            self.bias_initializer,
            regularizer=self.bias_regularizer,
            constraint=self.bias_constraint,
        )
        return result + bias
