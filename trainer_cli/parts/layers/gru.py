"""GRU: sequences in, an output that gates decide to keep or to renew at every step out."""

from __future__ import annotations

from pydantic import Field

from trainer_cli.ir.graph import Value
from trainer_cli.parts.activation import ActivationField
from trainer_cli.parts.recurrent import Product, Recurrent, part, split

ALIASES = ("gru_cell",)


class GRU(Recurrent):
    """Gated recurrent unit (Cho et al., "Learning phrase representations using RNN encoder–decoder", 2014):
    `(batch, time, features)` → `(batch, units)` or `(batch, time, units)`.

    At every step, with σ the recurrent activation and gates z, r, h in this order along the weights' last axis:
    `h ← σ(z) · h + (1 − σ(z)) · activation(candidate)`. The candidate adds `σ(r) · (h · recurrent_kernel)` to the
    projected inputs, or without `reset_after` `(σ(r) · h) · recurrent_kernel`. With `reset_after`, the bias is
    `(2, 3 · units)`: its second row belongs to the products with the recurrent kernel.
    """

    recurrent_activation: ActivationField = Field(
        default="sigmoid", validate_default=True, description="function of the update and reset gates"
    )
    reset_after: bool = Field(
        default=True, description="whether the reset gate acts after the product with the recurrent kernel"
    )

    @property
    def groups(self) -> tuple[int, ...]:
        return (3,) if self.reset_after else (2, 1)

    @property
    def bias_shape(self) -> tuple[int, ...]:
        return (2, 3 * self.units) if self.reset_after else (3 * self.units,)

    def step(self, carried: list[Value], drive: Value, product: Product) -> list[Value]:
        (hidden,) = carried
        gates = 2 * self.units
        fed_back = product(0, hidden)
        sums = part(drive, 0, gates) + part(fed_back, 0, gates)
        keep, reset = (self.recurrent_activation.apply(gate) for gate in split(sums, self.units))
        candidate = (
            reset * part(fed_back, gates, gates + self.units) if self.reset_after else product(1, reset * hidden)
        )
        renewed = self.activation.apply(part(drive, gates, gates + self.units) + candidate)
        return [keep * hidden + (1.0 - keep) * renewed]
