"""What layers of attention with heads share: sequences in, projections of them by kernels for all heads at once out."""

from __future__ import annotations

from typing import ClassVar

from pydantic import Field

from trainer_cli.ir import language as ir
from trainer_cli.ir.graph import Value
from trainer_cli.parts.attending import seen_before
from trainer_cli.parts.layer import LayerScope
from trainer_cli.parts.weighted import Weighted

TO_HEADS = "bti,ihd->bthd"
"""Vectors of a sequence to one vector for each head."""

FROM_HEADS = "bthd,hdo->bto"
"""The vectors of all heads to one vector."""


class Heads(Weighted):
    """Attention of several heads, each with projections of its own of query, key and value."""

    mask_use = "reads"

    input_count: ClassVar[tuple[int, int | None]] = (1, 3)

    dropout: float = Field(default=0.0, ge=0, lt=1, description="fraction of the shares that is dropped in training")
    use_bias: bool = Field(default=True, description="whether the projections add a bias")
    causal: bool = Field(
        default=False, description="whether a place looks at itself and at what is before it alone (use_causal_mask)"
    )
    sliding_window: int | None = Field(
        default=None, gt=0, description="places look at others nearer than that many alone; at all if null"
    )
    use_gate: bool = Field(default=False, description="whether a sigmoid of the query gates what the heads found")

    def masks(self, scope: LayerScope) -> list[Value | None]:
        """The masks of value and key, each once: one input is query, value and key at the same time."""
        return list(dict.fromkeys(scope.masks[1:] or scope.masks))

    def seen(self, scope: LayerScope, scores: Value) -> list[Value | None]:
        """Which places of the key `(…, query, key)` or `(batch, key)` may be looked at; None: all of them."""
        seen = seen_before(scores) if self.causal else None
        if self.sliding_window is not None:
            near = ir.less(ir.absolute(ir.iota(scores, -2) - ir.iota(scores, -1)), self.sliding_window)
            seen = near if seen is None else ir.logical_and(seen, near)
        return [seen, *self.masks(scope)]

    def gated(self, scope: LayerScope, heads: Value, query: Value) -> Value:
        """What the heads found, with `use_gate` as far as the query lets it pass."""
        if not self.use_gate:
            return heads
        count, width = (int(extent) for extent in heads.shape[2:])
        return heads * ir.logistic(self.project(scope, "gate", TO_HEADS, query, (count, width)))

    def project(self, scope: LayerScope, name: str, contraction: str, x: Value, target: tuple[int, ...]) -> Value:
        """`x · kernel + bias`: the axes that the contraction sums over become those of the target."""
        shape = (*(int(extent) for extent in x.shape[2:]), *target)
        result = ir.contract(contraction, x, self.weight(scope, f"{name}/kernel", shape, fields="kernel"))
        return result + self.weight(scope, f"{name}/bias", target, fields="bias") if self.use_bias else result
