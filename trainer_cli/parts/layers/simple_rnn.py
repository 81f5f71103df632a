"""Simple RNN: sequences in, an output that is fed back at every step out."""

from __future__ import annotations

from trainer_cli.ir.graph import Value
from trainer_cli.parts.recurrent import Product, Recurrent

ALIASES = ("simple_rnn_cell",)


class SimpleRNN(Recurrent):
    """`h ← activation(x · kernel + h · recurrent_kernel + bias)` at every step, from zeros (Elman, "Finding structure
    in time", 1990): `(batch, time, features)` → `(batch, units)` or `(batch, time, units)`.
    """

    def step(self, carried: list[Value], drive: Value, product: Product) -> list[Value]:
        return [self.activation.apply(drive + product(0, carried[0]))]
