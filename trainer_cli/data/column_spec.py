"""How one column of a table is read, as a config says it, in; a checked specification out.

It is imported when a config names a column, and not before: a model of so many keys takes a while to create.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, SerializerFunctionWrapHandler, model_serializer, model_validator

from trainer_cli.data.calendar import DatePart
from trainer_cli.data.file_source import Names, refused_vocabulary
from trainer_cli.data.raw_column import Encoding, Kind, Transform, Unseen
from trainer_cli.data.source import Missing, ScalingMode
from trainer_cli.parts.families import Refusal, refusal

_KEYS_OF: dict[str, tuple[str, ...]] = {
    "numeric": ("missing", "scaling", "clip", "transform"),
    "categorical": ("missing", "categories", "unseen", "encoding", "num_bins"),
    "boolean": ("missing", "scaling"),
    "date": ("missing", "scaling", "parts", "cyclical", "format"),
    "text": ("length", "unit", "vocabulary_size", "vocabulary"),
}


class ColumnSpec(BaseModel):
    """How one feature column is read, where it differs from the rest."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, allow_inf_nan=False, defer_build=True)

    kind: Kind = Field(default="numeric", description="what the cells are")
    missing: Missing | None = Field(
        default=None, description="what becomes of missing cells; default: as in all columns"
    )
    scaling: ScalingMode | None = Field(
        default=None, description="how numbers are scaled; default: as for all columns, and booleans not at all"
    )
    clip: Annotated[tuple[float, float], Field(strict=False)] | None = Field(
        default=None, description="two fractions, such as [0.01, 0.99]: numbers beyond these quantiles are moved there"
    )
    transform: Transform = Field(
        default="none",
        description="what numbers become before they are scaled: log, log1p (the logarithm of 1 more), or signed_log1p "
        "(that of the size, with the sign)",
    )
    categories: Names | None = Field(
        default=None, description="the categories in order; default: those of the training rows"
    )
    unseen: Unseen = Field(
        default="zeros",
        description="another category than these: zeros everywhere, a column of its own, or refused",
    )
    encoding: Encoding = Field(
        default="one_hot",
        description="a number per category; or one whole number for an embedding: `integer`, 0 for what is missing or "
        "unseen; `hashing`, 0 for what is missing, and a hash of the category, which need not be known",
    )
    num_bins: int | None = Field(
        default=None, ge=2, le=1 << 24, description="the whole numbers of `hashing`, that for what is missing included"
    )
    parts: Annotated[list[DatePart], Field(min_length=1)] = Field(
        default=["year", "month", "day", "weekday"], description="the parts of a date that become numbers"
    )
    cyclical: bool = Field(default=False, description="whether parts that come again become a sine and a cosine")
    format: str | None = Field(
        default=None, min_length=1, description="how dates are written, as `strptime` has it; default: ISO 8601"
    )
    length: int = Field(default=64, gt=0, le=1 << 20, description="tokens of a text: others are cut or padded")
    unit: Literal["word", "character"] = Field(default="word", description="what a text is taken apart into")
    vocabulary_size: int | None = Field(
        default=None, ge=3, le=1 << 24, description="the most tokens that are told apart, padding and unknown included"
    )
    vocabulary: Names | None = Field(default=None, description="the tokens from number 2 on; default: learned")

    @model_validator(mode="after")
    def _keys_of_the_kind(self) -> Self:
        found = [*self._strangers(), *refused_vocabulary(self.vocabulary, self.vocabulary_size)]
        if self.clip is not None and not 0 <= self.clip[0] < self.clip[1] <= 1:
            found.append(Refusal("clip_range", "expected two fractions, the lower one first", where=("clip",)))
        if self.kind == "date" and self.scaling == "unit":
            found.append(Refusal("date_unit", "parts of dates are not divided by 255", where=("scaling",)))
        if self.encoding == "hashing":
            found += self._misfits_of_hashing()
        elif self.num_bins is not None and self.kind == "categorical":
            message = "`num_bins` is for `encoding: hashing`"
            found.append(Refusal("bins_without_hashing", message, "add it, or leave this out", ("num_bins",)))
        if self.encoding == "integer" and self.missing == "indicator":
            message = "a category as a whole number has no place for an indicator: what is missing is 0"
            found.append(Refusal("integer_indicator", message, "leave it out", ("missing",)))
        if len(set(self.parts)) < len(self.parts):
            found.append(Refusal("part_named_twice", "a part is named twice", where=("parts",)))
        if found:
            raise refusal(found)
        return self

    @model_serializer(mode="wrap")
    def _without_strangers(self, handler: SerializerFunctionWrapHandler) -> dict[str, Any]:
        """The keys that mean something to columns of this kind."""
        return {key: value for key, value in handler(self).items() if key in ("kind", *_KEYS_OF[self.kind])}

    @property
    def _given(self) -> set[str]:
        """The keys that say something: a default that is written out, as in resolved configs, does no harm anywhere."""
        fields = type(self).model_fields
        return {key for key in self.model_fields_set if getattr(self, key) != fields[key].default}

    def _strangers(self) -> list[Refusal]:
        """Keys that mean nothing to columns of this kind."""
        return [
            Refusal(
                "column_key",
                f"`{key}` is not for {self.kind} columns",
                f"keys of `kind: {self.kind}`: {', '.join(_KEYS_OF[self.kind])}",
                (key,),
            )
            for key in sorted(self._given - {"kind", *_KEYS_OF[self.kind]})
        ]

    def _misfits_of_hashing(self) -> list[Refusal]:
        """What a hash has no use for, and the number of its values where it is not given."""
        found = [
            Refusal("hashing_key", f"`{key}` is of known categories, and `hashing` knows none", "leave it out", (key,))
            for key in sorted(self._given & {"categories", "unseen"})
        ]
        if self.missing not in (None, "refuse", "zero"):
            message = f"a hash has no place for `missing: {self.missing}`: what is missing is 0"
            found.append(Refusal("hashing_missing", message, "`missing: zero`", ("missing",)))
        if self.num_bins is None:
            message = "`encoding: hashing` needs `num_bins`"
            found.append(Refusal("hashing_bins", message, "the embedding's `input_dim`", ("encoding",)))
        return found

    def options(self) -> dict[str, Any]:
        """The values by key, lists as tuples."""
        found = {key: getattr(self, key) for key in type(self).model_fields}
        return {key: tuple(value) if isinstance(value, list) else value for key, value in found.items()}
