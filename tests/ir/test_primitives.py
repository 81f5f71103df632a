"""Every primitive: what it computes, its gradient against finite differences, and the operands it refuses."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest

from tests.numeric import Operand, batch, check_gradients, compute, compute_gradients, leaves, whole
from trainer_cli.ir import language as ir
from trainer_cli.ir.graph import BATCH, LEAVES, Graph, Value
from trainer_cli.ir.primitive import TABLE, IRError
from trainer_cli.ir.random import threefry

random = np.random.default_rng(5)


def spread(*shape: int, low: float = -2.0, high: float = 2.0) -> Any:
    """Numbers that all differ by far more than a finite difference's step, in random order."""
    values = np.linspace(low, high, math.prod(shape)) + 0.013
    return random.permutation(values).reshape(shape)


@dataclass(frozen=True)
class Example:
    """One use of a primitive: how it is written, its operands, and what NumPy says that it computes."""

    build: Callable[..., Value]
    operands: tuple[Operand, ...]
    expected: Callable[..., Any]
    label: str = ""


def use(build: Callable[..., Value], *operands: Operand, expected: Callable[..., Any], label: str = "") -> Example:
    return Example(build, operands, expected, label)


def emit(op: str, **attributes: Any) -> Callable[..., Value]:
    return lambda *values: values[0].graph.emit(op, values, **attributes)


def logistic(x: Any) -> Any:
    return 1 / (1 + np.exp(-x))


def softmax(x: Any, axis: Any) -> Any:
    return np.exp(x) / np.exp(x).sum(axis, keepdims=True)


def standardized(x: Any, axis: Any, epsilon: float) -> Any:
    return (x - x.mean(axis, keepdims=True)) / np.sqrt(x.var(axis, keepdims=True) + epsilon)


def erf(x: Any) -> Any:
    return np.vectorize(math.erf)(x)


def naive_convolution(x: Any, kernel: Any, strides: Any, padding: Any, dilation: Any, groups: int) -> Any:
    """Two-dimensional convolution element by element, from its definition."""
    x = np.pad(x, [(0, 0), *padding, (0, 0)])
    rows, height, width, _ = x.shape
    window_height, window_width, own, filters = kernel.shape
    out_height = (height - (window_height - 1) * dilation[0] - 1) // strides[0] + 1
    out_width = (width - (window_width - 1) * dilation[1] - 1) // strides[1] + 1
    result = np.zeros((rows, out_height, out_width, filters))
    for b, i, j, f in np.ndindex(result.shape):
        group = f // (filters // groups)
        for p, q, c in np.ndindex(window_height, window_width, own):
            value = x[b, i * strides[0] + p * dilation[0], j * strides[1] + q * dilation[1], group * own + c]
            result[b, i, j, f] += value * kernel[p, q, c, f]
    return result


GEOMETRIES: list[dict[str, Any]] = [
    {"strides": (1, 1), "padding": ((0, 0), (0, 0)), "dilation": (1, 1), "groups": 1},
    {"strides": (2, 1), "padding": ((1, 0), (1, 2)), "dilation": (1, 2), "groups": 2},
    {"strides": (3, 2), "padding": ((0, 1), (2, 0)), "dilation": (2, 1), "groups": 1},
]
SPACE, WINDOW = (6, 5), (2, 3)


def convolution_examples() -> list[Example]:
    examples = []
    for geometry in GEOMETRIES:
        x = spread(2, *SPACE, 4)
        kernel = spread(*WINDOW, 4 // geometry["groups"], 2)
        examples.append(
            use(
                emit("convolve", **geometry),
                batch(x),
                whole(kernel),
                expected=lambda x, k, g=geometry: naive_convolution(x, k, **g),
                label=str(geometry),
            )
        )
    x, kernel = spread(3, 7, 2), spread(3, 2, 3)
    attributes: dict[str, Any] = {"strides": (2,), "padding": ((1, 1),), "dilation": (1,), "groups": 1}
    examples.append(
        use(
            emit("convolve", **attributes),
            batch(x),
            whole(kernel),
            expected=lambda x, k: naive_convolution(x[:, None], k[None], (1, 2), ((0, 0), (1, 1)), (1, 1), 1)[:, 0],
            label="one dimension",
        )
    )
    attributes = {"strides": (1, 1, 1), "padding": ((0, 0),) * 3, "dilation": (1, 1, 1), "groups": 1}
    examples.append(
        use(
            emit("convolve", **attributes),
            batch(spread(1, 3, 2, 2, 1)),
            whole(spread(3, 2, 2, 1, 2)),
            expected=lambda x, k: np.einsum("bxyzc,xyzcf->bf", x, k)[:, None, None, None, :],
            label="three dimensions",
        )
    )
    return examples


def adjoint_examples(of: str) -> list[Example]:
    """The adjoint of a convolution by an operand, from <y, x ∗ k> being linear in that operand."""
    examples = []
    for geometry in GEOMETRIES:
        x, kernel = spread(2, *SPACE, 4), spread(*WINDOW, 4 // geometry["groups"], 2)
        adjoint = spread(*naive_convolution(x, kernel, **geometry).shape)
        base = x if of == "input" else kernel

        def expected(a: Any, b: Any, base: Any = base, geometry: Any = geometry) -> Any:
            result = np.zeros(base.shape)
            for index in np.ndindex(base.shape):
                unit = np.zeros(base.shape)
                unit[index] = 1.0
                pair = (unit, b) if of == "input" else (a, unit)
                result[index] = np.sum(naive_convolution(*pair, **geometry) * (a if of == "input" else b))
            return result

        if of == "input":
            operands = (batch(adjoint), whole(kernel))
            build = emit("convolve_input_gradient", space=SPACE, **geometry)
        else:
            operands = (batch(x), batch(adjoint))
            build = emit("convolve_kernel_gradient", window=WINDOW, **geometry)
        examples.append(Example(build, operands, expected, str(geometry)))
    return examples


WINDOWS: list[dict[str, Any]] = [
    {"window": (2, 2), "strides": (2, 2), "padding": ((0, 0), (0, 0))},
    {"window": (3, 2), "strides": (1, 2), "padding": ((1, 1), (0, 1))},
    {"window": (2, 3), "strides": (3, 1), "padding": ((0, 1), (2, 1))},
]


def naive_window(x: Any, reduce: Callable[[Any], float], window: Any, strides: Any, padding: Any, fill: float) -> Any:
    x = np.pad(x, [(0, 0), *padding, (0, 0)], constant_values=fill)
    extents = [(n - w) // s + 1 for n, w, s in zip(x.shape[1:-1], window, strides, strict=True)]
    result = np.zeros((x.shape[0], *extents, x.shape[-1]))
    for b, i, j, c in np.ndindex(result.shape):
        top, left = i * strides[0], j * strides[1]
        result[b, i, j, c] = reduce(x[b, top : top + window[0], left : left + window[1], c])
    return result


def window_examples(op: str, reduce: Callable[[Any], float], fill: float) -> list[Example]:
    return [
        use(
            emit(op, **geometry),
            batch(spread(2, 6, 5, 2)),
            expected=lambda x, g=geometry: naive_window(x, reduce, fill=fill, **g),
            label=str(geometry),
        )
        for geometry in WINDOWS
    ]


def max_gradient_example() -> Example:
    # With ties: the first maximum of a window in row-major order takes all.
    x = np.zeros((1, 2, 4, 1))
    x[0, 1, 2:, 0] = 1.0
    adjoint = np.array([2.0, 3.0]).reshape(1, 1, 2, 1)
    wanted = np.zeros_like(x)
    wanted[0, 0, 0, 0], wanted[0, 1, 2, 0] = 2.0, 3.0
    geometry: dict[str, Any] = {"window": (2, 2), "strides": (2, 2), "padding": ((0, 0), (0, 0))}

    def build(x: Value, adjoint: Value) -> Value:
        result = x.graph.emit("window_max", (x,), **geometry)
        return x.graph.emit("window_max_gradient", (x, result, adjoint), **geometry)

    return use(build, batch(x), batch(adjoint), expected=lambda x, a: wanted)


def recurrent(backwards: bool) -> Callable[..., Value]:
    """h ← tanh(x·W + h·U), every h emitted and added to the last one."""

    def build(h: Value, x: Value, w: Value, u: Value) -> Value:
        def body(carried: list[Value], slices: list[Value], captured: list[Value]) -> Any:
            following = ir.tanh(ir.contract("bi,io->bo", slices[0], captured[0]))
            following = following + ir.contract("bi,io->bo", carried[0], captured[1])
            return [following], [following * slices[0]]

        length = int(x.shape[1])
        (last,), (emitted,) = ir.loop(body, [h], [x], [w, u], length=length, backwards=backwards)
        return emitted + ir.reshape(last, (BATCH, 1, int(last.shape[1])))

    return build


def recurrent_meaning(h: Any, x: Any, w: Any, u: Any, backwards: bool = False) -> Any:
    emitted = np.zeros(x.shape)
    for time in range(x.shape[1])[:: -1 if backwards else 1]:
        h = np.tanh(x[:, time] @ w) + h @ u
        emitted[:, time] = h * x[:, time]
    return emitted + h[:, None]


def spaced(x: Any) -> Any:
    """One zero before each row, two after it, one between its elements."""
    result = np.zeros((len(x), 2 * x.shape[1] + 2))
    result[:, 1:-2:2] = x
    return result


def first_numbers(stream: int, count: int) -> Any:
    """The upper 24 bits of the first words of Threefry under the key (seed 0, stream) at (step 0, element)."""
    counters = np.arange(count, dtype=np.uint32)
    return (threefry((0, stream), np.zeros_like(counters), counters)[0] >> 8) * 2.0**-24


def loop_examples() -> list[Example]:
    operands = (batch(spread(2, 3)), batch(spread(2, 4, 3)), whole(spread(3, 3)), whole(spread(3, 3)))
    examples = [
        use(
            recurrent(backwards),
            *operands,
            expected=lambda *arrays, b=backwards: recurrent_meaning(*arrays, backwards=b),
            label=f"backwards={backwards}",
        )
        for backwards in (False, True)
    ]

    def cumulative(x: Value) -> Value:
        # No batch axis: time is the first axis. A counter is carried along, and an operand goes unused.
        zero = ir.constant(x.graph, 0, "int")
        start = ir.reduce_sum(x * 0.0, 0)

        def body(carried: list[Value], slices: list[Value], captured: list[Value]) -> Any:
            count, total = carried
            total = total + slices[0] * ir.cast(count, "float")
            return [count + 1, total], [ir.square(total)]

        (_, last), (squares,) = ir.loop(body, [zero, start], [x], [x], length=int(x.shape[0]))
        return squares + last

    examples.append(
        use(
            cumulative,
            whole(spread(4, 2)),
            expected=lambda x: np.cumsum(x * np.arange(4)[:, None], axis=0) ** 2 + (x * np.arange(4)[:, None]).sum(0),
            label="counter",
        )
    )

    def nested(x: Value, w: Value) -> Value:
        def inner(carried: list[Value], slices: list[Value], captured: list[Value]) -> Any:
            return [ir.sin(carried[0] + slices[0] * captured[0])], []

        def outer(carried: list[Value], slices: list[Value], captured: list[Value]) -> Any:
            (last,), _ = ir.loop(inner, carried, [slices[0]], captured, length=int(slices[0].shape[1]))
            return [last], [last]

        start = ir.reduce_sum(x, (1, 2)) * 0.5
        wide = ir.broadcast_to(ir.reshape(w, (1,)), (BATCH,))
        _, (emitted,) = ir.loop(outer, [start], [x], [wide], length=int(x.shape[1]))
        return emitted

    def nested_meaning(x: Any, w: Any) -> Any:
        state, emitted = x.sum((1, 2)) * 0.5, []
        for i in range(x.shape[1]):
            for j in range(x.shape[2]):
                state = np.sin(state + x[:, i, j] * w)
            emitted.append(state)
        return np.stack(emitted, axis=1)

    examples.append(use(nested, batch(spread(2, 3, 2)), whole(0.7), expected=nested_meaning, label="nested"))
    return examples


A, B = batch(spread(3, 4)), batch(spread(3, 4, low=-1.5, high=2.5))
POSITIVE = batch(spread(3, 4, low=0.2, high=3.0))
FLAGS = batch(random.integers(0, 2, (3, 4)).astype(bool))
OTHER_FLAGS = batch(random.integers(0, 2, (3, 4)).astype(bool))
COUNTS = batch(random.integers(-3, 4, (3, 4)).astype(np.int32))


def subtotal_examples() -> list[Example]:
    """Sums over 11 rows as those over the first 8, the other 3 and none."""

    def example(op: str, operands: tuple[Operand, ...], whole_sum: Callable[..., Any], **attributes: Any) -> Example:
        def expected(*arrays: Any) -> Any:
            parts = [whole_sum(*(array[first : first + 8] for array in arrays)) for first in (0, 8)]
            return np.stack([*parts, np.zeros_like(parts[0])])

        return use(emit("subtotals", sum=op, rows=8, count=3, **attributes), *operands, expected=expected, label=op)

    def taps(x: Any, adjoint: Any) -> Any:
        return np.stack([np.einsum("btc,btf->cf", x[:, n : n + 3], adjoint) for n in range(2)]).reshape(4, 3)

    x, y = batch(spread(11, 4)), batch(spread(11, 2))
    specification, geometry = "bi,bo->io", {**GEOMETRIES[0], "strides": (1,), "padding": ((0, 0),), "dilation": (1,)}
    line, adjoint = batch(spread(11, 4, 2)), batch(spread(11, 3, 3))
    return [
        example("contract", (x, y), lambda x, y: np.einsum(specification, x, y), specification=specification),
        example("reduce_sum", (line,), lambda x: x.sum((0, 1)), axes=(0, 1)),
        example("convolve_kernel_gradient", (line, adjoint), taps, window=(2,), flat=True, **geometry),
    ]


EXAMPLES: dict[str, list[Example]] = {
    "add": [use(ir.add, A, B, expected=np.add)],
    "subtract": [use(ir.subtract, A, B, expected=np.subtract)],
    "multiply": [use(ir.multiply, A, B, expected=np.multiply)],
    "divide": [use(ir.divide, A, B, expected=np.divide)],
    "power": [
        use(ir.power, POSITIVE, B, expected=np.power),
        use(lambda x: ir.power(x, 3.0), A, expected=lambda x: x**3, label="negative base"),
        use(lambda x: ir.power(x, 2.0), whole([0.0, 1.0]), expected=lambda x: x**2, label="zero base"),
        use(lambda x: ir.power(x, 0.0), whole([0.0, 1.0]), expected=lambda x: x**0, label="zero exponent"),
    ],
    "maximum": [use(ir.maximum, A, B, expected=np.maximum)],
    "minimum": [use(ir.minimum, A, B, expected=np.minimum)],
    "equal": [use(ir.equal, COUNTS, batch(np.zeros((3, 4), np.int32)), expected=np.equal)],
    "not_equal": [use(ir.not_equal, FLAGS, OTHER_FLAGS, expected=np.not_equal)],
    "less": [use(ir.less, A, B, expected=np.less), use(ir.greater, A, B, expected=np.greater)],
    "less_equal": [use(ir.less_equal, A, A, expected=np.less_equal)],
    "logical_and": [use(ir.logical_and, FLAGS, OTHER_FLAGS, expected=np.logical_and)],
    "logical_or": [use(ir.logical_or, FLAGS, OTHER_FLAGS, expected=np.logical_or)],
    "logical_not": [use(ir.logical_not, FLAGS, expected=np.logical_not)],
    "negate": [use(ir.negate, A, expected=np.negative), use(ir.negate, COUNTS, expected=np.negative)],
    "exp": [use(ir.exp, A, expected=np.exp)],
    "log": [use(ir.log, POSITIVE, expected=np.log)],
    "log1p": [use(ir.log1p, POSITIVE, expected=np.log1p)],
    "expm1": [use(ir.expm1, A, expected=np.expm1)],
    "sqrt": [use(ir.sqrt, POSITIVE, expected=np.sqrt)],
    "tanh": [use(ir.tanh, A, expected=np.tanh)],
    "logistic": [use(ir.logistic, A, expected=logistic)],
    "erf": [use(ir.erf, A, expected=erf)],
    "sin": [use(ir.sin, A, expected=np.sin)],
    "cos": [use(ir.cos, A, expected=np.cos)],
    "absolute": [use(ir.absolute, A, expected=np.abs)],
    "sign": [use(ir.sign, A, expected=np.sign)],
    "floor": [use(ir.floor, A, expected=np.floor)],
    "stop_gradient": [use(ir.stop_gradient, A, expected=lambda x: x)],
    "select": [use(ir.select, FLAGS, A, B, expected=np.where)],
    "cast": [
        use(emit("cast", dtype="float"), A, expected=lambda x: x),
        use(emit("cast", dtype="int"), A, expected=np.trunc),
        use(emit("cast", dtype="float"), FLAGS, expected=lambda x: x * 1.0),
        use(emit("cast", dtype="bool"), COUNTS, expected=lambda x: x != 0),
    ],
    "reduce_sum": [
        use(lambda x: ir.reduce_sum(x), A, expected=np.sum),
        use(lambda x: ir.reduce_sum(x, 0), A, expected=lambda x: x.sum(0), label="batch"),
        use(lambda x: ir.reduce_sum(x, (0, 2)), batch(spread(2, 3, 4)), expected=lambda x: x.sum((0, 2))),
        use(lambda x: ir.reduce_sum(x, -1), COUNTS, expected=lambda x: x.sum(-1), label="int"),
    ],
    "reduce_max": [
        use(lambda x: ir.reduce_max(x), A, expected=np.max),
        use(lambda x: ir.reduce_max(x, 0), A, expected=lambda x: x.max(0), label="batch"),
        use(lambda x: ir.reduce_max(x, (1, 2)), batch(spread(2, 3, 4)), expected=lambda x: x.max((1, 2))),
    ],
    "softmax": [
        use(ir.softmax, A, expected=lambda x: softmax(x, -1)),
        use(lambda x: ir.softmax(x, (1, 2)), batch(spread(2, 3, 4)), expected=lambda x: softmax(x, (1, 2))),
        use(lambda x: ir.softmax(x, 1), batch(spread(2, 3, 4)), expected=lambda x: softmax(x, 1), label="inner axis"),
        use(lambda x: ir.softmax(x, 0), whole(spread(3, 4)), expected=lambda x: softmax(x, 0), label="without rows"),
    ],
    "standardize": [
        use(lambda x: ir.standardize(x, -1, 0.5), A, expected=lambda x: standardized(x, -1, 0.5)),
        use(
            lambda x: ir.standardize(x, (2, 3), 1e-3),
            batch(spread(2, 2, 3, 4)),
            expected=lambda x: standardized(x, (2, 3), 1e-3),
        ),
        use(
            lambda x: ir.standardize(x, (1, 3), 1e-3),
            batch(spread(2, 2, 3, 4)),
            expected=lambda x: standardized(x, (1, 3), 1e-3),
            label="axes apart",
        ),
        use(lambda x: ir.standardize(x, 0, 0.1), whole(spread(3, 4)), expected=lambda x: standardized(x, 0, 0.1)),
    ],
    "argmax": [
        use(lambda x: ir.argmax(x), A, expected=lambda x: x.argmax(-1)),
        use(lambda x: ir.argmax(x, 1), batch(spread(2, 3, 4)), expected=lambda x: x.argmax(1), label="inner axis"),
        use(lambda x: ir.argmax(x), batch(np.array([[1.0, 2.0, 2.0]])), expected=lambda x: [1], label="first of ties"),
    ],
    "reshape": [use(lambda x: ir.reshape(x, (BATCH, 2, 2)), A, expected=lambda x: x.reshape(-1, 2, 2))],
    "transpose": [
        use(lambda x: ir.transpose(x, (0, 2, 1)), batch(spread(2, 3, 4)), expected=lambda x: x.transpose(0, 2, 1)),
        use(lambda x: ir.transpose(x, (2, 0, 1)), whole(spread(2, 3, 4)), expected=lambda x: x.transpose(2, 0, 1)),
    ],
    "broadcast": [
        use(lambda x: ir.broadcast_to(x, (BATCH, 3, 4)), whole(spread(4)), expected=lambda x: np.tile(x, (1, 3, 1))),
        use(lambda x: ir.broadcast_to(x, (2, 3)), whole(spread(2, 1)), expected=lambda x: np.tile(x, (1, 3))),
        use(lambda x: ir.broadcast_to(x, (BATCH, 3, 2)), batch(spread(2, 1, 2)), expected=lambda x: x.repeat(3, 1)),
    ],
    "slice": [
        use(
            lambda x: ir.slice_(x, (0, 1, 0), (BATCH, 6, 4), (1, 2, 3)),
            batch(spread(2, 7, 4)),
            expected=lambda x: x[:, 1:6:2, 0:4:3],
        ),
    ],
    "pad": [
        use(
            lambda x: ir.pad(x, (0, 1), (0, 2), (0, 1)),
            A,
            expected=spaced,
        ),
        use(
            lambda x: ir.pad(x, (0, 1), (0, 0), fill=-3.0),
            A,
            expected=lambda x: np.pad(x, ((0, 0), (1, 0)), constant_values=-3.0),
            label="filled",
        ),
    ],
    "concatenate": [
        use(
            lambda a, b: ir.concatenate([a, b, a], -1),
            batch(spread(2, 3)),
            batch(spread(2, 2)),
            expected=lambda a, b: np.concatenate([a, b, a], 1),
        ),
    ],
    "reverse": [use(lambda x: ir.reverse(x, (1,)), A, expected=lambda x: x[:, ::-1])],
    "iota": [
        use(lambda x: ir.iota(x, 1), A, expected=lambda x: np.tile(np.arange(4), (3, 1))),
        use(lambda x: ir.iota(x, 0), A, expected=lambda x: np.tile(np.arange(3)[:, None], 4), label="batch"),
    ],
    "constant": [
        use(lambda x: ir.constant(x.graph, 2.5), A, expected=lambda x: 2.5),
        use(lambda x: ir.constant(x.graph, np.arange(3), "int"), A, expected=lambda x: np.arange(3)),
    ],
    "gather": [
        use(ir.gather, whole(spread(4, 2)), batch(np.array([[3, 0, 3], [1, 1, 0]])), expected=lambda t, i: t[i]),
    ],
    "scatter_add": [
        use(
            lambda i, u: ir.scatter_add(i, u, 4),
            batch(np.array([[3, 0, 3], [1, 1, 0]])),
            batch(spread(2, 3, 2)),
            expected=lambda i, u: sum(np.eye(4)[i[a, b]][:, None] * u[a, b] for a, b in np.ndindex(i.shape)),
        ),
    ],
    "contract": [
        use(
            lambda a, b, s=specification: ir.contract(s, a, b),
            *operands,
            expected=lambda a, b, s=specification: np.einsum(s, a, b),
            label=specification,
        )
        for specification, operands in {
            "bi,io->bo": (batch(spread(3, 4)), whole(spread(4, 2))),
            "bi,oi->bo": (batch(spread(3, 4)), whole(spread(2, 4))),
            "bi,bo->io": (batch(spread(3, 4)), batch(spread(3, 2))),
            "bti,io->bto": (batch(spread(2, 3, 4)), whole(spread(4, 2))),
            "bqhd,bkhd->bhqk": (batch(spread(2, 3, 2, 2)), batch(spread(2, 2, 2, 2))),
            "bi,bi->b": (batch(spread(3, 4)), batch(spread(3, 4))),
            "bi,i->bi": (batch(spread(3, 4)), whole(spread(4))),
        }.items()
    ],
    "subtotals": subtotal_examples(),
    "convolve": convolution_examples(),
    "convolve_input_gradient": adjoint_examples("input"),
    "convolve_kernel_gradient": adjoint_examples("kernel"),
    "window_sum": window_examples("window_sum", np.sum, 0.0),
    "window_max": window_examples("window_max", np.max, -np.inf),
    "window_max_gradient": [max_gradient_example()],
    "loop": loop_examples(),
    "project": loop_examples()[:1],
    "random_uniform": [
        use(
            lambda x: ir.random_uniform(x.graph.seed(), x.graph.step(), 7, (BATCH, 4)),
            A,
            expected=lambda x: first_numbers(7, 12).reshape(3, 4),
        )
    ],
}
ALL = [pytest.param(op, each, id=f"{op}-{i}") for op, listed in EXAMPLES.items() for i, each in enumerate(listed)]

# Primitives without a gradient rule: of these the result is a float that depends on a float all the same.
STOPS = {"stop_gradient", "window_max_gradient", "subtotals"}
FLAT = {"sign", "floor", "constant", "random_uniform"}
DISCRETE = {"equal", "not_equal", "less", "less_equal", "logical_and", "logical_or", "logical_not", "argmax", "iota"}


def test_every_primitive_has_an_example() -> None:
    assert set(EXAMPLES) == set(TABLE) - (LEAVES - {"constant"})


def test_primitives_without_a_gradient_rule_are_known() -> None:
    without = {op for op, primitive in TABLE.items() if primitive.gradient is None} - LEAVES - {"project"}
    assert without == (STOPS | FLAT | DISCRETE) - {"constant"}


@pytest.mark.parametrize(("op", "example"), ALL)
def test_value_is_what_numpy_says(op: str, example: Example) -> None:
    used: set[str] = set()

    def build(*values: Value) -> Value:
        result = example.build(*values)
        used.update(node.op for node in result.graph.values)
        return result

    found = compute(build, *example.operands)
    assert op in used
    expected = np.asarray(example.expected(*(operand.array for operand in example.operands)))
    np.testing.assert_allclose(found, np.broadcast_to(expected, found.shape), rtol=1e-12, atol=1e-12)


def differentiable(op: str, example: Example) -> bool:
    graph = Graph()
    operands = leaves(graph, example.operands)
    has_float = any(operand.dtype == "float" for operand in operands)
    return op not in STOPS and has_float and example.build(*operands).dtype == "float"


DIFFERENTIABLE = [parameter for parameter in ALL if differentiable(*parameter.values)]


def test_every_gradient_rule_is_checked() -> None:
    with_rule = {op for op, primitive in TABLE.items() if primitive.gradient is not None}
    assert with_rule <= {parameter.values[0] for parameter in DIFFERENTIABLE}


@pytest.mark.parametrize(("op", "example"), DIFFERENTIABLE)
def test_gradient_is_what_finite_differences_say(op: str, example: Example) -> None:
    check_gradients(example.build, *example.operands)


@pytest.mark.parametrize("op", sorted(STOPS))
def test_gradient_stops(op: str) -> None:
    for example in EXAMPLES[op]:
        assert all((gradient == 0).all() for gradient in compute_gradients(example.build, *example.operands))


def float_of(*shape: Any) -> Callable[[Graph], Value]:
    return lambda graph: graph.input(f"float{shape}", shape)


def int_of(*shape: Any) -> Callable[[Graph], Value]:
    return lambda graph: graph.input(f"int{shape}", shape, "int")


def bool_of(*shape: Any) -> Callable[[Graph], Value]:
    return lambda graph: graph.input(f"bool{shape}", shape, "bool")


ROWS, TABLE_OF_4 = float_of(BATCH, 4), float_of(4, 2)
CONVOLUTION: dict[str, Any] = {"strides": (1,), "padding": ((0, 0),), "dilation": (1,), "groups": 1}
POOL: dict[str, Any] = {"window": (2,), "strides": (1,), "padding": ((0, 0),)}
LINE, TAPS = float_of(BATCH, 5, 2), float_of(3, 2, 4)
BODY = Graph()
BODY_LOOP: dict[str, Any] = {
    "carries": 1,
    "sequences": 0,
    "length": 3,
    "reverse": False,
    "parameters": (BODY.parameter(0, (BATCH, 4), "float"),),
    "results": (BODY.parameter(0, (BATCH, 4), "float"),),
}
UNARY_FLOAT = ("exp", "log", "log1p", "expm1", "sqrt", "tanh", "logistic", "erf", "sin", "cos", "floor")
BINARY = ("add", "subtract", "multiply", "divide", "power", "maximum", "minimum", "equal", "not_equal", "less")

Refusal = tuple[list[Callable[[Graph], Value]], dict[str, Any]]
REFUSALS: dict[str, list[Refusal]] = {
    **{op: [([int_of(3)], {}), ([bool_of(3)], {}), ([ROWS, ROWS], {})] for op in UNARY_FLOAT},
    **{op: [([bool_of(3)], {}), ([], {})] for op in ("negate", "absolute", "sign")},
    **{op: [([ROWS, float_of(4)], {}), ([ROWS], {}), ([float_of(3), int_of(3)], {})] for op in (*BINARY, "less_equal")},
    "logical_and": [([int_of(3), int_of(3)], {})],
    "logical_or": [([int_of(3), int_of(3)], {})],
    "logical_not": [([int_of(3)], {})],
    "stop_gradient": [([ROWS, ROWS], {})],
    "select": [
        ([ROWS, ROWS, ROWS], {}),
        ([bool_of(3), float_of(3), float_of(4)], {}),
        ([bool_of(3), float_of(3), int_of(3)], {}),
        ([bool_of(3), float_of(3)], {}),
    ],
    "cast": [([ROWS], {"dtype": "double"})],
    "reduce_sum": [([ROWS], {"axes": axes}) for axes in ((), (2,), (1, 0), (1, 1), (-1,))]
    + [([bool_of(3)], {"axes": (0,)})],
    "reduce_max": [([ROWS], {"axes": (2,)}), ([bool_of(3)], {"axes": (0,)})],
    "softmax": [([ROWS], {"axes": axes}) for axes in ((), (0,), (2,), (1, 1))] + [([int_of(BATCH, 3)], {"axes": (1,)})],
    "standardize": [([ROWS], {"axes": axes, "epsilon": 0.1}) for axes in ((), (0,), (0, 1), (2,))],
    "argmax": [([ROWS], {"axis": 0}), ([ROWS], {"axis": 2}), ([bool_of(BATCH, 3)], {"axis": 1})],
    "reshape": [([ROWS], {"shape": (BATCH, 3)}), ([ROWS], {"shape": (4,)}), ([TABLE_OF_4], {"shape": (BATCH, 8)})],
    "transpose": [
        ([ROWS], {"permutation": (1, 0)}),
        ([TABLE_OF_4], {"permutation": (0, 0)}),
        ([TABLE_OF_4], {"permutation": (0,)}),
    ],
    "broadcast": [
        ([ROWS], {"shape": (4,)}),
        ([ROWS], {"shape": (BATCH, 5)}),
        ([ROWS], {"shape": (3, 4)}),
        ([float_of(3, 4)], {"shape": (BATCH, 4)}),
    ],
    "slice": [
        ([ROWS], {"starts": (0, start), "stops": (BATCH, stop), "strides": (1, stride)})
        for start, stop, stride in ((0, 5, 1), (2, 2, 1), (-1, 3, 1), (0, 4, 0))
    ]
    + [
        ([ROWS], {"starts": (1, 0), "stops": (BATCH, 4), "strides": (1, 1)}),
        ([ROWS], {"starts": (0,), "stops": (4,), "strides": (1,)}),
    ],
    "pad": [
        ([ROWS], {"low": (1, 0), "high": (0, 0), "interior": (0, 0)}),
        ([ROWS], {"low": (0, -1), "high": (0, 0), "interior": (0, 0)}),
        ([ROWS], {"low": (0,), "high": (0,), "interior": (0,)}),
    ],
    "concatenate": [
        ([ROWS, ROWS], {"axis": 0}),
        ([ROWS, float_of(BATCH, 4, 1)], {"axis": 1}),
        ([float_of(2, 3), float_of(3, 3)], {"axis": 1}),
        ([ROWS, int_of(BATCH, 4)], {"axis": 1}),
    ],
    "reverse": [([ROWS], {"axes": (0,)}), ([ROWS], {"axes": (2,)})],
    "iota": [([], {"shape": (3,), "axis": 1})],
    "gather": [([TABLE_OF_4, float_of(BATCH)], {}), ([ROWS, int_of(3)], {}), ([float_of(), int_of(3)], {})],
    "scatter_add": [
        ([float_of(BATCH), float_of(BATCH, 2)], {"size": 3}),
        ([int_of(BATCH), int_of(BATCH, 2)], {"size": 3}),
        ([int_of(BATCH), float_of(4, 2)], {"size": 3}),
    ],
    "contract": [
        ([ROWS, TABLE_OF_4], {"specification": specification})
        for specification in ("bi,jo->bo", "bi,io->b", "bi,io->bx", "b,io->bo", "bb,io->bo", "bi,oi->bo", "bi,io->ob")
    ]
    + [([ROWS, int_of(4, 2)], {"specification": "bi,io->bo"}), ([ROWS], {"specification": "bi,io->bo"})],
    "subtotals": [
        ([ROWS], {"sum": "reduce_sum", "rows": 0, "count": 1, "axes": (0,)}),
        ([ROWS], {"sum": "reduce_sum", "rows": 8, "count": 0, "axes": (0,)}),
        ([ROWS], {"sum": "reduce_sum", "rows": 8, "count": 1, "axes": (1,)}),
        ([int_of(BATCH, 4)], {"sum": "reduce_sum", "rows": 8, "count": 1, "axes": (0,)}),
        ([ROWS, TABLE_OF_4], {"sum": "contract", "rows": 8, "count": 1, "specification": "bi,io->bo"}),
    ],
    "convolve": [
        ([LINE, float_of(3, 3, 4)], CONVOLUTION),
        ([LINE, float_of(6, 2, 4)], CONVOLUTION),
        ([LINE, TAPS], CONVOLUTION | {"strides": (0,)}),
        ([LINE, TAPS], CONVOLUTION | {"strides": (1, 1)}),
        ([LINE, TAPS], CONVOLUTION | {"padding": ((-1, 0),)}),
        ([LINE, float_of(3, 1, 3)], CONVOLUTION | {"groups": 2}),
        ([LINE, int_of(3, 2, 4)], CONVOLUTION),
        ([ROWS, TABLE_OF_4], CONVOLUTION),
    ],
    "convolve_input_gradient": [([float_of(BATCH, 3, 4), TAPS], {**CONVOLUTION, "space": (6,)})],
    "convolve_kernel_gradient": [([LINE, float_of(BATCH, 3, 4)], {**CONVOLUTION, "window": (2,)})],
    "window_sum": [
        ([LINE], POOL | {"window": (6,)}),
        ([LINE], POOL | {"padding": ((2, 0),)}),
        ([LINE], POOL | {"strides": (0,)}),
        ([LINE], POOL | {"window": (2, 2)}),
        ([int_of(BATCH, 5, 2)], POOL),
    ],
    "window_max": [([LINE], POOL | {"window": (6,)}), ([int_of(BATCH, 5, 2)], POOL)],
    "window_max_gradient": [([LINE, LINE, LINE], POOL), ([LINE, float_of(BATCH, 4, 2), LINE], POOL)],
    "loop": [
        ([float_of(BATCH, 5)], BODY_LOOP),
        ([int_of(BATCH, 4)], BODY_LOOP),
        ([ROWS], BODY_LOOP | {"length": 0}),
        ([ROWS, ROWS], BODY_LOOP),
        ([ROWS], BODY_LOOP | {"results": ()}),
        ([ROWS], BODY_LOOP | {"carries": 0, "sequences": 1}),
    ],
    "project": [
        ([ROWS], {"position": 0}),
        ([lambda graph: graph.emit("loop", [ROWS(graph)], **BODY_LOOP)], {"position": 1}),
    ],
    "random_uniform": [
        ([float_of(), int_of()], {"stream": 0, "shape": (3,)}),
        ([int_of(), int_of(2)], {"stream": 0, "shape": (3,)}),
        ([int_of(), int_of()], {"stream": 2**32, "shape": (3,)}),
    ],
    **{leaf: [([], {"name": "x"})] for leaf in sorted(LEAVES - {"constant"})},
}


def test_every_primitive_has_refusals() -> None:
    # A constant is made of any number or array: there is nothing to refuse.
    assert set(REFUSALS) == set(TABLE) - {"constant"}


@pytest.mark.parametrize(
    ("op", "operands", "attributes"),
    [pytest.param(op, *refusal, id=f"{op}-{i}") for op, listed in REFUSALS.items() for i, refusal in enumerate(listed)],
)
def test_unfit_operands_are_refused(
    op: str, operands: list[Callable[[Graph], Value]], attributes: dict[str, Any]
) -> None:
    graph = Graph()
    values = [operand(graph) for operand in operands]
    with pytest.raises(IRError, match=op):
        graph.emit(op, values, **attributes)
