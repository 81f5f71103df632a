"""What convolutional LSTMs share: sequences of images in, the gated output of a cell with convolutions out."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from typing import Self

from pydantic import Field, model_validator

from trainer_cli.ir import language as ir
from trainer_cli.ir.graph import BATCH, Value
from trainer_cli.ir.primitive import Shape
from trainer_cli.parts.activation import ActivationField
from trainer_cli.parts.convolution import Kernels, Padding, Pads, check_window, per_dimension, window_padding
from trainer_cli.parts.gates import ForgetBias
from trainer_cli.parts.layer import LayerScope
from trainer_cli.parts.recurrent import split
from trainer_cli.parts.recurring import Recurring

GATES = 4
STATES = 2
"""What is carried from step to step: the output and the cell."""


class ConvolutionalLstm(Kernels, Recurring):
    """An LSTM whose products are convolutions, channels last: at every step, with σ the recurrent activation, `*` a
    convolution and gates i, f, c, o in this order along the weights' last axis,
    `cell ← σ(f) · cell + σ(i) · activation(c)`, `h ← σ(o) · activation(cell)`; the gates are
    `x * kernel + h * recurrent_kernel + bias`.

    The inputs of all steps are convolved in front of the loop, which convolves the last output alone. At steps that a
    mask leaves out nothing happens: what is carried, and with it the output, stays what it was.
    """

    mask_use = "reads"

    activation: ActivationField = Field(
        default="tanh", validate_default=True, description="function that makes the output and the candidate for it"
    )
    recurrent_activation: ActivationField = Field(
        default="sigmoid", validate_default=True, description="function of the input, forget and output gates"
    )
    padding: Padding = Field(
        default="valid", description="of the inputs: `same` keeps ⌈extent / stride⌉ positions, `valid` whole windows"
    )
    unit_forget_bias: bool = Field(
        default=True, description="whether the bias of the forget gate begins with ones, whatever `bias_initializer` is"
    )

    @model_validator(mode="after")
    def _either(self) -> Self:
        if (
            max(per_dimension(self.strides, self.dimensions))
            > 1
            < max(per_dimension(self.dilation_rate, self.dimensions))
        ):
            raise ValueError("`strides` and `dilation_rate` cannot both be more than 1")
        return self

    def trace(self, scope: LayerScope, *inputs: Value) -> Value:
        (x,) = inputs
        if x.rank != self.dimensions + 3:
            axes = {1: "steps", 2: "height, width", 3: "depth, height, width"}[self.dimensions]
            scope.refuse(f"takes rows of shape (time, {axes}, channels), not {x.shape[1:]}")
        kernel = self.kernel(scope, (int(x.shape[-1]), GATES * self.filters))
        recurrent_kernel = self.weight(
            scope,
            "recurrent_kernel",
            (*per_dimension(self.kernel_size, self.dimensions), self.filters, GATES * self.filters),
            fields="recurrent",
        )
        drive = self._projected(scope, x, kernel)
        if self.use_bias:
            own = self.bias_initializer
            first = ForgetBias(others=own) if self.unit_forget_bias else own
            drive = drive + self.weight(scope, "bias", (GATES * self.filters,), initializer=first)
        for field in ("activation", "recurrent_activation"):
            misfit = getattr(self, field).misfit((BATCH, *drive.shape[2:-1], self.filters))
            if misfit is not None:
                scope.refuse(misfit, field=field)
        return self._scan(scope, drive, recurrent_kernel)

    def _projected(self, scope: LayerScope, x: Value, kernel: Value) -> Value:
        """The inputs of all gates at all steps: a convolution whose window is one step long."""
        space = tuple(int(extent) for extent in x.shape[2:-1])
        window, strides, dilation = (
            per_dimension(sizes, self.dimensions) for sizes in (self.kernel_size, self.strides, self.dilation_rate)
        )
        pads = window_padding(self.padding, space, window, strides, dilation)
        check_window(scope, "kernel_size", space, window, dilation, pads)
        geometry = {"strides": (1, *strides), "padding": ((0, 0), *pads), "dilation": (1, *dilation), "groups": 1}

        def convolved(x: Value, kernel: Value) -> Value:
            if self.dimensions == 3:
                return _of_films_of_volumes(x, kernel, strides, pads, dilation)
            return x.graph.emit("convolve", (x, ir.reshape(kernel, (1, *kernel.shape))), **geometry)

        if not scope.training or self.dropout == 0:
            return convolved(x, kernel)
        # As in Keras, each gate has a mask of its own.
        frames = (BATCH, 1, *x.shape[2:])
        gates = (
            convolved(x * self._mask(scope, x, frames, self.dropout), gate) for gate in split(kernel, self.filters)
        )
        return ir.concatenate(list(gates), -1)

    def _scan(self, scope: LayerScope, drive: Value, kernel: Value) -> Value:
        shape = (BATCH, *drive.shape[2:-1], self.filters)
        masks: list[Value] = []
        if scope.training and self.recurrent_dropout > 0:
            masks = [self._mask(scope, drive, shape, self.recurrent_dropout) for _ in range(GATES)]
        matrix = ir.reshape(kernel, (math.prod(int(extent) for extent in kernel.shape[:-1]), kernel.shape[-1]))
        kernels = split(matrix, self.filters) if masks else [matrix]
        lead = "bdhw"[: self.dimensions + 1]

        def read(hidden: Value, given: Sequence[Value]) -> Value:
            """The convolutions of the last output, for all gates side by side."""
            own, dropping = given[: len(kernels)], given[len(kernels) :]
            kept = [hidden * mask for mask in dropping] or [hidden]
            found = [
                ir.contract(f"{lead}i,io->{lead}o", self._windows(x), weights)
                for x, weights in zip(kept, own, strict=True)
            ]
            return ir.concatenate(found, -1) if len(found) > 1 else found[0]

        def body(carried: list[Value], slices: list[Value], given: list[Value]) -> tuple[list[Value], list[Value]]:
            hidden, cell = last = list(carried)
            sums = split(slices[0] + read(hidden, given), self.filters)
            write, keep, show = (self.recurrent_activation.apply(sums[gate]) for gate in (0, 1, 3))
            cell = keep * cell + write * self.activation.apply(sums[2])
            hidden = show * self.activation.apply(cell)
            following = [hidden, cell]
            if mask is not None:
                kept = ir.greater(slices[1], 0.5)
                following = [ir.select(kept, new, old) for new, old in zip(following, last, strict=True)]
            return following, following[:1] if self.return_sequences else []

        first = [ir.zeros(drive.graph, shape)] * STATES
        if self.stateful:
            first = [scope.carried(f"state_{number}", tuple(map(int, shape[1:]))) for number in range(STATES)]
        mask, sequences = scope.masks[0], [drive]
        if mask is not None:
            sequences.append(ir.reshape(ir.cast(mask, "float"), (*mask.shape, *(1,) * (drive.rank - 2))))
            if self.return_sequences:
                scope.give_mask(ir.reverse(mask, (1,)) if self.go_backwards else mask)
        last, emitted = ir.loop(
            body,
            first,
            sequences,
            [*kernels, *masks],
            length=int(drive.shape[1]),
            backwards=self.go_backwards,
        )
        if self.stateful:
            for number, value in enumerate(last):
                scope.carry(f"state_{number}", value)
        if not self.return_sequences:
            return last[0]
        return ir.reverse(emitted[0], (1,)) if self.go_backwards else emitted[0]

    def _windows(self, x: Value) -> Value:
        """The windows around all places, side by side: `(batch, …, filters)` → `(batch, …, taps · filters)`.

        In this form the convolution is a product, whose weights have a gradient behind the loop that runs backwards.
        """
        ones, space = (1,) * self.dimensions, [int(extent) for extent in x.shape[1:-1]]
        window = per_dimension(self.kernel_size, self.dimensions)
        low, high = zip(*window_padding("same", space, window, ones, ones), strict=True)
        wide = ir.pad(x, (0, *low, 0), (0, *high, 0))
        taps = []
        for tap in itertools.product(*map(range, window)):
            stops = (begin + extent for begin, extent in zip(tap, space, strict=True))
            taps.append(ir.slice_(wide, (0, *tap, 0), (x.shape[0], *stops, x.shape[-1])))
        return ir.concatenate(taps, -1) if len(taps) > 1 else taps[0]

    @staticmethod
    def _mask(scope: LayerScope, like: Value, shape: Shape, rate: float) -> Value:
        """What to multiply by, so that a fraction is 0 and the expectation stays."""
        numbers = scope.random_uniform(ir.zeros(like.graph, shape))
        return ir.cast(ir.greater_equal(numbers, rate), "float") * (1.0 / (1.0 - rate))


def _of_films_of_volumes(x: Value, kernel: Value, strides: Sequence[int], pads: Pads, dilation: Sequence[int]) -> Value:
    """A convolution of every step's volume: `(batch, time, depth, …, channels)` → `(batch, time, depth′, …, filters)`.

    A convolution has three dimensions at most: the volumes of all steps stand one below the other as a single one, and
    what windows find that reach from one volume into the next is left out.
    """
    batch, time, depth = x.shape[0], int(x.shape[1]), int(x.shape[2])
    (low, high), stride, reach = pads[0], strides[0], (int(kernel.shape[0]) - 1) * dilation[0]
    rows = -(-(low + depth + high) // stride) * stride
    wide = ir.pad(x, (0, 0, low, 0, 0, 0), (0, 0, rows - low - depth, 0, 0, 0))
    tall = ir.reshape(wide, (batch, time * rows, *x.shape[3:]))
    padding = ((0, max(reach + 1 - stride, 0)), *pads[1:])
    found = x.graph.emit("convolve", (tall, kernel), strides=strides, padding=padding, dilation=dilation, groups=1)
    apart = ir.reshape(found, (batch, time, rows // stride, *found.shape[2:]))
    positions = (low + depth + high - reach - 1) // stride + 1
    return ir.slice_(apart, (0,) * apart.rank, (batch, time, positions, *apart.shape[3:]))
