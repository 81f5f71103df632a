"""Random graphs for tests: a seed in, a graph of many kinds of primitives and arrays for its leaves out."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from trainer_cli.ir import language as ir
from trainer_cli.ir.graph import BATCH, Graph, Value
from trainer_cli.ir.primitive import Shape

EXTENTS = (1, 2, 3, 5, 8, 17)
UNARY = (ir.tanh, ir.sin, ir.cos, ir.logistic, ir.absolute, ir.erf, ir.negate)
BINARY = (ir.add, ir.subtract, ir.multiply, ir.maximum, ir.minimum)
LARGEST = 6000
"""Elements of a row, or of a value without a batch axis."""


def size(shape: Shape) -> int:
    return math.prod(extent for extent in shape if isinstance(extent, int))


class RandomGraph:
    """Grows a graph by random steps; values stay of moderate size, so that float32 is near float64."""

    def __init__(self, seed: int, steps: int = 40) -> None:
        self.random = np.random.default_rng(seed)
        self.graph = Graph()
        self.pool: list[Value] = []
        self.integers: list[Value] = []
        self._leaves()
        makers = (
            self.elementwise, self.elementwise, self.elementwise, self.reduction, self.reduction, self.product,
            self.product, self.moved, self.moved, self.indexed, self.chosen, self.reshaped, self.softmax, self.scaled,
        )  # fmt: skip
        for _ in range(steps):
            found = makers[self.random.integers(len(makers))]()
            if found is not None and size(found.shape) <= LARGEST:
                (self.pool if found.dtype == "float" else self.integers).append(found)
        self._results()

    def pick(self, values: list[Value] | None = None) -> Value:
        """Some value, recent ones more often."""
        values = values if values is not None else self.pool
        return values[max(0, len(values) - 1 - int(self.random.exponential(6.0)))]

    def extent(self) -> int:
        return int(self.random.choice(EXTENTS))

    def shape(self, rank: int, batched: bool) -> Shape:
        inner = tuple(self.extent() for _ in range(rank - batched))
        return (BATCH, *inner) if batched else inner

    def _leaves(self) -> None:
        graph = self.graph
        for index in range(3):
            self.pool.append(graph.input(f"x{index}", self.shape(index + 1, True)))
        for index in range(4):
            self.pool.append(graph.weight(f"w{index}", self.shape(max(1, index), False)))  # type: ignore[arg-type]
        self.pool.append(graph.state("s", (7, 9)))
        self.integers.append(graph.input("labels", (BATCH,), "int"))
        self.integers.append(graph.input("more", (BATCH, 3), "int"))
        self.rate = graph.hyperparameter("rate") * 0.5 + ir.cast(graph.step(), "float") / (graph.batch_size() + 9.0)

    def aligned(self, x: Value) -> Value:
        """A value that broadcasts with x."""
        for _ in range(8):
            other = self.pick()
            pairs = list(zip(reversed(x.shape), reversed(other.shape), strict=False))
            fits = all(1 in (a, b) or a == b for a, b in pairs)
            batches = len(x.shape) == len(other.shape) or not (x if len(x.shape) < len(other.shape) else other).batched
            if fits and batches and BATCH not in (*x.shape[1:], *other.shape[1:]):
                return other
        return ir.broadcast_to(self.rate, x.shape)

    def elementwise(self) -> Value:
        x = self.pick()
        if self.random.random() < 0.4:
            return UNARY[self.random.integers(len(UNARY))](x)
        return BINARY[self.random.integers(len(BINARY))](x, self.aligned(x))

    def scaled(self) -> Value:
        return ir.sin(self.pick() * self.rate)

    def chosen(self) -> Value:
        x = self.pick()
        other = self.aligned(x)
        kind = self.random.integers(4)
        if kind == 0:
            return ir.select(ir.less(x, other), x, other * 0.5)
        if kind == 1:
            return ir.cast(ir.logical_or(ir.less(x, other), ir.less(0.3, x)), "float") * x
        if kind == 2 and x.rank:
            return ir.cast(ir.iota(x, int(self.random.integers(x.rank))), "float") * 0.01 + x
        if x.rank > 1 and x.shape[-1] is not BATCH:
            return ir.argmax(x)
        return ir.sqrt(ir.square(x) + 0.5)

    def reduction(self) -> Value | None:
        x = self.pick()
        if x.rank == 0:
            return None
        count = int(self.random.integers(1, x.rank + 1))
        axes = sorted(int(axis) for axis in self.random.choice(x.rank, count, replace=False))
        keep = bool(self.random.random() < 0.5) and not (x.batched and 0 in axes)
        if self.random.random() < 0.3:
            return ir.reduce_max(x, axes, keepdims=keep)
        return ir.tanh(ir.reduce_mean(x, axes, keepdims=keep))

    def softmax(self) -> Value | None:
        x = self.pick()
        if x.rank < 2 or x.shape[-1] is BATCH:
            return None
        shifted = ir.exp(x - ir.reduce_max(x, -1, keepdims=True))
        return shifted / ir.reduce_sum(shifted, -1, keepdims=True)

    def product(self) -> Value | None:
        """Random labels: shared ones are summed, kept, or both; the order of the result's labels is random."""
        a, b = self.pick(), self.pick()
        if not a.rank or not b.rank:
            return None
        names = iter("abcdefghij")
        first = [next(names) for _ in range(a.rank)]
        second: list[str] = []
        for extent in b.shape:
            same = [n for n, e in zip(first, a.shape, strict=True) if e == extent and n not in second]
            second.append(same[0] if same and (extent is BATCH or self.random.random() < 0.7) else next(names))
        shared = set(first) & set(second)
        result = [n for n in dict.fromkeys(first + second) if n not in shared or self.random.random() < 0.35]
        self.random.shuffle(result)
        extents = dict(zip(first + second, a.shape + b.shape, strict=True))
        batch = [n for n in result if extents[n] is BATCH]
        result = batch + [n for n in result if n not in batch]
        depth = size(tuple(extents[n] for n in shared if n not in result))
        if len(batch) > 1 or size(tuple(extents[n] for n in result)) > LARGEST or depth > LARGEST:
            return None
        specification = f"{''.join(first)},{''.join(second)}->{''.join(result)}"
        found = ir.contract(specification, a, b) / math.sqrt(depth)
        summed_batch = any(extents[n] is BATCH for n in shared) and not batch
        return ir.tanh(found / ir.batch_size(self.graph) if summed_batch else found)

    def moved(self) -> Value | None:
        x = self.pick()
        if x.rank == 0:
            return None
        kind, free = self.random.integers(5), [i for i, extent in enumerate(x.shape) if extent is not BATCH]
        if not free:
            return None
        axis = int(self.random.choice(free))
        extent = int(x.shape[axis])
        if kind == 0:
            return ir.reverse(x, (axis,))
        if kind == 1:
            rest = [int(i) for i in self.random.permutation(free)]
            return ir.transpose(x, [0, *rest] if x.batched else rest)
        if kind == 2:
            start = int(self.random.integers(extent))
            stride = int(self.random.integers(1, 3))
            starts = [start if i == axis else 0 for i in range(x.rank)]
            strides = [stride if i == axis else 1 for i in range(x.rank)]
            return ir.slice_(x, starts, x.shape, strides)
        if kind == 3:
            counts = self.random.integers(0, 3, 3)
            low, high, between = ([int(n) if i == axis else 0 for i in range(x.rank)] for n in counts)
            return ir.pad(x, low, high, between, fill=float(self.random.choice([0.0, 1.5])))

        def besides(y: Value) -> Shape:
            return (*y.shape[:axis], *y.shape[axis + 1 :])

        others = [y for y in self.pool if y.batched == x.batched and y.rank == x.rank and besides(y) == besides(x)]
        return ir.concatenate([x, others[self.random.integers(len(others))], x], axis)

    def reshaped(self) -> Value | None:
        x = self.pick()
        inner = [extent for extent in x.shape if extent is not BATCH]
        kind = self.random.integers(3)
        if kind == 0 or not inner:
            inner.insert(int(self.random.integers(len(inner) + 1)), 1)
        elif kind == 1:
            inner = [size(x.shape)]
        else:
            inner = [n for n in inner if n != 1]
            inner = [math.prod(inner[:2]), *inner[2:]] if inner else inner
        return ir.reshape(x, (BATCH, *inner) if x.batched else tuple(inner))

    def indexed(self) -> Value | None:
        labels = self.integers[self.random.integers(2)]
        tables = [x for x in self.pool if x.rank and not x.batched and int(x.shape[0]) >= 5]
        if tables and self.random.random() < 0.5:
            return ir.gather(tables[self.random.integers(len(tables))], labels)
        fitting = [x for x in self.pool if x.batched and x.shape[: labels.rank] == labels.shape]
        if self.random.random() < 0.5:
            return ir.one_hot(labels, 5)
        if not fitting:
            return None
        found = ir.scatter_add(labels, fitting[self.random.integers(len(fitting))], 6)
        return ir.tanh(found / ir.batch_size(self.graph))

    def _results(self) -> None:
        graph, used = self.graph, set()
        for value in graph.values:
            used.update(value.operands)
        for index, value in enumerate([*self.pool, *self.integers]):
            if value not in used or self.random.random() < 0.15:
                graph.outputs[f"y{index}"] = value
        for name, leaf in {**graph.leaves("weight"), **graph.leaves("state")}.items():
            same = [x for x in self.pool if x.shape == leaf.shape]
            total = sum((ir.reduce_mean(x) if x.rank else x for x in same[-3:]), ir.reduce_mean(self.pick(same)))
            step = same[self.random.integers(len(same))] if self.random.random() < 0.5 else total
            graph.updates[name] = leaf - self.rate * step

    def bindings(self, rows: int, seed: int = 0) -> dict[str, Any]:
        random = np.random.default_rng(seed)
        bound: dict[str, Any] = {"rate": 0.3}
        for name, value in self.graph.leaves("input").items():
            shape = [rows if extent is BATCH else int(extent) for extent in value.shape]
            numbers = random.uniform(-1.5, 1.5, shape)
            bound[name] = random.integers(0, 5, shape, dtype=np.int32) if value.dtype == "int" else numbers.astype("f4")
        for name, value in {**self.graph.leaves("weight"), **self.graph.leaves("state")}.items():
            bound[name] = random.uniform(-1.5, 1.5, tuple(map(int, value.shape))).astype(np.float32)
        return bound
