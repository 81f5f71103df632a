"""Convolutional LSTM: sequences of volumes in, the gated output of a cell whose products are convolutions out."""

from __future__ import annotations

from typing import ClassVar

from trainer_cli.parts.convolutional_lstm import ConvolutionalLstm

ALIASES = ("conv_lstm3_d", "conv_lstm3d_cell")


class ConvLstm3d(ConvolutionalLstm):
    """An LSTM whose products are convolutions (Shi, Chen, Wang, Yeung, Wong and Woo, "Convolutional LSTM network",
    2015, without the feedback of the cell to the gates): `(batch, time, depth, height, width, channels)` →
    `(batch, depth′, height′, width′, filters)`, with `return_sequences` `(batch, time, depth′, …, filters)`.

    At every step, with σ the recurrent activation and gates i, f, c, o in this order along the weights' last axis:
    `cell ← σ(f) · cell + σ(i) · activation(c)`, `h ← σ(o) · activation(cell)`; the gates are
    `x * kernel + h * recurrent_kernel + bias`, the convolution of h keeping its extents.

    Weights: `kernel` `(*kernel_size, channels, 4 · filters)`, `recurrent_kernel`
    `(*kernel_size, filters, 4 · filters)` and, with `use_bias`, `bias` `(4 · filters,)`.
    """

    dimensions: ClassVar[int] = 3
