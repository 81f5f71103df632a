"""Expressions: a value and the coordinates of one of its elements in, lines of native source that compute it out."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import NamedTuple, TypeAlias

from trainer_cli.compiler.kernels import (
    LEAF_TENSORS,
    Coordinates,
    broadcast_coordinates,
    identity_coordinates,
    is_inline,
    is_replicated,
    is_unit_reshape,
    storage,
    unit_reshape_coordinates,
)
from trainer_cli.ir.graph import Value
from trainer_cli.ir.primitive import BATCH, IRError, Shape

BINARY = {
    "add": "{0} + {1}",
    "subtract": "{0} - {1}",
    "multiply": "{0} * {1}",
    "divide": "{0} / {1}",
    # A NaN on either side wins, as in NumPy: a comparison with NaN is false.
    "maximum": "{0} if ({0} > {1}) or ({0} != {0}) else {1}",
    "minimum": "{0} if ({0} < {1}) or ({0} != {0}) else {1}",
    "equal": "{0} == {1}",
    "not_equal": "{0} != {1}",
    "less": "{0} < {1}",
    "less_equal": "{0} <= {1}",
    "logical_and": "{0} & {1}",
    "logical_or": "{0} | {1}",
    "select": "{1} if {0} else {2}",
}
UNARY = {
    "negate": "-{0}",
    "absolute": "abs({0})",
    "logical_not": "not {0}",
    "stop_gradient": "{0}",
}
FUNCTIONS = {
    "exp": "exp",
    "log": "log",
    "log1p": "log1p",
    "expm1": "expm1",
    "sqrt": "sqrt",
    "tanh": "tanh",
    "logistic": "logistic",
    "erf": "erf",
    "sin": "sin",
    "cos": "cos",
    "floor": "floor",
    "sign": "sign",
    "power": "power",
}
"""Functions of one float32 (power: two), imported by every plan from `trainer_cli.targets.cpu.runtime`."""

CAST = {"float": "float32({0})", "int": "int32({0})", "bool": "({0} != 0)"}


Steps: TypeAlias = Mapping[Value, tuple[int, ...]]
"""Of values that are not row-major, the elements between neighbours along their first axes, row-major behind these."""


class Phase(NamedTuple):
    """What is known of a coordinate: it is `first`, or by a multiple of `step` more, up to `last`."""

    step: int
    first: int
    last: int

    def meets(self, low: int, step: int, size: int) -> bool | None:
        """Whether what is put at every `step`-th place from `low` on, the last one `size` behind, lies at these places;
        None if at some of them."""
        if self.last < low or self.first > low + size:
            return False
        if self.first != self.last and self.step % step:
            return None
        return (self.first - low) % step == 0


class Lines:
    """Source lines under construction, with their indentation."""

    def __init__(self, indent: int = 0) -> None:
        self.lines: list[str] = []
        self._indent = indent
        self._names = 0

    def add(self, line: str) -> None:
        self.lines.append("    " * self._indent + line)

    def fresh(self, prefix: str = "v") -> str:
        """A name not used before."""
        self._names += 1
        return f"{prefix}{self._names}"

    @contextmanager
    def block(self, header: str) -> Iterator[None]:
        """Lines added inside stand under `header`."""
        self.add(header)
        self._indent += 1
        try:
            yield
        finally:
            self._indent -= 1


def literal(number: float | bool, dtype: str) -> str:
    """A constant of a type as native source."""
    if dtype == "bool":
        return "True" if number else "False"
    if dtype == "int":
        return f"int32({int(number)})"
    return f"float32({number_text(number)})"


def number_text(number: float) -> str:
    """A number as source, NaN and infinity by the names that a plan imports."""
    if math.isnan(number):
        return "NAN"
    if math.isinf(number):
        return "INFINITY" if number > 0 else "-INFINITY"
    return repr(number)


def strides(shape: Shape, steps: Sequence[int] = ()) -> list[int]:
    """Elements between neighbours along each axis of a row-major value; only the batch extent may be unknown.

    `steps` are those along the first axes where they are others; along the last of several axes it is always 1.
    """
    result, step = [0] * len(shape), 1
    for axis in range(len(shape) - 1, -1, -1):
        result[axis] = step
        if shape[axis] is not BATCH:
            step *= int(shape[axis])  # type: ignore[call-overload]
    known = steps[: max(1, len(shape) - 1)]
    return [*known, *result[len(known) :]][: len(shape)]


def linear_index(shape: Shape, coordinates: Sequence[str], steps: Sequence[int] = ()) -> str:
    """The position of an element in a row-major buffer, or in one with these steps along the first axes."""
    terms = []
    for coordinate, step in zip(coordinates, strides(shape, steps), strict=True):
        if coordinate != "0":
            terms.append(coordinate if step == 1 else f"{coordinate} * {step}")
    return " + ".join(terms) or "0"


def _divides_weights_by_roots(value: Value) -> bool:
    """Whether a value is a quotient as in Adam's rule, by square roots or a little more, of all elements of a weight.

    The unit that takes square roots divides too, and would be at work for 22 cycles where everything else takes 12.
    """
    if value.op != "divide" or value.dtype != "float" or value.batched or value.rank == 0:
        return False
    divisor = value.operands[1]
    return divisor.op == "sqrt" or (divisor.op == "add" and any(term.op == "sqrt" for term in divisor.operands))


class Elements:
    """Writes the computation of single elements inside one kernel.

    `pointer(value)` names the kernel's parameter for a buffer, `scalar(value)` the one for a replicated scalar. `index`
    gives the number of an element of a value, `place` its place in the buffer.
    `local` holds the names of values computed at the current element or row.
    """

    def __init__(
        self,
        lines: Lines,
        replicated: dict[Value, bool],
        pointer: Callable[[Value], str],
        scalar: Callable[[Value], str],
        index: Callable[[Value, Coordinates], str],
        place: Callable[[Value, Coordinates], str],
    ) -> None:
        self.lines = lines
        self.local: dict[Value, str] = {}
        # Of coordinates whose loops go by steps.
        self.phases: dict[str, Phase] = {}
        self._replicated = replicated
        self._pointer = pointer
        self._scalar = scalar
        self._index = index
        self._place = place
        self._known: dict[tuple[Value, Coordinates], str] = {}

    @contextmanager
    def scope(self) -> Iterator[None]:
        """What is computed inside is forgotten behind it, as names of an inner loop or branch must be."""
        local, known, phases = dict(self.local), dict(self._known), dict(self.phases)
        try:
            yield
        finally:
            self.local, self._known, self.phases = local, known, phases

    def read(self, value: Value, coordinates: Coordinates) -> str:
        """The name or literal of an element of a value that is local, stored, inline or replicated."""
        # Only at its own place: what moves elements may ask for an inline value, such as a mask, of another element.
        if value in self.local and coordinates == identity_coordinates(value.shape):
            return self.local[value]
        if value.op == "constant" and value.shape == ():
            return literal(value.attributes["value"], value.dtype)
        if is_replicated(value, self._replicated) and value.shape == ():
            return self._scalar(value)
        key = (value, coordinates)
        if key in self._known:
            return self._known[key]
        if value.op == "broadcast":
            return self.read(value.operands[0], broadcast_coordinates(value, coordinates))
        if is_unit_reshape(value):
            return self.read(value.operands[0], unit_reshape_coordinates(value, coordinates))
        if value.op == "iota":
            return f"int32({coordinates[value.attributes['axis']]})"
        if value.op not in LEAF_TENSORS and value.op != "constant" and is_inline(value):
            return self._remember(key, self.compute(value, coordinates))
        base = storage(value)
        loaded = f"{self._pointer(base)}[{self._place(value, coordinates)}]"
        return self._remember(key, f"{loaded} != 0" if value.dtype == "bool" else loaded)

    def _remember(self, key: tuple[Value, Coordinates], expression: str) -> str:
        name = self.lines.fresh()
        self.lines.add(f"{name} = {expression}")
        self._known[key] = name
        return name

    def define(self, value: Value, coordinates: Coordinates) -> str:
        """Compute an element of a value of this kernel into a local name."""
        name = self.lines.fresh()
        self.lines.add(f"{name} = {self.compute(value, coordinates)}")
        self.local[value] = name
        return name

    def compute(self, value: Value, coordinates: Coordinates) -> str:
        """An expression for an element of a computed value; lines for what it needs are added before."""
        op = value.op
        moved = _MOVED.get(op)
        if moved is not None:
            return moved(self, value, coordinates)
        if op in ("broadcast", "constant", "iota", "reshape"):
            return self.read_computed(value, coordinates)
        if op == "random_uniform":
            seed, step = (self._scalar(operand) for operand in value.operands)
            return f"random_uniform({seed}, {value.attributes['stream']}, {step}, {self._index(value, coordinates)})"
        operands = [self.read(operand, coordinates) for operand in value.operands]
        if op == "cast":
            return CAST[value.dtype].format(*operands)
        if _divides_weights_by_roots(value):
            return f"{operands[0]} * reciprocal({operands[1]})"
        form = BINARY.get(op) or UNARY.get(op)
        if form is not None:
            return form.format(*operands)
        if op in FUNCTIONS:
            return f"{FUNCTIONS[op]}({', '.join(operands)})"
        if op == "constant":
            return literal(value.attributes["value"], value.dtype)
        raise IRError(f"the cpu target cannot emit {value!r}")

    def read_computed(self, value: Value, coordinates: Coordinates) -> str:
        """An inline value that has a buffer of its own: what its elements are."""
        if value.op == "broadcast":
            return self.read(value.operands[0], broadcast_coordinates(value, coordinates))
        if value.op == "iota":
            return f"int32({coordinates[value.attributes['axis']]})"
        if value.op == "constant" and value.shape == ():
            return literal(value.attributes["value"], value.dtype)
        raise IRError(f"the cpu target cannot emit {value!r}")


def _slice(elements: Elements, value: Value, coordinates: Coordinates) -> str:
    a = value.attributes
    places = tuple(
        coordinate if stop is BATCH else f"({coordinate} * {stride} + {start})"
        for coordinate, start, stop, stride in zip(coordinates, a["starts"], a["stops"], a["strides"], strict=True)
    )
    return elements.read(value.operands[0], places)


def _reverse(elements: Elements, value: Value, coordinates: Coordinates) -> str:
    axes = value.attributes["axes"]
    places = tuple(
        f"({int(extent) - 1} - {coordinate})" if axis in axes else coordinate  # type: ignore[call-overload]
        for axis, (coordinate, extent) in enumerate(zip(coordinates, value.shape, strict=True))
    )
    return elements.read(value.operands[0], places)


def _transpose(elements: Elements, value: Value, coordinates: Coordinates) -> str:
    places = [""] * value.rank
    for coordinate, axis in zip(coordinates, value.attributes["permutation"], strict=True):
        places[axis] = coordinate
    return elements.read(value.operands[0], tuple(places))


def _pad(elements: Elements, value: Value, coordinates: Coordinates) -> str:
    a, source = value.attributes, value.operands[0]
    fill = literal(a["fill"], value.dtype)
    places, conditions = [], []
    for axis, coordinate in enumerate(coordinates):
        low, step, extent = a["low"][axis], a["interior"][axis] + 1, source.shape[axis]
        if source.shape[axis] == value.shape[axis] and low == 0:
            places.append(coordinate)
            continue
        last = (int(extent) - 1) * step  # type: ignore[call-overload]
        phase = elements.phases.get(coordinate)
        meets = None if phase is None else phase.meets(low, step, last)
        if meets is False:
            return fill
        moved = elements.lines.fresh("k")
        elements.lines.add(f"{moved} = {coordinate} - {low}")
        if phase is None or phase.first < low or phase.last - low > last:
            conditions.append(f"{moved} >= 0 and {moved} <= {last}")
        if step > 1 and meets is None:
            conditions.append(f"{moved} % {step} == 0")
        places.append(f"({moved} // {step})" if step > 1 else moved)
    if not conditions:
        return elements.read(source, tuple(places))
    name = elements.lines.fresh()
    elements.lines.add(f"{name} = {fill}")
    with elements.lines.block(f"if {' and '.join(conditions)}:"), elements.scope():
        elements.lines.add(f"{name} = {elements.read(source, tuple(places))}")
    return name


def _concatenate(elements: Elements, value: Value, coordinates: Coordinates) -> str:
    axis = value.attributes["axis"]
    name = elements.lines.fresh()
    elements.lines.add(f"{name} = {literal(0, value.dtype)}")
    start = 0
    for operand in value.operands:
        stop = start + int(operand.shape[axis])  # type: ignore[call-overload]
        here = coordinates[axis]
        phase = elements.phases.get(here)
        if phase is not None and (phase.last < start or phase.first >= stop):
            start = stop
            continue
        places = (*coordinates[:axis], f"({here} - {start})", *coordinates[axis + 1 :])
        with elements.lines.block(f"if {here} >= {start} and {here} < {stop}:"), elements.scope():
            elements.lines.add(f"{name} = {elements.read(operand, places)}")
        start = stop
    return name


def _gather(elements: Elements, value: Value, coordinates: Coordinates) -> str:
    table, indices = value.operands
    row = elements.read(indices, coordinates[: indices.rank])
    return elements.read(table, (row, *coordinates[indices.rank :]))


_MOVED: Mapping[str, Callable[[Elements, Value, Coordinates], str]] = {
    "slice": _slice,
    "reverse": _reverse,
    "transpose": _transpose,
    "pad": _pad,
    "concatenate": _concatenate,
    "gather": _gather,
}
