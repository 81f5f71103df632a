"""What layers of attention share: scores of places in, shares that sum to 1 and weighted sums of values out."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from pydantic import Field

from trainer_cli.ir import language as ir
from trainer_cli.ir.graph import Value
from trainer_cli.parts.layer import Layer, LayerScope
from trainer_cli.parts.merge import shapes
from trainer_cli.parts.noise import dropped
from trainer_cli.parts.positions import sequence_of_vectors

FORBIDDEN = -1e9
"""The score of a place that must not be looked at, as in Keras: its share is 0 behind a softmax."""


def query_value_key(scope: LayerScope, inputs: Sequence[Value]) -> tuple[Value, Value, Value]:
    """The inputs as query, value and key: the value is the query and the key the value unless there are more of them.

    Stops with a config error for what is no sequence of vectors, and for values and keys of different lengths.
    """
    query, value = inputs[0], inputs[1] if len(inputs) > 1 else inputs[0]
    key = inputs[2] if len(inputs) > 2 else value
    for each, name in ((query, "its query"), (value, "its value"), (key, "its key")):
        sequence_of_vectors(scope, each, name if len(inputs) > 1 else "its input")
    if key.shape[1] != value.shape[1]:
        scope.refuse(f"its value and key of shape {shapes((value, key))} have different numbers of places")
    return query, value, key


def shares_of(scope: LayerScope, scores: Value, seen: Sequence[Value | None], dropout: float) -> Value:
    """The softmax of scores `(batch, …, query, key)`: 0 at places that are not seen; in training, some are dropped.

    `seen` holds bools in the shape of the scores, and masks of the key `(batch, key)`.
    """
    for each in seen:
        if each is not None:
            wide = (each.shape[0], *(1,) * (scores.rank - 2), each.shape[1]) if each.rank == 2 else each.shape
            scores = ir.select(ir.reshape(each, wide), scores, FORBIDDEN)
    shares = ir.softmax(scores)
    return dropped(scope, shares, shares, dropout) if scope.training and dropout > 0 else shares


def seen_before(scores: Value) -> Value:
    """Which places of the key are at or before that of the query: a bool in the shape of scores `(…, query, key)`."""
    return ir.greater_equal(ir.iota(scores, -2), ir.iota(scores, -1))


class SingleAttention(Layer):
    """Attention without projections: weighted sums of the values, by how well the keys fit the query. Places that the
    mask of the value leaves out are not looked at; those of the query give zeros."""

    mask_use = "reads"

    input_count: ClassVar[tuple[int, int | None]] = (2, 3)

    dropout: float = Field(default=0.0, ge=0, lt=1, description="fraction of the shares that is dropped in training")
    causal: bool = Field(
        default=False, description="whether a place looks at itself and at what is before it alone (use_causal_mask)"
    )

    def attend(self, scope: LayerScope, value: Value, scores: Value) -> Value:
        """`softmax(scores) · value`: `(batch, places, …)` and `(batch, time, places)` → `(batch, time, …)`."""
        own, other = scope.masks[:2]
        scope.give_mask(own)
        seen = [seen_before(scores) if self.causal else None, other]
        result = ir.contract("bqk,bkd->bqd", shares_of(scope, scores, seen, self.dropout), value)
        return result if own is None else ir.select(ir.reshape(own, (*own.shape, 1)), result, 0.0)


def sums(query: Value, key: Value) -> Value:
    """Each query plus each key: `(batch, time, features)`, `(batch, places, features)` → `(batch, time, places, …)`."""
    batch, time, features = query.shape
    wide = ir.reshape(query, (batch, time, 1, features)), ir.reshape(key, (batch, 1, key.shape[1], features))
    return wide[0] + wide[1]


def check_features(scope: LayerScope, query: Value, key: Value) -> None:
    """Stop with a config error if query and key have vectors of different lengths."""
    if query.shape[2] != key.shape[2]:
        scope.refuse(f"its query and key of shape {shapes((query, key))} have vectors of different lengths")
