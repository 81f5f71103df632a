"""What layers share that hold another layer: a scope in, the same scope as the layer inside sees it out."""

from __future__ import annotations

from typing import NoReturn

from trainer_cli.ir.graph import Value
from trainer_cli.parts.activation import Activation
from trainer_cli.parts.constraint import Constraint
from trainer_cli.parts.initializer import Initializer
from trainer_cli.parts.layer import Layer, LayerScope
from trainer_cli.parts.regularizer import Regularizer


class InnerScope:
    """The scope of a layer inside another one: the outer layer's, where weights are called `<prefix><weight>`."""

    def __init__(self, outer: LayerScope, layer: Layer, prefix: str = "") -> None:
        self._outer = outer
        self._prefix = prefix
        self._multiplier = layer.learning_rate_multiplier
        self.frozen = outer.frozen or not layer.trainable
        self.given_mask: Value | None = None

    @property
    def training(self) -> bool:
        return self._outer.training

    @property
    def masks(self) -> tuple[Value | None, ...]:
        return self._outer.masks

    def give_mask(self, mask: Value | None) -> None:
        self.given_mask = mask

    def weight(
        self,
        name: str,
        shape: tuple[int, ...],
        initializer: Initializer,
        *,
        regularizer: Regularizer | None = None,
        constraint: Constraint | None = None,
        trainable: bool = True,
        learning_rate_multiplier: float = 1.0,
    ) -> Value:
        return self._outer.weight(
            self._prefix + name,
            shape,
            initializer,
            regularizer=regularizer,
            constraint=constraint,
            trainable=trainable and not self.frozen,
            learning_rate_multiplier=learning_rate_multiplier * self._multiplier,
        )

    def assign(self, weight: Value, value: Value) -> None:
        self._outer.assign(weight, value)

    def carried(self, name: str, shape: tuple[int, ...]) -> Value:
        return self._outer.carried(self._prefix + name, shape)

    def carry(self, name: str, value: Value) -> None:
        self._outer.carry(self._prefix + name, value)

    def expect_below(self, x: Value, bound: int) -> None:
        self._outer.expect_below(x, bound)

    def activate(self, activation: Activation, x: Value) -> Value:
        return self._outer.activate(activation, x)

    def random_uniform(self, like: Value) -> Value:
        return self._outer.random_uniform(like)

    def add_loss(self, penalty: Value) -> None:
        self._outer.add_loss(penalty)

    def refuse(self, message: str, *, field: str | None = None, hint: str | None = None) -> NoReturn:
        self._outer.refuse(message if field is None else f"`{field}`: {message}", field="layer", hint=hint)


def check_inside(scope: LayerScope, layer: Layer) -> None:
    """Refuse a layer that cannot stand inside another, and what has no meaning for one that does."""
    if layer.input_count[0] > 1 or layer.type == "input":
        scope.refuse(f"a layer `{layer.type}` cannot stand inside another", field="layer")
    for field in ("name", "inputs"):
        if getattr(layer, field) is not None:
            scope.refuse(f"a layer inside another has no `{field}`", field="layer", hint="give it to the outer layer")
