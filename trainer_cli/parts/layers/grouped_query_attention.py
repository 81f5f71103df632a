"""Grouped-query attention: sequences of vectors in, weighted means of what is elsewhere in them, by heads, out."""

from __future__ import annotations

import math
from typing import Self

from pydantic import Field, model_validator

from trainer_cli.ir import language as ir
from trainer_cli.ir.graph import Value
from trainer_cli.parts.attending import query_value_key, shares_of
from trainer_cli.parts.heads import FROM_HEADS, TO_HEADS, Heads
from trainer_cli.parts.layer import LayerScope

ALIASES = ("group_query_attention",)


class GroupedQueryAttention(Heads):
    """Attention by `num_query_heads` heads, neighbours of which share the keys and values of one of the
    `num_key_value_heads` (Ainslie, Lee-Thorp, de Jong, Zemlyanskiy, Lebrón and Sanghai, "GQA: training generalized
    multi-query transformer models from multi-head checkpoints", 2023). In each head,
    `softmax(q · kᵀ / √head_dim) · v`; a last projection joins the heads. `(batch, time, features)` → the same shape.

    One input attends to itself. With `inputs: [query, value]`, or `[query, value, key]` as in Keras, places of the
    query look at those of value and key. No place looks at one that the mask of value or key leaves out.

    Weights: `query/kernel` `(features, num_query_heads, head_dim)`, `key/kernel` and `value/kernel` likewise with
    `num_key_value_heads`, `attention_output/kernel` `(num_query_heads, head_dim, features)`, with `use_gate` a
    `gate/kernel` like the query's; with `use_bias` a `bias` beside each.
    """

    head_dim: int = Field(gt=0, description="length of a head's queries, keys and values")
    num_query_heads: int = Field(gt=0, description="number of heads")
    num_key_value_heads: int = Field(gt=0, description="number of different keys and values; divides that of the heads")

    @model_validator(mode="after")
    def _divides(self) -> Self:
        if self.num_query_heads % self.num_key_value_heads:
            raise ValueError("`num_query_heads` must be a multiple of `num_key_value_heads`")
        return self

    def trace(self, scope: LayerScope, *inputs: Value) -> Value:
        query, value, key = query_value_key(scope, inputs)
        features = int(query.shape[2])
        heads, groups, width = self.num_query_heads, self.num_key_value_heads, self.head_dim
        q = self.project(scope, "query", TO_HEADS, query, (heads, width))
        k = self.project(scope, "key", TO_HEADS, key, (groups, width))
        v = self.project(scope, "value", TO_HEADS, value, (groups, width))
        # Heads that share a key are neighbours: (batch, time, groups, heads of a group, width).
        grouped = ir.reshape(q * (1.0 / math.sqrt(width)), (*q.shape[:2], groups, heads // groups, width))
        scores = ir.contract("bqghd,bkgd->bghqk", grouped, k)
        scope.give_mask(scope.masks[0])
        shares = shares_of(scope, scores, self.seen(scope, scores), self.dropout)
        joined = ir.reshape(ir.contract("bghqk,bkgd->bqghd", shares, v), q.shape)
        return self.project(scope, "attention_output", FROM_HEADS, self.gated(scope, joined, query), (features,))
