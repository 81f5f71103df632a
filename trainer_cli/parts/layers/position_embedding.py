"""Position embedding: a sequence of vectors in, the same vectors with a learned one for each position added out."""

from __future__ import annotations

from pydantic import Field

from trainer_cli.ir import language as ir
from trainer_cli.ir.graph import Value
from trainer_cli.parts.initializer import InitializerField
from trainer_cli.parts.layer import Layer, LayerScope
from trainer_cli.parts.positions import sequence_of_vectors


class PositionEmbedding(Layer):
    """`x[t] + embeddings[t]`: `(batch, time, features)` → the same shape, `time` up to `sequence_length` (Gehring,
    Auli, Grangier, Yarats and Dauphin, "Convolutional sequence to sequence learning", 2017).

    Weight: `embeddings` `(sequence_length, features)`. KerasHub's layer of this name gives the vectors of the
    positions alone, to be added by another layer.
    """

    mask_use = "keeps"

    sequence_length: int = Field(gt=0, description="number of positions; sequences may be shorter")
    initializer: InitializerField = Field(
        default="glorot_uniform", validate_default=True, description="first values of the positions' vectors"
    )

    def trace(self, scope: LayerScope, *inputs: Value) -> Value:
        (x,) = inputs
        length, features = sequence_of_vectors(scope, x)
        if length > self.sequence_length:
            scope.refuse(f"its input has {length} positions", field="sequence_length")
        table = scope.weight("embeddings", (self.sequence_length, features), self.initializer)
        return x + ir.slice_(table, (0, 0), (length, features))
