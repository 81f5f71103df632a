"""What layers of weighted sums share: choices from a config in, the arguments of a kernel and a bias out."""

from __future__ import annotations

from pydantic import Field

from trainer_cli.parts.constraint import ConstraintField
from trainer_cli.parts.initializer import InitializerField
from trainer_cli.parts.layer import Layer
from trainer_cli.parts.regularizer import RegularizerField


class Weighted(Layer):
    """A layer with a kernel and a bias, or several of them that are treated alike."""

    kernel_initializer: InitializerField = Field(
        default="glorot_uniform", validate_default=True, description="first values of the kernel"
    )
    bias_initializer: InitializerField = Field(
        default="zeros", validate_default=True, description="first values of the bias"
    )
    kernel_regularizer: RegularizerField | None = Field(default=None, description="penalty on the kernel")
    bias_regularizer: RegularizerField | None = Field(default=None, description="penalty on the bias")
    kernel_constraint: ConstraintField | None = Field(default=None, description="projection of the updated kernel")
    bias_constraint: ConstraintField | None = Field(default=None, description="projection of the updated bias")
