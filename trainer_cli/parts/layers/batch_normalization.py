"""Batch normalization: values in, the same values with mean 0 and variance 1 over the batch out."""

from __future__ import annotations

from pydantic import Field

from trainer_cli.ir import language as ir
from trainer_cli.ir.graph import Value
from trainer_cli.parts.initializer import InitializerField
from trainer_cli.parts.layer import LayerScope
from trainer_cli.parts.normalization import along, batch_mean, counted_axes, extents
from trainer_cli.parts.scaling import Scaling

ALIASES = ("batch_norm",)


class BatchNormalization(Scaling):
    """`(x − mean) / √(variance + epsilon) · gamma + beta` for every place along `axis` (Ioffe and Szegedy, "Batch
    normalization", 2015). `(batch, …)` → the same shape.

    In training, mean and variance (divided by the number of elements, not by one less) are those of the batch and of
    all axes but `axis`, and the moving ones take `(1 − momentum)` of them over; afterwards the moving ones normalize.
    So they do in training too if the layer is frozen, by `trainable: false` or `freeze`; they then stay as they are.

    Elements that a mask leaves out are normalized but do not count in the statistics of a batch.

    Weights: `gamma`, `beta`, and, not trained, `moving_mean` and `moving_variance`; each `(extent of axis,)`.
    """

    mask_use = "reads"

    axis: int = Field(default=-1, description="axis of the features, the batch axis being 0")
    momentum: float = Field(default=0.99, ge=0, le=1, description="what stays of the moving statistics at every step")
    moving_mean_initializer: InitializerField = Field(
        default="zeros", validate_default=True, description="first values of the moving mean"
    )
    moving_variance_initializer: InitializerField = Field(
        default="ones", validate_default=True, description="first values of the moving variance"
    )

    def trace(self, scope: LayerScope, *inputs: Value) -> Value:
        (x,) = inputs
        axes = counted_axes(scope, self.type, self.axis, x)
        shape = extents(x, axes)
        gamma, beta = self.gamma_and_beta(scope, x, axes)
        mean = moving_mean = scope.weight("moving_mean", shape, self.moving_mean_initializer, trainable=False)
        variance = moving_variance = scope.weight(
            "moving_variance", shape, self.moving_variance_initializer, trainable=False
        )
        learns = scope.training and not scope.frozen
        mask = scope.masks[0]
        scope.give_mask(mask)
        if learns:
            mean = batch_mean(x, axes, mask)
        centered = x - along(mean, x, axes)
        if learns:
            # The sum of x − mean is 0: the variance does not change with the mean, and its gradient need not go there.
            variance = batch_mean(ir.square(x - along(ir.stop_gradient(mean), x, axes)), axes, mask)
            for moving, current in ((moving_mean, mean), (moving_variance, variance)):
                scope.assign(moving, moving * self.momentum + ir.stop_gradient(current) * (1.0 - self.momentum))
        factor = 1.0 / ir.sqrt(variance + self.epsilon)
        result = centered * along(factor if gamma is None else factor * gamma, x, axes)
        return result if beta is None else result + along(beta, x, axes)
