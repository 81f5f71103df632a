"""Multi-head attention: sequences of vectors in, for each of their places a weighted mean of what is elsewhere out."""

from __future__ import annotations

import math

from pydantic import Field

from trainer_cli.ir import language as ir
from trainer_cli.ir.graph import Value
from trainer_cli.parts.attending import query_value_key, shares_of
from trainer_cli.parts.heads import FROM_HEADS, TO_HEADS, Heads
from trainer_cli.parts.layer import LayerScope


class MultiHeadAttention(Heads):
    """In each head, `softmax(q · kᵀ / √key_dim) · v` for learned projections q, k and v of the inputs; a last
    projection joins the heads (Vaswani et al., "Attention is all you need", 2017). `(batch, time, features)` → the same
    shape, or one with `output_shape` features.

    One input attends to itself. With `inputs: [query, value]`, or `[query, value, key]` as in Keras, places of the
    query `(batch, time, features)` look at those of value and key `(batch, places, …)`. No place looks at one that the
    mask of value or key leaves out.

    Weights: `query/kernel` `(features, num_heads, key_dim)`, `key/kernel` and `value/kernel` likewise (the latter with
    `value_dim`), `attention_output/kernel` `(num_heads, value_dim, features)`, with `use_gate` a `gate/kernel`
    `(features, num_heads, value_dim)`; with `use_bias` a `bias` beside each.
    """

    num_heads: int = Field(gt=0, description="number of heads")
    key_dim: int = Field(gt=0, description="length of a head's queries and keys")
    value_dim: int | None = Field(default=None, gt=0, description="length of a head's values; key_dim unless given")
    output_shape: int | None = Field(default=None, gt=0, description="features of the result; the query's unless given")

    def trace(self, scope: LayerScope, *inputs: Value) -> Value:
        query, value, key = query_value_key(scope, inputs)
        value_dim = self.value_dim or self.key_dim
        q = self.project(scope, "query", TO_HEADS, query, (self.num_heads, self.key_dim))
        k = self.project(scope, "key", TO_HEADS, key, (self.num_heads, self.key_dim))
        v = self.project(scope, "value", TO_HEADS, value, (self.num_heads, value_dim))
        scores = ir.contract("bqhd,bkhd->bhqk", q * (1.0 / math.sqrt(self.key_dim)), k)
        scope.give_mask(scope.masks[0])
        shares = shares_of(scope, scores, self.seen(scope, scores), self.dropout)
        heads = self.gated(scope, ir.contract("bhqk,bkhd->bqhd", shares, v), query)
        width = self.output_shape or int(query.shape[2])
        return self.project(scope, "attention_output", FROM_HEADS, heads, (width,))
