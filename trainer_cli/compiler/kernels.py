"""Kernels: what the fuse pass makes and the targets emit, and how a kernel reads the values it does not compute.

A kernel computes elements over a domain, the shape of its largest value. Some values never get a kernel: constants,
broadcasts, counters and comparisons are computed again wherever they are read (`is_inline`), scalars that depend on
hyper-parameters and counters alone are computed by every thread (`replicated`), and a reshape is another view of the
buffer of its operand (`storage`).
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TypeAlias

from trainer_cli.ir.graph import Value
from trainer_cli.ir.primitive import Shape

ROOTS = frozenset(
    {
        "contract",
        "reduce_sum",
        "reduce_max",
        "scatter_add",
        "subtotals",
        "convolve",
        "convolve_input_gradient",
        "convolve_kernel_gradient",
        "window_sum",
        "window_max",
        "window_max_gradient",
        "loop",
    }
)
"""Primitives whose result is made by a loop of its own; the elementwise work behind them runs on each finished part."""

ALONE = frozenset({"loop", "subtotals"})
"""Roots that no work follows in their kernel."""

MAPPED = frozenset({"slice", "pad", "reverse", "transpose", "concatenate", "gather"})
"""Primitives that read their operand at another place than they write."""

LEAF_TENSORS = frozenset({"input", "weight", "state", "parameter"})

UNROLLED_TAPS = 27
"""Positions within a window that are written one by one; more are a loop."""

Coordinates: TypeAlias = tuple[str, ...]
"""One index expression per axis: `i0`, `i1`, … name the axes of the kernel's domain, `0` an axis of extent 1."""


@dataclass(eq=False)
class Kernel:
    """One kernel: an optional root, and elementwise values computed on the parts of its result.

    `domain` is the shape that is looped over. With `outer` set, the first `outer` axes are rows: values of the shape
    `domain[:outer]` are one number per row, and reductions over the axes behind it are made row by row.
    `stores` are values kept in buffers, `updates` values written into weights and states by name, `totals` values
    added to the epoch's totals by name. `reads` are the stored values and leaves that the kernel loads. `joins` are
    concatenations of values that the kernel computes: it stores each part where it belongs in them. `inner` holds the
    kernels of a loop's body.
    """

    domain: Shape
    root: Value | None = None
    outer: int | None = None
    body: list[Value] = field(default_factory=list)
    stores: list[Value] = field(default_factory=list)
    updates: list[tuple[Value, str]] = field(default_factory=list)
    totals: list[tuple[Value, str]] = field(default_factory=list)
    reads: list[Value] = field(default_factory=list)
    joins: list[Value] = field(default_factory=list)
    inner: LoopPlan | None = None

    @property
    def computed(self) -> list[Value]:
        return self.body if self.root is None else [self.root, *self.body]

    @property
    def label(self) -> str:
        """The layers that the kernel works for and its main operation, for tables and comments."""
        layers = list(dict.fromkeys(value.layer for value in self.computed if value.layer))
        main = self.root or (self.body[-1] if self.body else None)
        what = main.op if main is not None else "copy"
        return f"{'+'.join(layers) or 'step'}: {what}"


@dataclass
class LoopPlan:
    """The body of a loop as kernels, which a thread runs for its own rows at every step.

    `parameters` are the body's leaves, by the operand that they stand for; a parameter that no step reads is None.
    `results` are the body's values by position, of those that are read behind the loop or carried on. `replaced` has
    carried values that are written over the ones that they follow, and these. The last step needs the first
    `last_kernels` kernels: what the others compute is for the next step alone.
    """

    kernels: list[Kernel]
    replicated: dict[Value, bool]
    parameters: list[Value | None]
    results: dict[int, Value]
    replaced: dict[Value, Value]
    last_kernels: int


def is_replicated(value: Value, known: dict[Value, bool]) -> bool:
    """Whether a value is a scalar that every thread can compute from hyper-parameters and counters."""
    answer = known.get(value)
    if answer is None:
        if value.op in ("hyperparameter", "step", "seed", "batch_size"):
            answer = True
        elif value.op == "constant":
            answer = value.shape == ()
        else:
            scalar = value.shape == () and value.op not in ROOTS and value.op not in LEAF_TENSORS
            answer = scalar and bool(value.operands) and all(is_replicated(x, known) for x in value.operands)
        known[value] = answer
    return answer


def is_private(value: Value) -> bool:
    """Whether every thread computes a value by itself, into memory of its own."""
    return bool(value.attributes.get("private"))


def is_tiled(value: Value) -> bool:
    """Whether a copy of a weight lies tile by tile, or a product reads one that does."""
    return bool(value.attributes.get("tiled"))


def is_recomputed(value: Value) -> bool:
    """Whether the recompute pass has found a value cheaper to compute again than to keep."""
    return bool(value.attributes.get("recomputed"))


def time_of(kernel: Kernel) -> int | None:
    """When a kernel is to run that makes values again for those who read them late, as the rematerialize pass says."""
    times = {value.attributes.get("late") for value in kernel.computed}
    return times.pop() if len(times) == 1 else None


def is_inline(value: Value) -> bool:
    """Whether a value is computed again wherever it is read: cheaper than a buffer for it."""
    if value.op in ("constant", "broadcast", "iota") or is_recomputed(value):
        return True
    if value.primitive.family == "elementwise":
        return value.dtype == "bool" or (value.op == "cast" and value.operands[0].dtype in ("bool", "int"))
    return False


def is_unit_reshape(value: Value) -> bool:
    """Whether a reshape only adds or drops axes of extent 1."""
    if value.op != "reshape":
        return False
    before = [extent for extent in value.operands[0].shape if extent != 1]
    return before == [extent for extent in value.shape if extent != 1]


def storage(value: Value) -> Value:
    """The value whose buffer a value lives in."""
    while value.op == "reshape":
        value = value.operands[0]
    return value


def identity_coordinates(shape: Shape) -> Coordinates:
    return tuple("0" if extent == 1 else f"i{axis}" for axis, extent in enumerate(shape))


def broadcast_coordinates(value: Value, coordinates: Coordinates) -> Coordinates:
    """Where a broadcast's operand is read for the element at the given coordinates."""
    source = value.operands[0].shape
    lead = len(value.shape) - len(source)
    return tuple("0" if extent == 1 else coordinates[lead + axis] for axis, extent in enumerate(source))


def unit_reshape_coordinates(value: Value, coordinates: Coordinates) -> Coordinates:
    """Where a unit reshape's operand is read for the element at the given coordinates."""
    kept = iter([index for index, extent in zip(coordinates, value.shape, strict=True) if extent != 1])
    return tuple("0" if extent == 1 else next(kept) for extent in value.operands[0].shape)


@dataclass(frozen=True)
class Access:
    """A read of a stored or local value: at which coordinates (`?` computed by the reader), or None for anywhere."""

    value: Value
    coordinates: Coordinates | None


def accesses(value: Value, coordinates: Coordinates, replicated: dict[Value, bool]) -> Iterator[Access]:
    """The values that computing one element of `value` reads, seen through everything that is inline."""
    for operand in value.operands:
        if value.op in MAPPED:
            yield from _mapped(operand, replicated)
        elif value.op == "broadcast":
            yield from _resolve(operand, broadcast_coordinates(value, coordinates), replicated)
        else:
            yield from _resolve(operand, coordinates, replicated)


def _resolve(value: Value, coordinates: Coordinates, replicated: dict[Value, bool]) -> Iterator[Access]:
    if is_replicated(value, replicated) or value.op == "iota":
        return
    if value.op == "constant":
        yield Access(value, coordinates)
    elif is_unit_reshape(value):
        yield from _resolve(value.operands[0], unit_reshape_coordinates(value, coordinates), replicated)
    elif value.op == "reshape":
        yield Access(value, coordinates)
    elif is_inline(value):
        yield from accesses(value, coordinates, replicated)
    else:
        yield Access(value, coordinates)


def _mapped(value: Value, replicated: dict[Value, bool]) -> Iterator[Access]:
    # Whatever moves along the other axes, a batch axis stays in place.
    places = tuple("i0" if axis == 0 and value.batched else "?" for axis in range(value.rank))
    yield from _resolve(value, places, replicated)


def same_element(access: Access) -> bool:
    """Whether an access reads the element, or the row, that is being computed."""
    if access.value.op == "reshape":
        return False
    return access.coordinates is not None and access.coordinates == identity_coordinates(access.value.shape)


def is_row_reduction(value: Value) -> bool:
    """Whether a value is a reduction that a kernel makes row by row, without a loop of its own around it."""
    return value.op in ("reduce_sum", "reduce_max", "argmax") and trailing_axes(value)


def has_own_loop(value: Value) -> bool:
    """Whether a value is made by a loop of its own, as the root of its kernel."""
    return value.op in ROOTS and not is_row_reduction(value)


def computes_terms(value: Value) -> bool:
    """Whether a value is a sum whose terms are computed in its loop, not read."""
    return value.op == "reduce_sum" and is_recomputed(value.operands[0])


def reads_of(value: Value, replicated: dict[Value, bool]) -> list[Access]:
    """What computing one element of a computed value reads; a root reads its operands as a whole."""
    if is_row_reduction(value):
        operand = value.operands[0]
        return list(_resolve(operand, identity_coordinates(operand.shape), replicated))
    if computes_terms(value):
        source = value.operands[0]
        found = accesses(source, identity_coordinates(source.shape), replicated)
        return [Access(access.value, None) for access in found]
    if value.op in ROOTS:
        return [Access(operand, None) for operand in value.operands]
    return list(accesses(value, identity_coordinates(value.shape), replicated))


def is_collected(root: Value) -> bool:
    """Whether a root's result is put together in memory, its elements not finished one after another."""
    if root.op == "window_max_gradient":
        a = root.attributes
        apart = a["window"] == a["strides"] and not any(map(any, a["padding"]))
        return not apart or math.prod(a["window"]) > UNROLLED_TAPS
    return root.op in ("scatter_add", "convolve_kernel_gradient")


def trailing_axes(value: Value) -> bool:
    """Whether a reduction takes the last axes and leaves the first ones."""
    rank = value.operands[0].rank
    axes = (value.attributes["axis"],) if value.op == "argmax" else value.attributes["axes"]
    return axes[0] > 0 and axes == tuple(range(axes[0], rank))


def reads_counter(value: Value) -> bool:
    """Whether a value counts along an axis, itself or through what is inline."""
    if value.op == "iota":
        return True
    return any(reads_counter(x) for x in value.operands if x.op in ("iota", "reshape") or is_inline(x))
