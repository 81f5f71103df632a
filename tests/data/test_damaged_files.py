"""Files cut short, changed at random places or with pieces repeated: read, or refused by a message that names them."""

from __future__ import annotations

import gzip
import json
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from trainer_cli.data.prepare import prepare
from trainer_cli.data.source import TARGET, Source
from trainer_cli.data.sources.csv import Csv
from trainer_cli.data.sources.json_lines import JsonLines
from trainer_cli.data.sources.text import Text
from trainer_cli.data.targets import TargetSpec
from trainer_cli.errors import DataError
from trainer_cli.parts.families import SOURCES

TABLE = "a,b,c,y\n" + "".join(f"{row},{'xyz'[row % 3]},{('yes', 'no', '')[row % 3]},{row % 2}\n" for row in range(30))
RECORDS = [
    {"x": [row] * (row % 4), "w": "some words here"[: row % 16], "v": [[1, row]] * (row % 3 + 1), "y": "ab"[row % 2]}
    for row in range(1, 30)
]
LINES = "".join(json.dumps(record) + "\n" for record in RECORDS)
COLUMNS = {"b": {"kind": "categorical"}, "c": {"kind": "boolean", "missing": "indicator"}}
SEQUENCES = {"sequence": {"length": 3}, "input": {"x": "x", "w": "w", "v": "v"}}

SOURCES_OF_TEXT: list[Any] = [
    pytest.param(Csv(path="t", target="y", columns=COLUMNS, scaling="standardize"), TABLE, id="csv"),
    pytest.param(Csv(path="t", target="y", columns=COLUMNS, missing="median"), TABLE, id="csv with gaps"),
    pytest.param(JsonLines(path="t", target="y", **SEQUENCES), LINES, id="json_lines"),
    pytest.param(Text(path="t", length=5, split={"test": 0.2}), TABLE, id="text"),
    pytest.param(Text(path="t", length=5, unit="word"), LINES, id="words"),
]


def damaged(whole: bytes, random: np.random.Generator) -> bytes:
    content = bytearray(whole)
    for _ in range(int(random.integers(1, 4))):
        place, other = sorted(int(random.integers(len(content) + 1)) for _ in range(2))
        match int(random.integers(4)):
            case 0:
                del content[place:other]
            case 1:
                content[place:place] = content[place:other]
            case 2:
                content[place : place + 1] = bytes([int(random.integers(256))])
            case _:
                odd = (
                    b'"',
                    b",",
                    b"\n",
                    b"\r",
                    b"nan",
                    b"1e999",
                    b"[",
                    b"]]",
                    b"{}",
                    b"null",
                    b"\xef\xbb\xbf",
                    b"-0",
                    b"_",
                )
                content[place:place] = odd[int(random.integers(len(odd)))]
    return bytes(content)


def write_arrays(folder: Path) -> None:
    values, labels = np.arange(120.0).reshape(60, 2), np.asarray(["a", "bb"] * 30)
    np.savez(folder / "t.npz", x=values, y=labels)
    np.savez_compressed(folder / "c.npz", x=values, y=labels)
    np.save(folder / "x.npy", values)
    np.save(folder / "y.npy", labels)


def write_idx(folder: Path) -> None:
    for name, shape in (("images", (60, 2, 2)), ("labels", (60,))):
        header = bytes([0, 0, 8, len(shape)]) + struct.pack(f">{len(shape)}I", *shape)
        content = header + bytes(number % 2 for number in range(int(np.prod(shape))))
        (folder / name).write_bytes(content)
        (folder / f"{name}.gz").write_bytes(gzip.compress(content, mtime=0))


def write_tables(folder: Path) -> None:
    arrow = pytest.importorskip("pyarrow", reason="needs the extra `arrow`")
    from pyarrow import feather, parquet

    table = arrow.table({"a": np.arange(60.0), "b": ["x", "y", "zz"] * 20, "y": [0, 1] * 30})
    parquet.write_table(table, folder / "t.parquet")
    feather.write_feather(table, folder / "t.feather")


def write_images(folder: Path) -> None:
    pillow = pytest.importorskip("PIL.Image", reason="needs the extra `images`")
    for number, name in enumerate(("a/1.png", "a/2.jpg", "b/3.png")):
        path = folder / "photos" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        pillow.fromarray(np.random.default_rng(number).integers(0, 256, (9, 9, 3), np.uint8)).save(path)


PAIR = {"input": "x.npy", "target": "y.npy"}
TABLE_KEYS = {"target": "y", "columns": {"b": {"kind": "categorical"}}}
BINARY: list[Any] = [
    pytest.param(write_arrays, "npz", {"path": "t.npz"}, "t.npz", id="npz"),
    pytest.param(write_arrays, "npz", {"path": "c.npz"}, "c.npz", id="npz compressed"),
    pytest.param(write_arrays, "npy", PAIR, "x.npy", id="npy"),
    pytest.param(write_arrays, "npy", PAIR, "y.npy", id="npy of texts"),
    pytest.param(write_idx, "idx", {"images": "images", "labels": "labels"}, "images", id="idx"),
    pytest.param(write_idx, "idx", {"images": "images.gz", "labels": "labels.gz"}, "labels.gz", id="idx gzipped"),
    pytest.param(write_tables, "parquet", {"path": "t.parquet", **TABLE_KEYS}, "t.parquet", id="parquet"),
    pytest.param(write_tables, "arrow", {"path": "t.feather", **TABLE_KEYS}, "t.feather", id="arrow"),
    pytest.param(write_images, "images", {"path": "photos"}, "photos/a/1.png", id="png"),
    pytest.param(write_images, "images", {"path": "photos"}, "photos/a/2.jpg", id="jpeg"),
]


@pytest.mark.parametrize(("write", "kind", "given", "name"), BINARY)
def test_damage_to_what_is_no_text_is_read_or_named(
    tmp_path: Path, write: Callable[[Path], None], kind: str, given: dict[str, Any], name: str
):
    write(tmp_path)
    source = SOURCES.find(kind).model_validate(given)
    assert isinstance(source, Source)
    random, whole = np.random.default_rng(1), (tmp_path / name).read_bytes()
    complaints = []
    for _ in range(150):
        (tmp_path / name).write_bytes(damaged(whole, random))
        try:
            source.signature(tmp_path)
            prepare(source, tmp_path, {TARGET: TargetSpec("labels")}, 0)
        except DataError as error:
            complaints.append(error.message)
    assert all(str(tmp_path) in complaint for complaint in complaints)
    assert 50 < len(complaints) < 150


@pytest.mark.parametrize(("source", "whole"), SOURCES_OF_TEXT)
def test_damage_is_read_or_named(tmp_path: Path, source: Source, whole: str):
    random = np.random.default_rng(1)
    complaints = []
    path = tmp_path / "t"
    for _ in range(300):
        path.write_bytes(damaged(whole.encode(), random))
        try:
            source.signature(tmp_path)
            dataset = prepare(source, tmp_path, {TARGET: TargetSpec("labels")}, 0)
        except DataError as error:
            complaints.append(error.message)
        else:
            for values in dataset.train.inputs.values():
                assert np.isfinite(values).all()
    assert all(str(path) in complaint for complaint in complaints)
    assert len(complaints) < 300
