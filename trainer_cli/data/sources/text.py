"""Text files in, a table of windows of tokens with the tokens that follow them out."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar, Literal, Self

from pydantic import Field, model_validator

from trainer_cli.data.file_source import TokenSource
from trainer_cli.data.files import expand, open_bytes
from trainer_cli.data.running_text import named
from trainer_cli.data.source import (
    INPUT,
    TARGET,
    InputArray,
    InputSignature,
    Origin,
    Signature,
    SplitSpec,
    Table,
    TargetArray,
)
from trainer_cli.data.stored_array import halved
from trainer_cli.data.tokens import Reading, RunningText, Tokens, Unit, windows, windows_of
from trainer_cli.data.vocabulary import PADDING, UNKNOWN
from trainer_cli.errors import DataError
from trainer_cli.lazy import np
from trainer_cli.parts.families import Refusal, refusal

ALIASES = ("txt",)

_MOST_BYTES = 1 << 29
"""Of a file that is read into memory, where a text takes several times its size."""
_TOKEN_BYTES = 4


class Text(TokenSource):
    """A text as whole numbers: windows of `length` tokens, one beginning every `stride` tokens, each with the token
    that follows at every one of its places. Several files are read as one text, in the order given.

    Tokens are characters, words (and single punctuation marks, without white space) or bytes. Token 0 is padding and
    token 1 whatever the vocabulary lacks; the others are those of the training text, the most frequent first, and as
    many as `vocabulary_size` leaves room for. Give `vocabulary_size` to the embedding and to the last layer as well.

    `split` holds out the end of the text: what comes before is trained on, then comes the validation part, then the
    test part. No window reaches over a border, so that no token is both trained on and measured.
    """

    holds_out: ClassVar[bool] = True

    length: int = Field(gt=0, le=1 << 20, description="tokens in a window")
    stride: int | None = Field(
        default=None, gt=0, description="tokens from the beginning of a window to that of the next; default: `length`"
    )
    unit: Unit = Field(default="character", description="what a token is")
    target: Literal["next_tokens", "next_token"] | None = Field(
        default="next_tokens",
        description="what to predict: the token that follows at every place, or that behind the window alone; null: "
        "nothing",
    )
    lowercase: bool = Field(default=False, description="whether capitals are read as small letters")

    @model_validator(mode="before")
    @classmethod
    def _weigh_no_windows(cls, given: Any) -> Any:
        if isinstance(given, Mapping) and given.get("sample_weight") is not None:
            message = "windows of a running text have no numbers of their own to be weighted by"
            hint = "weigh tokens by `class_weight`; texts with a weight each are rows of `json_lines`"
            raise refusal([Refusal("text_weighted", message, hint, ("sample_weight",))])
        return given

    @model_validator(mode="after")
    def _fit_together(self) -> Self:
        if self.scaling != "none":
            raise refusal([Refusal("tokens_scaled", "tokens are never scaled", "leave `scaling` out", ("scaling",))])
        if self.split.stratify:
            message = "a text is split by position, so there is nothing to stratify"
            raise refusal([Refusal("text_stratified", message, where=("split", "stratify"))])
        return self

    def signature(self, folder: Path) -> Signature:
        for path in expand(folder, self.path):
            with open_bytes(path) as file:
                file.read(1)
        signature = InputSignature((self.length,), "int32")
        return Signature({INPUT: signature}, () if self.target is None else (TARGET,))

    def read(self, folder: Path) -> Table:
        files, total = self._paths_by_part(folder)
        return self._whole(files, total, None)

    def stored(self, folder: Path, scratch: Path) -> Table:
        return self._whole(self.files(folder), "", scratch)

    def blocks(self, most: int) -> Iterator[Table]:
        assert self.vocabulary is not None, "new text is read by what training has learned"
        paths, reading, rows = expand(Path(), self.path), self._reading(None), 0
        stride = self.stride or self.length
        most = halved(most, _TOKEN_BYTES * max(self.length, stride))
        for values in windows_of(reading.numbers(paths), self.length, stride, most):
            origin = Origin(named(paths), "window", rows)
            inputs = {INPUT: self._input(values, origin, self.vocabulary)}
            yield Table(inputs, {}, "", learned={"vocabulary": self.vocabulary})
            rows += len(values)
        if not rows:
            raise self._too_short(named(paths), "the text", sum(map(len, reading.numbers(paths))))

    def informed(self, learned: Mapping[str, Any]) -> Self:
        return self.model_copy(update={"vocabulary": list(learned["vocabulary"])})

    def _reading(self, most_bytes: int | None) -> Reading:
        return Reading(self.unit, self.lowercase, self.vocabulary, most_bytes)

    def _whole(self, files: Mapping[str, Sequence[Path]], total: str, scratch: Path | None) -> Table:
        """All windows: views of the tokens, which are in memory or in files below `scratch`, each token once."""
        reading = self._reading(_MOST_BYTES if scratch is None else None)
        texts = {
            name: RunningText(paths, reading, None if scratch is None else scratch / f"raw.{name}.tokens")
            for name, paths in files.items()
        }
        vocabulary = self.vocabulary
        if vocabulary is None:
            most = None if self.vocabulary_size is None else self.vocabulary_size - 2
            train = texts["train"]
            vocabulary = train.vocabulary(train.tokens.divided(self.split)["train"], most)
        parts = {name: text.numbered(vocabulary) for name, text in texts.items()}
        parts |= parts["train"].divided(self.split)
        tables = {name: self._table(name, text, vocabulary, total) for name, text in parts.items()}
        return tables.pop("train")._replace(parts=tables)

    def _table(self, part: str, text: Tokens, vocabulary: list[str], total: str) -> Table:
        following = 0 if self.target is None else 1
        if len(text.values) < self.length + following:
            whose = f"the {part} part" if self.split != SplitSpec() else "the text"
            raise self._too_short(text.file, whose, len(text.values))
        stride = self.stride or self.length
        origin = Origin(text.file, "window")
        inputs = self._input(
            windows(text.values[: len(text.values) - following], self.length, stride), origin, vocabulary
        )
        targets = {}
        if self.target is not None:
            values = windows(text.values[1:], self.length, stride)
            if self.target == "next_token":
                values = values[:, -1]
            targets[TARGET] = TargetArray(values, origin, (TARGET,), classes=(PADDING, UNKNOWN, *vocabulary))
        return Table({INPUT: inputs}, targets, total, learned={"vocabulary": vocabulary})

    def _input(self, values: np.ndarray, origin: Origin, vocabulary: list[str]) -> InputArray:
        return InputArray(values, origin, whole=True, tokens=len(vocabulary) + 2)

    def _too_short(self, file: str, whose: str, tokens: int) -> DataError:
        following = 0 if self.target is None else 1
        return DataError(
            f"{file}: {whose} has {tokens:,} tokens, a window"
            f"{' and what follows' if following else ''} takes {self.length + following:,}",
            hint="give more text, or a smaller `length`",
        )
