"""The turn pass: a simplified graph and its batch size in, the same with weights turned round that are read across out.

The gradient of what a layer reads multiplies by the layer's weight the other way round. A product reads rows, so it
copies each tile of such a weight into order first: a loop does so at every step, a convolution for every image. Turned
round once, the weight can be read as it lies, and a kernel of a convolution row of taps by row. Each thread has a copy
of its own, so that nobody waits for it. What loops multiply by lies tile by tile in its copy: a tile of columns whose
rows are far apart falls into a few sets of the first-level cache, and every few rows of the batch would read it anew.
"""

from __future__ import annotations

import math
from typing import Any, TypeAlias

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


Permutation: TypeAlias = tuple[int, ...]
"""The axes of a weight in the order of its copy."""

ALONG: Permutation = (0, 1)
ACROSS: Permutation = (1, 0)


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


def is_weight(value: Value) -> bool:
    """Whether a value is a weight, or a part of one, that is small: there from the beginning of a step."""
    if static_size(value.shape) > LARGEST:
        return False
    while value.op in ("reshape", "slice"):
        (value,) = value.operands
    return value.op == "weight"


def _turned(x: Value, permutation: Permutation, *, tiled: bool = False) -> Value:
    kind = {"tiled": True} if tiled else {}
    return x.graph.emit("transpose", (x,), permutation=permutation, private=True, **kind)


def _input_gradient(value: Value, adjoint: Value, kernel: Value) -> Value | None:
    """A convolution with the kernel backwards, its channels and filters exchanged."""
    a = value.attributes
    if a["groups"] > 1 or not is_weight(kernel):
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
    # By parameters and how they are turned: whether the copy lies in tiles.
    wanted: dict[tuple[Value, Permutation], bool] = {}
    for use in reachable(results):
        permutation = _permutation(use)
        if permutation is None or use.operands[1] not in known or not is_weight(known[use.operands[1]]):
            continue
        tiled = _can_be_tiled(use.operands[1], permutation)
        if tiled or permutation == ACROSS:
            wanted[use.operands[1], permutation] = tiled
    if not wanted:
        return None
    body = Graph()
    copied = {each: body.parameter(place, each.shape, each.dtype) for place, each in enumerate(parameters)}
    copies: dict[tuple[Value, Permutation | None], tuple[Value, bool]] = {}
    captured = list(operands)
    for (parameter, permutation), tiled in wanted.items():
        captured.append(_turned(known[parameter], permutation, tiled=tiled))
        copies[copied[parameter], permutation] = body.parameter(len(captured) - 1, captured[-1].shape, "float"), tiled

    def rewrite(use: Value, given: tuple[Value, ...]) -> Value | None:
        permutation = _permutation(use)
        if permutation is None or (given[1], permutation) not in copies:
            return None
        copy, tiled = copies[given[1], permutation]
        left, right, result = labels(use.attributes["specification"])
        specification = f"{left},{''.join(right[axis] for axis in permutation)}->{result}"
        kind = {"tiled": True} if tiled else {}
        return body.emit("contract", (given[0], copy), specification=specification, **kind)

    final = copy_into(body, reachable(results), dict(copied), rewrite)
    attributes: dict[str, Any] = {
        **a,
        "parameters": (*(copied[each] for each in parameters), *(copy for copy, _ in copies.values())),
        "results": tuple(final[result] for result in results),
    }
    return operands[0].graph.emit("loop", captured, **attributes)


def _permutation(use: Value) -> Permutation | None:
    """How the weight of a product of rows is turned for its columns to be the result's; None for other values."""
    if use.op != "contract" or not use.operands[0].batched:
        return None
    _, right, result = labels(use.attributes["specification"])
    for permutation in (ACROSS, ALONG):
        if len(right) == 2 and result[-1:] == right[permutation[1]] and right[permutation[0]] not in result:
            return permutation
    return None


def _can_be_tiled(weight: Value, permutation: Permutation) -> bool:
    """Whether a weight is large, and its copy made of whole tiles."""
    rows, columns = (int(weight.shape[axis]) for axis in permutation)
    return rows * columns >= LEAST_TILED and rows % TILE_ROWS == 0 and columns % TILE == 0
