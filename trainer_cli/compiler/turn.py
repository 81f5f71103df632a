"""The turn pass: a simplified graph and its batch size in, the same with weights turned round that are read across out.

The gradient of what a layer reads multiplies by the layer's weight the other way round. A product reads rows, so it
copies each tile of such a weight into order first: a loop does so at every step, a convolution for every image. Turned
round once, the weight can be read as it lies, and a kernel of a convolution row of taps by row. Each thread has a copy
of its own, so that nobody waits for it.
"""

from __future__ import annotations

import math
from typing import Any

from trainer_cli.ir.graph import Graph, Value, copy_into, reachable, rewritten
from trainer_cli.ir.ops.convolution import GEOMETRY
from trainer_cli.ir.ops.products import labels
from trainer_cli.ir.ops.structure import static_size

LEAST_STEPS = 4
"""Steps of a loop from which on a copy pays."""

LEAST_POSITIONS = 2048
"""Positions of all images of a batch from which on a copy pays: products copy a tile for some 256 of them."""

LARGEST = 1 << 20
"""Floats of a weight that every thread may have a copy of; 4 MB."""


def turn(graph: Graph, batch_size: int) -> Graph:
    """A new graph computing the same outputs and updates, bit by bit."""

    def rewrite(value: Value, operands: tuple[Value, ...]) -> Value | None:
        if value.op == "loop" and value.attributes["length"] >= LEAST_STEPS:
            return _loop(value, operands)
        if (
            value.op == "convolve_input_gradient"
            and batch_size * math.prod(value.attributes["space"]) >= LEAST_POSITIONS
        ):
            return _input_gradient(value, *operands)
        return None

    return rewritten(graph, rewrite)


def _is_weight(value: Value) -> bool:
    """Whether a value is a weight, or a part of one, that is small: there from the beginning of a step."""
    if static_size(value.shape) > LARGEST:
        return False
    while value.op in ("reshape", "slice"):
        (value,) = value.operands
    return value.op == "weight"


def _turned(x: Value, permutation: tuple[int, ...]) -> Value:
    return x.graph.emit("transpose", (x,), permutation=permutation, private=True)


def _input_gradient(value: Value, adjoint: Value, kernel: Value) -> Value | None:
    """A convolution with the kernel backwards, its channels and filters exchanged."""
    a = value.attributes
    if a["groups"] > 1 or not _is_weight(kernel):
        return None
    space = tuple(range(kernel.rank - 2))
    backwards = kernel.graph.emit("reverse", (kernel,), axes=space, private=True)
    turned = _turned(backwards, (*space, kernel.rank - 1, kernel.rank - 2))
    geometry = {**{key: a[key] for key in GEOMETRY}, "padding": tuple((0, 0) for _ in space)}
    return adjoint.graph.emit("convolve", (adjoint, turned), **geometry)


def _loop(value: Value, operands: tuple[Value, ...]) -> Value | None:
    """A loop that captures, of weights that its products read across, turned copies."""
    a = value.attributes
    parameters, results = list(a["parameters"]), a["results"]
    across = dict.fromkeys(
        use.operands[1]
        for use in reachable(results)
        if use.op == "contract" and use.operands[1] in parameters and _reads_across(use)
    )
    known = dict(zip(parameters, operands, strict=True))
    across = {parameter: None for parameter in across if _is_weight(known[parameter])}
    if not across:
        return None
    body = Graph()
    copied = {each: body.parameter(place, each.shape, each.dtype) for place, each in enumerate(parameters)}
    turned: dict[Value, Value] = {}
    captured = list(operands)
    for parameter in across:
        captured.append(_turned(known[parameter], (1, 0)))
        turned[copied[parameter]] = body.parameter(len(captured) - 1, captured[-1].shape, "float")

    def rewrite(use: Value, given: tuple[Value, ...]) -> Value | None:
        if use.op != "contract" or given[1] not in turned or not _reads_across(use):
            return None
        left, right, result = labels(use.attributes["specification"])
        return body.emit("contract", (given[0], turned[given[1]]), specification=f"{left},{right[::-1]}->{result}")

    final = copy_into(body, reachable(results), dict(copied), rewrite)
    attributes: dict[str, Any] = {
        **a,
        "parameters": (*(copied[each] for each in parameters), *turned.values()),
        "results": tuple(final[result] for result in results),
    }
    return operands[0].graph.emit("loop", captured, **attributes)


def _reads_across(use: Value) -> bool:
    """Whether a product's second operand is a matrix whose rows are the result's columns."""
    _, right, result = labels(use.attributes["specification"])
    return len(right) == 2 and result[-1:] == right[0] and right[1] not in result and use.operands[0].batched
