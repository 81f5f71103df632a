"""Additive attention: a query and values in, for each place of the query a weighted sum of the values out."""

from __future__ import annotations

from pydantic import Field

from trainer_cli.ir import language as ir
from trainer_cli.ir.graph import Value
from trainer_cli.parts.attending import SingleAttention, check_features, query_value_key, sums
from trainer_cli.parts.initializers.glorot_uniform import GlorotUniform
from trainer_cli.parts.layer import LayerScope


class AdditiveAttention(SingleAttention):
    """`softmax(Σ scale · tanh(query + key)) · value`, the sum being that over features (Bahdanau, Cho and Bengio,
    "Neural machine translation by jointly learning to align and translate", 2015). `inputs: [query, value]` or `[query,
    value, key]`: `(batch, time, features)` and `(batch, places, …)` → `(batch, time, features of the value)`.

    Weight: with `use_scale`, `scale` `(features,)`.
    """

    use_scale: bool = Field(default=True, description="whether the features have learned factors")

    def trace(self, scope: LayerScope, *inputs: Value) -> Value:
        query, value, key = query_value_key(scope, inputs)
        check_features(scope, query, key)
        fit = ir.tanh(sums(query, key))
        if self.use_scale:
            fit = fit * scope.weight("scale", (int(query.shape[2]),), GlorotUniform())
        return self.attend(scope, value, ir.reduce_sum(fit, -1))
