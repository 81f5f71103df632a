"""Attention: a query and values in, for each place of the query a weighted sum of the values out."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from trainer_cli.ir import language as ir
from trainer_cli.ir.graph import Value
from trainer_cli.parts.attending import SingleAttention, check_features, query_value_key, sums
from trainer_cli.parts.initializers.ones import Ones
from trainer_cli.parts.layer import LayerScope


class Attention(SingleAttention):
    """`softmax(scores) · value`, the scores being `query · keyᵀ` or, with `score_mode: concat`, `concat_score_weight ·
    Σ tanh(query + key)` (Luong, Pham and Manning, "Effective approaches to attention-based neural machine translation",
    2015). `inputs: [query, value]` or `[query, value, key]`: `(batch, time, features)` and `(batch, places, …)` →
    `(batch, time, features of the value)`.

    Weights: with `use_scale`, `scale` `()`, a factor on the products or inside tanh; with `concat`,
    `concat_score_weight` `()`.
    """

    use_scale: bool = Field(default=False, description="whether the scores have a learned factor")
    score_mode: Literal["dot", "concat"] = Field(default="dot", description="how query and key make a score")

    def trace(self, scope: LayerScope, *inputs: Value) -> Value:
        query, value, key = query_value_key(scope, inputs)
        check_features(scope, query, key)
        scale = scope.weight("scale", (), Ones()) if self.use_scale else None
        if self.score_mode == "dot":
            scores = ir.contract("bqd,bkd->bqk", query, key)
            return self.attend(scope, value, scores if scale is None else scores * scale)
        weight = scope.weight("concat_score_weight", (), Ones())
        both = sums(query, key)
        scores = ir.reduce_sum(ir.tanh(both if scale is None else both * scale), -1)
        return self.attend(scope, value, scores * weight)
