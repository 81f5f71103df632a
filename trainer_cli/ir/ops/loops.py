"""Loops: one body applied along an axis with carried values (a scan), differentiable by running it backwards.

`loop(*initial, *sequences, *captured)` with a body graph whose parameters are, in this order, the carried values, one
slice of each sequence, and the captured values. The body's results are the next carried values, then the emitted
ones. The loop's value is a tuple of the last carried values and the emitted values stacked; `project` takes one out.
The axis of time is 1 for values with a batch axis and 0 for others.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any

from trainer_cli.ir.adjoint import adjoints
from trainer_cli.ir.graph import Graph, Value, copy_into, reachable, readers_of
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
    again from the carried values and from what the forward loop saved of it. The gradient of a captured weight is a
    sum over rows and steps; summed inside the loop it would make every step wait for all rows. So the loop emits the
    adjoints of the values that read the weight, and the sum is one product behind the loop. Where that cannot be, the
    sum is carried.
    """
    from trainer_cli.ir import language as ir

    a, graph = node.attributes, node.graph
    carries, sequences = a["carries"], a["sequences"]
    parameters, results = a["parameters"], a["results"]
    saved = _saved_carries(node)
    differentiable = [index for index, parameter in enumerate(parameters) if parameter.dtype == "float"]

    body = Graph()
    made = 0

    def parameter(shape: Shape, dtype: DType) -> Value:
        nonlocal made
        made += 1
        return body.parameter(made - 1, shape, dtype)

    carry_in = [index for index in differentiable if index < carries]
    sequence_in = [index for index in differentiable if carries <= index < carries + sequences]
    captured_in = [index for index in differentiable if index >= carries + sequences]
    uses = {index: _uses(parameters[index], results) for index in captured_in}
    summed_in = [index for index in captured_in if uses[index] is None]
    carried_adjoints = {index: parameter(parameters[index].shape, "float") for index in carry_in}
    captured_sums = {index: parameter(parameters[index].shape, "float") for index in summed_in}
    emitted = {index: parameter(results[index].shape, "float") for index in sorted(adjoint_of) if index >= carries}
    forward = {each: parameter(each.shape, each.dtype) for each in parameters}

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
    carried = len(body_results)
    body_results += [filled[index] for index in sequence_in]

    # The stacks that each sum behind the loop reads: a position among the results, or a value that is there already.
    stepwise = [*saved, *node.operands[carries : carries + sequences]]
    at_hand = dict(zip(parameters, stepwise, strict=False))
    sums: list[tuple[int, Value, list[Value | int]]] = []
    for (index, use), adjoint in zip(readers, found[len(inside) :], strict=True):
        if adjoint is not None:
            others = [operand for operand in use.operands if operand is not parameters[index]]
            stacks: list[Value | int] = [_place(adjoint, body_results, carried)]
            stacks += [at_hand.get(each) or _place(copied[each], body_results, carried) for each in others]
            sums.append((index, use, stacks))

    given = [(carried_adjoints[i], adjoint_of.get(i) or ir.zeros_like(node.operands[i])) for i in carry_in]
    given += [(captured_sums[i], ir.zeros_like(node.operands[i])) for i in summed_in]
    given += [(forward[each], stack) for each, stack in zip(parameters, stepwise, strict=False)]
    given += [(emitted[i], adjoint_of[i]) for i in emitted]
    known = {copied[value]: position for value, position in _saved_values(node).items()}
    for value in _first_met(known, body_results):
        given.append((value, graph.emit("project", (node,), position=known[value])))
    scanned = len(given) - carried
    captured = slice(carries + sequences, None)
    given += [(forward[each], x) for each, x in zip(parameters[captured], node.operands[captured], strict=True)]

    numbered = Graph()
    substitution = {each: numbered.parameter(place, each.shape, each.dtype) for place, (each, _) in enumerate(given)}
    inner_parameters = tuple(substitution.values())
    final = copy_into(numbered, reachable(body_results), substitution)
    backward = graph.emit(
        "loop",
        [operand for _, operand in given],
        carries=carried,
        sequences=scanned,
        length=a["length"],
        reverse=not a["reverse"],
        parameters=inner_parameters,
        results=tuple(final[result] for result in body_results),
    )

    def projected(position: int) -> Value:
        return graph.emit("project", (backward,), position=position)

    taken = {index: projected(place) for place, index in enumerate([*carry_in, *summed_in, *sequence_in])}
    for index, use, stacks in sums:
        found_stacks = [projected(stack) if isinstance(stack, int) else stack for stack in stacks]
        gradient = _summed_use(use, parameters[index], found_stacks)
        taken[index] = taken[index] + gradient if index in taken else gradient
    return [taken.get(index) for index in range(len(parameters))]


def _place(value: Value, results: list[Value], start: int) -> int:
    """The position of a value among the emitted results of a body, which begin at `start`; appended if it has none."""
    for position in range(start, len(results)):
        if results[position] is value:
            return position
    results.append(value)
    return len(results) - 1


_DEAR = frozenset(
    {"exp", "expm1", "log", "log1p", "tanh", "logistic", "erf", "sin", "cos", "power", "softmax", "standardize"}
)
"""Work that takes longer than reading its result: some ten to thirty instructions for each number."""


def values_to_save(results: Sequence[Value]) -> list[Value]:
    """What of a body the gradient had better read than compute again: elementary functions, and products.

    With a product goes what is added to it if nothing else reads it: the sum is saved in its place.
    """
    values = reachable(results)
    readers = readers_of(values)
    saved: dict[Value, None] = {}
    for value in values:
        if value.op == "contract" and value.batched:
            while len(found := readers[value]) == 1 and found[0].op == "add" and value not in results:
                (value,) = found
            saved[value] = None
        elif value.op in _DEAR and value.batched:
            saved[value] = None
    return list(saved)


def _saved_values(node: Value) -> dict[Value, int]:
    """What a loop saves of its body for its gradient, and the positions among its results."""
    a = node.attributes
    end = len(a["results"]) - a["carries"]
    return {a["results"][position]: position for position in range(end - a["saved"], end)}


def _first_met(wanted: Collection[Value], results: Sequence[Value]) -> list[Value]:
    """Which of the wanted values come first on the way from results to their operands."""
    met: set[Value] = set()
    seen: set[Value] = set()
    stack = list(results)
    while stack:
        value = stack.pop()
        if value in wanted:
            met.add(value)
        elif value not in seen:
            seen.add(value)
            stack.extend(value.operands)
    return sorted(met, key=lambda value: value.index)


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
