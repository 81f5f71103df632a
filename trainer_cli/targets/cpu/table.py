"""The table of a plan: what it needs from outside in, the places of the words with their addresses and numbers out."""

from __future__ import annotations

from dataclasses import dataclass, field

from trainer_cli.ir.graph import Value
from trainer_cli.targets.cpu.words import Word


@dataclass
class Table:
    """Where the words of the table stand. `data` are addresses of the inputs' rows, `leaves` of weights and states,
    `outputs` of the arrays for batched outputs.

    `hyperparameters` and `totals` are places within the arrays of doubles that two of the fixed words point to.
    """

    data: dict[str, int] = field(default_factory=dict)
    leaves: dict[str, int] = field(default_factory=dict)
    outputs: dict[str, int] = field(default_factory=dict)
    constants: list[Value] = field(default_factory=list)
    hyperparameters: dict[str, int] = field(default_factory=dict)
    totals: dict[str, tuple[int, int]] = field(default_factory=dict)

    @property
    def size(self) -> int:
        return len(Word) + len(self.data) + len(self.leaves) + len(self.outputs) + len(self.constants)

    def constant_place(self, value: Value) -> int:
        return self.size - len(self.constants) + self.constants.index(value)
