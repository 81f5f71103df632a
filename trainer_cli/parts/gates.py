"""First values of gates: another initializer in, the same with ones for the bias of a forget gate out."""

from __future__ import annotations

from trainer_cli.ir.random import RandomStream
from trainer_cli.lazy import NDArray, np
from trainer_cli.parts.initializer import Initializer


class ForgetBias(Initializer):
    """Ones for the second of four gates, and for each of the others what another initializer gives."""

    others: Initializer

    def misfit(self, shape: tuple[int, ...]) -> str | None:
        return self.others.misfit((shape[0] // 4,))

    def values(self, shape: tuple[int, ...], random: RandomStream) -> NDArray[np.float64]:
        units = shape[0] // 4
        first, last = self.others.values((units,), random), self.others.values((2 * units,), random)
        return np.concatenate([first, np.ones(units), last])
