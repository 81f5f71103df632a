"""What layers share that add or take edges: numbers for every dimension in, pairs of before and after out."""

from __future__ import annotations

from typing import Annotated, ClassVar, TypeAlias

from pydantic import Field, field_validator

from trainer_cli.ir import language as ir
from trainer_cli.ir.graph import Value
from trainer_cli.parts.layer import Layer, LayerScope
from trainer_cli.parts.part import IntegerList
from trainer_cli.parts.space import space_of

Edges: TypeAlias = int | Annotated[tuple[int | IntegerList, ...], Field(strict=False, min_length=1, max_length=3)]
"""One number for all edges, or a list: numbers before and after in one dimension, numbers or such pairs in several."""


def pairs(edges: Edges, dimensions: int) -> tuple[tuple[int, ...], ...]:
    """Numbers before and after, for each dimension."""
    if isinstance(edges, int):
        return ((edges, edges),) * dimensions
    if dimensions == 1:
        return (tuple(number for edge in edges for number in ((edge,) if isinstance(edge, int) else edge)),)
    return tuple((edge, edge) if isinstance(edge, int) else tuple(edge) for edge in edges)


def check_edges(edges: Edges, dimensions: int) -> Edges:
    """The edges. Raises ValueError for negative numbers, and for a wrong number of them."""
    found = pairs(edges, dimensions)
    if min(number for pair in found for number in pair) < 0:
        raise ValueError("the numbers are not negative")
    if len(found) != dimensions:
        raise ValueError(f"takes one number, or one entry for each of {dimensions} dimensions")
    if any(len(pair) != 2 for pair in found):
        raise ValueError("each dimension takes a number, or two: before and after")
    return edges


class ZeroPadding(Layer):
    """A layer that puts zeros around its input, channels last."""

    dimensions: ClassVar[int]

    padding: Edges = Field(default=1, description="zeros before and after")

    @field_validator("padding")
    @classmethod
    def _counts(cls, value: Edges) -> Edges:
        return check_edges(value, cls.dimensions)

    def trace(self, scope: LayerScope, *inputs: Value) -> Value:
        (x,) = inputs
        space_of(scope, x, self.dimensions)
        low, high = zip(*pairs(self.padding, self.dimensions), strict=True)
        return ir.pad(x, (0, *low, 0), (0, *high, 0))


class Cropping(Layer):
    """A layer that takes edges of its input away, channels last."""

    dimensions: ClassVar[int]

    cropping: Edges = Field(default=1, description="what is taken away before and after")

    @field_validator("cropping")
    @classmethod
    def _counts(cls, value: Edges) -> Edges:
        return check_edges(value, cls.dimensions)

    def trace(self, scope: LayerScope, *inputs: Value) -> Value:
        (x,) = inputs
        space = space_of(scope, x, self.dimensions)
        found = pairs(self.cropping, self.dimensions)
        if any(extent <= sum(pair) for extent, pair in zip(space, found, strict=True)):
            scope.refuse(f"nothing is left of {space}", field="cropping", hint="crop less")
        stops = (extent - pair[1] for extent, pair in zip(space, found, strict=True))
        return ir.slice_(x, (0, *(pair[0] for pair in found), 0), (x.shape[0], *stops, x.shape[-1]))
