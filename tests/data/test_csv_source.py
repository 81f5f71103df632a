"""The CSV source: what it reads, and where it says the fault is when it cannot."""

from __future__ import annotations

import gzip
import hashlib
import tracemalloc
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from trainer_cli.data import delimited
from trainer_cli.data.source import INPUT, TARGET
from trainer_cli.data.sources.csv import Csv
from trainer_cli.errors import DataError

SIMPLE = "a,b,label\n1,2,0\n3,4,1\n"


def write(folder: Path, content: str | bytes, name: str = "t.csv") -> Path:
    path = folder / name
    data = content.encode() if isinstance(content, str) else content
    path.write_bytes(gzip.compress(data) if name.endswith(".gz") else data)
    return path


def source(**arguments: Any) -> Csv:
    return Csv(**{"path": "t.csv", "target": "label", **arguments})


@pytest.mark.parametrize(
    "content",
    [
        SIMPLE,
        SIMPLE.replace("\n", "\r\n"),
        "\ufeff" + SIMPLE,
        SIMPLE.rstrip("\n"),
        '"a","b","label"\n"1","2","0"\n3,"4",1\n',
        " a , b,label \n 1, 2 ,0\n\n3,4,1\n\n",
        "a,b,label\n1e0,+2.,0\n3.0,.4e1,1\n",
    ],
    ids=["plain", "crlf", "bom", "no final newline", "quoted", "spaces and blank lines", "number notations"],
)
@pytest.mark.parametrize("name", ["t.csv", "t.csv.gz"])
def test_the_same_table_in_different_clothes(tmp_path: Path, content: str, name: str):
    path = write(tmp_path, content, name)
    table = source(path=name).read(tmp_path)
    assert table.inputs[INPUT].values.tolist() == [[1, 2], [3, 4]]
    assert table.targets[TARGET].values.tolist() == [0, 1]
    assert table.inputs[INPUT].features == ("a", "b")
    assert table.targets[TARGET].columns == ("label",)
    assert table.digest == hashlib.sha256(path.read_bytes()).hexdigest()


@pytest.mark.parametrize("delimiter", [";", "\t", "|", " "])
def test_other_delimiters(tmp_path: Path, delimiter: str):
    write(tmp_path, SIMPLE.replace(",", delimiter))
    assert source(delimiter=delimiter).read(tmp_path).inputs[INPUT].values.tolist() == [[1, 2], [3, 4]]


def test_the_signature_needs_the_header_only(tmp_path: Path):
    write(tmp_path, "a,b,label\nthis is never read")
    signature = source().signature(tmp_path)
    assert signature.inputs[INPUT].shape == (2,)
    assert signature.inputs[INPUT].dtype == "float32"
    assert signature.targets == ("target",)


def test_features_are_taken_in_the_config_s_order(tmp_path: Path):
    write(tmp_path, "text,a,b,label\nx,1,2,0\ny,3,4,1\n")
    table = source(features=["b", "a"]).read(tmp_path)
    assert table.inputs[INPUT].values.tolist() == [[2, 1], [4, 3]]
    assert table.inputs[INPUT].features == ("b", "a")


def test_several_targets_are_columns_of_numbers(tmp_path: Path):
    write(tmp_path, SIMPLE)
    table = source(target=["label", "a"]).read(tmp_path)
    assert table.inputs[INPUT].values.tolist() == [[2], [4]]
    assert table.targets[TARGET].values.tolist() == [[0, 1], [1, 3]]


def test_without_a_target_every_column_is_a_feature(tmp_path: Path):
    write(tmp_path, SIMPLE)
    table = source(target=None).read(tmp_path)
    assert table.inputs[INPUT].values.shape == (2, 3)
    assert table.targets == {}


def test_text_targets_stay_text(tmp_path: Path):
    write(tmp_path, 'a,label\n1,"big, red"\n2, blue \n')
    assert source().read(tmp_path).targets[TARGET].values.tolist() == ["big, red", "blue"]


def test_validation_and_test_files_may_order_their_columns_differently(tmp_path: Path):
    main = write(tmp_path, SIMPLE)
    validation = write(tmp_path, "label,b,a\n1,20,10\n", "v.csv")
    test = write(tmp_path, "b,extra,label,a\n200,text,0,100\n", "e.csv.gz")
    table = source(validation_path="v.csv", test_path="e.csv.gz").read(tmp_path)
    assert table.parts["validation"].inputs[INPUT].values.tolist() == [[10, 20]]
    assert table.parts["test"].inputs[INPUT].values.tolist() == [[100, 200]]
    contents = main.read_bytes() + validation.read_bytes() + test.read_bytes()
    assert table.digest == hashlib.sha256(contents).hexdigest()


def test_many_rows_arrive_in_order_with_their_lines(tmp_path: Path):
    rows = 3 * delimited._ROWS_AT_ONCE + 5
    write(tmp_path, "a,label\n" + "".join(f"{row},{row % 7}\n" for row in range(rows)))
    table = source().read(tmp_path)
    assert table.inputs[INPUT].values[:, 0].tolist() == list(range(rows))
    assert table.targets[TARGET].values.tolist() == [row % 7 for row in range(rows)]
    assert table.inputs[INPUT].origin.at(rows - 1) == f"{tmp_path}/t.csv, line {rows + 1}"


def test_a_quoted_field_may_span_lines_and_lines_are_still_counted(tmp_path: Path):
    write(tmp_path, 'a,label\n1,"two\nlines"\n\n2,x\n3,y\n')
    table = source().read(tmp_path)
    assert [table.inputs[INPUT].origin.at(row) for row in range(3)] == [
        f"{tmp_path}/t.csv, line {line}" for line in (2, 5, 6)
    ]


@pytest.mark.parametrize(
    ("content", "arguments", "message"),
    [
        ("", {}, "t.csv: is empty"),
        ("\n\n", {}, "t.csv: is empty"),
        ("a,b,label\n", {}, "t.csv: has a header but no rows"),
        ("1,2,0\n3,4,1\n", {}, "t.csv: the first line holds numbers, not the names of columns"),
        ("1,1,0\n3,4,1\n", {}, "t.csv: the first line holds numbers, not the names of columns"),
        ("a,b,a\n1,2,0\n", {}, "t.csv: the header names the column `a` twice"),
        (",a,label\n0,1,0\n", {}, "t.csv: column 1 has no name"),
        ("label\n1\n", {}, "t.csv: no columns are left as features beside the target"),
        (SIMPLE, {"target": "lable"}, "t.csv: no column `lable`"),
        (SIMPLE, {"features": ["a", "c"]}, "t.csv: no column `c`"),
        (SIMPLE.replace(",", ";"), {}, "t.csv: the header has one column, `a;b;label`"),
        ("a,b,label\n1,2,0\n3,4\n", {}, "t.csv, line 3: expected 3 cells as in the header, found 2"),
        ("a,b,label\n1,2,0\n3,4,1,5\n", {}, "t.csv, line 3: expected 3 cells as in the header, found 4"),
        ("a,b,label\n1,2,0\n3,abc,1\n", {}, "t.csv, line 3, column `b`: expected a number, found `abc`"),
        ("a,b,label\n1,x,0\ny,4,1\n", {}, "t.csv, line 2, column `b`: expected a number, found `x`"),
        ("a,b,label\n1,2,0\n3,1_000,1\n", {}, "t.csv, line 3, column `b`: expected a number, found `1_000`"),
        ("a,b,label\n1,2,0\n3,,1\n", {}, "t.csv, line 3, column `b`: the cell is empty"),
        ("a,b,label\n1,2,0\n3,nan,1\n", {}, "t.csv, line 3, column `b`: expected a finite number, found `nan`"),
        ("a,b,label\n1,-inf,0\n", {}, "t.csv, line 2, column `b`: expected a finite number, found `-inf`"),
        ("a,b,label\n1,1e999,0\n", {}, "t.csv, line 2, column `b`: expected a finite number, found `1e999`"),
        ("a,b,label\n1,2,0\n3,4,\n", {}, "t.csv, line 3, column `label`: the cell is empty"),
        ("a,b,label\n1,2,NaN\n", {}, "t.csv, line 2, column `label`: expected a finite number, found `NaN`"),
        (
            "a,b,label\n1,2,x\n",
            {"target": ["b", "label"]},
            "t.csv, line 2, column `label`: expected a number, found `x`",
        ),
        ('a,b,label\n"1\n",2,0\n3,x,1\n', {}, "t.csv, line 4, column `b`: expected a number, found `x`"),
        ('a,b,label\n1,2,0\n3,"4,1\n5,6,1\n', {}, "t.csv, line 3: a quoted field is never closed"),
        ('a,b,label\n1,"2"x,0\n', {}, "t.csv, line 2: ',' expected after '\"'"),
        ("a,b,label\n1,2,0\n3,\0,1\n", {}, "t.csv, line 3: holds a NUL byte"),
        (b"a,b,label\n1,2,0\n3,\xe4,1\n", {}, "t.csv, line 3: byte 0xe4 is not UTF-8"),
        (SIMPLE.encode("utf-16"), {}, "t.csv, line 1: byte 0xff is not UTF-8"),
        (
            "a,b,label\n1,\x1b[31m" + 70 * "x" + ",0\n",
            {},
            "t.csv, line 2, column `b`: expected a number, found `\\x1b[31m" + 31 * "x" + "…`",
        ),
    ],
)
def test_what_cannot_be_read_is_named_with_its_place(
    tmp_path: Path, content: str | bytes, arguments: dict[str, Any], message: str
):
    write(tmp_path, content)
    with pytest.raises(DataError) as error:
        source(**arguments).read(tmp_path)
    assert error.value.message == f"{tmp_path}/{message}"


@pytest.mark.parametrize(
    ("name", "content", "hint"),
    [
        ("t.csv", SIMPLE.replace("label", "lavel"), "did you mean `lavel`?"),
        ("t.csv", SIMPLE.replace("label", "q"), "columns: `a`, `b`, `q`"),
        ("t.csv", SIMPLE.replace(",", "\t"), "is the delimiter '\\t'? Set `delimiter`"),
        ("u.csv", SIMPLE, "did you mean `u.csv`?"),
    ],
)
def test_hints(tmp_path: Path, name: str, content: str, hint: str):
    write(tmp_path, content, name)
    with pytest.raises(DataError) as error:
        source().read(tmp_path)
    assert error.value.hint == hint


def test_a_fault_far_down_is_found_in_its_own_line(tmp_path: Path):
    rows = [f"{row},{row},0" for row in range(1000)]
    rows[777] = "777,oops,0"
    write(tmp_path, "a,b,label\n" + "\n".join(rows))
    with pytest.raises(DataError, match="line 779, column `b`: expected a number, found `oops`"):
        source().read(tmp_path)


def test_a_missing_file_and_a_folder(tmp_path: Path):
    with pytest.raises(DataError, match=r"x/t\.csv: no such file") as error:
        source().read(tmp_path / "x")
    assert error.value.hint == f"there is no folder {tmp_path}/x either"
    (tmp_path / "t.csv").mkdir()
    with pytest.raises(DataError, match=r"t\.csv: is a folder, expected a file"):
        source().read(tmp_path)


def test_a_column_missing_from_the_test_file_is_found_before_the_rows_are_read(tmp_path: Path):
    write(tmp_path, SIMPLE.replace("3", "not a number"))
    write(tmp_path, "a,label\n1,0\n", "e.csv")
    with pytest.raises(DataError, match=r"e\.csv: no column `b`"):
        source(test_path="e.csv").read(tmp_path)


@pytest.mark.parametrize("damage", ["cut", "flipped", "no gzip"])
def test_damaged_gzip(tmp_path: Path, damage: str):
    content = bytearray(gzip.compress(np.arange(500).astype("U").tobytes(), mtime=0))
    if damage == "cut":
        del content[-40:]
    elif damage == "flipped":
        content[len(content) // 2] ^= 0xFF
    else:
        content = bytearray(SIMPLE.encode())
    (tmp_path / "t.csv.gz").write_bytes(bytes(content))
    with pytest.raises(DataError, match=r"t\.csv\.gz"):
        source(path="t.csv.gz").read(tmp_path)


def test_new_data_needs_no_target_and_may_order_its_columns_differently(tmp_path: Path):
    new = write(tmp_path, "b,a\n2,1\n", "new.csv")
    table = (
        source(split={"test": 0.5}).reading(new, {"features": {"input": ["a", "b"]}}, with_target=False).read(Path())
    )
    assert table.inputs[INPUT].values.tolist() == [[1, 2]]
    assert table.targets == {}
    with pytest.raises(DataError, match=r"new\.csv: no column `label`"):
        source().reading(new, {"features": {"input": ["a", "b"]}}, with_target=True).read(Path())


def test_paths_become_absolute(tmp_path: Path):
    anchored = source(test_path="/elsewhere/e.csv").anchored(tmp_path)
    assert anchored.path == str(tmp_path / "t.csv")
    assert anchored.test_path == "/elsewhere/e.csv"
    assert anchored.validation_path is None
    assert Csv.model_validate({key: item for key, item in anchored.model_dump().items() if key != "type"}) == anchored


def test_a_line_without_an_end_takes_no_more_memory_than_a_line_may(tmp_path: Path):
    with gzip.open(tmp_path / "t.csv.gz", "wb", compresslevel=1) as file:
        for _ in range(140):
            file.write(b"1," * (1 << 19))
    tracemalloc.start()
    with pytest.raises(DataError, match=r"t\.csv\.gz, line 1: is longer than 64 million characters"):
        Csv(path="t.csv.gz").read(tmp_path)
    assert tracemalloc.get_traced_memory()[1] < 1 << 28
    tracemalloc.stop()


def test_a_gigantic_cell_is_named(tmp_path: Path):
    (tmp_path / "t.csv").write_text("a,b\n1,2\n" + "x" * 200_000 + ",3\n")
    with pytest.raises(DataError, match=r"t\.csv, line 3: field larger than field limit"):
        Csv(path="t.csv").read(tmp_path)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"features": ["a", "label"]}, "the target `label` is among the features as well"),
        ({"features": ["a", "a"]}, "the column `a` is named twice"),
        ({"target": ["a", "a"]}, "the column `a` is named twice"),
        ({"split": {"validation": 0.5, "test": 0.5}}, "leave no rows to train on"),
        ({"split": {"test": 0.5}, "test_path": "e.csv"}, "a split would hold out a second one"),
        ({"split": {"validation": -0.1}}, "greater than or equal to 0"),
        ({"delimiter": "auto"}, "Input should be ',', ';'"),
        ({"unknown": 1}, "Extra inputs are not permitted"),
    ],
)
def test_refused_configs(arguments: dict[str, Any], message: str):
    with pytest.raises(ValueError, match=message):
        source(**arguments)
