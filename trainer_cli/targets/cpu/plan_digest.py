"""Plan digests: a graph and what else decides its plan in, the name under which the plan is stored out.

A graph is digested value by value: primitive, operands, attributes with the bits of their arrays, shape, type, layer.
Equal graphs have equal digests in every process: nothing here depends on addresses, hashes or the order of sets.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any

import numpy as np

from trainer_cli.compiler.trace import InputSpec
from trainer_cli.ir.graph import Graph, Value
from trainer_cli.ir.primitive import BatchAxis
from trainer_cli.targets.cpu.cache import plan_environment

_PLAIN = (int, float, str, bool, type(None), BatchAxis)
"""What `repr` tells apart to the last bit."""


def plan_digest(graph: Graph, batch_size: int, inputs: Mapping[str, InputSpec], cache: int) -> str:
    """The name of a plan's file. `cache`: as in `make_schedule`."""
    given = [(name, tuple(spec.shape), spec.dtype, float(spec.scale)) for name, spec in inputs.items()]
    lines = [plan_environment(), f"{batch_size} {cache} {given}", *_GraphLines(graph).lines]
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()


class _GraphLines:
    """A graph and those of its loops' bodies, as lines of text that say everything about them."""

    def __init__(self, graph: Graph) -> None:
        # Graphs by the order in which they are first met; values are told by the number of their graph and their own.
        self._numbers = {graph: 0}
        self._graphs = [graph]
        self.lines: list[str] = []
        for number, each in enumerate(self._graphs):  # which grows as bodies are met
            self.lines.append(f"graph {number}")
            self.lines += map(self._line, each.values)
            self.lines += (f"{name!r} is {self._told(value)}" for name, value in each.outputs.items())
            self.lines += (f"{name!r} becomes {self._told(value)}" for name, value in each.updates.items())

    def _line(self, value: Value) -> str:
        operands = " ".join([str(operand.index) for operand in value.operands])
        attributes = ", ".join([f"{name}={self._told(item)}" for name, item in value.attributes.items()])
        return f"{value.op}({operands}) [{attributes}] {value.shape} {value.dtype} {value.layer!r}"

    def _told(self, item: Any) -> str:
        """An attribute's value in words. Raises TypeError for what none of the kinds of attributes is."""
        if isinstance(item, (np.ndarray, np.generic)):
            array = np.asarray(item)
            return f"{array.dtype.str}{array.shape}{hashlib.sha256(array.tobytes()).hexdigest()}"
        if isinstance(item, _PLAIN):
            return repr(item)
        if isinstance(item, (tuple, list)):
            return f"({','.join(map(self._told, item))})"
        if isinstance(item, Value):
            return f"%{self._number(item.graph)}.{item.index}"
        raise TypeError(f"an attribute of a graph is {item!r}, which has no digest")

    def _number(self, graph: Graph) -> int:
        if graph not in self._numbers:
            self._numbers[graph] = len(self._graphs)
            self._graphs.append(graph)
        return self._numbers[graph]
