"""Transposed convolution: volumes in, larger volumes that a convolution would turn into theirs out."""

from __future__ import annotations

from typing import ClassVar

from trainer_cli.parts.transposed import TransposedConvolution

ALIASES = ("convolution3d_transpose", "conv_3d_transpose", "deconv3d")


class Conv3dTranspose(TransposedConvolution):
    """The adjoint of a convolution with the same arguments: `(batch, depth, height, width, channels)` →
    `(batch, depth′, height′, width′, filters)`.

    An extent `n` becomes `n · stride` with padding `same` and `n · stride + max(reach − stride, 0)` with `valid`, where
    `reach = (kernel_size − 1) · dilation_rate + 1`; with `output_padding`, `(n − 1) · stride + reach + output_padding`,
    less `2 · ⌊reach / 2⌋` with `same`. Weights: `kernel` `(*kernel_size, filters, channels)` and, with `use_bias`,
    `bias` `(filters,)`.
    """

    dimensions: ClassVar[int] = 3
