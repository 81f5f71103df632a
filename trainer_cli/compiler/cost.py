"""The cost of a step: a graph and a batch size in, floating-point operations and bytes out.

Operations: two per multiply-add of a product, one per element of everything else that computes. Bytes: every weight,
state and input read once, every update and product's result written once; what stays in registers costs none.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from trainer_cli.compiler.causal import share_of
from trainer_cli.compiler.kernels import Kernel, is_private, storage
from trainer_cli.compiler.layout import ITEM_SIZE, elements
from trainer_cli.ir.graph import Graph, Value, reachable
from trainer_cli.ir.ops.products import label_extents
from trainer_cli.ir.ops.subtotals import summed
from trainer_cli.ir.primitive import BATCH


@dataclass(frozen=True)
class Cost:
    """Floating-point operations, and the bytes that must move at least."""

    operations: int
    bytes: int


def step_cost(graph: Graph, batch_size: int) -> Cost:
    """The cost of computing everything that a graph gives, once."""
    values = reachable(graph.roots())
    operations = sum(operations_of(value, batch_size) for value in values)
    moved = sum(
        elements(value.shape, batch_size) * ITEM_SIZE[value.dtype]
        for value in values
        if value.op in ("input", "weight", "state", "contract", "convolve")
    )
    moved += sum(elements(value.shape, batch_size) * ITEM_SIZE[value.dtype] for value in graph.updates.values())
    return Cost(operations, moved)


def kernel_cost(kernel: Kernel, batch_size: int) -> Cost:
    """The cost of one kernel by itself: all that it reads and writes moves once, wherever it comes from."""
    operations = sum(operations_of(value, batch_size) for value in kernel.computed)
    values = [*dict.fromkeys(map(storage, kernel.reads)), *kernel.stores, *(value for value, _ in kernel.updates)]
    return Cost(operations, sum(elements(value.shape, batch_size) * ITEM_SIZE[value.dtype] for value in values))


def operations_of(value: Value, batch_size: int) -> int:
    """Floating-point operations of one value."""
    if value.op == "contract":
        extents = (batch_size if extent is BATCH else int(extent) for extent in label_extents(value).values())
        return round(2 * math.prod(extents) * share_of(value))
    if value.op in ("convolve", "convolve_input_gradient", "convolve_kernel_gradient"):
        return 2 * _convolution_terms(value, batch_size)
    if value.op == "subtotals":
        return operations_of(summed(value), batch_size)
    if value.op == "loop":
        steps = reachable(value.attributes["results"])
        return int(value.attributes["length"]) * sum(operations_of(inner, batch_size) for inner in steps)
    if value.primitive.family == "elementwise" and value.dtype == "float":
        return elements(value.shape, batch_size)
    if value.primitive.family == "reduction":
        return elements(value.operands[0].shape, batch_size)
    return 0


def _without_zeros(adjoint: Value) -> Value:
    """What `lower` spreads and pads: a product with a zero is no work."""
    while adjoint.op in ("pad", "slice") and len(adjoint.operands) == 1:
        adjoint = adjoint.operands[0]
    return adjoint


def _convolution_terms(value: Value, batch_size: int) -> int:
    first, second = value.operands
    if value.op == "convolve" and not is_private(second):
        space, kernel = value.shape, second.shape
    elif value.op != "convolve_kernel_gradient":
        space, kernel = _without_zeros(first).shape, second.shape
    else:
        space, kernel = second.shape, value.shape
    return elements(space[:-1], batch_size) * elements(kernel, batch_size)
