"""Files cut short, changed at random places or with pieces repeated: read, or refused by a message that names them."""

from __future__ import annotations

import json
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

TABLE = "a,b,c,y\n" + "".join(f"{row},{'xyz'[row % 3]},{('yes', 'no', '')[row % 3]},{row % 2}\n" for row in range(30))
RECORDS = [
    {"x": [row] * (row % 4), "w": "some words here"[: row % 16], "v": [[1, row]] * (row % 3 + 1), "y": "ab"[row % 2]}
    for row in range(1, 30)
]
LINES = "".join(json.dumps(record) + "\n" for record in RECORDS)
COLUMNS = {"b": {"kind": "categorical"}, "c": {"kind": "boolean", "missing": "indicator"}}
SEQUENCES = {"sequence": {"length": 3}, "input": {"x": "x", "w": "w", "v": "v"}}

SOURCES: list[Any] = [
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


@pytest.mark.parametrize(("source", "whole"), SOURCES)
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
