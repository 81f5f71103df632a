"""Non-negativity: a weight in, the weight with its negative elements set to 0 out."""

from __future__ import annotations

from trainer_cli.ir import language as ir
from trainer_cli.ir.graph import Value
from trainer_cli.parts.constraint import Constraint

ALIASES = ("nonneg", "non_negative")


class NonNeg(Constraint):
    """`max(w, 0)`, element by element."""

    def project(self, weight: Value) -> Value:
        return ir.maximum(weight, 0.0)
