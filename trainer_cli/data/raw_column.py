"""What a config says of a column and the words of its cells in; how many numbers a row gets for it out."""

from __future__ import annotations

from typing import Literal, NamedTuple, TypeAlias

from trainer_cli.data.calendar import DatePart, date_width
from trainer_cli.data.source import Missing, ScalingMode

Kind: TypeAlias = Literal["numeric", "categorical", "boolean", "date", "text"]
Unseen: TypeAlias = Literal["zeros", "column", "refuse"]
Encoding: TypeAlias = Literal["one_hot", "integer", "hashing"]
Transform: TypeAlias = Literal["none", "log", "log1p", "signed_log1p"]


class RawColumn(NamedTuple):
    """A column as it is read, with what the config says of it: numbers, or seconds of dates, with NaN where a cell is
    missing; categories are codes of `words`."""

    name: str
    kind: Kind = "numeric"
    missing: Missing = "refuse"
    scaling: ScalingMode = "none"
    clip: tuple[float, float] | None = None
    transform: Transform = "none"
    categories: tuple[str, ...] | None = None
    unseen: Unseen = "zeros"
    encoding: Encoding = "one_hot"
    num_bins: int | None = None
    parts: tuple[DatePart, ...] = ()
    cyclical: bool = False
    format: str | None = None
    length: int = 0
    unit: str = "word"
    vocabulary_size: int | None = None
    vocabulary: tuple[str, ...] | None = None
    words: tuple[str, ...] = ()

    @property
    def is_integer(self) -> bool:
        """Whether a cell becomes one whole number."""
        return self.kind == "categorical" and self.encoding != "one_hot"

    def is_plain(self, scaling: ScalingMode) -> bool:
        """Whether these are numbers that are scaled like all others, and nothing more."""
        return self[1:6] == ("numeric", "refuse", scaling, None, "none")

    def width(self, categories: int) -> int:
        """The numbers that a row gets for this column."""
        if self.kind == "text":
            return self.length
        if self.kind == "date":
            own = date_width(self.parts, self.cyclical)
        elif self.kind == "categorical" and not self.is_integer:
            own = categories + (self.unseen == "column")
        else:
            own = 1
        return own + (self.missing == "indicator")
