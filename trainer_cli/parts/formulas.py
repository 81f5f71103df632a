"""Formulas that several parts share: values in, the values of a numerically stable form out."""

from __future__ import annotations

import math

from trainer_cli.ir import language as ir
from trainer_cli.ir.graph import Value
from trainer_cli.ir.primitive import Shape


def softplus(x: Value) -> Value:
    """`log(1 + exp(x))`, without overflow and with the gradient 1/2 at 0.

    max(x, 0) stands as (x + |x|)/2, because the gradient of a maximum at a tie would be 0 here.
    """
    magnitude = ir.absolute(x)
    return (x * 0.5 + magnitude * 0.5) + ir.log1p(ir.exp(-magnitude))


def gelu_with_tanh(x: Value) -> Value:
    """`x/2 · (1 + tanh(√(2/π) · (x + 0.044715·x³)))`.

    The tanh is ±1 to the last digit beyond ±10; without the limit x³ could overflow and make the gradient NaN.
    """
    limited = ir.clip(x, -10.0, 10.0)
    inner = (limited + limited * limited * limited * 0.044715) * math.sqrt(2.0 / math.pi)
    return x * 0.5 * (ir.tanh(inner) + 1.0)


def smoothed(target: Value, smoothing: float) -> Value:
    """Answers 0 and 1 moved towards 1/2."""
    return target * (1.0 - smoothing) + 0.5 * smoothing if smoothing > 0 else target


def shifted(logits: Value, axis: int = -1) -> Value:
    """Logits less their maximum, so that exp cannot overflow; softmax is the same for both."""
    # A NaN among the logits stays one, and with it the sum of their exponentials.
    return logits - ir.stop_gradient(ir.reduce_max(logits, axis, keepdims=True, ignore_nan=True))


def log_softmax(logits: Value, axis: int = -1) -> Value:
    """`x − log Σ exp(x)` along an axis."""
    less = shifted(logits, axis)
    return less - ir.log(ir.reduce_sum(ir.exp(less), axis, keepdims=True))


def power(base: Value, exponent: float) -> Value:
    """`base^exponent` of a base of at least 0 and a fixed exponent of at least 0, with finite gradients everywhere."""
    if exponent == 0.0:
        return ir.ones_like(base)
    if exponent in (1.0, 2.0):
        return base if exponent == 1.0 else ir.square(base)
    # The gradient of a power below 1 has no limit at 0.
    return ir.power(ir.maximum(base, 1e-7) if exponent < 1.0 else ir.maximum(base, 0.0), exponent)


def as_signs(target: Value) -> Value:
    """Answers as −1 and 1: targets 0 become −1, all others stay."""
    return ir.select(ir.equal(target, 0.0), -1.0, target)


def cosine(x: Value, y: Value, least: float = 1e-14) -> Value:
    """The cosine of the angle between vectors of the last axis: two `(batch, …, features)` → `(batch, …)`.

    Squared norms are taken as at least `least`, so that a vector of zeros gives 0.
    """
    squares = (ir.maximum(ir.reduce_sum(ir.square(each), -1), least) for each in (x, y))
    first, second = (ir.sqrt(each) for each in squares)
    return ir.reduce_sum(x * y, -1) / (first * second)


def misfit_axis(part: str, axis: int, shape: Shape) -> str | None:
    """Why a function cannot run along an axis, counted from either end, of a batch of this shape, or None."""
    counted = axis + len(shape) if axis < 0 else axis
    if counted == 0:
        return f"`{part}` cannot run along axis {axis}, the batch"
    if not 0 < counted < len(shape):
        return f"`{part}` runs along axis {axis}, but its input's axes end at {len(shape) - 1}"
    return None


def mean_of_units(x: Value) -> Value:
    """The mean over the last axis: `(batch, …, units)` → `(batch, …)`; a batch of single numbers stays what it is."""
    return ir.reduce_mean(x, -1) if x.rank > 1 else x


def mean_per_sample(x: Value) -> Value:
    """The mean over all axes but the batch's: `(batch, …)` → `(batch,)`."""
    return ir.reduce_mean(x, range(1, x.rank)) if x.rank > 1 else x


def over_places(weights: Value, x: Value) -> Value:
    """Weights of places `(batch, …)` in the shape of x, whose axes begin with theirs."""
    return ir.broadcast_to(ir.reshape(weights, (*weights.shape, *(1,) * (x.rank - weights.rank))), x.shape)


def at_label(x: Value, labels: Value) -> Value:
    """The element of the last axis that each label names: `(batch, …, classes)`, `(batch, …)` → `(batch, …)`.

    A label out of range gives 0. Unlike a product with indicators this lets no NaN through from the other classes.
    """
    wide = ir.broadcast_to(ir.reshape(labels, (*labels.shape, 1)), x.shape)
    return ir.reduce_sum(ir.select(ir.equal(wide, ir.iota(wide, -1)), x, 0.0), -1)


def best(scores: Value, k: int) -> Value:
    """1 at the k largest scores of the last axis, 0 at the others; of equal ones the first count.

    All pairs are compared.
    """
    own, other = ir.reshape(scores, (*scores.shape, 1)), ir.reshape(scores, (*scores.shape[:-1], 1, scores.shape[-1]))
    shape = (*scores.shape, scores.shape[-1])
    own, other = ir.broadcast_to(own, shape), ir.broadcast_to(other, shape)
    tie = ir.logical_and(ir.equal(other, own), ir.less(ir.iota(other, -1), ir.iota(other, -2)))
    ahead = ir.cast(ir.logical_or(ir.greater(other, own), tie), "float")
    return ir.cast(ir.less(ir.reduce_sum(ahead, -1), float(k)), "float")


def among_best(scores: Value, labels: Value, k: int) -> Value:
    """1 where fewer than k scores exceed the label's, else 0: `(batch, …, classes)`, `(batch, …)` → `(batch, …)`.

    A score that is no number counts as one that exceeds all.
    """
    own = ir.reshape(at_label(scores, labels), (*labels.shape, 1))
    larger = 1.0 - ir.cast(ir.less_equal(scores, own), "float")
    return ir.cast(ir.less(ir.reduce_sum(larger, -1), float(k)), "float")


def remainder(x: Value, divisor: int) -> Value:
    """`x mod divisor` of whole numbers, as floats from 0 to `divisor − 1`, exact for every 32-bit number.

    Their quotient as a float is near the right one; what is left over by it is small enough to be divided exactly.
    """
    near = ir.cast(ir.floor(ir.cast(x, "float") / float(divisor)), "int")
    left = ir.cast(x - near * divisor, "float")
    return left - ir.floor(left / float(divisor)) * float(divisor)
