"""The turn pass: a simplified graph and its batch size in, the same with weights turned round that are read across out.

The gradient of what a layer reads multiplies by the layer's weight the other way round. A product reads rows, so it
copies each tile of such a weight into order first: a loop does so at every step, a convolution for every image. Turned
round once, the weight can be read as it lies, and a kernel of a convolution row of taps by row. Each thread has a copy
of its own, so that nobody waits for it. What loops multiply by lies tile by tile in its copy: a tile of columns whose
rows are far apart falls into a few sets of the first-level cache, and every few rows of the batch would read it anew.
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

LEAST_TILED = 1 << 14
"""Floats of a weight from which on it is copied tile by tile; less fits into the first-level cache."""

TILE = 32
"""Columns of a tile, or a multiple of them. Weights with other columns are not copied tile by tile."""

TILE_ROWS = 16
"""What rows of such a weight must be a multiple of."""

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


def _turned(x: Value, permutation: tuple[int, ...], *, tiled: bool = False) -> Value:
    kind = {"tiled": True} if tiled else {}
    return x.graph.emit("transpose", (x,), permutation=permutation, private=True, **kind)


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
    """A loop that captures copies of weights: turned round where its products read across, in tiles where they can."""
    a = value.attributes
    parameters, results = list(a["parameters"]), a["results"]
    known = dict(zip(parameters, operands, strict=True))
    # By parameters and whether they are read across.
    wanted: dict[tuple[Value, bool], bool] = {}
    for use in reachable(results):
        if use.op == "contract" and use.operands[1] in known and _is_weight(known[use.operands[1]]):
            across = _reads_across(use)
            tiled = (across or _reads_along(use)) and _can_be_tiled(use.operands[1], across)
            if across or tiled:
                wanted[use.operands[1], across] = tiled
    if not wanted:
        return None
    body = Graph()
    copied = {each: body.parameter(place, each.shape, each.dtype) for place, each in enumerate(parameters)}
    copies: dict[tuple[Value, bool], tuple[Value, bool]] = {}
    captured = list(operands)
    for (parameter, across), tiled in wanted.items():
        captured.append(_turned(known[parameter], (1, 0) if across else (0, 1), tiled=tiled))
        copies[copied[parameter], across] = body.parameter(len(captured) - 1, captured[-1].shape, "float"), tiled

    def rewrite(use: Value, given: tuple[Value, ...]) -> Value | None:
        if use.op != "contract":
            return None
        across = _reads_across(use)
        copy, tiled = copies.get((given[1], across), (None, False))
        if copy is None or not (across or _reads_along(use)):
            return None
        left, right, result = labels(use.attributes["specification"])
        specification = f"{left},{right[::-1] if across else right}->{result}"
        kind = {"tiled": True} if tiled else {}
        return body.emit("contract", (given[0], copy), specification=specification, **kind)

    final = copy_into(body, reachable(results), dict(copied), rewrite)
    attributes: dict[str, Any] = {
        **a,
        "parameters": (*(copied[each] for each in parameters), *(copy for copy, _ in copies.values())),
        "results": tuple(final[result] for result in results),
    }
    return operands[0].graph.emit("loop", captured, **attributes)


def _reads_across(use: Value) -> bool:
    """Whether a product's second operand is a matrix whose rows are the result's columns."""
    _, right, result = labels(use.attributes["specification"])
    return len(right) == 2 and result[-1:] == right[0] and right[1] not in result and use.operands[0].batched


def _reads_along(use: Value) -> bool:
    """Whether a product's second operand is a matrix whose columns are the result's."""
    _, right, result = labels(use.attributes["specification"])
    return len(right) == 2 and result[-1:] == right[1] and right[0] not in result and use.operands[0].batched


def _can_be_tiled(weight: Value, across: bool) -> bool:
    """Whether a weight is large, and its copy made of whole tiles."""
    rows, columns = (int(extent) for extent in (weight.shape[::-1] if across else weight.shape))
    return rows * columns >= LEAST_TILED and rows % TILE_ROWS == 0 and columns % TILE == 0
