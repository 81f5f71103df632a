"""Text files in, a table of windows of tokens with the tokens that follow them out."""

from __future__ import annotations

import io
from array import array
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar, Literal, NamedTuple, Self

from pydantic import Field, model_validator

from trainer_cli.data.file_source import TokenSource
from trainer_cli.data.files import expand, not_utf8, open_bytes, read_at_most
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
from trainer_cli.data.vocabulary import PADDING, UNKNOWN, WORD, by_frequency, numbering
from trainer_cli.errors import DataError
from trainer_cli.lazy import np
from trainer_cli.parts.families import Refusal, refusal

ALIASES = ("txt",)

_MOST_BYTES = 1 << 29
_CODE_POINTS = 0x110000


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
    unit: Literal["character", "word", "byte"] = Field(default="character", description="what a token is")
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
        texts = {name: self._tokens(paths) for name, paths in files.items()}
        texts |= texts["train"].divided(self.split)
        vocabulary = self.vocabulary
        if vocabulary is None:
            most = None if self.vocabulary_size is None else self.vocabulary_size - 2
            vocabulary = texts["train"].vocabulary(most)
        parts = {
            name: self._table(name, text, vocabulary, total, {}) for name, text in texts.items() if name != "train"
        }
        return self._table("train", texts["train"], vocabulary, total, parts)

    def informed(self, learned: Mapping[str, Any]) -> Self:
        return self.model_copy(update={"vocabulary": list(learned["vocabulary"])})

    def _tokens(self, paths: Sequence[Path]) -> _Tokens:
        text = "".join(_content(path, self.unit) for path in paths)
        if self.lowercase:
            text = text.lower()
        file = str(paths[0]) if len(paths) == 1 else f"{paths[0]} and {len(paths) - 1} more"
        return (_words if self.unit == "word" else _characters)(text, file)

    def _table(self, part: str, text: _Tokens, vocabulary: list[str], total: str, parts: dict[str, Table]) -> Table:
        following = 0 if self.target is None else 1
        if len(text.codes) < self.length + following:
            whose = f"the {part} part" if self.split != SplitSpec() else "the text"
            raise DataError(
                f"{text.file}: {whose} has {len(text.codes):,} tokens, a window"
                f"{' and what follows' if following else ''} takes {self.length + following:,}",
                hint="give more text, or a smaller `length`",
            )
        numbers = text.numbers(vocabulary)
        stride = self.stride or self.length
        names = (PADDING, UNKNOWN, *vocabulary)
        origin = Origin(text.file, "window")
        windows = np.lib.stride_tricks.sliding_window_view
        inputs = windows(numbers[: len(numbers) - following], self.length)[::stride]
        targets = {}
        if self.target is not None:
            values = windows(numbers[1:], self.length)[::stride]
            if self.target == "next_token":
                values = values[:, -1]
            targets[TARGET] = TargetArray(values, origin, (TARGET,), classes=names)
        return Table(
            inputs={INPUT: InputArray(inputs, origin, whole=True, tokens=len(names))},
            targets=targets,
            digest=total,
            parts=parts,
            learned={"vocabulary": vocabulary},
        )


class _Tokens(NamedTuple):
    """A text: a number per token, and what the numbers stand for."""

    file: str
    codes: np.ndarray
    names: list[str]

    def divided(self, split: SplitSpec) -> dict[str, _Tokens]:
        """The text to train on, and those of the parts that are held out from its end."""
        total = len(self.codes)
        test = round(total * split.test)
        validation = round(total * split.validation)
        borders = {"train": (0, total - validation - test)}
        if validation:
            borders["validation"] = (total - validation - test, total - test)
        if test:
            borders["test"] = (total - test, total)
        return {name: self._replace(codes=self.codes[begin:end]) for name, (begin, end) in borders.items()}

    def vocabulary(self, most: int | None) -> list[str]:
        """The tokens that occur, the most frequent first and equals in the order of their code points."""
        return by_frequency(np.bincount(self.codes, minlength=len(self.names)), self.names, most)

    def numbers(self, vocabulary: Sequence[str]) -> np.ndarray:
        """The tokens as numbers of the vocabulary, int32."""
        return numbering(self.names, vocabulary)[self.codes]


def _characters(text: str, file: str) -> _Tokens:
    points = np.frombuffer(text.encode("utf-32-le"), "<u4")
    present = np.flatnonzero(np.bincount(points, minlength=1))
    table = np.zeros(_CODE_POINTS, np.int32)
    table[present] = np.arange(len(present))
    return _Tokens(file, table[points], [chr(point) for point in present.tolist()])


def _words(text: str, file: str) -> _Tokens:
    places: dict[str, int] = {}
    codes = array("i", (places.setdefault(found.group(), len(places)) for found in WORD.finditer(text)))
    return _Tokens(file, np.frombuffer(codes, np.int32) if codes else np.zeros(0, np.int32), list(places))


def _content(path: Path, unit: str) -> str:
    """The text of a file; its bytes as the characters of the same numbers where bytes are the tokens."""
    with open_bytes(path) as file:
        content = read_at_most(file, path, _MOST_BYTES)
    if unit == "byte":
        return content.decode("latin-1")
    if b"\0" in content:
        line = content.count(b"\n", 0, content.index(b"\0")) + 1
        raise DataError(f"{path}, line {line}: holds a NUL byte", hint="is it a text file in UTF-8?")
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise not_utf8(path) from None
    return io.IncrementalNewlineDecoder(None, translate=True).decode(text, final=True)
