"""What recurrent layers share: sequences in, their projections scanned by a layer's own step, the outputs in order out.

The inputs of all steps are projected by one product in front of the loop. The loop itself multiplies by the recurrent
weights alone, so that the gradients of all weights are products behind the loop that runs backwards.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Iterator, Sequence
from typing import ClassVar, NamedTuple, TypeAlias

from pydantic import Field

from trainer_cli.ir import language as ir
from trainer_cli.ir.graph import BATCH, Value
from trainer_cli.parts.activation import Activation, ActivationField
from trainer_cli.parts.initializer import Initializer
from trainer_cli.parts.layer import LayerScope
from trainer_cli.parts.recurring import Recurring
from trainer_cli.parts.weighted import Weighted

Product: TypeAlias = Callable[[int, Value], Value]
"""The number of a group of gates and the last output in; its products with the recurrent weights of these gates out."""


class _Group(NamedTuple):
    """Gates that read the last output together, as the loop's body sees them."""

    kernel: Value
    bias: Value | None
    mask: Value | None


class Recurrent(Weighted, Recurring):
    """A function of a sequence and its own last output, step by step: `(batch, time, features)` → `(batch, units)`, or
    with `return_sequences` `(batch, time, units)`. At steps that a mask leaves out nothing happens: what is carried,
    and with it the output, stays what it was.

    Weights: `kernel` `(features, gates · units)`, `recurrent_kernel` `(units, gates · units)`, `bias`.
    """

    mask_use = "reads"

    states: ClassVar[int] = 1
    """How many values are carried from step to step; the first one is the output."""

    units: int = Field(gt=0, description="number of outputs")
    activation: ActivationField = Field(
        default="tanh", validate_default=True, description="function that makes the output or the candidate for it"
    )
    use_bias: bool = Field(default=True, description="whether a bias is added")
    zero_output_for_mask: bool = Field(
        default=False, description="whether the output is zeros, not the last one, at steps that are left out"
    )

    @property
    def groups(self) -> tuple[int, ...]:
        """The numbers of gates that read the same value through recurrent weights, in the order of the weights."""
        return (1,)

    @property
    def bias_shape(self) -> tuple[int, ...]:
        """The shape of the bias; with two rows, the second is added to the products with the recurrent weights."""
        return (sum(self.groups) * self.units,)

    @property
    def first_bias(self) -> Initializer:
        """What gives the bias its first values."""
        return self.bias_initializer

    @abstractmethod
    def step(self, carried: list[Value], drive: Value, product: Product) -> list[Value]:
        """The next carried values from the present ones and the projected inputs of all gates, side by side."""

    def trace(self, scope: LayerScope, *inputs: Value) -> Value:
        (x,) = inputs
        self._check(scope, x)
        features, gates = int(x.shape[2]), sum(self.groups)
        kernel = self.weight(scope, "kernel", (features, gates * self.units))
        recurrent_kernel = self.weight(scope, "recurrent_kernel", (self.units, gates * self.units), fields="recurrent")
        drive, recurrent_bias = self._projected(scope, x, kernel), None
        if self.use_bias:
            bias = self.weight(scope, "bias", self.bias_shape, initializer=self.first_bias)
            if bias.rank == 2:
                bias, recurrent_bias = (ir.reshape(part(bias, row, row + 1, 0), bias.shape[1:]) for row in (0, 1))
            drive = drive + bias
        groups = list(self._groups(scope, recurrent_kernel, recurrent_bias))
        mask = scope.masks[0]
        if mask is not None and self.return_sequences:
            scope.give_mask(ir.reverse(mask, (1,)) if self.go_backwards else mask)
        return self._scan(scope, drive, groups, mask)

    def _check(self, scope: LayerScope, x: Value) -> None:
        if x.rank != 3:
            scope.refuse(
                f"needs sequences of shape (time, features), its input has rows of shape {tuple(x.shape[1:])}",
                hint="a recurrent layer above gives a sequence with `return_sequences: true`",
            )
        for field in ("activation", "recurrent_activation"):
            function: Activation | None = getattr(self, field, None)
            misfit = function.misfit((BATCH, self.units)) if function is not None else None
            if misfit is not None:
                scope.refuse(misfit, field=field)

    def _projected(self, scope: LayerScope, x: Value, kernel: Value) -> Value:
        """The inputs of all gates at all steps, but for the bias."""
        if not scope.training or self.dropout == 0:
            return ir.contract("bti,io->bto", x, kernel)
        gates = [kernel] if self.recurrent_dropout == 0 else split(kernel, self.units)
        # Like Keras: a mask for every gate where the recurrent weights have one each, else one for all.
        products = []
        for gate in gates:
            mask = _mask(scope, x, int(x.shape[2]), self.dropout)
            kept = x * ir.reshape(mask, (BATCH, 1, x.shape[2]))
            products.append(ir.contract("bti,io->bto", kept, gate))
        return ir.concatenate(products, -1) if len(products) > 1 else products[0]

    def _groups(self, scope: LayerScope, kernel: Value, bias: Value | None) -> Iterator[_Group]:
        dropping = scope.training and self.recurrent_dropout > 0
        start = 0
        for count in (1,) * sum(self.groups) if dropping else self.groups:
            stop = start + count * self.units
            mask = _mask(scope, kernel, self.units, self.recurrent_dropout) if dropping else None
            yield _Group(part(kernel, start, stop), None if bias is None else part(bias, start, stop), mask)
            start = stop

    def _scan(self, scope: LayerScope, drive: Value, groups: Sequence[_Group], mask: Value | None) -> Value:
        present = [(group.bias is not None, group.mask is not None) for group in groups]
        captured = [value for group in groups for value in group if value is not None]
        split_up = len(groups) > len(self.groups)

        def body(carried: list[Value], slices: list[Value], given: list[Value]) -> tuple[list[Value], list[Value]]:
            left = iter(given)
            own = [_Group(next(left), *(next(left) if there else None for there in flags)) for flags in present]

            def product(number: int, hidden: Value) -> Value:
                first = sum(self.groups[:number])
                chosen = own[first : first + self.groups[number]] if split_up else [own[number]]
                products = [_product(hidden, group) for group in chosen]
                return ir.concatenate(products, -1) if len(products) > 1 else products[0]

            following = self.step(carried, slices[0], product)
            emitted = following[:1]
            if mask is not None:
                kept = ir.greater(slices[1], 0.5)
                following = [ir.select(kept, new, old) for new, old in zip(following, carried, strict=True)]
                emitted = [ir.select(kept, emitted[0], 0.0)] if self.zero_output_for_mask else following[:1]
            return following, emitted if self.return_sequences else []

        first = [ir.zeros(drive.graph, (BATCH, self.units))] * self.states
        if self.stateful:
            first = [scope.carried(f"state_{number}", (self.units,)) for number in range(self.states)]
        sequences = [drive] if mask is None else [drive, ir.reshape(ir.cast(mask, "float"), (*mask.shape, 1))]
        last, emitted = ir.loop(
            body,
            first,
            sequences,
            captured,
            length=int(drive.shape[1]),
            backwards=self.go_backwards,
        )
        if self.stateful:
            for number, value in enumerate(last):
                scope.carry(f"state_{number}", value)
        if not self.return_sequences:
            return last[0]
        return ir.reverse(emitted[0], (1,)) if self.go_backwards else emitted[0]


def _product(hidden: Value, group: _Group) -> Value:
    read = hidden if group.mask is None else hidden * group.mask
    result = ir.contract("bi,io->bo", read, group.kernel)
    return result if group.bias is None else result + group.bias


def _mask(scope: LayerScope, like: Value, width: int, rate: float) -> Value:
    """What to multiply `(batch, width)` by, so that a fraction is 0 and the expectation stays."""
    numbers = scope.random_uniform(ir.zeros(like.graph, (BATCH, width)))
    return ir.cast(ir.greater_equal(numbers, rate), "float") * (1.0 / (1.0 - rate))


def part(x: Value, start: int, stop: int, axis: int = -1) -> Value:
    """A stretch of a value along an axis, the last one if none is named."""
    axis %= x.rank
    starts = [start if index == axis else 0 for index in range(x.rank)]
    return ir.slice_(x, starts, [stop if index == axis else extent for index, extent in enumerate(x.shape)])


def split(x: Value, width: int) -> list[Value]:
    """A value cut along its last axis into parts of equal width."""
    return [part(x, start, start + width) for start in range(0, int(x.shape[-1]), width)]
