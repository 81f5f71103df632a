"""Files made to do harm: false claims, bombs, paths that lead elsewhere; each ends in a message, in little memory."""

from __future__ import annotations

import gzip
import io
import os
import struct
import subprocess
import sys
import time
import tracemalloc
import warnings
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from trainer_cli.data import room
from trainer_cli.data.prepare import prepare
from trainer_cli.data.source import TARGET, Source
from trainer_cli.data.targets import TargetSpec
from trainer_cli.errors import DataError
from trainer_cli.parts.families import SOURCES

MOST_MEMORY = 160 << 20
MOST_SECONDS = 20

Write = Callable[[Path], Any]


def array(values: Any) -> bytes:
    content = io.BytesIO()
    np.save(content, values, allow_pickle=True)
    return content.getvalue()


ONES = array(np.ones((3, 2)))
ONE_ARRAY = {"type": "npz", "path": "t.npz", "target": None}


def archive(folder: Path, *members: tuple[str, bytes], change: Callable[[bytearray, int], Any] | None = None) -> None:
    """A zip file; `change` gets its bytes and where its directory begins."""
    with warnings.catch_warnings(), zipfile.ZipFile(folder / "t.npz", "w", zipfile.ZIP_DEFLATED) as file:
        warnings.simplefilter("ignore")
        for name, content in members:
            file.writestr(name, content)
    if change is not None:
        content = bytearray((folder / "t.npz").read_bytes())
        change(content, content.rindex(b"PK\x01\x02"))
        (folder / "t.npz").write_bytes(content)


def put(content: bytearray, place: int, number: int) -> None:
    content[place : place + 4] = struct.pack("<I", number)


def encrypt(content: bytearray, place: int) -> None:
    content[6] |= 1
    content[place + 8] |= 1


def idx(shape: tuple[int, ...], held: int) -> bytes:
    return bytes([0, 0, 8, len(shape)]) + struct.pack(f">{len(shape)}I", *shape) + bytes(held)


def packed(path: Path, begin: bytes, piece: bytes, times: int, end: bytes = b"") -> None:
    with gzip.open(path, "wb", compresslevel=1) as file:
        file.write(begin)
        for _ in range(times):
            file.write(piece)
        file.write(end)


def chunk(name: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + name + content + struct.pack(">I", zlib.crc32(name + content))


def png(height: int, width: int, *others: bytes) -> bytes:
    header = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0))
    pixels = chunk(b"IDAT", zlib.compress(bytes(14)))
    return b"\x89PNG\r\n\x1a\n" + header + b"".join(others) + pixels + chunk(b"IEND", b"")


def photos(folder: Path, content: bytes | None = None) -> Path:
    pytest.importorskip("PIL", reason="needs the extra `images`")
    (folder / "photos" / "a").mkdir(parents=True)
    (folder / "photos" / "a" / "1.png").write_bytes(png(2, 2))
    if content is not None:
        (folder / "photos" / "a" / "2.png").write_bytes(content)
    return folder / "photos" / "a"


def text(name: str, content: str | bytes) -> Write:
    return lambda folder: (folder / name).write_bytes(content if isinstance(content, bytes) else content.encode())


def parquet_of_zeros(folder: Path) -> None:
    arrow = pytest.importorskip("pyarrow", reason="needs the extra `arrow`")
    from pyarrow import parquet

    table = arrow.table({"a": arrow.array(np.zeros(3_000_000)), "y": arrow.array(np.zeros(3_000_000, np.int8))})
    parquet.write_table(table, folder / "t.parquet")


ROW = '{"x": 1, "y": 1}\n'
LONG_ROW = b'{"x": [' + b"1, " * 40 + b'1], "y": 1}\n'
JSON = {"type": "json_lines", "path": "t.jsonl", "input": "x", "target": "y"}
CSV = {"type": "csv", "path": "t.csv", "target": "y"}
TEXT = {"type": "text", "path": "t.txt", "length": 9}
PHOTOS = {"type": "images", "path": "photos"}
LISTED = {**PHOTOS, "path": "photos/a", "labels": "l.csv"}

HOSTILE: list[Any] = [
    # Archives
    ("a size that is a lie", lambda f: archive(f, ("x.npy", ONES), change=lambda c, p: put(c, p + 24, 0xFFFFFFF0)),
     ONE_ARRAY, "announces more bytes than the file holds"),
    ("two such sizes", lambda f: archive(
        f, ("x.npy", ONES), change=lambda c, p: (put(c, p + 20, 0xFFFFFFF0), put(c, p + 24, 0xFFFFFFF0))
    ), ONE_ARRAY, "announces more bytes than the file holds"),
    ("a place beyond the end", lambda f: archive(f, ("x.npy", ONES), change=lambda c, p: put(c, p + 42, 0x7FFFFFF0)),
     ONE_ARRAY, "is no readable .npz file"),
    ("a password", lambda f: archive(f, ("x.npy", ONES), change=encrypt), ONE_ARRAY, "is encrypted"),
    ("one name twice", lambda f: archive(f, ("x.npy", ONES), ("x.npy", ONES)), ONE_ARRAY, "have the same name"),
    ("a path upwards", lambda f: archive(f, ("../../x.npy", ONES)), ONE_ARRAY, "no array `x`"),
    ("objects", lambda f: archive(f, ("x.npy", array(np.asarray([{}, {}], object)))), ONE_ARRAY, "are never loaded"),
    ("no pickle at all", lambda f: archive(f, ("x.npy", b"cos\nsystem\n(S'true'\ntR.")), ONE_ARRAY, "is damaged"),
    # IDX
    ("billions of images", text("i", idx((4_000_000_000, 28, 28), 99)), {"type": "idx", "images": "i"}, "far more"),
    ("packed billions", text("i.gz", gzip.compress(idx((4_000_000_000, 28, 28), 99))),
     {"type": "idx", "images": "i.gz"}, "far more than the file holds"),
    ("too few images", text("i", idx((9, 2, 2), 35)), {"type": "idx", "images": "i"}, "header announces"),
    # Images
    ("a link to itself", lambda f: os.symlink("2.png", photos(f) / "2.png"), PHOTOS, "levels of symbolic links"),
    ("a link to nothing", lambda f: os.symlink("/nowhere.png", photos(f) / "2.png"), PHOTOS, "no such file"),
    ("a pipe", lambda f: os.mkfifo(photos(f) / "2.png"), PHOTOS, "is no regular file"),
    ("a device", lambda f: os.symlink("/dev/zero", photos(f) / "2.png"), PHOTOS, "is no regular file"),
    ("many pixels", lambda f: photos(f, png(100_000, 100_000)), PHOTOS, "has more pixels than is read"),
    ("pixels that are not there", lambda f: photos(f, png(3000, 3000)), {**PHOTOS, "size": [2, 2]}, "damaged image"),
    ("a packed text", lambda f: photos(f, png(2, 2, chunk(b"zTXt", b"k\0\0" + zlib.compress(bytes(1 << 27))))),
     PHOTOS, "is a damaged image: Decompressed data too large"),
    ("a packed profile", lambda f: photos(f, png(2, 2, chunk(b"iCCP", b"k\0\0" + zlib.compress(bytes(1 << 27))))),
     PHOTOS, "is a damaged image: Decompressed data too large"),
    ("a listed path upwards", lambda f: (photos(f), text("l.csv", "file,label\n../../x.png,1\n")(f)), LISTED,
     "`../../x.png` is no file of the folder"),
    ("a listed NUL", lambda f: (photos(f), text("l.csv", "file,label\n1.png\0,1\n")(f)), LISTED, "a NUL byte"),
    ("a listed name without end", lambda f: (photos(f), text("l.csv", f"file,label\n{'a' * 5000},1\n")(f)), LISTED,
     "cannot be read: File name too long"),
    # JSON
    ("half a letter", text("t.jsonl", ROW + '{"x": 1, "y": "\\ud800"}\n'), JSON, "line 2: holds `\\u` escapes of half"),
    ("a gigantic number", text("t.jsonl", '{"x": 1' + "0" * 400 + ', "y": 1}\n'), JSON, "expected a number"),
    ("more digits", text("t.jsonl", '{"x": 1' + "0" * 9000 + ', "y": 1}\n'), JSON, "Exceeds the limit"),
    ("depth", text("t.jsonl", '{"x": ' + "[" * 200_000), JSON, "is nested too deeply"),
    ("lists of nothing", text("t.jsonl", '{"x": [[], []], "y": 1}\n'), JSON, "found lists of nothing"),
    ("a NUL in JSON", text("t.jsonl", ROW.encode() + b"\0\n"), JSON, "line 2, column 1: is no JSON"),
    ("another encoding", text("t.jsonl", ROW.encode("utf-16")), JSON, "line 1: byte 0xff is not UTF-8"),
    ("a packed line", lambda f: packed(f / "t.jsonl.gz", b'{"x": [', b"[]," * (1 << 20), 30),
     {**JSON, "path": "t.jsonl.gz"}, "line 1: is longer than 16 MiB"),
    # Texts
    ("a NUL behind a long line", lambda f: packed(f / "t.txt.gz", b"", b"a " * (1 << 19), 20, b"\0"),
     {**TEXT, "path": "t.txt.gz"}, "line 1: holds a NUL byte"),
    ("a long line of something else", lambda f: packed(f / "t.txt.gz", b"", b"a " * (1 << 19), 20, b"\xff"),
     {**TEXT, "path": "t.txt.gz"}, "line 1: byte 0xff is not UTF-8"),
    ("a word without end", lambda f: packed(f / "t.txt.gz", b"", b"a" * (1 << 20), 20),
     {**TEXT, "path": "t.txt.gz", "unit": "word"}, "holds a word of more than 16,777,216 characters"),
    # CSV
    ("a gigantic cell", text("t.csv", "x,y\n" + "1" * (1 << 20) + ",1\n"), CSV, "field larger than field limit"),
    ("a quote without end", text("t.csv", 'x,y\n"' + "1\n" * (1 << 20)), CSV, "line 2: field larger than"),
    ("a packed cell", lambda f: packed(f / "t.csv.gz", b"x,y\n", b"1" * (1 << 20), 65), {**CSV, "path": "t.csv.gz"},
     "line 2: is longer than 64 million characters"),
    ("a header without end", text("t.csv", "".join(f"c{n}," for n in range(60_000)) + "c7,y\n1\n"), CSV, "`c7` twice"),
    ("many columns", text("t.csv", "".join(f"c{n}," for n in range(20_000)) + "y\n" + "1," * 20_000 + "a\n1\n"),
     {**CSV, "features": ["c*"]}, "line 3: expected 20001 cells"),
    ("UTF-16 unawares", text("t.csv", "x,y\n1,2\n".encode("utf-16")), CSV, "byte 0xff is not UTF-8"),
    ("half of UTF-16", text("t.csv", "x,y\n1,2\n".encode("utf-16") + b"\0"), {**CSV, "encoding": "utf-16"},
     "is not utf-16"),
    ("no gzip", text("t.csv.gz", "x,y\n1,2\n"), {**CSV, "path": "t.csv.gz"}, "Not a gzipped file"),
]  # fmt: skip


def reading(folder: Path, given: dict[str, Any], memory: str = "loaded") -> None:
    values = {key: value for key, value in given.items() if key != "type"}
    source = SOURCES.find(given["type"]).model_validate({**values, "memory": memory})
    assert isinstance(source, Source)
    wanted = {TARGET: TargetSpec("labels")} if getattr(source, "target", None) else {}
    source.signature(folder)
    prepare(source, folder, wanted, 0, cache=folder / "cache" if memory == "mapped" else None)


@pytest.mark.parametrize(("write", "given", "message"), [pytest.param(*case[1:], id=case[0]) for case in HOSTILE])
def test_it_ends_in_a_message_soon_and_in_little_memory(
    tmp_path: Path, write: Write, given: dict[str, Any], message: str
):
    write(tmp_path)
    for memory in ("loaded", "mapped"):
        began = time.process_time()
        tracemalloc.start()
        try:
            with pytest.raises(DataError) as caught:
                reading(tmp_path, given, memory)
            peak = tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()
        assert message in caught.value.message
        assert str(tmp_path) in caught.value.message
        assert peak < MOST_MEMORY
        assert time.process_time() - began < MOST_SECONDS


def test_links_to_folders_do_not_lead_in_a_circle(tmp_path: Path):
    place = photos(tmp_path)
    os.symlink("..", place / "up")
    os.symlink("a", tmp_path / "photos" / "b")
    found = SOURCES.find("images").model_validate({"path": "photos"})
    assert isinstance(found, Source)
    assert found.read(tmp_path).rows == 2  # `b` is a class with the images of `a`; what is behind `up` is none


BOMBS: list[Any] = [
    ("npz", lambda f: archive(f, ("x.npy", array(np.zeros((1 << 22, 1))))), ONE_ARRAY, "takes 0.0 GB of memory"),
    ("npy", lambda f: np.save(f / "x.npy", np.zeros((1 << 20, 1))), {"type": "npy", "input": "x.npy"}, "takes 0.0 GB"),
    ("idx", lambda f: (f / "i.gz").write_bytes(gzip.compress(idx((1 << 23, 1, 1), 1 << 23))),
     {"type": "idx", "images": "i.gz"}, "takes 0.0 GB of memory"),
    ("csv", lambda f: packed(f / "t.csv.gz", b"x,y\n", b"1,2\n" * 1024, 100), {**CSV, "path": "t.csv.gz"},
     "rows take all memory that is free"),
    ("json_lines", lambda f: packed(f / "t.jsonl.gz", b"", LONG_ROW * 1024, 20), {**JSON, "path": "t.jsonl.gz"},
     "rows take all memory that is free"),
    ("parquet", parquet_of_zeros, {"type": "parquet", "path": "t.parquet", "target": "y"}, "takes 0.0 GB of memory"),
]  # fmt: skip


@pytest.mark.parametrize(("write", "given", "message"), [pytest.param(*case[1:], id=case[0]) for case in BOMBS])
def test_what_unpacks_to_more_than_memory_is_refused_before_memory_is_full(
    tmp_path: Path, write: Write, given: dict[str, Any], message: str, monkeypatch: pytest.MonkeyPatch
):
    """A machine whose free memory shrinks by what is taken."""
    write(tmp_path)
    tracemalloc.start()
    try:
        limit = tracemalloc.get_traced_memory()[0] + (2 << 20)
        monkeypatch.setattr(room, "_ROWS_BETWEEN", 1 << 10)
        monkeypatch.setattr(room, "free_bytes", lambda: max(0, limit - tracemalloc.get_traced_memory()[0]))
        with pytest.raises(DataError, match=message) as caught:
            reading(tmp_path, given)
    finally:
        tracemalloc.stop()
    assert "memory: mapped" in (caught.value.hint or "")


def test_a_control_group_s_cached_files_are_no_used_memory(tmp_path: Path):
    (tmp_path / "proc").mkdir()
    (tmp_path / "proc/meminfo").write_text("MemAvailable: 9000 kB\n")
    folder = tmp_path / "sys/fs/cgroup"
    folder.mkdir(parents=True)
    for name, content in (
        ("max", "8000"),
        ("current", "7000"),
        ("stat", "anon 1\ninactive_file 3000\nactive_file 500\n"),
    ):
        (folder / f"memory.{name}").write_text(content)
    assert room.free_bytes(tmp_path) == 4500


@pytest.mark.parametrize("name", ["a size that is a lie", "billions of images", "half a letter", "a gigantic cell"])
def test_the_command_ends_with_its_exit_code(tmp_path: Path, name: str):
    write, given, message = next(case[1:] for case in HOSTILE if case[0] == name)
    write(tmp_path)
    keys = ", ".join(f"{key}: {'null' if value is None else value}" for key, value in given.items())
    (tmp_path / "c.yaml").write_text(
        f"data: {{{keys}}}\narchitecture: [{{type: flatten}}, {{type: dense, units: 1}}]\noptimizer: adam\nloss: mse\n"
    )
    done = subprocess.run(
        [sys.executable, "-m", "trainer_cli", "fit", "c.yaml", "--target", "reference"],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[2]), "COLUMNS": "400"},
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert done.returncode in (2, 3), done.stderr
    assert "Traceback" not in done.stderr
    if done.returncode == 3:
        assert message in done.stderr
