"""Integer lookup: whole numbers in, for each its place in a vocabulary, or what stands at a place of it, out."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from trainer_cli.ir import language as ir
from trainer_cli.ir.graph import Value
from trainer_cli.parts.categories import check_whole, encoded
from trainer_cli.parts.formulas import remainder
from trainer_cli.parts.layer import Layer, LayerScope
from trainer_cli.parts.part import FloatList, IntegerList

ABSENT = -1
"""The place of padding where it has none: it gives zeros as an indicator."""


class IntegerLookup(Layer):
    """Whole numbers as places in a vocabulary. The first places are of those that are not in it: number n is at place
    `n mod num_oov_indices`, 0 if there is one. Then come those of the vocabulary, in its order. With `mask_token` that
    number has place 0 in front of all others; where places become indicators or counts, it has none and gives zeros.
    `(batch, …)` → the same shape in whole numbers, or as `category_encoding` makes of them. The model begins with an
    `input` layer of `dtype: int32`.

    `tf_idf` multiplies counts by `idf_weights`; those that are not in the vocabulary weigh the mean of them.
    `invert` turns places back into numbers: the first ones, and those beyond the end, into `oov_token`.
    """

    vocabulary: Annotated[IntegerList, Field(min_length=1)] = Field(
        description="the numbers that are known, in order; it may begin with `mask_token` and `oov_token` as Keras's "
        "`get_vocabulary` does"
    )
    num_oov_indices: int = Field(default=1, ge=1, description="places for numbers that are not in the vocabulary")
    mask_token: int | None = Field(default=None, description="the number that stands for padding, if there is one")
    oov_token: int = Field(default=-1, description="the number for unknown ones where places are turned back")
    output_mode: Literal["int", "one_hot", "multi_hot", "count", "tf_idf"] = Field(
        default="int", description="`int`: places; `tf_idf`: counts with weights; else as in `category_encoding`"
    )
    idf_weights: FloatList | None = Field(
        default=None, description="what `tf_idf` multiplies by, a number for each of the vocabulary"
    )
    max_tokens: int | None = Field(default=None, gt=1, description="the most places that there may be")
    pad_to_max_tokens: bool = Field(
        default=False, description="whether indicators and counts have `max_tokens` places, the last ones being 0"
    )
    invert: bool = Field(default=False, description="whether places are turned back into numbers")

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        known = self._tokens
        if len(set(known)) < len(known):
            raise ValueError("a number stands twice in `vocabulary`")
        if self.mask_token in known:
            raise ValueError("`mask_token` stands in `vocabulary` too")
        if self.invert and self.oov_token in known:
            raise ValueError("`oov_token` stands in `vocabulary` too")
        if (self.idf_weights is None) == (self.output_mode == "tf_idf"):
            raise ValueError("`idf_weights` are given for `output_mode: tf_idf`, and for no other")
        if self.idf_weights is not None and len(self.idf_weights) != len(self.vocabulary):
            raise ValueError("`idf_weights` holds a number for each of `vocabulary`")
        if self.invert and self.output_mode != "int":
            raise ValueError("`invert` gives whole numbers: `output_mode` is `int`")
        if self.pad_to_max_tokens and self.max_tokens is None:
            raise ValueError("`pad_to_max_tokens` needs `max_tokens`")
        if self.max_tokens is not None and self._first + len(known) > self.max_tokens:
            raise ValueError(f"there are {self._first + len(known)} places, more than `max_tokens`")
        return self

    @property
    def _front(self) -> tuple[int, ...]:
        """The numbers in front of the vocabulary's: padding if it has a place, and those for unknown ones."""
        padding = () if self.mask_token is None or self.output_mode != "int" else (self.mask_token,)
        return (*padding, *(self.oov_token,) * self.num_oov_indices)

    @property
    def _first(self) -> int:
        """The place of the vocabulary's first number."""
        return len(self._front)

    @property
    def _tokens(self) -> tuple[int, ...]:
        """The numbers that are known, without those in front."""
        given = self.vocabulary
        return given[self._first :] if given[: self._first] == self._front else given

    def trace(self, scope: LayerScope, *inputs: Value) -> Value:
        (x,) = inputs
        check_whole(scope, x)
        if self.invert:
            return self._numbers(x)
        places = self._places(x)
        if self.output_mode == "int":
            return places
        depth = self._first + len(self._tokens)
        depth = self.max_tokens or depth if self.pad_to_max_tokens else depth
        if self.output_mode != "tf_idf":
            return encoded(places, depth, self.output_mode)
        assert self.idf_weights is not None
        weights = list(self.idf_weights)
        if len(self._tokens) == len(self.vocabulary):
            weights = [sum(weights) / len(weights)] * self._first + weights
        weights += [0.0] * (depth - len(weights))
        return encoded(places, depth, "count") * ir.constant(x.graph, weights)

    def _places(self, x: Value) -> Value:
        known = self._tokens
        wide = ir.broadcast_to(ir.reshape(x, (*x.shape, 1)), (*x.shape, len(known)))
        same = ir.cast(ir.equal(wide, ir.broadcast_to(ir.constant(x.graph, known, "int"), wide.shape)), "float")
        start = float(self._first - self.num_oov_indices)
        unknown = remainder(x, self.num_oov_indices) + start if self.num_oov_indices > 1 else start
        place = ir.constant(x.graph, [float(self._first + number) for number in range(len(known))])
        # A number stands in the vocabulary once: the sums are over one place, or none.
        places = ir.select(ir.greater(ir.reduce_sum(same, -1), 0.5), ir.reduce_sum(same * place, -1), unknown)
        if self.mask_token is not None:
            padding = 0.0 if self.output_mode == "int" else float(ABSENT)
            places = ir.select(ir.equal(x, self.mask_token), padding, places)
        return ir.cast(places, "int")

    def _numbers(self, x: Value) -> Value:
        table = ir.constant(x.graph, [*self._front, *self._tokens, self.oov_token], "int")
        end = self._first + len(self._tokens)
        inside = ir.logical_and(ir.greater_equal(x, 0), ir.less(x, end))
        return ir.gather(table, ir.select(inside, x, end))
