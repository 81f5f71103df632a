"""The intermediate representation: a growing list of values in static single assignment, each made by one primitive.

Shapes are static but for the batch axis, which is symbolic and, where a value has one, always axis 0.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from types import MappingProxyType
from typing import Any

from trainer_cli.ir.primitive import BATCH, TABLE, DType, IRError, Primitive, Shape

__all__ = ["BATCH", "Graph", "Value"]

LEAVES = frozenset(
    {"input", "weight", "state", "hyperparameter", "step", "seed", "batch_size", "constant", "parameter"}
)


class Value:
    """One value: the primitive that makes it, its operands and attributes, its shape and type.

    `layer` names the layer whose trace made it, for messages and for comments in generated code.
    """

    __slots__ = ("attributes", "dtype", "graph", "index", "layer", "op", "operands", "shape")

    def __init__(
        self,
        graph: Graph,
        index: int,
        op: str,
        operands: tuple[Value, ...],
        attributes: Mapping[str, Any],
        shape: Shape,
        dtype: DType,
        layer: str | None,
    ) -> None:
        self.graph = graph
        self.index = index
        self.op = op
        self.operands = operands
        self.attributes = attributes
        self.shape = shape
        self.dtype = dtype
        self.layer = layer

    @property
    def rank(self) -> int:
        return len(self.shape)

    @property
    def batched(self) -> bool:
        """Whether the first axis is the batch axis."""
        return bool(self.shape) and self.shape[0] is BATCH

    @property
    def primitive(self) -> Primitive:
        return TABLE[self.op]

    @property
    def name(self) -> str:
        """The name of a leaf (input, weight, state, hyperparameter)."""
        return str(self.attributes["name"])

    def __repr__(self) -> str:
        operands = ", ".join(f"%{operand.index}" for operand in self.operands)
        shape = "×".join(map(str, self.shape)) or "scalar"
        attributes = "".join(f" {key}={value!r}" for key, value in self.attributes.items() if key != "body")
        return f"%{self.index}: {self.dtype} {shape} = {self.op}({operands}){attributes}"

    # Arithmetic is defined in `language`, which broadcasts and lifts Python numbers.

    def __add__(self, other: Value | float) -> Value:
        return _arithmetic("add", self, other)

    def __radd__(self, other: float) -> Value:
        return _arithmetic("add", other, self)

    def __sub__(self, other: Value | float) -> Value:
        return _arithmetic("subtract", self, other)

    def __rsub__(self, other: float) -> Value:
        return _arithmetic("subtract", other, self)

    def __mul__(self, other: Value | float) -> Value:
        return _arithmetic("multiply", self, other)

    def __rmul__(self, other: float) -> Value:
        return _arithmetic("multiply", other, self)

    def __truediv__(self, other: Value | float) -> Value:
        return _arithmetic("divide", self, other)

    def __rtruediv__(self, other: float) -> Value:
        return _arithmetic("divide", other, self)

    def __pow__(self, other: Value | float) -> Value:
        return _arithmetic("power", self, other)

    def __neg__(self) -> Value:
        return self.graph.emit("negate", (self,))


def _arithmetic(op: str, a: Value | float, b: Value | float) -> Value:
    from trainer_cli.ir import language

    result: Value = getattr(language, op)(a, b)
    return result


class Graph:
    """The values of one computation, in an order in which each comes after its operands.

    `outputs` are the results by name; `updates` the new values that weights and states take at the end of a step.
    """

    def __init__(self) -> None:
        self.values: list[Value] = []
        self.outputs: dict[str, Value] = {}
        self.updates: dict[str, Value] = {}
        self._leaves: dict[tuple[str, str], Value] = {}
        self._layer: str | None = None

    def emit(self, op: str, operands: Sequence[Value] = (), **attributes: Any) -> Value:
        """Append the value that a primitive makes of its operands, after its shape rule has accepted them."""
        primitive = TABLE.get(op)
        if primitive is None:
            raise IRError(f"there is no primitive {op}")
        for operand in operands:
            if operand.graph is not self:
                raise IRError(f"{op}: operand {operand!r} belongs to another graph")
        try:
            shape, dtype = primitive.shape(operands, attributes)
        except IRError as error:
            raise IRError(f"{op}({', '.join(map(repr, operands))}): {error}") from None
        if any(extent is BATCH for extent in shape[1:]):
            raise IRError(f"{op}: the batch axis must be axis 0, not {shape}")
        return self._append(op, tuple(operands), attributes, shape, dtype)

    def _append(
        self, op: str, operands: tuple[Value, ...], attributes: Mapping[str, Any], shape: Shape, dtype: DType
    ) -> Value:
        value = Value(
            self, len(self.values), op, operands, MappingProxyType(dict(attributes)), shape, dtype, self._layer
        )
        self.values.append(value)
        return value

    def _leaf(self, op: str, name: str, shape: Shape, dtype: DType, **attributes: Any) -> Value:
        existing = self._leaves.get((op, name))
        if existing is not None:
            if (existing.shape, existing.dtype) != (shape, dtype):
                raise IRError(f"{op} {name} has shape {existing.shape}, asked for as {shape}")
            return existing
        value = self._append(op, (), {"name": name, **attributes}, shape, dtype)
        self._leaves[op, name] = value
        return value

    def input(self, name: str, shape: Shape, dtype: DType = "float") -> Value:
        """A tensor given with every batch."""
        return self._leaf("input", name, shape, dtype)

    def weight(self, name: str, shape: tuple[int, ...]) -> Value:
        """A weight of the model."""
        return self._leaf("weight", name, shape, "float")

    def state(self, name: str, shape: tuple[int, ...]) -> Value:
        """A tensor kept between steps that is no weight, such as an optimizer's first moment."""
        return self._leaf("state", name, shape, "float")

    def hyperparameter(self, name: str) -> Value:
        """A float scalar given when a step runs."""
        return self._leaf("hyperparameter", name, (), "float")

    def step(self) -> Value:
        """The number of updates made before this step, an int scalar."""
        return self._leaf("step", "step", (), "int")

    def seed(self) -> Value:
        """The run's seed, an int scalar holding 32 bits."""
        return self._leaf("seed", "seed", (), "int")

    def batch_size(self) -> Value:
        """The number of rows of the current batch, a float scalar."""
        return self._leaf("batch_size", "batch_size", (), "float")

    def parameter(self, index: int, shape: Shape, dtype: DType) -> Value:
        """A parameter of a loop's body."""
        return self._leaf("parameter", str(index), shape, dtype)

    def parameter_list(self) -> list[Value]:
        """The parameters of a loop's body, in order."""
        return [self._leaves["parameter", str(index)] for index in range(len(self.leaves("parameter")))]

    def leaves(self, op: str) -> dict[str, Value]:
        """All leaves of a kind by name."""
        return {name: value for (kind, name), value in self._leaves.items() if kind == op}

    @contextmanager
    def layer(self, name: str | None) -> Iterator[None]:
        """Values made inside the block carry this layer's name."""
        previous, self._layer = self._layer, name
        try:
            yield
        finally:
            self._layer = previous

    def roots(self) -> list[Value]:
        """Everything that must be computed: outputs, then updates."""
        return [*self.outputs.values(), *self.updates.values()]


def reachable(roots: Iterable[Value]) -> list[Value]:
    """The values that the roots need, in the graph's order."""
    seen: set[Value] = set()
    stack = list(roots)
    while stack:
        value = stack.pop()
        if value not in seen:
            seen.add(value)
            stack.extend(value.operands)
    return sorted(seen, key=lambda value: value.index)


def readers_of(values: Iterable[Value]) -> dict[Value, list[Value]]:
    """Of each of the values, and of their operands, those of the values that read it: each once, in the given order."""
    readers: dict[Value, list[Value]] = {}
    for value in values:
        readers.setdefault(value, [])
        for operand in dict.fromkeys(value.operands):
            readers.setdefault(operand, []).append(value)
    return readers


def copy_into(
    target: Graph,
    values: Iterable[Value],
    substitution: dict[Value, Value],
    rewrite: Callable[[Value, tuple[Value, ...]], Value | None] | None = None,
) -> dict[Value, Value]:
    """Copy values (in order) into another graph, replacing those in `substitution`, which is extended and returned.

    `rewrite(value, new_operands)` may return what stands for a value in the new graph; None copies it.
    """
    for value in values:
        if value in substitution:
            continue
        operands = tuple(substitution[operand] for operand in value.operands)
        with target.layer(value.layer):
            new = rewrite(value, operands) if rewrite is not None else None
            if new is None:
                if value.op in LEAVES and value.op != "constant":
                    extra = {key: item for key, item in value.attributes.items() if key != "name"}
                    new = target._leaf(value.op, value.name, value.shape, value.dtype, **extra)
                else:
                    new = target._append(value.op, operands, value.attributes, value.shape, value.dtype)
        substitution[value] = new
    return substitution


def rewritten(graph: Graph, rewrite: Callable[[Value, tuple[Value, ...]], Value | None] | None = None) -> Graph:
    """A new graph with the same outputs and updates, without values that none of them needs; `rewrite` as above."""
    result = Graph()
    copied = copy_into(result, reachable(graph.roots()), {}, rewrite)
    result.outputs = {name: copied[value] for name, value in graph.outputs.items()}
    result.updates = {name: copied[value] for name, value in graph.updates.items()}
    return result
