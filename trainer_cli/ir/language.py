"""The words in which parts write IR: functions from values (or Python numbers) to values, with NumPy's broadcasting."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

from trainer_cli.ir.graph import Graph, Value, copy_into, reachable
from trainer_cli.ir.primitive import BATCH, DType, IRError, Shape
from trainer_cli.lazy import np

Operand = Value | float | int


def constant(graph: Graph, value: Any, dtype: DType = "float") -> Value:
    """A constant scalar or array."""
    if isinstance(value, (int, float)) or np.ndim(value) == 0:
        scalar: Any = {"float": float, "int": int, "bool": bool}[dtype](value)
        return graph.emit("constant", value=scalar, dtype=dtype)
    return graph.emit("constant", value=np.asarray(value), dtype=dtype)


def _graph_of(*operands: Operand) -> Graph:
    for operand in operands:
        if isinstance(operand, Value):
            return operand.graph
    raise IRError("at least one operand must be a value")


def _common_shape(shapes: Sequence[Shape]) -> Shape:
    rank = max(map(len, shapes))
    result: list[Any] = []
    for axis in range(rank):
        extents = {shape[axis - rank + len(shape)] for shape in shapes if axis - rank + len(shape) >= 0} - {1}
        if len(extents) > 1:
            raise IRError(f"shapes {', '.join(map(str, shapes))} do not broadcast")
        result.append(extents.pop() if extents else 1)
    return tuple(result)


def _lift(graph: Graph, number: float, dtype: DType) -> Value:
    """A Python number as a constant of the type of the values that it meets; never rounded to fit."""
    if dtype == "int" and number != int(number):
        raise IRError(f"{number} meets a value of integers, which it would be rounded for: cast the value first")
    return constant(graph, number, dtype)


def _together(*operands: Operand) -> list[Value]:
    """Lift numbers to constants of the values' type and broadcast all to one shape."""
    graph = _graph_of(*operands)
    dtype: DType = next(operand.dtype for operand in operands if isinstance(operand, Value))
    lifted = [operand if isinstance(operand, Value) else _lift(graph, operand, dtype) for operand in operands]
    shape = _common_shape([value.shape for value in lifted])
    return [broadcast_to(value, shape) for value in lifted]


def _elementwise(op: str) -> Callable[..., Value]:
    def build(*operands: Operand) -> Value:
        values = _together(*operands)
        return values[0].graph.emit(op, values)

    build.__name__ = op
    build.__doc__ = f"Elementwise `{op}`."
    return build


add = _elementwise("add")
subtract = _elementwise("subtract")
multiply = _elementwise("multiply")
divide = _elementwise("divide")
power = _elementwise("power")
maximum = _elementwise("maximum")
minimum = _elementwise("minimum")
equal = _elementwise("equal")
not_equal = _elementwise("not_equal")
less = _elementwise("less")
less_equal = _elementwise("less_equal")
logical_and = _elementwise("logical_and")
logical_or = _elementwise("logical_or")
logical_not = _elementwise("logical_not")
negate = _elementwise("negate")
exp = _elementwise("exp")
log = _elementwise("log")
log1p = _elementwise("log1p")
expm1 = _elementwise("expm1")
sqrt = _elementwise("sqrt")
tanh = _elementwise("tanh")
logistic = _elementwise("logistic")
erf = _elementwise("erf")
sin = _elementwise("sin")
cos = _elementwise("cos")
absolute = _elementwise("absolute")
sign = _elementwise("sign")
floor = _elementwise("floor")
stop_gradient = _elementwise("stop_gradient")


def greater(a: Operand, b: Operand) -> Value:
    return less(b, a)


def greater_equal(a: Operand, b: Operand) -> Value:
    return less_equal(b, a)


def square(x: Value) -> Value:
    return multiply(x, x)


def select(condition: Value, a: Operand, b: Operand) -> Value:
    """`a` where the condition holds, `b` elsewhere."""
    first, second = _together(a, b) if isinstance(a, Value) or isinstance(b, Value) else _constants(condition, a, b)
    shape = _common_shape([condition.shape, first.shape])
    operands = [broadcast_to(value, shape) for value in (condition, first, second)]
    return condition.graph.emit("select", operands)


def _constants(like: Value, *numbers: float) -> list[Value]:
    return [constant(like.graph, number) for number in numbers]


def clip(x: Value, low: Operand, high: Operand) -> Value:
    """x limited to [low, high]; the gradient is 1 inside and 0 outside."""
    return minimum(maximum(x, low), high)


def cast(x: Value, dtype: DType) -> Value:
    return x if x.dtype == dtype else x.graph.emit("cast", (x,), dtype=dtype)


def _axes(x: Value, axes: int | Sequence[int] | None) -> tuple[int, ...]:
    if axes is None:
        return tuple(range(x.rank))
    listed = (axes,) if isinstance(axes, int) else tuple(axes)
    return tuple(sorted({axis + x.rank if axis < 0 else axis for axis in listed}))


def _reduction(op: str, x: Value, axes: int | Sequence[int] | None, keepdims: bool, **attributes: Any) -> Value:
    reduced_axes = _axes(x, axes)
    reduced = x.graph.emit(op, (x,), axes=reduced_axes, **attributes) if reduced_axes else x
    if not keepdims or not reduced_axes:
        return reduced
    if 0 in reduced_axes and x.batched:
        raise IRError("the batch axis cannot be kept as an axis of extent 1")
    return reshape(reduced, tuple(1 if axis in reduced_axes else extent for axis, extent in enumerate(x.shape)))


def reduce_sum(x: Value, axes: int | Sequence[int] | None = None, keepdims: bool = False) -> Value:
    return _reduction("reduce_sum", x, axes, keepdims)


def reduce_max(
    x: Value, axes: int | Sequence[int] | None = None, keepdims: bool = False, *, ignore_nan: bool = False
) -> Value:
    """The largest element, NaN if one is; with `ignore_nan` it may be any number then, which takes half of the time."""
    return _reduction("reduce_max", x, axes, keepdims, **({"ignore_nan": True} if ignore_nan else {}))


def softmax(x: Value, axes: int | Sequence[int] = -1) -> Value:
    """`exp(x) / Σ exp(x)` along axes."""
    return x.graph.emit("softmax", (x,), axes=_axes(x, axes))


def standardize(x: Value, axes: int | Sequence[int], epsilon: float) -> Value:
    """`(x − mean) / √(variance + epsilon)`, mean and variance taken along axes."""
    return x.graph.emit("standardize", (x,), axes=_axes(x, axes), epsilon=epsilon)


def reduce_mean(x: Value, axes: int | Sequence[int] | None = None, keepdims: bool = False) -> Value:
    """The mean over axes; over the batch axis, of the rows that the batch really has."""
    reduced_axes = _axes(x, axes)
    count = math.prod(int(x.shape[axis]) for axis in reduced_axes if x.shape[axis] is not BATCH)
    total = reduce_sum(x, reduced_axes, keepdims)
    if x.batched and 0 in reduced_axes:
        return total / (batch_size(x.graph) * float(count))
    return total / float(count) if count != 1 else total


def argmax(x: Value, axis: int = -1) -> Value:
    """The index of the first maximum along an axis."""
    axis = axis + x.rank if axis < 0 else axis
    order = [other for other in range(x.rank) if other != axis]
    return x.graph.emit("argmax", (transpose(x, (*order, axis)),), axis=x.rank - 1)


def reshape(x: Value, shape: Shape) -> Value:
    return x if tuple(shape) == x.shape else x.graph.emit("reshape", (x,), shape=tuple(shape))


def transpose(x: Value, permutation: Sequence[int]) -> Value:
    if tuple(permutation) == tuple(range(x.rank)):
        return x
    return x.graph.emit("transpose", (x,), permutation=tuple(permutation))


def broadcast_to(x: Value, shape: Shape) -> Value:
    return x if tuple(shape) == x.shape else x.graph.emit("broadcast", (x,), shape=tuple(shape))


def slice_(x: Value, starts: Sequence[int], stops: Sequence[Any], strides: Sequence[int] | None = None) -> Value:
    """`x[start:stop:stride, …]`; the batch axis is given as 0, BATCH, 1."""
    cut = tuple(strides) if strides is not None else (1,) * x.rank
    if tuple(starts) == (0,) * x.rank and tuple(stops) == x.shape and cut == (1,) * x.rank:
        return x
    return x.graph.emit("slice", (x,), starts=tuple(starts), stops=tuple(stops), strides=cut)


def pad(
    x: Value, low: Sequence[int], high: Sequence[int], interior: Sequence[int] | None = None, fill: float = 0.0
) -> Value:
    """x with `fill` before, after and between its elements, per axis. The fill has no gradient."""
    between = tuple(interior) if interior is not None else (0,) * x.rank
    if not any((*low, *high, *between)):
        return x
    return x.graph.emit("pad", (x,), low=tuple(low), high=tuple(high), interior=between, fill=fill)


def concatenate(values: Sequence[Value], axis: int) -> Value:
    first = values[0]
    return first.graph.emit("concatenate", values, axis=axis + first.rank if axis < 0 else axis)


def reverse(x: Value, axes: Sequence[int]) -> Value:
    if x.op == "reverse" and x.attributes["axes"] == tuple(axes):
        return x.operands[0]
    return x.graph.emit("reverse", (x,), axes=tuple(axes))


def iota(like: Value, axis: int) -> Value:
    """The index along an axis, in the shape of `like`; an int."""
    return like.graph.emit("iota", shape=like.shape, axis=axis + like.rank if axis < 0 else axis)


def zeros(graph: Graph, shape: Shape) -> Value:
    """Zeros of a shape, which may have the batch axis."""
    return broadcast_to(constant(graph, 0.0), shape)


def zeros_like(x: Value) -> Value:
    return broadcast_to(constant(x.graph, 0, x.dtype), x.shape)


def ones_like(x: Value) -> Value:
    return broadcast_to(constant(x.graph, 1, x.dtype), x.shape)


def one_hot(labels: Value, classes: int) -> Value:
    """Labels `(batch, …)` as indicators `(batch, …, classes)`; a label out of range gives zeros."""
    wide = broadcast_to(reshape(labels, (*labels.shape, 1)), (*labels.shape, classes))
    return cast(equal(wide, iota(wide, -1)), "float")


def gather(table: Value, indices: Value) -> Value:
    """`table[indices]`: table `(rows, …)`, indices of any shape."""
    return table.graph.emit("gather", (table, indices))


def scatter_add(indices: Value, updates: Value, size: int) -> Value:
    """A table of `size` rows, each the sum of the updates whose index names it."""
    return indices.graph.emit("scatter_add", (indices, updates), size=size)


def contract(specification: str, a: Value, b: Value) -> Value:
    """The sum of products over labels, as `numpy.einsum` of two operands: `contract("bi,io->bo", x, kernel)`."""
    return a.graph.emit("contract", (a, b), specification=specification.replace(" ", ""))


def batch_size(graph: Graph) -> Value:
    """The number of rows of the current batch, a float scalar."""
    return graph.batch_size()


def random_uniform(seed: Value, step: Value, stream: int, shape: Shape) -> Value:
    """Numbers in [0, 1), a function of (seed, stream, step, element)."""
    return seed.graph.emit("random_uniform", (seed, step), stream=stream, shape=tuple(shape))


def loop(
    body: Callable[[list[Value], list[Value], list[Value]], tuple[list[Value], list[Value]]],
    initial: Sequence[Value],
    sequences: Sequence[Value],
    captured: Sequence[Value] = (),
    *,
    length: int,
    backwards: bool = False,
) -> tuple[list[Value], list[Value]]:
    """Scan along the axis of time: `body(carried, slices, captured) → (next carried, emitted)`.

    Returns the last carried values and the emitted ones stacked along time.
    """
    from trainer_cli.ir.ops.loops import sliced, values_to_save

    graph = _graph_of(*initial, *sequences, *captured)
    inner = Graph()
    shapes = [value.shape for value in initial] + [sliced(value) for value in sequences]
    shapes += [value.shape for value in captured]
    operands = [*initial, *sequences, *captured]
    parameters = [
        inner.parameter(index, shape, operand.dtype)
        for index, (shape, operand) in enumerate(zip(shapes, operands, strict=True))
    ]
    first, second = len(initial), len(initial) + len(sequences)
    following, emitted = body(parameters[:first], parameters[first:second], parameters[second:])
    # For the loop that runs backwards, what its body computes dearly is emitted too, and last the carried values at the
    # start of each step. Where nothing asks for them, they are not kept.
    saved = values_to_save([*following, *emitted])
    results = (*following, *emitted, *saved, *parameters[:first])
    value = graph.emit(
        "loop",
        operands,
        carries=len(initial),
        sequences=len(sequences),
        length=length,
        reverse=backwards,
        parameters=tuple(parameters),
        results=results,
        saved=len(saved),
    )
    taken = [graph.emit("project", (value,), position=index) for index in range(len(following) + len(emitted))]
    return taken[:first], taken[first:]


def rebuild(values: Sequence[Value]) -> tuple[Graph, dict[Value, Value]]:
    """A copy of everything that the values need, in a new graph."""
    graph = Graph()
    return graph, copy_into(graph, reachable(values), {})
