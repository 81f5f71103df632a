"""Muon: a matrix and its gradient in, a step of nearly equal size in all directions out; AdamW for other weights."""

from __future__ import annotations

import math

from pydantic import Field

from trainer_cli.ir import language as ir
from trainer_cli.ir.graph import Value
from trainer_cli.parts.optimizer import Optimizer, Patterns, UpdateScope, found_in
from trainer_cli.parts.optimizers.adam import correction, moments


class Muon(Optimizer):
    """Muon (Jordan et al., "Muon: an optimizer for hidden layers in neural networks", 2024), as in Keras.

    For a matrix (n, m) `M ← μ·M + ∇`, `G = ∇ + μ·M` with `nesterov`, else M. G divided by its norm takes `ns_steps`
    Newton–Schulz iterations `X ← a·X + (b·A + c·A²)·X`, `A = X·Xᵀ`, which bring its singular values near 1;
    `w ← w − α·√max(n, m)·ρ·X` with the `rms_rate` ρ (Liu et al., "Muon is scalable for LLM training", 2025).

    Weights that are no matrices, embeddings and what `exclude_layers` names take the step of AdamW with the rate
    `adam_lr_ratio·α`. The output layer should be among them: `exclude_layers: [dense_3]`.
    """

    structural = ("exclude_layers", "exclude_embeddings")
    patterns = ("exclude_from_weight_decay", "exclude_layers")

    adam_beta_1: float = Field(default=0.9, ge=0, lt=1, description="AdamW's decay of the first moment")
    adam_beta_2: float = Field(default=0.999, ge=0, lt=1, description="AdamW's decay of the second moment")
    adam_weight_decay: float | None = Field(default=0.004, ge=0, description="weight decay of what AdamW updates")
    epsilon: float = Field(default=1e-7, gt=0, description="AdamW's small number that keeps the denominator from 0")
    weight_decay: float | None = Field(default=0.004, ge=0, description="weight decay of the matrices")
    exclude_layers: Patterns = Field(
        default=(), description="what AdamW updates: regular expressions found in `<layer>/<weight>`"
    )
    exclude_embeddings: bool = Field(default=True, description="update embeddings by AdamW")
    muon_a: float = Field(default=3.4445, description="coefficient a of the iteration")
    muon_b: float = Field(default=-4.775, description="coefficient b of the iteration")
    muon_c: float = Field(default=2.0315, description="coefficient c of the iteration")
    adam_lr_ratio: float = Field(default=1.0, gt=0, description="AdamW's learning rate divided by the matrices'")
    momentum: float = Field(default=0.95, ge=0, le=1, description="share μ of the sum of gradients that is kept")
    ns_steps: int = Field(default=5, ge=1, description="number of iterations")
    nesterov: bool = Field(default=True, description="look ahead along the sum of gradients")
    rms_rate: float | None = Field(default=0.2, gt=0, description="size ρ of a step; none: not scaled by √max(n, m)")

    def decay_field(self, scope: UpdateScope, weight: Value) -> str | None:
        field = "adam_weight_decay" if self._takes_adam(scope, weight) else "weight_decay"
        excluded = found_in(self.exclude_from_weight_decay, scope.weight_name)
        return None if excluded or getattr(self, field) is None else field

    def update(self, scope: UpdateScope, weight: Value, gradient: Value) -> Value:
        rate = scope.hyperparameter("learning_rate")
        if self._takes_adam(scope, weight):
            betas = "adam_beta_1", "adam_beta_2"
            first, second = moments(scope, gradient, *(scope.hyperparameter(name) for name in betas))
            rate = rate * scope.hyperparameter("adam_lr_ratio") * correction(scope, *betas)
            return weight - first * rate / (ir.sqrt(second) + scope.hyperparameter("epsilon"))
        momentum, slot = scope.hyperparameter("momentum"), scope.slot("velocity")
        velocity = slot * momentum + gradient
        scope.assign(slot, velocity)
        direction = self._orthogonal(scope, gradient + velocity * momentum if self.nesterov else velocity)
        if self.rms_rate is not None:
            rate = rate * scope.hyperparameter("rms_rate") * math.sqrt(max(map(int, weight.shape)))
        return weight - direction * rate

    def _takes_adam(self, scope: UpdateScope, weight: Value) -> bool:
        embedding = self.exclude_embeddings and "embedding" in scope.weight_name.lower()
        return weight.rank != 2 or embedding or found_in(self.exclude_layers, scope.weight_name)

    def _orthogonal(self, scope: UpdateScope, x: Value) -> Value:
        """A matrix with the singular vectors of x and singular values near 1."""
        a, b, c = (scope.hyperparameter(f"muon_{name}") for name in "abc")
        rows, columns = map(int, x.shape)
        # The smaller of X·Xᵀ and Xᵀ·X: the iteration of the transposed matrix is the iteration transposed.
        square, applied = ("ik,jk->ij", "ij,jk->ik") if rows <= columns else ("ki,kj->ij", "ki,ij->kj")
        x = x / (ir.sqrt(ir.reduce_sum(ir.square(x))) + 1e-7)
        for _ in range(self.ns_steps):
            products = ir.contract(square, x, x)
            mixed = products * b + ir.contract("ij,jk->ik", products, products) * c
            pair = (mixed, x) if rows <= columns else (x, mixed)
            x = x * a + ir.contract(applied, *pair)
        return x
