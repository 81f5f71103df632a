"""Rows read in blocks are encoded as they are when they are read at once, and take no more memory however many."""

from __future__ import annotations

import io
import json
import struct
import sys
import tracemalloc
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from trainer_cli.data.files import STANDARD_INPUT
from trainer_cli.data.prepare import apply, blocks, prepare
from trainer_cli.data.source import INPUT, Source
from trainer_cli.data.sources.csv import Csv
from trainer_cli.data.sources.idx import Idx
from trainer_cli.data.sources.json_lines import JsonLines
from trainer_cli.errors import DataError


def csv_rows(count: int) -> str:
    return "a,city\n" + "".join(f"{row},{'RO'[row % 2]}\n" for row in range(count))


def json_rows(count: int) -> str:
    return "".join(json.dumps({"words": f"so {'RO'[row % 2]}", "y": row}) + "\n" for row in range(count))


CSV = Csv(path="t.csv", columns={"city": {"kind": "categorical"}}, scaling="standardize")
JSON = JsonLines(path="t.jsonl", input="words", sequence={"length": 3})
KINDS = [pytest.param(CSV, csv_rows, id="csv"), pytest.param(JSON, json_rows, id="json_lines")]


@pytest.mark.parametrize("most", [1, 7, 100, 1000])
@pytest.mark.parametrize(("source", "rows"), KINDS)
def test_blocks_hold_what_the_whole_holds(tmp_path: Path, source: Source, rows: Any, most: int):
    file = tmp_path / source.paths["path"][0]
    file.write_text(rows(300))
    encoding = prepare(source, tmp_path, {}, 0).encoding
    whole = apply(encoding, source, tmp_path, file=file, with_target=False)
    found = list(blocks(encoding, source, file, most))
    assert [split.rows for split in found[:-1]] == [most] * (len(found) - 1)
    assert np.array_equal(np.concatenate([split.inputs[INPUT] for split in found]), whole.inputs[INPUT])


@pytest.mark.parametrize(("source", "rows"), KINDS)
def test_the_standard_input_is_read_once(tmp_path: Path, source: Source, rows: Any, monkeypatch: pytest.MonkeyPatch):
    (tmp_path / source.paths["path"][0]).write_text(rows(20))
    encoding = prepare(source, tmp_path, {}, 0).encoding
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(rows(20).encode())))
    assert [split.rows for split in blocks(encoding, source, STANDARD_INPUT, 8)] == [8, 8, 4]
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b"")))
    with pytest.raises(DataError, match=r"-: (is empty|holds no rows)"):
        list(blocks(encoding, source, STANDARD_INPUT, 8))
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(rows(3).encode() + b"\xff\n")))
    with pytest.raises(DataError, match="-: is not UTF-8"):
        list(blocks(encoding, source, STANDARD_INPUT, 8))


def test_memory_does_not_grow_with_the_rows(tmp_path: Path):
    (tmp_path / "t.csv").write_text(csv_rows(10))
    encoding = prepare(CSV, tmp_path, {}, 0).encoding
    peaks = []
    for count in (20_000, 100_000):
        (tmp_path / "new.csv").write_text(csv_rows(count))
        tracemalloc.start()
        assert sum(split.rows for split in blocks(encoding, CSV, tmp_path / "new.csv", 4096)) == count
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    assert peaks[1] < 1.2 * peaks[0]


def test_images_of_idx_files_come_in_blocks(tmp_path: Path):
    pixels = np.arange(30 * 6, dtype=np.uint8).reshape(30, 3, 2)
    (tmp_path / "images").write_bytes(struct.pack(">4B3I", 0, 0, 8, 3, *pixels.shape) + pixels.tobytes())
    source = Idx(images="images")
    encoding = prepare(source, tmp_path, {}, 0).encoding
    found = list(blocks(encoding, source, tmp_path / "images", 7))
    assert [split.rows for split in found] == [7, 7, 7, 7, 2]
    assert np.array_equal(np.concatenate([split.inputs[INPUT] for split in found]), pixels)
