"""LSTM: sequences in, the gated output of a cell that remembers over many steps out."""

from __future__ import annotations

from typing import ClassVar

from pydantic import Field

from trainer_cli.ir.graph import Value
from trainer_cli.parts.activation import ActivationField
from trainer_cli.parts.gates import ForgetBias
from trainer_cli.parts.initializer import Initializer
from trainer_cli.parts.recurrent import Product, Recurrent, split

ALIASES = ("lstm_cell",)


class LSTM(Recurrent):
    """Long short-term memory (Hochreiter and Schmidhuber, 1997; Gers, Schmidhuber and Cummins, "Learning to forget",
    2000): `(batch, time, features)` → `(batch, units)` or `(batch, time, units)`.

    At every step, with σ the recurrent activation and gates i, f, c, o in this order along the weights' last axis:
    `cell ← σ(f) · cell + σ(i) · activation(c)`, `h ← σ(o) · activation(cell)`. Both are zeros at first.
    """

    states: ClassVar[int] = 2

    recurrent_activation: ActivationField = Field(
        default="sigmoid", validate_default=True, description="function of the input, forget and output gates"
    )
    unit_forget_bias: bool = Field(
        default=True, description="whether the bias of the forget gate begins with ones, whatever `bias_initializer` is"
    )

    @property
    def groups(self) -> tuple[int, ...]:
        return (4,)

    @property
    def first_bias(self) -> Initializer:
        return ForgetBias(others=self.bias_initializer) if self.unit_forget_bias else self.bias_initializer

    def step(self, carried: list[Value], drive: Value, product: Product) -> list[Value]:
        hidden, cell = carried
        sums = split(drive + product(0, hidden), self.units)
        write, keep, read = (self.recurrent_activation.apply(sums[gate]) for gate in (0, 1, 3))
        cell = keep * cell + write * self.activation.apply(sums[2])
        return [read * self.activation.apply(cell), cell]
