"""Random posterization: images in, the same images with few levels of lightness out."""

from __future__ import annotations

from typing import Annotated, TypeAlias

from pydantic import Field, field_validator

from trainer_cli.ir import language as ir
from trainer_cli.ir.graph import Value
from trainer_cli.parts.augmentation import Augmentation, drawn
from trainer_cli.parts.layer import LayerScope
from trainer_cli.parts.part import IntegerList
from trainer_cli.parts.recoloring import ValueRange, range_field

Bits: TypeAlias = int | Annotated[IntegerList, Field(min_length=2, max_length=2)]


class RandomPosterization(Augmentation):
    """During training keeps the first bits of pixels alone, of the eight that count 256 levels of `value_range`: with n
    bits there are 2ⁿ levels. Afterwards passes its input on. `(batch, height, width, channels)` → the same shape. Small
    changes of a pixel change nothing, so that no gradient comes to what is before this layer.
    """

    factor: Bits = Field(
        description="bits that are kept, from 1 to 8: drawn from 1, or from [least, largest], up to one less than the "
        "largest, as by Keras; two that are the same are kept always"
    )
    value_range: ValueRange = range_field()

    @field_validator("factor")
    @classmethod
    def _bounds(cls, value: Bits) -> Bits:
        if any(not 1 <= each <= 8 for each in (value if isinstance(value, tuple) else (value,))):
            raise ValueError("there are from 1 to 8 bits")
        return value

    def change(self, scope: LayerScope, x: Value) -> Value:
        low, high = sorted(self.value_range)
        level = ir.floor((ir.clip(x, low, high) - low) * (255.0 / (high - low)))
        steps = ir.gather(ir.constant(x.graph, [2.0 ** (8 - bits) for bits in range(9)]), self._bits(scope, x))
        return ir.floor(level / steps) * steps * ((high - low) / 255.0) + low

    def _bits(self, scope: LayerScope, x: Value) -> Value:
        """How many bits every image keeps, `(batch, 1, 1, 1)`."""
        least, largest = sorted(self.factor) if isinstance(self.factor, tuple) else (1, self.factor)
        if least == largest:
            return ir.broadcast_to(ir.constant(x.graph, least, "int"), (x.shape[0], 1, 1, 1))
        return ir.cast(ir.floor(drawn(scope, x, float(least), float(largest), 4)), "int")
