"""Parquet and Arrow files: the same columns section as CSV, new data in any of the three, hostile files refused."""

from __future__ import annotations

import sys
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from pyarrow import feather, parquet

from trainer_cli.data.prepare import apply, prepare
from trainer_cli.data.source import INPUT, TARGET, Source
from trainer_cli.data.sources.arrow import Arrow
from trainer_cli.data.sources.csv import Csv
from trainer_cli.data.sources.parquet import Parquet
from trainer_cli.data.targets import TargetSpec
from trainer_cli.errors import DataError, ResourceError

CSV = "size,city,open,day,y\n1.5,Rome,true,2024-01-31,a\n,Oslo,false,2024-02-29,b\n3,Rome,true,,a\n"
COLUMNS = {"city": {"kind": "categorical"}, "open": {"kind": "boolean"}, "day": {"kind": "date"}}
TABLE = pa.table(
    {
        "y": ["a", "b", "a"],
        "day": pa.array([datetime(2024, 1, 31), datetime(2024, 2, 29), None], pa.timestamp("us")),
        "open": [True, False, True],
        "city": pa.array(["Rome", "Oslo", "Rome"]).dictionary_encode(),
        "size": pa.array([1.5, None, 3.0], pa.float32()),
    }
)


def written(folder: Path, kind: str, table: pa.Table = TABLE) -> Source:
    options: dict[str, Any] = {"target": "y", "missing": "mean", "columns": COLUMNS}
    options["features"] = ["size", "city", "open", "day"]
    if kind == "csv":
        (folder / "t.csv").write_text(CSV)
        return Csv(path="t.csv", **options)
    if kind == "parquet":
        parquet.write_table(table, folder / "t.parquet", row_group_size=2)
        return Parquet(path="t.parquet", **options)
    if kind == "feather":
        feather.write_feather(table, folder / "t.feather", chunksize=2)
        return Arrow(path="t.feather", **options)
    with pa.OSFile(str(folder / "t.arrow"), "wb") as file, pa.ipc.new_stream(file, table.schema) as stream:
        stream.write_table(table, max_chunksize=1)
    return Arrow(path="t.arrow", **options)


@pytest.mark.parametrize("kind", ["parquet", "feather", "stream"])
def test_they_hold_what_the_same_csv_holds(tmp_path: Path, kind: str):
    found = []
    for each in (kind, "csv"):
        source = written(tmp_path, each)
        assert source.signature(tmp_path).inputs[INPUT].shape == (8,)
        found.append(prepare(source, tmp_path, {TARGET: TargetSpec("labels", (2,))}, 0))
    assert found[0].train.inputs[INPUT].tolist() == found[1].train.inputs[INPUT].tolist()
    assert found[0].train.targets[TARGET].tolist() == found[1].train.targets[TARGET].tolist() == [0, 1, 0]


@pytest.mark.parametrize("trained", ["csv", "parquet", "stream"])
@pytest.mark.parametrize("new", ["csv", "parquet", "feather", "stream"])
def test_a_model_takes_new_data_in_any_of_the_formats(tmp_path: Path, trained: str, new: str):
    source = written(tmp_path, trained)
    dataset = prepare(source, tmp_path, {}, 0)
    file = tmp_path / written(tmp_path, new).path
    assert apply(dataset.encoding, source, tmp_path, file=file).inputs[INPUT].tolist() == (
        dataset.train.inputs[INPUT].tolist()
    )


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        (pa.array([Decimal("1.5"), Decimal("2")]), [1.5, 2]),
        (pa.array([True, False]), [1, 0]),
        (pa.array(["1.5", "2"]), [1.5, 2]),
        (pa.array([2**40, -1]), [2.0**40, -1]),
    ],
)
def test_numbers_of_every_type(tmp_path: Path, values: pa.Array, expected: list[float]):
    parquet.write_table(pa.table({"x": values}), tmp_path / "t.parquet")
    found = prepare(Parquet(path="t.parquet"), tmp_path, {}, 0).train.inputs[INPUT]
    np.testing.assert_array_equal(found.ravel(), np.asarray(expected, np.float32))


@pytest.mark.parametrize(
    ("values", "message"),
    [
        (pa.array([1.0, None]), "t.parquet, row 1, column `x`: the cell is empty"),
        (pa.array([1.0, float("nan")]), "t.parquet, row 1, column `x`: the cell is empty"),
        (pa.array([1.0, float("inf")]), "t.parquet, row 1, column `x`: expected a finite number, found `inf`"),
        (pa.array(["1", "x"]), "t.parquet, row 1, column `x`: expected a number, found `x`"),
        (pa.array([[1], [2]]), "t.parquet, column `x`: holds list<element: int64>, which is neither numbers nor text"),
    ],
)
def test_bad_cells_are_named(tmp_path: Path, values: pa.Array, message: str):
    parquet.write_table(pa.table({"x": values}), tmp_path / "t.parquet")
    with pytest.raises(DataError) as caught:
        prepare(Parquet(path="t.parquet"), tmp_path, {}, 0)
    assert message in caught.value.message


@pytest.mark.parametrize("kind", ["parquet", "feather", "stream"])
def test_damaged_files_are_refused_or_read(tmp_path: Path, kind: str):
    source = written(tmp_path, kind)
    path = tmp_path / source.path  # type: ignore[attr-defined]
    whole = path.read_bytes()
    random = np.random.default_rng(0)
    for _ in range(150):
        content = bytearray(whole[: random.integers(0, len(whole))] if random.random() < 0.4 else whole)
        for place in random.integers(0, max(1, len(content)), 4):
            content[place : place + 1] = bytes([random.integers(256)])
        path.write_bytes(content)
        try:
            source.read(tmp_path)
        except DataError as error:
            assert str(path) in error.message  # noqa: PT017


def test_a_billion_rows_in_a_header_take_no_memory(tmp_path: Path):
    table = pa.table({"x": pa.array([0.0]).take(pa.array(np.zeros(1 << 20, np.int64)))})
    with parquet.ParquetWriter(tmp_path / "t.parquet", table.schema, compression="zstd") as writer:
        for _ in range(256):
            writer.write_table(table, row_group_size=1 << 20)
    assert (tmp_path / "t.parquet").stat().st_size < 1 << 21
    with pytest.raises(DataError, match="its header announces 268,435,456 rows, far more than the file holds"):
        Parquet(path="t.parquet").read(tmp_path)


def test_without_the_package_the_command_that_brings_it_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    source = written(tmp_path, "parquet")
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(ResourceError) as caught:
        source.signature(tmp_path)
    assert caught.value.hint == "pip install 'trainer-cli[arrow]'"
