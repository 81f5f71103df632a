"""A path in, its bytes out: opens plain and gzipped files, and turns whatever the disk does into a DataError."""

from __future__ import annotations

import codecs
import gzip
import sys
import zlib
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from typing import BinaryIO, cast, overload

from trainer_cli.errors import DataError

STANDARD_INPUT = Path("-")
"""What stands for the standard input, which is read once."""

_BLOCK = 1 << 20

_MOST_FILES = 20_000
"""A pattern that matches more files than this is a slip of the pen."""

GREATEST_EXPANSION = 1032
"""Deflate never expands to more than this many times its own size, so a claim beyond it is false."""


class Paths(Sequence[Path]):
    """Paths by their names, of which there may be millions: a path takes several times what its name takes."""

    def __init__(self, names: Sequence[str]) -> None:
        self._names = names

    def __len__(self) -> int:
        return len(self._names)

    @overload
    def __getitem__(self, place: int) -> Path: ...
    @overload
    def __getitem__(self, place: slice) -> Paths: ...
    def __getitem__(self, place: int | slice) -> Path | Paths:
        return Paths(self._names[place]) if isinstance(place, slice) else Path(self._names[place])


def nearest(name: str, known: Sequence[str], plural: str) -> str:
    """A hint for a name that does not exist: the closest one that does, or the first few."""
    close = _close(name, known)
    if close:
        return f"did you mean `{close[0]}`?"
    shown = ", ".join(f"`{item}`" for item in known[:12])
    return f"{plural}: {shown}{', …' if len(known) > 12 else ''}"


def _close(name: str, known: Sequence[str]) -> list[str]:
    """The known name closest to a misspelled one, if one is close."""
    import difflib  # where nothing is misspelled nothing of it is needed

    return difflib.get_close_matches(name, known, n=1, cutoff=0.6)


def shown(value: object) -> str:
    """A value from a file, made safe and short enough for a message."""
    text = "".join(letter if letter.isprintable() else repr(letter)[1:-1] for letter in str(value)[:60])
    return f"`{text if len(text) <= 40 else text[:39] + '…'}`"


@contextmanager
def reading(path: Path) -> Iterator[None]:
    """Turn the failures of opening and reading `path` into DataErrors."""
    try:
        yield
    except FileNotFoundError:
        raise DataError(f"{path}: no such file", hint=_near_file(path)) from None
    except IsADirectoryError:
        raise DataError(f"{path}: is a folder, expected a file") from None
    except (gzip.BadGzipFile, EOFError, zlib.error) as error:
        raise DataError(f"{path}: damaged compressed data: {str(error) or 'it ends too early'}") from None
    except OSError as error:
        raise DataError(f"{path}: cannot be read: {error.strerror or error}") from None


@contextmanager
def open_bytes(path: Path) -> Iterator[BinaryIO]:
    """Open a file for reading; a name that ends in `.gz` is decompressed on the way, `-` is the standard input."""
    if path == STANDARD_INPUT:
        with reading(path):
            yield cast(BinaryIO, sys.stdin.buffer)
        return
    with reading(path), path.open("rb") as raw:
        if path.is_char_device() or path.is_block_device():
            raise DataError(f"{path}: is a device, expected a file")  # some have no end
        if path.suffix == ".gz":
            with gzip.GzipFile(fileobj=raw) as unpacked:
                yield cast(BinaryIO, unpacked)
        else:
            yield raw


def matching(path: Path) -> list[Path]:
    """The file or folder of that name; failing that, what its wildcards `*`, `?`, `[…]` and `**` match, in order."""
    try:
        there = path.exists()
    except OSError:  # a name that no file can have
        there = False
    if there or not any(character in str(path) for character in "*?["):
        return [path] if there else []
    with reading(path):
        anchor = Path(path.anchor or ".")
        found = anchor.glob(str(path.relative_to(anchor) if path.anchor else path))
        return sorted(islice(found, _MOST_FILES + 1))


def expand(folder: Path, given: str | Sequence[str]) -> list[Path]:
    """The files that a path or a list of them names, wildcards written out. Raises DataError where one names none."""
    files: dict[Path, None] = {}  # each once, in order
    for name in [given] if isinstance(given, str) else given:
        found = matching(folder / name)
        if not found and any(character in name for character in "*?["):
            raise DataError(f"{folder / name}: no file matches")
        if len(found) > _MOST_FILES:
            raise DataError(f"{folder / name}: more than {_MOST_FILES:,} files match")
        files.update(dict.fromkeys(found or [folder / name]))
    return list(files)


def read_exactly(file: BinaryIO, path: Path, size: int) -> bytearray:
    """Read `size` bytes, which must be all that is left. A false `size` costs no more memory than the file holds."""
    content = bytearray()
    while block := file.read(min(_BLOCK, size + 1 - len(content))):
        content += block
        if len(content) > size:
            raise DataError(f"{path}: holds more than the {size:,} bytes that its header announces")
    if len(content) < size:
        raise DataError(f"{path}: its header announces {size:,} bytes, it holds {len(content):,}")
    return content


def not_utf8(path: Path) -> DataError:
    """The first byte of a file that is no UTF-8, by its line."""
    if path == STANDARD_INPUT:
        return DataError(f"{path}: is not UTF-8", hint="send it as UTF-8")
    decoder, line = codecs.getincrementaldecoder("utf-8")(), 1
    with open_bytes(path) as file:
        # In blocks: a line may be as long as the file.
        while True:
            block = file.read(_BLOCK)
            try:
                decoder.decode(block, final=not block)
            except UnicodeDecodeError as error:
                # What could not be decoded begins with a character that the block before has left unfinished.
                line += error.object.count(b"\n", 0, error.start)
                found = f"byte 0x{error.object[error.start]:02x}"
                return DataError(f"{path}, line {line}: {found} is not UTF-8", hint="save the file as UTF-8")
            if not block:
                return DataError(f"{path}: is not UTF-8", hint="save the file as UTF-8")
            line += block.count(b"\n")


def digest(paths: Iterable[Path]) -> str:
    """sha256 (hexadecimal) of the files' bytes, one file after the other."""
    import hashlib

    total = hashlib.sha256()
    for path in paths:
        with reading(path):
            if path.exists() and not path.is_file() and not path.is_dir():
                raise DataError(f"{path}: is no regular file, which can be read more than once")
            with path.open("rb") as file:
                while block := file.read(_BLOCK):
                    total.update(block)
    return total.hexdigest()


def _near_file(path: Path) -> str | None:
    try:
        names = sorted(item.name for item in path.parent.iterdir())
    except OSError:
        return f"there is no folder {path.parent} either"
    close = _close(path.name, names)
    return f"did you mean `{close[0]}`?" if close else None
