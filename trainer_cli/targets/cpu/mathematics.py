"""A float32 comes in, an elementary function of it goes out, in code that LLVM turns into vectors inside any loop.

Each function is straight-line: both sides of every choice are computed and one is selected. Products that feed a sum
are explicit fused multiply-adds and nothing may be reassociated, so an element has the same bits in a vector, in the
remainder of a loop and alone. Errors over all float32 arguments, in units in the last place (measured by the tests):
exp 1.0, expm1 1.5, log 0.8, log1p 1.5, tanh 1.4, logistic 1.6, erf 1.2, reciprocal 0.51. `sin`, `cos` and `power` are
libm's. Results below the normal range may be flushed to zero.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

from llvmlite import ir

from trainer_cli.targets.cpu.intrinsics import call, multiply_add
from trainer_cli.targets.cpu.machine_types import FLOAT, intrinsic

_FLOAT = ir.FloatType()
_INT = ir.IntType(32)

_LOG2_E = 1.4426950408889634
# ln 2 in two parts; the first has so few bits that its product with an exponent is exact.
_LN2_HIGH = 0.693359375
_LN2_LOW = -2.12194440e-4
# Adding 1.5 · 2^23 leaves a number's nearest integer in its lowest bits.
_ROUNDER = 12582912.0
_ROUNDER_BITS = 0x4B400000
_EXPONENT_BIAS = 127
_MANTISSA_BITS = 23
_SMALLEST_NORMAL = 2.0**-126
# e^x is a normal number from the one to the other.
_LEAST_NORMAL_EXPONENT = -87.33654
_LARGEST_EXPONENT = 88.722835
# The bits of √½: a mantissa is brought into √½ … √2 before its logarithm is taken.
_ROOT_HALF_BITS = 0x3F3504F3
_ONE_BITS = 0x3F800000
# The bits of a number, subtracted from these, are about those of its reciprocal.
_RECIPROCAL_BITS = 0x7EF311C7
_LARGEST_DIVISOR = 1e38

# Highest power first.
_EXP_TERMS = (1.9875691500e-4, 1.3981999507e-3, 8.3334519073e-3, 4.1665795894e-2, 1.6666665459e-1, 5.0000001201e-1)
_LOG_TERMS = (
    7.0376836292e-2, -1.1514610310e-1, 1.1676998740e-1, -1.2420140846e-1, 1.4249322787e-1,
    -1.6668057665e-1, 2.0000714765e-1, -2.4999993993e-1, 3.3333331174e-1,
)  # fmt: skip
_TANH_TERMS = (-5.70498872745e-3, 2.06390887954e-2, -5.37397155531e-2, 1.33314422036e-1, -3.33332819422e-1)
_ERF_TERMS = (-5.96761703e-4, 4.99119423e-3, -2.67681349e-2, 1.12819925e-1, -3.76125336e-1, 1.28379166e-1)
# e^(x²) · (1 - erf x) from 0.927 to 4, with the least largest error times e^(-x²): 4e-9.
_ERF_TAIL_TERMS = (
    1.262777482e-4, -2.197332777e-3, 1.709870289e-2, -7.908181622e-2, 2.441898699e-1, -5.372515136e-1,
    8.779322307e-1, -1.086893786, 9.936609457e-1,
)  # fmt: skip


class _Number:
    """An LLVM scalar with arithmetic operators, each of which writes one instruction."""

    def __init__(self, builder: Any, value: Any) -> None:
        self.builder = builder
        self.value = value

    def _lift(self, other: _Number | float) -> Any:
        return other.value if isinstance(other, _Number) else ir.Constant(self.value.type, other)

    def _new(self, value: Any) -> _Number:
        return _Number(self.builder, value)

    def constant(self, value: float) -> _Number:
        """A constant of the same type."""
        return self._new(ir.Constant(self.value.type, value))

    @property
    def _is_float(self) -> bool:
        return isinstance(self.value.type, ir.FloatType)

    def __add__(self, other: _Number | float) -> _Number:
        write = self.builder.fadd if self._is_float else self.builder.add
        return self._new(write(self.value, self._lift(other)))

    def __sub__(self, other: _Number | float) -> _Number:
        write = self.builder.fsub if self._is_float else self.builder.sub
        return self._new(write(self.value, self._lift(other)))

    def __rsub__(self, other: float) -> _Number:
        write = self.builder.fsub if self._is_float else self.builder.sub
        return self._new(write(self._lift(other), self.value))

    def __mul__(self, other: _Number | float) -> _Number:
        return self._new(self.builder.fmul(self.value, self._lift(other)))

    def __truediv__(self, other: _Number | float) -> _Number:
        return self._new(self.builder.fdiv(self.value, self._lift(other)))

    def __rtruediv__(self, other: float) -> _Number:
        return self._new(self.builder.fdiv(self._lift(other), self.value))

    def __neg__(self) -> _Number:
        return self._new(self.builder.fneg(self.value))

    def __lshift__(self, bits: int) -> _Number:
        return self._new(self.builder.shl(self.value, self._lift(bits)))

    def __rshift__(self, bits: int) -> _Number:
        return self._new(self.builder.ashr(self.value, self._lift(bits)))

    def __and__(self, mask: int) -> _Number:
        return self._new(self.builder.and_(self.value, self._lift(mask)))

    def fma(self, factor: _Number | float, term: _Number | float) -> _Number:
        """self · factor + term in one rounding."""
        return self._new(multiply_add(self.builder, self.value, self._lift(factor), self._lift(term)))

    def polynomial(self, terms: Sequence[float]) -> _Number:
        """Σ terms · self^n by Horner's rule, highest power first."""
        result = self.constant(terms[0])
        for term in terms[1:]:
            result = result.fma(self, term)
        return result

    def compare(self, relation: str, other: _Number | float) -> Any:
        """An ordered comparison: false where either side is NaN."""
        write = self.builder.fcmp_ordered if self._is_float else self.builder.icmp_signed
        return write(relation, self.value, self._lift(other))

    def choose(self, condition: Any, other: _Number | float) -> _Number:
        """self where the condition holds, the other elsewhere."""
        return self._new(self.builder.select(condition, self.value, self._lift(other)))

    def at_most(self, limit: float) -> _Number:
        """The smaller of both; NaN stays NaN."""
        return self.constant(limit).choose(self.compare(">", limit), self)

    def at_least(self, limit: float) -> _Number:
        """The larger of both; NaN stays NaN."""
        return self.constant(limit).choose(self.compare("<", limit), self)

    def as_bits(self) -> _Number:
        return self._new(self.builder.bitcast(self.value, _INT))

    def as_float(self) -> _Number:
        return self._new(self.builder.bitcast(self.value, _FLOAT))

    def to_float(self) -> _Number:
        return self._new(self.builder.sitofp(self.value, _FLOAT))

    def call(self, name: str, *others: _Number) -> _Number:
        """An LLVM function of floats."""
        arguments = [self.value, *(other.value for other in others)]
        return self._new(call(self.builder, f"llvm.{name}.f32", _FLOAT, arguments))

    def magnitude(self) -> _Number:
        return self.call("fabs")

    def with_sign_of(self, other: _Number) -> _Number:
        return self.call("copysign", other)


def _elementary(write: Callable[..., _Number]) -> Any:
    """Make an intrinsic of float32 arguments out of a function that writes its code."""

    def emit(builder: Any, *arguments: Any) -> Any:
        return write(*(_Number(builder, argument) for argument in arguments)).value

    emit.__name__ = emit.__qualname__ = write.__name__.strip("_")
    emit.__doc__ = write.__doc__
    return intrinsic(*[FLOAT] * write.__code__.co_argcount, result=FLOAT)(emit)


def _power_of_two(exponent: _Number) -> _Number:
    """2 to an integer that is the exponent of a normal number."""
    return ((exponent + _EXPONENT_BIAS) << _MANTISSA_BITS).as_float()


def _reduce(x: _Number) -> tuple[_Number, _Number]:
    """The bits of a number whose lowest ones are the integer n nearest to x / ln 2, and e^(x - n·ln 2) - 1."""
    shifted = x.fma(_LOG2_E, _ROUNDER)
    nearest = shifted - _ROUNDER
    rest = nearest.fma(-_LN2_LOW, nearest.fma(-_LN2_HIGH, x))
    return shifted.as_bits(), (rest * rest).fma(rest.polynomial(_EXP_TERMS), rest)


def _exp(x: _Number) -> _Number:
    """e^x; infinity above 88.72, zero where it would be below the normal range."""
    normal = _exp_within(x)
    # Outside it may have any bits; what is added to infinity stays NaN if it is.
    result = x.constant(0.0).choose(x.compare("<", _LEAST_NORMAL_EXPONENT), normal)
    return result.choose(x.compare("<=", _LARGEST_EXPONENT), x + math.inf)


def _exp_within(x: _Number) -> _Number:
    """e^x where that is a normal number, from -87.33 to 88.72; of NaN it may be anything."""
    bits, growth = _reduce(x)
    # Shifted, n alone is left, and goes to the exponent: the same number as a product with 2^n, in two instructions.
    return ((growth + 1.0).as_bits() + (bits << _MANTISSA_BITS)).as_float()


def _expm1(x: _Number) -> _Number:
    """e^x - 1, exact to the last bits near zero."""
    bits, growth = _reduce(x.at_most(89.0).at_least(-18.0))
    half_scale = _power_of_two(bits - (_ROUNDER_BITS + 1))
    result = half_scale.fma(growth, half_scale - 0.5) * 2.0
    return x.choose(x.magnitude().compare("<", 2.0**-60), result)


def _log_of_reduced(f: _Number, exponent: _Number) -> _Number:
    """ln(1 + f) + exponent · ln 2 for 1 + f in √½ … √2."""
    square = f * f
    tail = f.polynomial(_LOG_TERMS) * f * square
    scale = exponent.to_float()
    tail = square.fma(-0.5, scale.fma(_LN2_LOW, tail))
    return scale.fma(_LN2_HIGH, f + tail)


def _split(x: _Number) -> tuple[_Number, _Number]:
    """A mantissa in √½ … √2 and the exponent of a normal positive number."""
    bits = x.as_bits() + (_ONE_BITS - _ROOT_HALF_BITS)
    exponent = (bits >> _MANTISSA_BITS) - _EXPONENT_BIAS
    return ((bits & 0x7FFFFF) + _ROOT_HALF_BITS).as_float(), exponent


def _log_edges(argument: _Number, result: _Number) -> _Number:
    """What a logarithm is outside the positive finite numbers."""
    positive = argument.compare(">", 0.0)
    zero_or_less = argument.constant(-math.inf).choose(argument.compare("==", 0.0), math.nan)
    return result.choose(positive, zero_or_less).choose(argument.compare("!=", math.inf), argument)


def _log(x: _Number) -> _Number:
    """ln x; minus infinity at zero, NaN below."""
    subnormal = x.compare("<", _SMALLEST_NORMAL)
    mantissa, exponent = _split((x * 2.0**25).choose(subnormal, x))
    exponent = (exponent - 25).choose(subnormal, exponent)
    return _log_edges(x, _log_of_reduced(mantissa - 1.0, exponent))


def _log1p(x: _Number) -> _Number:
    """ln(1 + x), exact to the last bits near zero."""
    total = x + 1.0
    # What rounding 1 + x lost, brought to the mantissa's scale.
    lost = (x - (total - 1.0)).choose(x.compare("<", 1.0), 1.0 - (total - x))
    mantissa, exponent = _split(total)
    scale = _power_of_two(0 - exponent.at_most(126))
    f = x.choose(exponent.compare("==", 0), lost.fma(scale, mantissa - 1.0))
    return _log_edges(total, _log_of_reduced(f, exponent))


def _tanh(x: _Number) -> _Number:
    """The hyperbolic tangent."""
    size = x.magnitude().at_most(10.0)
    square = x * x
    near = (square.polynomial(_TANH_TERMS) * square).fma(x, x)
    far = 1.0 - 2.0 / (_exp_within(size + size) + 1.0)
    return far.with_sign_of(x).choose(size.compare(">=", 0.625), near)


def _logistic(x: _Number) -> _Number:
    """1 / (1 + e^-x)."""
    # e^-|x| cannot overflow, and where the result is small it has the result's own rounding.
    size = x.magnitude()
    bits, growth = _reduce(-size)
    decay = (growth + 1.0) * _power_of_two(bits - _ROUNDER_BITS)  # NaN if x is
    decay = x.constant(0.0).choose(size.compare(">", -_LEAST_NORMAL_EXPONENT), decay)
    share = decay / (decay + 1.0)
    # decay · (1 - share) is share again, without what rounding 1 + decay lost.
    return (1.0 - share).choose(x.compare(">", 0.0), share.fma(-decay, decay))


def _erf(x: _Number) -> _Number:
    """The error function."""
    # The exponential is the one in the derivative: side by side, as in a GELU, they are computed once.
    square = x * x
    size = x.magnitude().at_most(4.0)
    near = square.polynomial(_ERF_TERMS).fma(x, x)
    far = (-_exp(-square)).fma(size.polynomial(_ERF_TAIL_TERMS), 1.0).with_sign_of(x)
    return far.choose(size.compare(">", 0.927734375), near)


def _sin(x: _Number) -> _Number:
    """The sine, by libm."""
    return x.call("sin")


def _cos(x: _Number) -> _Number:
    """The cosine, by libm."""
    return x.call("cos")


def _sqrt(x: _Number) -> _Number:
    """The square root; one instruction."""
    return x.call("sqrt")


def _floor(x: _Number) -> _Number:
    """The largest integer that is not larger; one instruction."""
    return x.call("floor")


def _sign(x: _Number) -> _Number:
    """-1, 0 or 1; NaN stays NaN."""
    negative = x.constant(-1.0).choose(x.compare("<", 0.0), x)
    return x.constant(1.0).choose(x.compare(">", 0.0), negative)


def _reciprocal(x: _Number) -> _Number:
    """1 / x for a positive normal number up to 1e38; of greater ones it is 1e-38.

    A difference of bits is a first guess, wrong by an eighth at most; two steps of third order follow. A processor
    multiplies and adds beside a square root, but does not divide beside one.
    """
    x = x.at_most(_LARGEST_DIVISOR)
    guess = (_RECIPROCAL_BITS - x.as_bits()).as_float()
    for _ in range(2):
        error = (-x).fma(guess, 1.0)
        guess = guess.fma(error.fma(error, error), guess)
    return guess


def _power(x: _Number, y: _Number) -> _Number:
    """x to the power y, by libm."""
    return x.call("pow", y)


exp = _elementary(_exp)
expm1 = _elementary(_expm1)
log = _elementary(_log)
log1p = _elementary(_log1p)
tanh = _elementary(_tanh)
logistic = _elementary(_logistic)
erf = _elementary(_erf)
sin = _elementary(_sin)
cos = _elementary(_cos)
sqrt = _elementary(_sqrt)
floor = _elementary(_floor)
sign = _elementary(_sign)
power = _elementary(_power)
reciprocal = _elementary(_reciprocal)
