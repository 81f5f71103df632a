"""The lower pass: a graph in, the same graph with convolutions that need no padding of their own out.

A convolution reads a padded copy of its input, which its kernel's gradient reads again. The gradient of its input reads
a padded, spread copy of the adjoint. The kernel's gradient becomes a matrix of taps, and the elementwise work on it
follows, so that threads share its many rows and not the two or three of a kernel's first axis.
"""

from __future__ import annotations

import functools
import itertools
import math
import operator
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from trainer_cli.ir import language as ir
from trainer_cli.ir.graph import Graph, Value, reachable, rewritten
from trainer_cli.ir.ops.convolution import GEOMETRY
from trainer_cli.ir.primitive import Dimension, Shape

_CONVOLUTIONS = ("convolve", "convolve_input_gradient", "convolve_kernel_gradient")


def lower(graph: Graph) -> Graph:
    """A new graph computing the same outputs and updates."""
    values = reachable(graph.roots())
    if not any(value.op in _CONVOLUTIONS for value in values):
        return graph
    matrices = _Matrices(values)

    def rewrite(value: Value, operands: tuple[Value, ...]) -> Value | None:
        if value.op in _CONVOLUTIONS:
            return _RULES[value.op](value, matrices, *operands)
        return matrices.rewrite(value, operands)

    return rewritten(graph, rewrite)


class _Matrices:
    """Which values of the new graph, of a kernel's shape, are views of matrices; `shapes` are those of the matrices."""

    def __init__(self, values: Sequence[Value]) -> None:
        self.known: dict[Value, Value] = {}
        self.shapes: dict[Shape, tuple[int, int]] = {}
        for value in values:
            source = value.operands[0] if value.op == "reshape" else value
            if source.op == "convolve_kernel_gradient" and value.rank > 2:
                rows = math.prod(int(extent) for extent in source.shape[:-1])
                self.shapes.setdefault(value.shape, (rows, int(source.shape[-1])))

    def keep(self, matrix: Value, shape: Shape) -> Value:
        """A matrix seen in another shape."""
        result = ir.reshape(matrix, shape)
        if self.shapes.get(shape) == matrix.shape:
            self.known[result] = matrix
        return result

    def rewrite(self, value: Value, operands: tuple[Value, ...]) -> Value | None:
        """Elementwise work on values of a kernel's shape is done on their matrices."""
        first = self.known.get(operands[0]) if operands else None
        if first is not None and value.op == "reshape":
            return self.keep(first, value.shape)
        if first is not None and value.op in ("reduce_sum", "reduce_max"):
            whole = len(value.attributes["axes"]) == operands[0].rank
            return first.graph.emit(value.op, (first,), **{**value.attributes, "axes": (0, 1)}) if whole else None
        shape = self.shapes.get(value.shape)
        if value.primitive.family != "elementwise" or shape is None:
            return None
        taken = [self._matrix(operand, shape) for operand in operands]
        matrices = [matrix for matrix in taken if matrix is not None]
        if len(matrices) < len(taken):
            return None
        return self.keep(matrices[0].graph.emit(value.op, matrices, **value.attributes), value.shape)

    def _matrix(self, operand: Value, shape: tuple[int, int]) -> Value | None:
        """An operand as a matrix, if that costs nothing."""
        if operand in self.known:
            return self.known[operand]
        if operand.op in ("weight", "state"):
            self.known[operand] = ir.reshape(operand, shape)
            return self.known[operand]
        if operand.op == "broadcast" and operand.operands[0].shape == ():
            return ir.broadcast_to(operand.operands[0], shape)
        return None


def _geometry(attributes: Mapping[str, Any], **other: Any) -> dict[str, Any]:
    return {**{key: attributes[key] for key in GEOMETRY}, **other}


def _without_padding(x: Value, padding: Sequence[Sequence[int]]) -> tuple[Value, dict[str, Any]]:
    low, high = ((0, *(int(pad[side]) for pad in padding), 0) for side in (0, 1))
    return ir.pad(x, low, high), {"padding": tuple((0, 0) for _ in padding)}


def _convolve(value: Value, matrices: _Matrices, x: Value, kernel: Value) -> Value:
    padded, none = _without_padding(x, value.attributes["padding"])
    return x.graph.emit("convolve", (padded, kernel), **_geometry(value.attributes, **none))


def _input_gradient(value: Value, matrices: _Matrices, adjoint: Value, kernel: Value) -> Value:
    """The positions of a strided convolution's input fall into phases: each meets every stride-th tap alone.

    Position p with p + padding = phase (mod stride) is reached by the taps phase, phase + stride, …, as if by a
    convolution of stride 1 with these alone. Its gradient has no holes to multiply.
    """
    a = value.attributes
    axes = [
        _phases(*each)
        for each in zip(kernel.shape[:-2], a["space"], a["strides"], a["dilation"], a["padding"], strict=True)
    ]
    if any(not phases for phases in axes) or all(phases[0].step == 1 for phases in axes):
        return _gradient_of_taps(a, a["space"], a["strides"], [pad[0] for pad in a["padding"]], adjoint, kernel)
    parts = []
    for chosen in itertools.product(*axes):
        steps = tuple(phase.step for phase in chosen)
        starts = (*(phase.first_tap for phase in chosen), 0, 0)
        taps = ir.slice_(kernel, starts, kernel.shape, (*steps, 1, 1))
        strides = [stride // step for stride, step in zip(a["strides"], steps, strict=True)]
        space, paddings = [phase.places for phase in chosen], [phase.padding for phase in chosen]
        part = _gradient_of_taps(a, space, strides, paddings, adjoint, taps)
        low = (0, *(phase.first_place for phase in chosen), 0)
        high = (0, *(int(n) - 1 - phase.last_place for n, phase in zip(a["space"], chosen, strict=True)), 0)
        parts.append(ir.pad(part, low, high, (0, *(step - 1 for step in steps), 0)))
    return functools.reduce(operator.add, parts)


@dataclass(frozen=True)
class _Phase:
    """Every `step`-th position of an axis from `first_place` on, and the taps that reach it, from `first_tap` on.

    `padding`: as of a convolution of stride 1 over these `places` positions alone.
    """

    step: int
    first_tap: int
    first_place: int
    places: int
    padding: int

    @property
    def last_place(self) -> int:
        return self.first_place + (self.places - 1) * self.step


def _phases(size: Dimension, extent: int, stride: int, dilation: int, padding: tuple[int, int]) -> list[_Phase]:
    """The phases of one axis that any tap reaches; a single one of step 1 if the axis is not taken apart."""
    if stride == 1 or dilation > 1:
        return [_Phase(1, 0, 0, int(extent), padding[0])]
    found = []
    for tap in range(min(stride, int(size))):
        before = max(0, -((tap - padding[0]) // stride))  # of the positions tap + stride · n, those in the padding
        first = tap - padding[0] + stride * before
        places = max(0, -((first - int(extent)) // stride))
        if places > 0:
            found.append(_Phase(stride, tap, first, places, before))
    return found


def _gradient_of_taps(
    a: Mapping[str, Any],
    space: Sequence[int],
    strides: Sequence[int],
    paddings: Sequence[int],
    adjoint: Value,
    kernel: Value,
) -> Value:
    """With stride 1 and a padding that no window passes, the adjoint already holds all that the kernel meets."""
    stops: list[Dimension] = [adjoint.shape[0]]
    low, high, starts = [0], [0], [0]
    for axis, (size, extent, stride, dilation, pad) in enumerate(
        zip(map(int, kernel.shape[:-2]), space, strides, a["dilation"], paddings, strict=True), start=1
    ):
        reach = (size - 1) * dilation
        spread = (int(adjoint.shape[axis]) - 1) * stride + 1
        before = reach - pad
        behind = int(extent) + reach - spread - before
        low.append(max(0, before))
        high.append(max(0, behind))
        # A padding wider than the window: its outermost positions have seen nothing of the input.
        starts.append(max(0, -before))
        stops.append(low[-1] + spread + min(behind, 0) + high[-1])
    interior = (0, *(stride - 1 for stride in strides), 0)
    spaced = ir.pad(adjoint, (*low, 0), (*high, 0), interior)
    whole = ir.slice_(spaced, (*starts, 0), (*stops, spaced.shape[-1]))
    reaches = [(int(size) - 1) * apart for size, apart in zip(kernel.shape[:-2], a["dilation"], strict=True)]
    full = {"strides": tuple(1 for _ in reaches), "padding": tuple((reach, reach) for reach in reaches)}
    geometry = _geometry(a, **full)
    return adjoint.graph.emit("convolve_input_gradient", (whole, kernel), space=tuple(space), **geometry)


def _kernel_gradient(value: Value, matrices: _Matrices, x: Value, adjoint: Value) -> Value:
    padded, none = _without_padding(x, value.attributes["padding"])
    attributes = _geometry(value.attributes, **none, window=value.attributes["window"], flat=True)
    matrix = x.graph.emit("convolve_kernel_gradient", (padded, adjoint), **attributes)
    return matrices.keep(matrix, value.shape)


_RULES = {
    "convolve": _convolve,
    "convolve_input_gradient": _input_gradient,
    "convolve_kernel_gradient": _kernel_gradient,
}
