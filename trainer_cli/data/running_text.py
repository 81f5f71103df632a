"""Text files in, the one text that they are out, some of it at a time: decoded, with one kind of line ends.

Where a block ends is seen by nobody: the blocks together are what the whole text is when it is read at once.
"""

from __future__ import annotations

import codecs
import io
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from trainer_cli.data.files import not_utf8, open_bytes
from trainer_cli.data.vocabulary import OUTSIDE_WORDS
from trainer_cli.errors import DataError

_BLOCK_BYTES = 1 << 20
_LONGEST_RUN = 1 << 24
"""Letters that only what follows them decides about."""

_NEAR = 1 << 8
"""The end of most words is nearer than this."""

_MARK = "\ufeff"
"""What a file may begin with, to say that it is UTF-8."""
_SIGMA = "Σ"
"""The one letter whose small form depends on its neighbours: ς at the end of a word, σ elsewhere."""
_CAPITAL = "A"
"""A letter that stands for what came before: something with capitals, behind which Σ may end a word."""


def text_of(
    paths: Sequence[Path], *, as_bytes: bool = False, lowercase: bool = False, most_bytes: int | None = None
) -> Iterator[str]:
    """The files' text, one after the other; `as_bytes`: their bytes, as the characters of the same numbers.

    Raises DataError, also for a file that holds more than `most_bytes`.
    """
    blocks = (block for path in paths for block in _decoded(path, as_bytes, most_bytes))
    return _lowered(blocks, named(paths)) if lowercase else blocks


def named(paths: Sequence[Path]) -> str:
    """The files in words, for messages."""
    return str(paths[0]) if len(paths) == 1 else f"{paths[0]} and {len(paths) - 1} more"


def _decoded(path: Path, as_bytes: bool, most_bytes: int | None) -> Iterator[str]:
    held, begun = 0, False
    decoder = io.IncrementalNewlineDecoder(codecs.getincrementaldecoder("utf-8")(), translate=True)
    with open_bytes(path) as file:
        while True:
            content = file.read(_BLOCK_BYTES)
            held += len(content)
            if most_bytes is not None and held > most_bytes:
                raise DataError(
                    f"{path}: holds more than {most_bytes >> 20:,} MiB, which is more than is read at once",
                    hint="`memory: mapped` reads it in blocks",
                )
            if as_bytes:
                yield content.decode("latin-1")
            else:
                if b"\0" in content:
                    raise _unreadable(path)
                try:
                    text = decoder.decode(content, final=not content)  # type: ignore[arg-type]
                except UnicodeDecodeError:
                    raise _unreadable(path) from None
                # Python's decoder for marked text takes half a mark for an empty file.
                yield text if begun else text.removeprefix(_MARK)
                begun = begun or bool(text)
            if not content:
                return


def _unreadable(path: Path) -> DataError:
    """The first NUL byte of a file by its line; where there is none, its first byte that is no UTF-8."""
    before = 0
    with open_bytes(path) as file:
        while content := file.read(_BLOCK_BYTES):
            place = content.find(b"\0")
            if place >= 0:
                line = before + content.count(b"\n", 0, place) + 1
                return DataError(f"{path}, line {line}: holds a NUL byte", hint="is it a text file in UTF-8?")
            before += content.count(b"\n")
    return not_utf8(path)


def _lowered(blocks: Iterable[str], file: str) -> Iterator[str]:
    """The text in small letters. A Σ waits for what follows, as far as that decides which small letter it becomes."""
    before, rest = "", ""
    for block in blocks:
        text = rest + block
        end = text.rfind(_SIGMA)
        if end < 0 or not _open(text[end:]):
            end = len(text)
        # The Σ stands for a letter that follows: the one held back, or any, where no other Σ waits for it.
        lowered = (before + text[:end] + _SIGMA).lower()
        yield lowered[len(before) : -1]
        before, rest = _CAPITAL if lowered[-1] == "ς" else "", text[end:]
        _check_run(rest, file)
    yield (before + rest).lower()[len(before) :]


def _open(text: str) -> bool:
    """Whether the small form of the text's first letter depends on what follows the text."""
    return (_CAPITAL + text).lower()[1] != (_CAPITAL + text + _CAPITAL).lower()[1]


def in_whole_words(blocks: Iterable[str], file: str) -> Iterator[str]:
    """The same text in blocks that end where no word can go on."""
    rest: list[str] = []
    for block in blocks:
        if end := _last_border(block):
            yield "".join((*rest, block[:end]))
            rest = []
        rest.append(block[end:])
        _check_run(rest, file)
    yield "".join(rest)


def _last_border(block: str) -> int:
    """Where the last letter ends that is inside no word; 0 if there is none."""
    for size in (_NEAR, len(block)):
        begin = max(0, len(block) - size)
        end = max((found.end() for found in OUTSIDE_WORDS.finditer(block, begin)), default=0)
        if end:
            return end
    return 0


def _check_run(rest: str | Sequence[str], file: str) -> None:
    length = sum(map(len, rest)) if not isinstance(rest, str) else len(rest)
    if length > _LONGEST_RUN:
        raise DataError(f"{file}: holds a word of more than {_LONGEST_RUN:,} characters")
