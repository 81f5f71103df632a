"""Scopes for tests: what a layer or an optimizer asks for while it writes IR, answered without a compiler."""

from __future__ import annotations

import math
from typing import Any, NoReturn

import numpy as np
from numpy.typing import NDArray

from trainer_cli.errors import ConfigError, Problem
from trainer_cli.ir import language as ir
from trainer_cli.ir.graph import Graph, Value
from trainer_cli.ir.random import RandomStream
from trainer_cli.parts.activation import Activation
from trainer_cli.parts.initializer import Initializer


class LayerScope:
    """Answers a layer: weights become leaves, their first values are kept in `values`."""

    def __init__(
        self, graph: Graph, training: bool = False, frozen: bool = False, masks: tuple[Value | None, ...] = (None,) * 8
    ) -> None:
        self.masks = masks
        self.given_mask: Value | None = None
        self.graph = graph
        self.training = training
        self.frozen = frozen
        self.values: dict[str, NDArray[np.float64]] = {}
        self.governed: dict[str, dict[str, Any]] = {}
        self.activated: list[Activation] = []
        self.bounds: dict[Value, int] = {}
        self.streams = 0
        self.added: list[Value] = []

    def give_mask(self, mask: Value | None) -> None:
        self.given_mask = mask

    def weight(self, name: str, shape: tuple[int, ...], initializer: Initializer, **governed: Any) -> Value:
        self.values[name] = initializer.values(shape, RandomStream(0, name))
        self.governed[name] = governed
        return self.graph.weight(name, shape)

    def assign(self, weight: Value, value: Value) -> None:
        self.graph.updates[weight.name] = value

    def expect_below(self, x: Value, bound: int) -> None:
        self.bounds[x] = bound

    def activate(self, activation: Activation, x: Value) -> Value:
        self.activated.append(activation)
        return activation.apply(x)

    def random_uniform(self, like: Value) -> Value:
        self.streams += 1
        return ir.random_uniform(self.graph.seed(), self.graph.step(), self.streams, like.shape)

    def add_loss(self, penalty: Value) -> None:
        self.added.append(penalty)

    def refuse(self, message: str, *, field: str | None = None, hint: str | None = None) -> NoReturn:
        raise ConfigError([Problem(message, () if field is None else (field,), hint)])


class DrawnScope(LayerScope):
    """A scope of training whose random numbers are given, `(batch, numbers)`: a row takes its own in their order."""

    def __init__(self, numbers: Value) -> None:
        super().__init__(numbers.graph, training=True)
        self.numbers = numbers
        self.taken = 0

    def random_uniform(self, like: Value) -> Value:
        begin = self.taken
        self.taken += math.prod(int(extent) for extent in like.shape[1:])
        batch = self.numbers.shape[0]
        return ir.reshape(ir.slice_(self.numbers, (0, begin), (batch, self.taken)), like.shape)
