"""RNN: sequences in, what one or several recurrent cells, one behind the other, make of them out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated, Any

from pydantic import Field, WithJsonSchema, field_validator

from trainer_cli.ir.graph import Value
from trainer_cli.parts.families import LAYERS, PART_OF
from trainer_cli.parts.layer import Layer, LayerField, LayerScope
from trainer_cli.parts.recurring import OverTime, Recurring
from trainer_cli.parts.wrapper import InnerScope, check_inside

STACKED = ("stacked_rnn_cells", "stackedRNNCells", "StackedRNNCells")
"""What libraries call several cells that are given as one."""

_CELL = {PART_OF: LAYERS.noun}
ONE_OR_SEVERAL = {"anyOf": [_CELL, {"type": "array", "items": _CELL, "minItems": 1}]}

OWN = ("return_sequences", "go_backwards", "stateful", "zero_output_for_mask")
"""What this layer says for all of its cells."""


class Rnn(OverTime):
    """Runs a cell over the steps of a sequence, or several, each taking at every step what the one before gives:
    `(batch, time, features)` → `(batch, units)` of the last cell, with `return_sequences` `(batch, time, units)`.

    A cell is a recurrent layer without arguments about sequences: `{type: lstm_cell, units: 8}` is the same as
    `{type: lstm, units: 8}`. One cell here is that layer; several are such layers one behind the other.

    Weights: those of the cell, those of several as `cell_1/…`, `cell_2/…`.
    """

    mask_use = "reads"

    cell: Annotated[list[LayerField], Field(min_length=1), WithJsonSchema(ONE_OR_SEVERAL)] = Field(
        description="the recurrent cell, or a list of several, each taking what the one before gives"
    )
    zero_output_for_mask: bool = Field(
        default=False, description="whether the output is zeros, not the last one, at steps that are left out"
    )

    @field_validator("cell", mode="before")
    @classmethod
    def _several(cls, value: Any) -> Any:
        """One cell, and what libraries call stacked cells, are a list."""
        if isinstance(value, Mapping) and value.get("type") in STACKED:
            value = value.get("cells")
        return [value] if isinstance(value, str | Mapping | Layer) else value

    def trace(self, scope: LayerScope, *inputs: Value) -> Value:
        given, mask = inputs[0], scope.masks[0]
        for number, cell in enumerate(self.cell, 1):
            last = number == len(self.cell)
            inner = _CellScope(scope, cell, f"cell_{number}/" if len(self.cell) > 1 else "", (mask,))
            given = self._layer(scope, cell, first=number == 1, last=last).apply(inner, given)
            mask = inner.given_mask
        scope.give_mask(mask)
        return given

    def _layer(self, scope: LayerScope, cell: Layer, *, first: bool, last: bool) -> Layer:
        """The cell as a layer that reads the sequence of the cell before, and hands on what this layer says."""
        check_inside(scope, cell)
        if not isinstance(cell, Recurring):
            scope.refuse(f"a cell is a recurrent layer, not `{cell.type}`", field="cell")
        own = [name for name in OWN if name in cell.model_fields_set and getattr(cell, name, False)]
        if own:
            scope.refuse(f"a cell has no `{own[0]}`", field="cell", hint="give it to the layer `rnn`")
        # Every cell runs to the end of the sequence; its order, once turned, stays so.
        said = {
            "return_sequences": self.return_sequences or not last,
            "go_backwards": self.go_backwards and first,
            "stateful": self.stateful,
            "zero_output_for_mask": self.zero_output_for_mask and last,
        }
        missing = [name for name, value in said.items() if value and name not in type(cell).model_fields]
        if missing:
            scope.refuse(f"a cell `{cell.type}` knows no `{missing[0]}`", field=missing[0])
        return cell.model_copy(update={name: value for name, value in said.items() if value})


class _CellScope(InnerScope):
    """The scope of a cell behind others: padding is what the one before says it is."""

    def __init__(self, outer: LayerScope, layer: Layer, prefix: str, masks: Sequence[Value | None]) -> None:
        super().__init__(outer, layer, prefix)
        self._masks = tuple(masks)

    @property
    def masks(self) -> tuple[Value | None, ...]:
        return self._masks
