"""Loops: one body applied along an axis with carried values (a scan), differentiable by running it backwards.

`loop(*initial, *sequences, *captured)` with a body graph whose parameters are, in this order, the carried values, one
slice of each sequence, and the captured values. The body's results are the next carried values, then the emitted
ones. The loop's value is a tuple of the last carried values and the emitted values stacked; `project` takes one out.
The axis of time is 1 for values with a batch axis and 0 for others.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from trainer_cli.ir.adjoint import adjoints
from trainer_cli.ir.graph import Graph, Value, copy_into, reachable
from trainer_cli.ir.primitive import Array, Context, DType, IRError, Shape, define, require
from trainer_cli.lazy import np

FAMILY = "loop"


def time_axis(batched: bool) -> int:
    return 1 if batched else 0


def stacked(shape: Shape, length: int, batched: bool) -> Shape:
    """The shape of a value of every step, stacked."""
    axis = time_axis(batched)
    return (*shape[:axis], length, *shape[axis:])


def sliced(x: Value) -> Shape:
    """The shape of one step of a sequence."""
    axis = time_axis(x.batched)
    return (*x.shape[:axis], *x.shape[axis + 1 :])


def _shape(operands: Sequence[Value], attributes: Mapping[str, Any]) -> tuple[Shape, DType]:
    carries, sequences, length = attributes["carries"], attributes["sequences"], attributes["length"]
    parameters, results = attributes["parameters"], attributes["results"]
    require(len(parameters) == len(operands), "one parameter of the body per operand")
    require(length > 0 and len(results) >= carries, "the body gives every carried value")
    for position, (operand, parameter) in enumerate(zip(operands, parameters, strict=True)):
        expected = operand.shape
        if carries <= position < carries + sequences:
            require(operand.rank > time_axis(operand.batched), "a sequence has an axis of time")
            require(operand.shape[time_axis(operand.batched)] == length, "sequences have the loop's length")
            expected = sliced(operand)
        require(parameter.shape == expected and parameter.dtype == operand.dtype, f"parameter {position} does not fit")
    for operand, result in zip(operands[:carries], results[:carries], strict=True):
        require((operand.shape, operand.dtype) == (result.shape, result.dtype), "a carried value keeps its shape")
    return (), "tuple"


def _meaning(node: Value, context: Context, *arrays: Array) -> tuple[Array, ...]:
    from trainer_cli.ir.evaluation import run

    a = node.attributes
    carries, sequences, length = a["carries"], a["sequences"], a["length"]
    carried = list(arrays[:carries])
    captured = arrays[carries + sequences :]
    emitted: list[list[Array]] = [[] for _ in a["results"][carries:]]
    axes = [time_axis(operand.batched) for operand in node.operands[carries : carries + sequences]]
    order = range(length - 1, -1, -1) if a["reverse"] else range(length)
    for time in order:
        slices = [np.take(x, time, axis) for x, axis in zip(arrays[carries : carries + sequences], axes, strict=True)]
        bound = dict(zip(a["parameters"], [*carried, *slices, *captured], strict=True))
        results = run(a["results"], bound, context)
        carried = results[:carries]
        for history, result in zip(emitted, results[carries:], strict=True):
            history.append(result)
    stacks = []
    for history, result in zip(emitted, a["results"][carries:], strict=True):
        stacks.append(np.stack(history[::-1] if a["reverse"] else history, axis=time_axis(result.batched)))
    return (*carried, *stacks)


def _loop_gradient(node: Value, g: Value) -> Sequence[Value | None]:
    raise IRError("the adjoint of a loop is taken by its projections together; see `loop_adjoint`")


define("loop", FAMILY, _shape, _meaning, _loop_gradient)


def _project_shape(operands: Sequence[Value], attributes: Mapping[str, Any]) -> tuple[Shape, DType]:
    (loop,), position = operands, attributes["position"]
    require(loop.op == "loop", "projects a loop")
    results, carries = loop.attributes["results"], loop.attributes["carries"]
    require(0 <= position < len(results), f"the loop has {len(results)} results")
    result = results[position]
    if position < carries:
        return result.shape, result.dtype
    return stacked(result.shape, loop.attributes["length"], result.batched), result.dtype


define(
    "project",
    FAMILY,
    _project_shape,
    lambda node, context, results: results[node.attributes["position"]],
)


def loop_adjoint(node: Value, adjoint_of: Mapping[int, Value]) -> list[Value | None]:
    """The adjoints of a loop's operands from the adjoints of its results, by position.

    A second loop runs the other way: it carries the adjoints of the carried values, and computes each step of the body
    again from the carried values that the forward loop saved. The gradient of a captured weight is a sum over rows and
    steps; summed inside the loop it would make every step wait for all rows. So the loop emits the adjoints of the
    values that read the weight, and the sum is one product behind the loop. Where that cannot be, the sum is carried.
    """
    from trainer_cli.ir import language as ir

    a, graph = node.attributes, node.graph
    carries, sequences = a["carries"], a["sequences"]
    parameters, results = a["parameters"], a["results"]
    saved = _saved_carries(node)
    differentiable = [index for index, parameter in enumerate(parameters) if parameter.dtype == "float"]

    body = Graph()
    position = 0

    def parameter(shape: Shape, dtype: DType) -> Value:
        nonlocal position
        position += 1
        return body.parameter(position - 1, shape, dtype)

    carry_in = [index for index in differentiable if index < carries]
    captured_in = [index for index in differentiable if index >= carries + sequences]
    uses = {index: _uses(parameters[index], results) for index in captured_in}
    summed_in = [index for index in captured_in if uses[index] is None]
    carried_adjoints = {index: parameter(parameters[index].shape, "float") for index in carry_in}
    captured_sums = {index: parameter(parameters[index].shape, "float") for index in summed_in}
    forward = {parameters[i]: parameter(parameters[i].shape, parameters[i].dtype) for i in range(carries + sequences)}
    emitted = {index: parameter(results[index].shape, "float") for index in sorted(adjoint_of) if index >= carries}
    for index in range(carries + sequences, len(parameters)):
        forward[parameters[index]] = parameter(parameters[index].shape, parameters[index].dtype)

    copied = copy_into(body, reachable(results), dict(forward))
    seeds = [(copied[results[index]], carried_adjoints[index]) for index in carry_in]
    seeds += [(copied[results[index]], emitted[index]) for index in emitted]
    inside = [index for index in differentiable if index not in captured_in or index in summed_in]
    readers = [(index, use) for index in captured_in for use in uses[index] or ()]
    wanted = [forward[parameters[index]] for index in inside] + [copied[use] for _, use in readers]
    found = adjoints(seeds, wanted)
    inner = dict(zip(inside, found, strict=False))
    filled = {index: inner[index] or ir.zeros_like(forward[parameters[index]]) for index in inside}
    body_results = [filled[index] for index in carry_in]
    body_results += [captured_sums[index] + filled[index] for index in summed_in]
    sequence_in = [index for index in differentiable if carries <= index < carries + sequences]
    body_results += [filled[index] for index in sequence_in]
    read = [
        (index, use, adjoint) for (index, use), adjoint in zip(readers, found[len(inside) :], strict=True) if adjoint
    ]
    for index, use, adjoint in read:
        body_results.append(adjoint)
        body_results += [copied[operand] for operand in use.operands if operand is not parameters[index]]

    operands = [adjoint_of.get(index) or ir.zeros_like(node.operands[index]) for index in carry_in]
    operands += [ir.zeros_like(node.operands[index]) for index in summed_in]
    operands += saved
    operands += node.operands[carries : carries + sequences]
    operands += [adjoint_of[index] for index in emitted]
    operands += node.operands[carries + sequences :]
    backward = graph.emit(
        "loop",
        operands,
        carries=len(carry_in) + len(summed_in),
        sequences=carries + sequences + len(emitted),
        length=a["length"],
        reverse=not a["reverse"],
        parameters=tuple(body.parameter_list()),
        results=tuple(body_results),
    )
    order = [*carry_in, *summed_in, *sequence_in]
    taken = {index: graph.emit("project", (backward,), position=place) for place, index in enumerate(order)}
    place = len(order)
    for index, use, _ in read:
        stacks = [graph.emit("project", (backward,), position=place + i) for i in range(len(use.operands))]
        place += len(use.operands)
        gradient = _summed_use(use, parameters[index], stacks)
        taken[index] = taken[index] + gradient if index in taken else gradient
    return [taken.get(index) for index in range(len(parameters))]


def _uses(parameter: Value, results: Sequence[Value]) -> list[Value] | None:
    """The values of a body that read a captured weight, if all are products or repetitions over the rows; else None."""
    if parameter.batched:
        return None
    uses = [value for value in reachable(results) if parameter in value.operands]
    for use in uses:
        product = use.op == "contract" and use.operands.count(parameter) == 1
        if not use.batched or not (use.op == "broadcast" or (product and all(_leads_with_rows(use, parameter)))):
            return None
    return uses if parameter not in results else None


def _leads_with_rows(use: Value, parameter: Value) -> list[bool]:
    """Whether the other operands of a product have the batch axis."""
    return [operand.batched for operand in use.operands if operand is not parameter]


def _summed_use(use: Value, parameter: Value, stacks: Sequence[Value]) -> Value:
    """The gradient of a weight from one value that reads it: its adjoints at all steps, and its other operands."""
    from trainer_cli.ir import language as ir
    from trainer_cli.ir.ops.products import labels
    from trainer_cli.ir.ops.structure import broadcast_axes

    if use.op == "broadcast":
        axes = [0, 1, *(axis + 1 for axis in broadcast_axes(parameter.shape, use.shape) if axis > 0)]
        return ir.reshape(ir.reduce_sum(stacks[0], axes), parameter.shape)
    *operands, result = labels(use.attributes["specification"])
    own = use.operands.index(parameter)
    other = operands[1 - own]
    time = next(letter for letter in "tuvwxyz" if letter not in "".join((*operands, result)))
    specification = f"{other[0]}{time}{other[1:]},{result[0]}{time}{result[1:]}->{operands[own]}"
    return ir.contract(specification, stacks[1], stacks[0])


def _saved_carries(node: Value) -> list[Value]:
    """The carried values at the start of every step, stacked: the loop emits them last, as its builder arranged."""
    a = node.attributes
    count = len(a["results"])
    if a["results"][count - a["carries"] :] != a["parameters"][: a["carries"]]:
        raise IRError("a loop that is itself a gradient saves no carried values: it has no gradient of its own")
    return [node.graph.emit("project", (node,), position=count - a["carries"] + index) for index in range(a["carries"])]
