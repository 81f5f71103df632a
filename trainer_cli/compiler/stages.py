"""Stages: a kernel that works row by row in, the order of its loops along a row and of the work between them out."""

from __future__ import annotations

from dataclasses import dataclass

from trainer_cli.compiler.kernels import Kernel, is_row_reduction, reads_of
from trainer_cli.ir.graph import Value


@dataclass(frozen=True)
class Stages:
    """For each value its stage: a value along the row is computed by the loop of that number, a number of the row
    (`reductions` included) is known behind that loop, or before the first one if its stage is -1.

    `crossing` are values along the row that a later loop reads again: they need a buffer.
    """

    stage: dict[Value, int]
    whole: frozenset[Value]
    crossing: frozenset[Value]

    @property
    def count(self) -> int:
        return 1 + max(self.stage.values(), default=-1)

    def along(self, number: int) -> list[Value]:
        """What the loop of this number computes, in order."""
        return [value for value, stage in self.stage.items() if stage == number and value in self.whole]

    def row(self, number: int) -> list[Value]:
        """The elementwise numbers of a row that are computed behind the loop of this number, in order."""
        return [value for value, stage in self.stage.items() if stage == number and value not in self.whole]


def stages_of(kernel: Kernel, replicated: dict[Value, bool]) -> Stages:
    """The stages of a kernel with `outer` set."""
    stage: dict[Value, int] = {}
    whole: set[Value] = set()
    crossing: set[Value] = set()
    for value in kernel.body:
        reads = [access.value for access in reads_of(value, replicated) if access.value in stage]
        along = is_row_reduction(value) or value.shape == kernel.domain
        own = 0 if along else -1
        for read in reads:
            is_number = read not in whole or is_row_reduction(read)
            own = max(own, stage[read] + (1 if is_number and along else 0))
        stage[value] = own
        if along:
            whole.add(value)
            crossing |= {read for read in reads if read in whole and not is_row_reduction(read) and stage[read] < own}
    return Stages(stage, frozenset(whole), frozenset(crossing))
