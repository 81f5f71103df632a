"""A text read in blocks is the text read at once, wherever the blocks end: letters, line ends, words, messages."""

from __future__ import annotations

import codecs
import gzip
import random
from pathlib import Path

import pytest

from trainer_cli.data import files, running_text
from trainer_cli.data.running_text import in_whole_words, text_of
from trainer_cli.data.vocabulary import WORD
from trainer_cli.errors import DataError

PIECES = (
    "Don't stop,\r\nthe ‘dog’s tail’!\r\rΟΔΥΣΣΕΥΣ Σ' ΑΣ.Σ ΑΣ́ Α'Σ'\r\n",
    "İstanbul ẞ 漢字かな交じり文 🙂🙂 e\u0301 ΣΣΣ\ufeff a_1 a''b '''\n",
    "word'",
    "’s joined over files Σ",
    "α and the end\r",
    "\n\nΣ",
)
SIZES = [1, 2, 3, 4, 5, 7, 16, 1 << 20]


def whole(paths: list[Path], lowercase: bool = False) -> str:
    """What a text is, without blocks."""
    parts = [path.read_bytes().decode("utf-8-sig").replace("\r\n", "\n").replace("\r", "\n") for path in paths]
    text = "".join(parts)
    return text.lower() if lowercase else text


def written(folder: Path, pieces: tuple[str, ...] = PIECES, mark: bool = False) -> list[Path]:
    paths = []
    for number, piece in enumerate(pieces):
        paths.append(folder / f"{number}.txt")
        paths[-1].write_bytes((codecs.BOM_UTF8 if mark else b"") + piece.encode())
    return paths


@pytest.mark.parametrize("lowercase", [False, True])
@pytest.mark.parametrize("size", SIZES)
def test_blocks_are_the_text(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, size: int, lowercase: bool):
    paths = written(tmp_path, mark=size % 2 == 0)
    monkeypatch.setattr(running_text, "_BLOCK_BYTES", size)
    expected = whole(paths, lowercase)
    assert "".join(text_of(paths, lowercase=lowercase)) == expected
    words = [word for block in in_whole_words(text_of(paths, lowercase=lowercase), "t") for word in WORD.findall(block)]
    assert words == WORD.findall(expected)
    letters = b"".join(path.read_bytes() for path in paths).decode("latin-1")
    found = "".join(text_of(paths, as_bytes=True, lowercase=lowercase))
    assert found == (letters.lower() if lowercase else letters)


@pytest.mark.parametrize("seed", range(40))
def test_whatever_the_text_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, seed: int):
    """Letters that make small letters, words and line ends depend on each other, in any order."""
    draw = random.Random(seed)
    pieces = tuple("".join(draw.choices("aAΣσ'’\u0301İ. \r\n_é🙂:ʰ", k=draw.randrange(60))) for _ in range(8))
    paths = written(tmp_path, pieces)
    for size in (1, 2, 3, draw.randrange(4, 30)):
        monkeypatch.setattr(running_text, "_BLOCK_BYTES", size)
        expected = whole(paths, lowercase=True)
        assert "".join(text_of(paths, lowercase=True)) == expected
        words = [word for block in in_whole_words(text_of(paths), "t") for word in WORD.findall(block)]
        assert words == WORD.findall(whole(paths))


def test_archives_are_unpacked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(running_text, "_BLOCK_BYTES", 3)
    (tmp_path / "t.txt.gz").write_bytes(gzip.compress(PIECES[0].encode()))
    assert "".join(text_of([tmp_path / "t.txt.gz"])) == PIECES[0].replace("\r\n", "\n").replace("\r", "\n")


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"one\ntwo \xff three", "line 2: byte 0xff is not UTF-8"),
        (b"one\r\ntwo\n\n\xc3", "line 4: byte 0xc3 is not UTF-8"),
        (b"one\n\xf0\x9f\x99", "line 2: byte 0xf0 is not UTF-8"),
        (b"\xe2\x82\nmore\n", "line 1: byte 0xe2 is not UTF-8"),
        (b"\xef\xbb\xbfone \xfe", "line 1: byte 0xfe is not UTF-8"),
        (b"\xef\xbb", "line 1: byte 0xef is not UTF-8"),
        (b"a\n\xed\xa0\x80", "line 2: byte 0xed is not UTF-8"),
        (b"one\ntwo\n\0three and more", "line 3: holds a NUL byte"),
        # Whatever comes first, a NUL byte says that this is no text at all.
        (b"one \xff two\n\n\0", "line 3: holds a NUL byte"),
    ],
)
def test_what_is_no_text_is_named_by_its_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, size: int, content: bytes, message: str
):
    monkeypatch.setattr(running_text, "_BLOCK_BYTES", size)
    monkeypatch.setattr(files, "_BLOCK", size)
    path = tmp_path / "t.txt"
    path.write_bytes(content)
    with pytest.raises(DataError) as caught:
        list(text_of([path]))
    assert caught.value.message == f"{path}, {message}"
    assert caught.value.hint


@pytest.mark.parametrize("text", ["a" * 30, "'" * 30])
def test_words_without_end_are_refused(monkeypatch: pytest.MonkeyPatch, text: str):
    monkeypatch.setattr(running_text, "_LONGEST_RUN", 20)
    with pytest.raises(DataError, match=r"t\.txt: holds a word of more than 20 characters"):
        list(in_whole_words([". ", text[:15], text[15:], " "], "t.txt"))
    assert "".join(in_whole_words([". ", text[:15], " ", text[15:]], "t.txt")) == f". {text[:15]} {text[15:]}"


def test_letters_that_wait_for_what_follows_are_not_held_without_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(running_text, "_LONGEST_RUN", 20)
    monkeypatch.setattr(running_text, "_BLOCK_BYTES", 4)
    (tmp_path / "t.txt").write_text("aΣ" + "'" * 30)
    with pytest.raises(DataError, match=r"t\.txt: holds a word of more than 20 characters"):
        list(text_of([tmp_path / "t.txt"], lowercase=True))
    (tmp_path / "t.txt").write_text("aΣ" + "b'" * 30)
    assert "".join(text_of([tmp_path / "t.txt"], lowercase=True)) == "aσ" + "b'" * 30
