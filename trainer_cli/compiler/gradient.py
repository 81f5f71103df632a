"""The gradient pass: a scalar and the values to differentiate by in, the gradients as IR out."""

from __future__ import annotations

from collections.abc import Sequence

from trainer_cli.ir import language as ir
from trainer_cli.ir.adjoint import adjoints
from trainer_cli.ir.graph import Value
from trainer_cli.ir.primitive import IRError


def gradients(scalar: Value, wanted: Sequence[Value]) -> list[Value]:
    """The gradient of a float scalar by each wanted value, of that value's shape; zeros where it does not depend."""
    if scalar.shape != () or scalar.dtype != "float":
        raise IRError(f"only a float scalar has a gradient, not {scalar!r}")
    found = adjoints([(scalar, ir.constant(scalar.graph, 1.0))], wanted)
    result = [
        ir.zeros_like(value) if adjoint is None else adjoint for value, adjoint in zip(wanted, found, strict=True)
    ]
    for value, gradient in zip(wanted, result, strict=True):
        if gradient.shape != value.shape:
            raise IRError(f"the gradient of {value!r} has shape {gradient.shape}")
    return result
