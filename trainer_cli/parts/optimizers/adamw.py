"""AdamW: a weight and its gradient in, a step as Adam's from a weight that has decayed out."""

from __future__ import annotations

from pydantic import Field

from trainer_cli.parts.optimizers.adam import Adam

ALIASES = ("adam_w",)


class Adamw(Adam):
    """AdamW (Loshchilov and Hutter, "Decoupled weight decay regularization", 2019): `w ← w − α·λ·w`, then Adam's step.

    It is Adam with a `weight_decay` by default. Biases and normalizations are often left out of the decay:
    `exclude_from_weight_decay: [bias, gamma, beta]`.
    """

    weight_decay: float = Field(default=0.004, ge=0, description="share λ of a weight that decays per unit of α")
