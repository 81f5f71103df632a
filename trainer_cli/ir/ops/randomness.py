"""Random numbers as a function of (seed, stream, step, element): never of execution order."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from trainer_cli.ir.graph import Value
from trainer_cli.ir.primitive import Array, Context, DType, Shape, define, require
from trainer_cli.ir.random import threefry
from trainer_cli.lazy import np


def _shape(operands: Sequence[Value], attributes: Mapping[str, Any]) -> tuple[Shape, DType]:
    seed, step = operands
    require(seed.shape == step.shape == () and seed.dtype == step.dtype == "int", "seed and step are int scalars")
    require(0 <= attributes["stream"] < 2**32, "a stream is a 32-bit number")
    return tuple(attributes["shape"]), "float"


def _meaning(node: Value, context: Context, seed: Array, step: Array) -> Array:
    """24 random bits of Threefry under the key (seed, stream) at the counter (step, element)."""
    shape = context.shape(node.shape)
    elements = np.arange(int(np.prod(shape)), dtype=np.uint32)
    steps = np.full_like(elements, int(step) & 0xFFFFFFFF)
    words, _ = threefry((int(seed) & 0xFFFFFFFF, node.attributes["stream"]), steps, elements)
    fraction = (words >> np.uint32(8)).astype(np.float64) * 2.0**-24
    return fraction.astype(context.dtype("float")).reshape(shape)


define("random_uniform", "random", _shape, _meaning)
