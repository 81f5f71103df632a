"""Mapped data: the same rows and encodings as loaded data, read in blocks; converted once, and again after damage."""

from __future__ import annotations

import json
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.same_rows import assert_same, assert_same_data
from trainer_cli.data import stored_array
from trainer_cli.data.prepare import apply, prepare
from trainer_cli.data.source import Source
from trainer_cli.data.sources.csv import Csv
from trainer_cli.data.sources.idx import Idx
from trainer_cli.data.sources.json_lines import JsonLines
from trainer_cli.data.sources.npy import Npy
from trainer_cli.data.sources.npz import Npz
from trainer_cli.data.targets import TargetSpec
from trainer_cli.errors import DataError, ResourceError
from trainer_cli.parts.families import SOURCES

ROWS = 230
DIVIDED = {"validation": 0.2, "test": 0.1}
LABELS = {"target": TargetSpec("labels", None)}
NUMBERS = {"target": TargetSpec("values", (1,))}


def table(folder: Path, separator: str = ",") -> None:
    draw = np.random.default_rng(3)
    lines = [separator.join(("a", "b", "city", "day", "ok", "note", "y", "price", "w"))]
    for row in range(ROWS):
        cells = [
            f"{draw.normal():.4f}",
            "" if row % 7 == 0 else str(row * row),
            # Categories whose order of appearance differs from block to block.
            ["Rome", "Oslo", "Bonn", "?"][(row * row // 5) % 4],
            f"2024-0{1 + row % 9}-11",
            "yes" if row % 3 else "no",
            f"word{row % 11} and word{row % 5}",
            ["cat", "dog", "eel"][row * row % 3],
            f"{draw.normal() + 30:.3f}",
            "0" if row < 60 else "2",
        ]
        lines.append(separator.join(cells))
    (folder / "t.csv").write_text("\n".join(lines) + "\n")


def json_rows(folder: Path) -> None:
    rows = [{"words": f"w{row % 13} of w{row * row % 7}", "y": row % 3} for row in range(ROWS)]
    (folder / "t.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))


def archive(folder: Path) -> None:
    draw = np.random.default_rng(1)
    names = np.asarray(["cat", "horse", "o"])[draw.integers(0, 3, ROWS)]
    np.savez(
        folder / "t.npz",
        x=draw.normal(size=(ROWS, 3, 2)).astype(np.float32),
        y=names,
        xt=np.ones((9, 3, 2)),
        yt=names[:9],
    )


def arrays(folder: Path) -> None:
    draw = np.random.default_rng(1)
    values = draw.normal(size=(ROWS, 3, 2)).astype(np.float32)
    # Two files whose border lies within a block; one is stored column by column.
    np.save(folder / "x_0.npy", values[:95])
    np.save(folder / "x_1.npy", np.asfortranarray(values[95:]))
    np.save(folder / "y.npy", np.asarray(["cat", "horse", "o"])[draw.integers(0, 3, ROWS)])
    np.save(folder / "w.npy", np.arange(ROWS) % 4)


def images(folder: Path) -> None:
    pixels, labels = np.arange(ROWS * 12) % 251, np.arange(ROWS) % 10
    (folder / "train-images-idx3-ubyte").write_bytes(
        struct.pack(">4B3I", 0, 0, 8, 3, ROWS, 4, 3) + pixels.astype(np.uint8).tobytes()
    )
    (folder / "train-labels-idx1-ubyte").write_bytes(
        struct.pack(">4BI", 0, 0, 8, 1, ROWS) + labels.astype(np.uint8).tobytes()
    )


CITY = {"kind": "categorical", "missing": "median"}
KINDS = [
    pytest.param(Csv, table, {"features": ["a"], "target": "y", "scaling": "standardize"}, LABELS, id="plain numbers"),
    pytest.param(
        Csv,
        table,
        {
            "features": ["a", "b", "city", "day", "ok"],
            "target": "price",
            "target_scaling": "standardize",
            "scaling": "standardize",
            "sample_weight": "w",
            "columns": {
                "b": {"missing": "median", "clip": [0.1, 0.9]},
                "city": CITY,
                "day": {"kind": "date"},
                "ok": {"kind": "boolean"},
            },
        },
        NUMBERS,
        id="columns",
    ),
    pytest.param(
        Csv,
        table,
        {
            "features": {"n": ["a"], "c": ["city"], "t": ["note"]},
            "target": "y",
            "columns": {
                "city": {"kind": "categorical", "encoding": "integer", "missing": "zero"},
                "note": {"kind": "text", "length": 4},
            },
        },
        LABELS,
        id="inputs",
    ),
    pytest.param(JsonLines, json_rows, {"input": "words", "target": "y", "sequence": {"length": 4}}, LABELS, id="json"),
    pytest.param(Npz, archive, {"scaling": "min_max"}, LABELS, id="npz"),
    pytest.param(Npy, arrays, {"target": "y.npy", "sample_weight": "w.npy", "scaling": "min_max"}, LABELS, id="npy"),
    pytest.param(Idx, images, {"folder": "."}, LABELS, id="idx"),
]  # fmt: skip
PATHS = {
    Csv: {"path": "t.csv"},
    JsonLines: {"path": "t.jsonl"},
    Npz: {"path": "t.npz"},
    Npy: {"input": "x_*.npy"},
    Idx: {},
}


@pytest.fixture(autouse=True)
def small_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stored_array, "_BLOCK_ROWS", 17)


@pytest.mark.parametrize(("kind", "write", "options", "targets"), KINDS)
def test_mapped_data_is_what_loaded_data_is(
    tmp_path: Path, kind: type[Source], write: Callable[[Path], None], options: dict[str, Any], targets: Any
):
    write(tmp_path)
    given = {**PATHS[kind], **options, "split": {**DIVIDED, "stratify": targets is LABELS}}
    expected = prepare(kind(**given), tmp_path, targets, 5)
    source = kind(**given, memory="mapped")
    found = prepare(source, tmp_path, targets, 5, cache=tmp_path / "cache")
    assert_same_data(found, expected)
    assert found.block is not None
    assert expected.block is None
    again = prepare(source, tmp_path, targets, 5, cache=tmp_path / "cache")
    assert_same_data(again, expected)
    for part in ("test", None):
        one = apply(found.encoding, source, tmp_path, part=part, cache=tmp_path / "cache")
        assert_same(one, apply(expected.encoding, source, tmp_path, part=part))


def test_parts_with_files_of_their_own(tmp_path: Path):
    archive(tmp_path)
    given = {"path": "t.npz", "test_input": "xt", "test_target": "yt"}
    found = prepare(Npz(**given, memory="mapped"), tmp_path, LABELS, 0, cache=tmp_path / "cache")
    assert_same_data(found, prepare(Npz(**given), tmp_path, LABELS, 0))


def grouped(folder: Path) -> None:
    """Rows whose groups and times are spread over many blocks; the first times are numbers and dates alike."""
    numbers = np.arange(ROWS)
    who = [f"p{row * row % 23}" for row in numbers]
    days = [f"2024{1 + row % 5:02}{1 + row % 28:02}" if row < 60 else f"2023-{1 + row % 12:02}-07" for row in numbers]
    rows = list(zip(numbers.tolist(), who, days, (numbers % 3).tolist(), strict=True))
    (folder / "t.csv").write_text("x,who,day,y\n" + "".join(",".join(map(str, row)) + "\n" for row in rows))
    keys = ("x", "who", "day", "y")
    (folder / "t.jsonl").write_text("".join(json.dumps(dict(zip(keys, row, strict=True))) + "\n" for row in rows))
    columns = {"x": numbers * 1.0, "who": np.asarray(who), "day": np.asarray(days), "y": numbers % 3}
    np.savez(folder / "t.npz", **columns)
    for name, values in columns.items():
        np.save(folder / f"{name}.npy", values)


GROUPED = [
    pytest.param("csv", {"path": "t.csv", "features": ["x"], "target": "y"}, "", id="csv"),
    pytest.param("json_lines", {"path": "t.jsonl", "input": "x", "target": "y"}, "", id="json_lines"),
    pytest.param("npz", {"path": "t.npz"}, "", id="npz"),
    pytest.param("npy", {"input": "x.npy", "target": "y.npy"}, ".npy", id="npy"),
]


@pytest.mark.parametrize("way", ["group", "time"])
@pytest.mark.parametrize(("kind", "given", "ending"), GROUPED)
def test_rows_split_by_a_column_are_in_the_same_parts(
    tmp_path: Path, kind: str, given: dict[str, Any], ending: str, way: str
):
    grouped(tmp_path)
    split = {**DIVIDED, way: ("who" if way == "group" else "day") + ending}
    made = {
        memory: SOURCES.find(kind).model_validate({**given, "split": split, "memory": memory})
        for memory in ("loaded", "mapped")
    }
    expected = prepare(made["loaded"], tmp_path, LABELS, 2)
    found = prepare(made["mapped"], tmp_path, LABELS, 2, cache=tmp_path / "cache")
    assert_same_data(found, expected)
    assert found.test is not None
    again = apply(found.encoding, made["mapped"], tmp_path, part="test", cache=tmp_path / "cache")
    assert_same(again, found.test)
    rows = [part.inputs["input"].ravel().astype(int) for part in (found.train, found.validation, found.test) if part]
    assert sorted(np.concatenate(rows).tolist()) == list(range(ROWS))
    if way == "group":
        groups = [{f"p{row * row % 23}" for row in part.tolist()} for part in rows]
        assert not groups[0] & groups[1]
        assert not groups[0] & groups[2]
    else:  # those of 2024 are the latest
        assert rows[2].max() < 60


def test_a_time_that_is_none_is_named_wherever_it_stands(tmp_path: Path):
    rows = [f"{row},{row % 2},{2000 + row if row != 90 else 'soon'}" for row in range(100)]
    (tmp_path / "t.csv").write_text("\n".join(["a,y,t", *rows]))
    given = {"path": "t.csv", "target": "y", "split": {"test": 0.2, "time": "t"}}
    for memory, cache in (("loaded", None), ("mapped", tmp_path / "cache")):
        with pytest.raises(DataError, match=r"t.csv, line 2, column `t`: expected a date or time .* found `2000`"):
            prepare(Csv(**given, memory=memory), tmp_path, LABELS, 0, cache=cache)


def test_parquet(tmp_path: Path):
    pa = pytest.importorskip("pyarrow")
    from pyarrow import parquet

    words = ["Rome", "Oslo", None, "Bonn"]
    columns = {"a": np.arange(90.0), "city": [words[row // 5 % 4] for row in range(90)], "y": np.arange(90) % 3}
    parquet.write_table(pa.table(columns), tmp_path / "t.parquet", row_group_size=40)
    kind = SOURCES.find("parquet")
    given = {"path": "t.parquet", "target": "y", "split": DIVIDED, "columns": {"city": CITY}}
    source = kind.model_validate({**given, "memory": "mapped"})
    found = prepare(source, tmp_path, LABELS, 0, cache=tmp_path / "cache")
    assert_same_data(found, prepare(kind.model_validate(given), tmp_path, LABELS, 0))


def test_rows_are_in_files_that_are_made_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    table(tmp_path)
    source = Csv(path="t.csv", features=["a"], target="y", memory="mapped")
    cache = tmp_path / "cache"
    (values,) = prepare(source, tmp_path, LABELS, 0, cache=cache).train.inputs.values()
    assert isinstance(values.base, np.memmap)
    assert not values.flags.writeable
    (place,) = cache.iterdir()
    assert not list(place.glob("raw*"))
    monkeypatch.setattr(Csv, "part_blocks", lambda *_: pytest.fail("converted again"))
    prepare(source, tmp_path, LABELS, 0, cache=cache)


@pytest.mark.parametrize("change", ["seed", "scaling", "file"])
def test_whatever_shapes_the_arrays_makes_new_ones(tmp_path: Path, change: str):
    table(tmp_path)
    source = Csv(path="t.csv", features=["a"], target="y", memory="mapped", split=DIVIDED)
    cache = tmp_path / "cache"
    prepare(source, tmp_path, LABELS, 0, cache=cache)
    if change == "scaling":
        source = source.model_copy(update={"scaling": "min_max"})
    if change == "file":
        text = (tmp_path / "t.csv").read_text()
        (tmp_path / "t.csv").write_text(text.replace("cat", "dog", 1))
    found = prepare(source, tmp_path, LABELS, int(change == "seed"), cache=cache)
    assert len(list(cache.iterdir())) == 2
    assert_same_data(found, prepare(source, tmp_path, LABELS, int(change == "seed")))


@pytest.mark.parametrize("kind", ["csv", "npy"])
def test_the_same_files_in_another_folder_are_the_same_data(tmp_path: Path, kind: str):
    """A run directory's config gives other paths than the config that it was made from."""
    (tmp_path / "here").mkdir()
    grouped(tmp_path / "here")
    ending, given = next((case.values[2], case.values[1]) for case in GROUPED if case.id == kind)
    split, cache = {"test": 0.2, "group": f"who{ending}"}, tmp_path / "cache"
    source = SOURCES.find(kind).model_validate({**given, "split": split, "memory": "mapped"})
    prepare(source, tmp_path / "here", LABELS, 0, cache=cache)
    found = prepare(source.anchored(tmp_path / "here"), Path("/"), LABELS, 0, cache=cache)
    assert len(list(cache.iterdir())) == 1
    assert_same_data(found, prepare(source, tmp_path / "here", LABELS, 0))
    (tmp_path / "here").rename(tmp_path / "there")
    prepare(source, tmp_path / "there", LABELS, 0, cache=cache)
    assert len(list(cache.iterdir())) == 1


def test_the_ending_of_a_name_says_how_a_file_is_read(tmp_path: Path):
    (tmp_path / "t.csv").write_text("a,y\n" + "1,0\n" * 30)
    source, cache = Csv(path="t.?sv", target="y", memory="mapped"), tmp_path / "cache"
    prepare(source, tmp_path, LABELS, 0, cache=cache)
    (tmp_path / "t.csv").rename(tmp_path / "t.tsv")
    with pytest.raises(DataError, match=r"t\.tsv: the header has one column, `a,y`"):
        prepare(source, tmp_path, LABELS, 0, cache=cache)


@pytest.mark.parametrize("damage", ["cut", "gone", "index"])
def test_a_damaged_folder_is_made_again(tmp_path: Path, damage: str):
    table(tmp_path)
    source = Csv(path="t.csv", features=["a"], target="y", memory="mapped")
    cache = tmp_path / "cache"
    prepare(source, tmp_path, LABELS, 0, cache=cache)
    (place,) = cache.iterdir()
    if damage == "cut":
        (place / "train.inputs.0").write_bytes(b"1234")
    elif damage == "gone":
        (place / "train.inputs.0").unlink()
    else:
        (place / "index.json").write_text("{")
    assert_same_data(prepare(source, tmp_path, LABELS, 0, cache=cache), prepare(source, tmp_path, LABELS, 0))


def test_another_process_may_be_faster(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    table(tmp_path)
    source = Csv(path="t.csv", features=["a"], target="y", memory="mapped")
    cache, read, others = tmp_path / "cache", Csv.part_blocks, []

    def part_blocks(*arguments: Any) -> Any:
        if not others:
            with monkeypatch.context() as patch:
                patch.setattr("os.getpid", lambda: 1)
                others.append(None)
                others.append(prepare(source, tmp_path, LABELS, 0, cache=cache))
        return read(*arguments)

    monkeypatch.setattr(Csv, "part_blocks", part_blocks)
    found = prepare(source, tmp_path, LABELS, 0, cache=cache)
    assert_same_data(found, others[1])
    assert len(list(cache.iterdir())) == 1


def test_an_error_names_its_row_and_leaves_nothing(tmp_path: Path):
    rows = [f"{row},{row % 2}" for row in range(100)]
    rows[70] = "1e300,1"
    (tmp_path / "t.csv").write_text("\n".join(["a,y", *rows]))
    source = Csv(path="t.csv", target="y", memory="mapped", split=DIVIDED)
    with pytest.raises(DataError, match=r"t.csv, line 72, column `a`: expected a number that float32 can hold"):
        prepare(source, tmp_path, LABELS, 0, cache=tmp_path / "cache")
    assert list((tmp_path / "cache").iterdir()) == []


def test_a_cache_that_cannot_be_written_is_named(tmp_path: Path):
    table(tmp_path)
    (tmp_path / "cache").write_text("no folder")
    with pytest.raises(ResourceError, match="cannot write"):
        prepare(
            Csv(path="t.csv", target="y", features=["a"], memory="mapped"),
            tmp_path,
            LABELS,
            0,
            cache=tmp_path / "cache",
        )


def test_a_target_of_numbers_and_texts_is_refused(tmp_path: Path):
    (tmp_path / "t.csv").write_text("a,y\n" + "1,1\n" * 40 + "1,x\n" * 40)
    with pytest.raises(DataError, match="the target `y` is numbers in some blocks of rows and text in others"):
        prepare(Csv(path="t.csv", target="y", memory="mapped"), tmp_path, LABELS, 0, cache=tmp_path / "cache")


@pytest.mark.parametrize("memory", ["loaded", "mapped"])
def test_more_classes_than_units_are_named_though_no_block_has_all_of_them(tmp_path: Path, memory: str):
    rows = [f"{row},{'abc'[row // 40]}" for row in range(119)]  # `c` is the rarest, and no block holds all three
    (tmp_path / "t.csv").write_text("\n".join(["a,y", *rows]))
    cache = tmp_path / "cache" if memory == "mapped" else None
    message = r"t.csv, line 82, column `y`: label out of range: the output has 2 units, the column has 3: .* found `c`"
    with pytest.raises(DataError, match=message):
        prepare(
            Csv(path="t.csv", target="y", memory=memory),
            tmp_path,
            {"target": TargetSpec("labels", (2,))},
            0,
            cache=cache,
        )


def test_messages_about_a_file_name_it_once_however_many_blocks_it_has(tmp_path: Path):
    (tmp_path / "t.csv").write_text("a,y,w\n" + "1,1,0\n" * 60)
    source = Csv(path="t.csv", target="y", sample_weight="w", memory="mapped")
    with pytest.raises(DataError) as caught:
        prepare(source, tmp_path, LABELS, 0, cache=tmp_path / "cache")
    assert caught.value.message == f"{tmp_path}/t.csv: all sample weights `w` are 0, so no row counts"
    (tmp_path / "u.csv").write_text("a,y,w\n" + "1,1,0\n" * 60)
    source = source.model_copy(update={"path": ["t.csv", "u.csv"]})
    with pytest.raises(DataError, match=r"t\.csv and 1 more: all sample weights"):
        prepare(source, tmp_path, LABELS, 0, cache=tmp_path / "cache")
