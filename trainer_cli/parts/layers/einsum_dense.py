"""Einsum dense: values in, sums of their products with a kernel along axes that an equation names out."""

from __future__ import annotations

import re
import string
from collections.abc import Mapping
from typing import NamedTuple, Self

from pydantic import Field, model_validator

from trainer_cli.ir import language as ir
from trainer_cli.ir.graph import Value
from trainer_cli.ir.primitive import Dimension
from trainer_cli.ir.random import RandomStream
from trainer_cli.lazy import NDArray, np
from trainer_cli.parts.activation import ActivationField
from trainer_cli.parts.initializer import Initializer
from trainer_cli.parts.layer import LayerScope
from trainer_cli.parts.part import IntegerList
from trainer_cli.parts.weighted import Weighted

_LABELS = r"(\.\.\.)?([a-zA-Z]+)(\.\.\.)?,([a-zA-Z]+)->(\.\.\.)?([a-zA-Z]+)(\.\.\.)?"


class _Equation(NamedTuple):
    """Labels of the input's, the kernel's and the result's axes; `left`, `right`: where an ellipsis stands."""

    given: str
    kernel: str
    made: str
    left: bool
    right: bool


class EinsumDense(Weighted):
    """`activation(einsum(equation, x, kernel) + bias)`, as `numpy.einsum`: `(batch, …)` → `(batch, *output_shape)`.

    In `equation`, each letter is an axis: `"abc,cd->abd"` is a dense layer on the last of three axes, the first of
    which is the batch. `...` before or behind the letters of input and result stands for axes that stay as they are.

    Weights: `kernel`, of the extents of its letters, and, with `bias_axes`, `bias`, of the extents of these.
    """

    equation: str = Field(description='which axes are multiplied and summed: "ab,bc->ac"')
    output_shape: int | IntegerList = Field(
        description="the extents that the letters of the result stand for, without the batch"
    )
    activation: ActivationField = Field(
        default="linear", validate_default=True, description="function applied to the sums"
    )
    bias_axes: str | None = Field(default=None, description="letters of the result along which a bias is added")

    @property
    def _read(self) -> _Equation:
        match = re.fullmatch(_LABELS, self.equation.replace(" ", ""))
        if match is None:
            raise ValueError("`equation` has the form ab,bc->ac, ...ab,bc->...ac or ab...,bc->ac...")
        before, given, behind, kernel, made_before, made, made_behind = match.groups()
        if (before, behind) != (made_before, made_behind) or (before and behind):
            raise ValueError("`...` stands once before or once behind the letters, in input and result alike")
        return _Equation(given, kernel, made, bool(before), bool(behind))

    @model_validator(mode="after")
    def _possible(self) -> Self:
        equation = self._read
        for labels in equation[:3]:
            if len(set(labels)) < len(labels):
                raise ValueError(f"a letter stands twice in `{labels}`")
        for label in equation.made:
            if label not in equation.given + equation.kernel:
                raise ValueError(f"the result has an axis `{label}` that neither input nor kernel has")
        for label in equation.kernel:
            if label not in equation.given + equation.made:
                raise ValueError(f"the kernel has an axis `{label}` that neither input nor result has")
        if not equation.left and not equation.given[0] == equation.made[0] not in equation.kernel:
            raise ValueError("the first axis is the batch: it stays first and the kernel does not have it")
        for label in self.bias_axes or "":
            if label not in equation.made[0 if equation.left else 1 :]:
                raise ValueError(f"`bias_axes` names `{label}`, which is no axis of the result's rows")
        expected = len(equation.made) - (not equation.left)
        if len(self._extents) != expected or min(self._extents, default=1) < 1:
            raise ValueError(f"`output_shape` holds {expected} positive numbers, for `{equation.made[-expected:]}`")
        return self

    @property
    def _extents(self) -> tuple[int, ...]:
        return (self.output_shape,) if isinstance(self.output_shape, int) else self.output_shape

    def trace(self, scope: LayerScope, *inputs: Value) -> Value:
        (x,) = inputs
        equation = self._read
        elided = x.rank - len(equation.given)
        if elided < int(equation.left) or (elided > 0 and not equation.left and not equation.right):
            scope.refuse(f"`{self.equation}` does not fit rows of shape {x.shape[1:]}", field="equation")
        free = [label for label in string.ascii_letters if label not in "".join(equation[:3])]
        other = "".join(free[:elided])
        given = other + equation.given if equation.left else equation.given + other
        made = other + equation.made if equation.left else equation.made + other
        extents = dict(zip(given, x.shape, strict=True))
        named = equation.made[0 if equation.left else 1 :]
        for label, extent in zip(named, self._extents, strict=True):
            if extents.setdefault(label, extent) != extent:
                scope.refuse(f"axis `{label}` is {extents[label]} in the input, not {extent}", field="output_shape")
        kernel = self.weight(
            scope,
            "kernel",
            tuple(int(extents[label]) for label in equation.kernel),
            initializer=_Matrix(kernel=self.kernel_initializer, rows=self._rows(equation)),
        )
        # An axis that only the input has is summed up first: a product needs every letter in two places.
        lost = [axis for axis, label in enumerate(given) if label not in equation.kernel and label not in made]
        kept = "".join(label for axis, label in enumerate(given) if axis not in lost)
        summed = ir.reduce_sum(x, lost) if lost else x
        result = ir.contract(f"{kept},{equation.kernel}->{made}", summed, kernel)
        if self.bias_axes:
            result = result + self.weight(scope, "bias", self._bias_shape(made, extents))
        return scope.activate(self.activation, result)

    def _bias_shape(self, made: str, extents: Mapping[str, Dimension]) -> tuple[int, ...]:
        """From the first of its axes on; 1 along those that it does not have."""
        chosen = self.bias_axes or ""
        first = min(made.index(label) for label in chosen)
        return tuple(int(extents[label]) if label in chosen else 1 for label in made[first:])

    @staticmethod
    def _rows(equation: _Equation) -> tuple[bool, ...]:
        """Which axes of the kernel are summed over: those count as inputs."""
        return tuple(label not in equation.made for label in equation.kernel)


class _Matrix(Initializer):
    """What an initializer gives a matrix of inputs by outputs, in the shape of a kernel with several axes of both."""

    kernel: Initializer
    rows: tuple[bool, ...]

    def misfit(self, shape: tuple[int, ...]) -> str | None:
        return self.kernel.misfit(self._flat(shape))

    def values(self, shape: tuple[int, ...], random: RandomStream) -> NDArray[np.float64]:
        order = [axis for axis, row in enumerate(self.rows) if row] + [a for a, row in enumerate(self.rows) if not row]
        flat = self.kernel.values(self._flat(shape), random)
        return flat.reshape([shape[axis] for axis in order]).transpose(np.argsort(order))

    def _flat(self, shape: tuple[int, ...]) -> tuple[int, int]:
        inputs = outputs = 1
        for extent, row in zip(shape, self.rows, strict=True):
            inputs, outputs = (inputs * extent, outputs) if row else (inputs, outputs * extent)
        return inputs, outputs
