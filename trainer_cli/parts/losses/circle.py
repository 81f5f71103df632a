"""Circle: classes and vectors in, how much nearer the vectors of other classes are than those of the same out."""

from __future__ import annotations

from collections.abc import Sequence

from pydantic import Field

from trainer_cli.ir import language as ir
from trainer_cli.ir.graph import Value
from trainer_cli.ir.primitive import IRError
from trainer_cli.parts import formulas
from trainer_cli.parts.loss import Finding, Loss, Prediction

NEVER = -1e9
"""What stands for pairs that do not count where a logarithm of a sum of exponentials is taken."""


class Circle(Loss):
    """`softplus(log Σ exp(γ·(m + d)·(d − m)) + log Σ exp(γ·max(1 + m − d, 0)·(1 − m − d)))` for every row: the first
    sum is over the other rows of the batch that are of its class, the second over those of other classes, and
    `d = max(1 − x·x', 0)` is the distance of two vectors. Sun and others, "Circle loss: a unified perspective of pair
    similarity optimization", 2020.

    Target: a class number per row, of any number of classes; prediction `(batch, features)`, vectors of length 1: let
    the last layer be `unit_normalization`. The mean is over the rows that have rows of both kinds in their batch, 0 if
    there are none: batches should hold several rows of each class.
    """

    target = "labels"
    relates_places = True
    aligned = False

    gamma: float = Field(default=80.0, gt=0, description="scale γ of the similarities")
    margin: float = Field(default=0.4, ge=0, description="relaxation m: the distance at which pairs begin to matter")
    remove_diagonal: bool = Field(default=True, description="whether a row is no pair with itself")

    def relates_rows(self, rank: int) -> bool:
        return True

    def target_row(self, shape: tuple[int, ...]) -> tuple[int, ...]:
        return ()

    def per_place(self, target: Value, prediction: Prediction) -> Value:
        x, most = prediction.value, prediction.most_rows
        if most is None:
            raise IRError("circle: relates the rows of a batch, and their largest number is not known")
        graph, batch = x.graph, x.shape[0]
        # The rows once more, as a table without a batch axis: every row meets every other. A short batch leaves the
        # end of it 0, as no class is that is counted from 1.
        numbers = ir.iota(ir.zeros(graph, (batch,)), 0)
        classes = ir.cast(target, "float") + 1.0
        table, others = ir.scatter_add(numbers, x, most), ir.scatter_add(numbers, classes, most)
        pairs = (batch, most)
        distance = ir.maximum(1.0 - ir.contract("bd,td->bt", x, table), 0.0)
        other = ir.broadcast_to(ir.reshape(others, (1, most)), pairs)
        same = ir.cast(ir.equal(ir.broadcast_to(ir.reshape(classes, (batch, 1)), pairs), other), "float")
        unlike = (1.0 - same) * ir.cast(ir.greater(other, 0.0), "float")
        if self.remove_diagonal:
            own = ir.equal(ir.broadcast_to(ir.reshape(numbers, (batch, 1)), pairs), ir.iota(distance, 1))
            same = same * (1.0 - ir.cast(own, "float"))
        near = (distance + self.margin) * (distance - self.margin) * self.gamma
        far = ir.maximum(1.0 + self.margin - distance, 0.0) * (1.0 - self.margin - distance) * self.gamma
        lost = formulas.softplus(_log_sum_exp(near, same) + _log_sum_exp(far, unlike))
        counted = ir.reduce_max(same, 1) * ir.reduce_max(unlike, 1)
        return lost * counted * (graph.batch_size() / ir.maximum(ir.reduce_sum(counted), 1.0))

    def findings(self, prediction: Prediction) -> Sequence[Finding]:
        if prediction.value.rank == 2:
            return []
        message = f"`circle` compares one vector per row, and the output has rows of shape {prediction.value.shape[1:]}"
        return [Finding("impossible", message, "let a `flatten`, a pooling or a `dense` layer make vectors of them")]


def _log_sum_exp(x: Value, chosen: Value) -> Value:
    """`log Σ exp(x)` along the last axis over the elements where `chosen` is 1."""
    given = ir.select(ir.greater(chosen, 0.5), x, NEVER)
    largest = ir.stop_gradient(ir.reduce_max(given, -1, keepdims=True, ignore_nan=True))
    return ir.log(ir.reduce_sum(ir.exp(given - largest), -1)) + ir.reshape(largest, (x.shape[0],))
