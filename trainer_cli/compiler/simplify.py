"""The simplify pass: a graph in, a smaller graph with the same outputs and updates out.

One walk in order does all: what no root needs is not visited, equal values are merged, scalars of constants are
computed, identities removed, elementwise work moved in front of broadcasts, reductions over everything split in two,
sums of parts with zeros around them put together.
"""

from __future__ import annotations

import math
from collections.abc import Hashable
from typing import Any

from trainer_cli.compiler.kernels import storage
from trainer_cli.compiler.verify import verify_graph
from trainer_cli.ir import language as ir
from trainer_cli.ir.graph import LEAVES, Graph, Value, reachable, rewritten
from trainer_cli.ir.primitive import BATCH, Context, Shape
from trainer_cli.lazy import np

# Results that do not change when an elementwise primitive is computed before its operand is repeated.
_ELEMENTWISE = "elementwise"

_MOST_PARTS = 64
"""Terms of a sum that are looked at: the search is made for each of them."""


def simplify(graph: Graph) -> Graph:
    """A new graph computing the same outputs and updates."""
    result = Graph()
    known: dict[Hashable, Value] = {}
    replaced: dict[Value, Value] = {}
    for value in reachable(graph.roots()):
        operands = tuple(replaced[operand] for operand in value.operands)
        with result.layer(value.layer):
            replaced[value] = _rewrite(result, known, value, operands)
    result.outputs = {name: replaced[value] for name, value in graph.outputs.items()}
    result.updates = {name: replaced[value] for name, value in graph.updates.items()}
    clean = rewritten(result)  # rewriting leaves values behind that nobody needs
    _keep_old_values(clean)
    verify_graph(clean)
    return clean


def _keep_old_values(graph: Graph) -> None:
    """Give an update that hands on a weight or state a value of its own if that leaf changes in the same step."""
    for name, value in graph.updates.items():
        base = storage(value)
        if base.op in ("weight", "state") and base.name in graph.updates and base.name != name:
            graph.updates[name] = graph.emit("stop_gradient", (value,))


def _rewrite(graph: Graph, known: dict[Hashable, Value], value: Value, operands: tuple[Value, ...]) -> Value:
    if value.op in LEAVES and value.op != "constant":
        extra = {key: item for key, item in value.attributes.items() if key != "name"}
        return graph._leaf(value.op, value.name, value.shape, value.dtype, **extra)
    start = len(graph.values)
    simpler = _identity(value.op, operands, value.attributes) or _pushed(graph, known, value, operands)
    if simpler is None:
        simpler = _reduced(graph, known, value, operands) or _joined(graph, value, operands)
    if simpler is not None:
        return _merged(known, simpler) if simpler.index >= start else simpler
    folded = _folded(graph, value, operands)
    return _merged(known, folded or graph._append(value.op, operands, value.attributes, value.shape, value.dtype))


def _merged(known: dict[Hashable, Value], value: Value) -> Value:
    key = (value.op, value.dtype, value.shape, value.operands, _frozen(value.attributes))
    return known.setdefault(key, value)


def _frozen(item: Any) -> Hashable:
    if isinstance(item, np.ndarray):
        return (item.shape, str(item.dtype), item.tobytes())
    if hasattr(item, "items"):
        return tuple((key, _frozen(entry)) for key, entry in sorted(item.items()))
    if isinstance(item, (tuple, list)):
        return tuple(_frozen(entry) for entry in item)
    # 0.0 and -0.0, 1 and True are equal and yet not the same constant.
    return (type(item).__name__, repr(item)) if isinstance(item, (int, float)) else item


def scalar_constant(value: Value) -> float | None:
    """The number that a value repeats everywhere, if it is such a constant."""
    while value.op in ("broadcast", "reshape"):
        value = value.operands[0]
    if value.op == "constant" and value.shape == () and value.dtype != "bool":
        return float(value.attributes["value"])
    return None


def _identity(op: str, operands: tuple[Value, ...], attributes: Any) -> Value | None:
    """An operand that already is the result. No rule here may turn a NaN into a number."""
    if op in ("reshape", "broadcast") and operands[0].shape == tuple(attributes["shape"]):
        return operands[0]
    if op == "stop_gradient":
        return operands[0]
    if op == "negate" and operands[0].op == "negate":
        return operands[0].operands[0]
    if op in ("add", "multiply") and len(operands) == 2:
        neutral = 0.0 if op == "add" else 1.0
        for one, other in (operands, operands[::-1]):
            if scalar_constant(one) == neutral:
                return other
    if op in ("subtract", "divide", "power") and scalar_constant(operands[1]) == (0.0 if op == "subtract" else 1.0):
        return operands[0]
    if op == "cast" and operands[0].dtype == attributes["dtype"]:
        return operands[0]
    return None


def _pushed(graph: Graph, known: dict[Hashable, Value], value: Value, operands: tuple[Value, ...]) -> Value | None:
    """f(repeat(x), repeat(y)) → repeat(f(x, y)); repeat(repeat(x)) → repeat(x); the same for reshape."""
    op = value.op
    if op in ("broadcast", "reshape") and operands[0].op == op:
        inner = operands[0].operands[0]
        return _view(inner, value.shape) if op == "reshape" else ir.broadcast_to(inner, value.shape)
    if op == "reshape" and value.shape != ():
        # One number repeated needs no buffer.
        single = operands[0].operands[0] if operands[0].op == "broadcast" else operands[0]
        if single.shape == ():
            return ir.broadcast_to(single, value.shape)
    if value.primitive.family == _ELEMENTWISE and value.shape != ():
        return _before_repeating(graph, known, value, operands) or _before_reshaping(graph, known, value, operands)
    return None


def _before_repeating(
    graph: Graph, known: dict[Hashable, Value], value: Value, operands: tuple[Value, ...]
) -> Value | None:
    sources = [operand.operands[0] for operand in operands if operand.op == "broadcast"]
    if len(sources) != len(operands):
        return None
    shape = max((source.shape for source in sources), key=len)
    if any(source.shape not in ((), shape) for source in sources):
        return None
    lifted = [_merged(known, ir.broadcast_to(source, shape)) for source in sources]
    return ir.broadcast_to(_rewrite_elementwise(graph, known, value, tuple(lifted)), value.shape)


def _before_reshaping(
    graph: Graph, known: dict[Hashable, Value], value: Value, operands: tuple[Value, ...]
) -> Value | None:
    """So that work on the numbers of rows, kept as axes of extent 1, stands with the reductions that made them."""
    reshaped = [operand.operands[0] for operand in operands if operand.op == "reshape"]
    if not reshaped:
        return None
    shape, lifted = reshaped[0].shape, []
    for operand in operands:
        source = operand.operands[0] if operand.op in ("reshape", "broadcast") else operand
        if source.shape != (shape if operand.op == "reshape" else ()):
            return None
        lifted.append(_merged(known, ir.broadcast_to(source, shape)))
    return _view(_rewrite_elementwise(graph, known, value, tuple(lifted)), value.shape)


def _view(value: Value, shape: Shape) -> Value:
    """A reshape of what a value is a reshape of."""
    return ir.reshape(storage(value), shape)


def _rewrite_elementwise(
    graph: Graph, known: dict[Hashable, Value], value: Value, operands: tuple[Value, ...]
) -> Value:
    identity = _identity(value.op, operands, value.attributes)
    if identity is not None:
        return identity
    small = graph.emit(value.op, operands, **value.attributes)
    folded = _folded(graph, small, operands)
    return _merged(known, folded or small)


def _reduced(graph: Graph, known: dict[Hashable, Value], value: Value, operands: tuple[Value, ...]) -> Value | None:
    """Reductions in a form that kernels have.

    An axis of extent 1 has nothing to reduce. A sum over everything, or over the batch and other axes, goes along the
    last axes first, which threads share, then over the rest. So does one over axes that do not stand together: what is
    left is a reduction over neighbours.
    """
    shape = operands[0].shape if operands else ()
    if value.op == "argmax" and shape[-1] == 1:
        return ir.broadcast_to(ir.constant(graph, 0, "int"), value.shape)
    if value.op not in ("reduce_sum", "reduce_max"):
        return None
    if value.op == "reduce_sum" and operands[0].op == "negate":
        # The sum may be there already, and what is only summed up needs no place with another sign.
        return _negated_sum(graph, known, value, operands[0].operands[0])
    axes, rank = value.attributes["axes"], len(shape)
    wide = tuple(axis for axis in axes if shape[axis] != 1)
    if not wide:
        return _view(operands[0], value.shape)
    if wide != axes:
        return _view(_reduction(graph, known, value, operands[0], wide), value.shape)
    last = axes[-1]
    while last - 1 in axes:
        last -= 1
    run = tuple(range(max(last, 1), axes[-1] + 1))
    apart = axes[0] < last
    whole = axes == tuple(range(rank)) and rank > 1
    rows = shape[0] is BATCH and len(axes) > 1 and axes[0] == 0
    if not (apart or whole or rows):
        return None
    inner = _reduction(graph, known, value, operands[0], run)
    return _reduction(graph, known, value, inner, tuple(axis for axis in axes if axis not in run))


def _negated_sum(graph: Graph, known: dict[Hashable, Value], like: Value, operand: Value) -> Value:
    total = _reduction(graph, known, like, operand, like.attributes["axes"])
    return total.operands[0] if total.op == "negate" else _merged(known, graph.emit("negate", (total,)))


def _reduction(graph: Graph, known: dict[Hashable, Value], like: Value, operand: Value, axes: tuple[int, ...]) -> Value:
    """A reduction like another one in the form that kernels have, merged with an equal one."""
    value = graph.emit(like.op, (operand,), **{**like.attributes, "axes": axes})
    return _merged(known, _reduced(graph, known, value, (operand,)) or value)


def _joined(graph: Graph, value: Value, operands: tuple[Value, ...]) -> Value | None:
    """A sum of parts with zeros around them, which fill an axis together, as one behind the other.

    That is the adjoint of a value that was cut into slices, such as the gates of an LSTM.
    """
    if value.op != "add":
        return None
    parts, waiting = list[Value](), list(operands)
    while waiting:
        term = waiting.pop()
        if term.op == "add":
            waiting += term.operands
        elif term.op == "pad" and len(parts) < _MOST_PARTS:
            parts.append(term)
        else:
            return None
    axes = {axis for part in parts for axis, (low, high) in enumerate(_margins(part)) if low or high}
    between = any(any(part.attributes["interior"]) or part.attributes["fill"] != 0 for part in parts)
    if len(axes) != 1 or between:
        return None
    (axis,) = axes
    parts.sort(key=lambda part: _margins(part)[axis][0])
    stop = 0
    for part in parts:
        low, high = _margins(part)[axis]
        if low != stop:
            return None
        stop = int(value.shape[axis]) - high
    if stop != value.shape[axis]:
        return None
    return graph.emit("concatenate", [part.operands[0] for part in parts], axis=axis)


def _margins(pad: Value) -> list[tuple[int, int]]:
    """What a pad puts before and behind its operand, by axes."""
    return list(zip(pad.attributes["low"], pad.attributes["high"], strict=True))


def _folded(graph: Graph, value: Value, operands: tuple[Value, ...]) -> Value | None:
    """The constant that an elementwise primitive makes of scalar constants."""
    if value.shape != () or value.primitive.family != _ELEMENTWISE or value.primitive.meaning is None:
        return None
    if any(operand.op != "constant" for operand in operands):
        return None
    arrays = [np.asarray(operand.attributes["value"], dtype=Context(1).dtype(operand.dtype)) for operand in operands]
    with np.errstate(all="ignore"):
        number = value.primitive.meaning(value, Context(1), *arrays)
    result = np.asarray(number).item()
    if isinstance(result, float) and not math.isfinite(result):
        return None
    return ir.constant(graph, result, value.dtype)
