"""Numbers for tests: a function that writes IR and NumPy operands in, its value and checked gradients out."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from trainer_cli.compiler.gradient import gradients
from trainer_cli.ir import language as ir
from trainer_cli.ir.graph import BATCH, Graph, Value
from trainer_cli.targets.reference.interpreter import evaluate

Array = NDArray[Any]


@dataclass(frozen=True)
class Operand:
    """An array as a leaf of a graph: floats with a batch axis are inputs, without one weights; others are inputs."""

    array: Array
    batched: bool = False

    @property
    def dtype(self) -> str:
        return {"f": "float", "i": "int", "b": "bool"}[self.array.dtype.kind]


def batch(array: Any) -> Operand:
    """An operand whose first axis is the batch axis."""
    return Operand(np.asarray(array), batched=True)


def whole(array: Any) -> Operand:
    """An operand without a batch axis."""
    return Operand(np.asarray(array))


def leaves(graph: Graph, operands: Sequence[Operand]) -> list[Value]:
    """One leaf per operand, called `x0`, `x1`, …"""
    values = []
    for index, operand in enumerate(operands):
        shape: Any = (BATCH, *operand.array.shape[1:]) if operand.batched else operand.array.shape
        is_weight = operand.dtype == "float" and not operand.batched
        name = f"x{index}"
        values.append(graph.weight(name, shape) if is_weight else graph.input(name, shape, operand.dtype))
    return values


def rows_of(operands: Sequence[Operand]) -> int:
    """The number of rows of the batch; 1 if nothing has a batch axis."""
    counts = {len(operand.array) for operand in operands if operand.batched}
    assert len(counts) <= 1, "operands have different numbers of rows"
    return counts.pop() if counts else 1


def compute(build: Callable[..., Value], *operands: Operand, precision: Any = np.float64, **bindings: Any) -> Array:
    """The array of the value that `build` makes of leaves for the operands."""
    graph = Graph()
    result = build(*leaves(graph, operands))
    bound = {f"x{index}": operand.array for index, operand in enumerate(operands)} | bindings
    return evaluate([result], bound, rows_of(operands), precision)[0]


def compute_gradients(
    build: Callable[..., Value], *operands: Operand, cotangent: Array | None = None, precision: Any = np.float64
) -> list[Array]:
    """The gradients of Σ cotangent·build(…) by every float operand, as the compiler writes them."""
    graph = Graph()
    values = leaves(graph, operands)
    result = build(*values)
    wanted = [value for value in values if value.dtype == "float"]
    if cotangent is None:
        cotangent = np.ones([rows_of(operands) if extent is BATCH else extent for extent in result.shape])
    weighted = ir.reduce_sum(result * graph.input("cotangent", result.shape)) if result.rank else result * cotangent
    bound = {f"x{index}": operand.array for index, operand in enumerate(operands)} | {"cotangent": cotangent}
    return evaluate(gradients(weighted, wanted), bound, rows_of(operands), precision)


def check_gradients(
    build: Callable[..., Value], *operands: Operand, step: float = 1e-5, tolerance: float = 1e-7, seed: int = 0
) -> None:
    """Compare the gradients by every float operand with central differences in float64, element by element."""
    random = np.random.default_rng(seed)
    cotangent = random.uniform(0.5, 1.5, compute(build, *operands).shape)
    cotangent *= random.choice([-1.0, 1.0], cotangent.shape)
    found = compute_gradients(build, *operands, cotangent=cotangent)
    positions = [index for index, operand in enumerate(operands) if operand.dtype == "float"]
    assert positions, "nothing to differentiate by"

    def scalar(position: int, array: Array) -> float:
        moved = list(operands)
        moved[position] = Operand(array, operands[position].batched)
        return float(np.sum(compute(build, *moved) * cotangent))

    for position, gradient in zip(positions, found, strict=True):
        array = operands[position].array
        assert gradient.shape == array.shape
        numeric = np.zeros(array.shape)
        for index in np.ndindex(array.shape):
            above, below = array.copy(), array.copy()
            above[index] += step
            below[index] -= step
            numeric[index] = (scalar(position, above) - scalar(position, below)) / (2 * step)
        np.testing.assert_allclose(gradient, numeric, rtol=tolerance * 10, atol=tolerance)
