"""The NPZ source: arrays by key, numbers only, nothing unpickled, no claim believed."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from trainer_cli.data.source import INPUT, TARGET
from trainer_cli.data.sources.npz import Npz
from trainer_cli.errors import DataError


def save(folder: Path, **arrays: Any) -> Path:
    path = folder / "t.npz"
    np.savez_compressed(path, **arrays)
    return path


@pytest.mark.parametrize(
    ("given", "kept"),
    [("uint8", "uint8"), ("float32", "float32"), ("float16", "float64"), ("int64", "float64"), ("bool", "float64")],
)
def test_numbers_keep_their_values(tmp_path: Path, given: str, kept: str):
    values = np.asarray([[0, 1, 1], [1, 0, 0]], given)
    save(tmp_path, x=values, y=np.asarray([3, 4]))
    source = Npz(path="t.npz")
    table = source.read(tmp_path)
    assert table.inputs[INPUT].values.dtype == kept
    assert np.array_equal(table.inputs[INPUT].values, values)
    assert table.targets[TARGET].values.tolist() == [3, 4]
    signature = source.signature(tmp_path)
    assert signature.inputs[INPUT].shape == (3,)
    assert signature.inputs[INPUT].dtype == ("uint8" if given == "uint8" else "float32")


def test_single_numbers_become_rows_of_one(tmp_path: Path):
    save(tmp_path, x=np.arange(4.0), y=np.asarray(["a", "b", "a", "c"]))
    source = Npz(path="t.npz")
    table = source.read(tmp_path)
    assert table.inputs[INPUT].values.shape == (4, 1)
    assert source.signature(tmp_path).inputs[INPUT].shape == (1,)
    assert table.targets[TARGET].values.tolist() == ["a", "b", "a", "c"]


def test_parts_as_in_keras_s_archives(tmp_path: Path):
    save(tmp_path, x_train=np.zeros((4, 2)), y_train=np.zeros(4), x_test=np.ones((3, 2)), y_test=np.ones(3))
    source = Npz(path="t.npz", input="x_train", target="y_train", test_input="x_test", test_target="y_test")
    table = source.read(tmp_path)
    assert table.rows == 4
    assert table.parts["test"].rows == 3
    new = source.reading(tmp_path / "t.npz", {}, with_target=False)
    assert new.read(Path()).targets == {}
    assert new.own_parts == ()


@pytest.mark.parametrize("order", ["C", "F"])
def test_new_rows_come_in_blocks_where_they_are_in_one_piece(tmp_path: Path, order: Any):
    values = np.arange(15.0).reshape(5, 3)
    save(tmp_path, x=np.asarray(values, order=order))
    found = list(Npz(path=str(tmp_path / "t.npz"), target=None).blocks(2))
    assert [table.rows for table in found] == ([2, 2, 1] if order == "C" else [5])
    assert np.array_equal(np.concatenate([table.inputs[INPUT].values for table in found]), values)
    mapped = Npz(path="t.npz", target=None).part_blocks(tmp_path, "train", 2)
    if order == "F":
        with pytest.raises(DataError, match="is stored column by column"):
            next(mapped)


@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        ({"x": np.zeros((2, 2))}, "t.npz: no array `y`"),
        ({"x": np.zeros((2, 2)), "y": np.zeros(3)}, "t.npz, array `y`: has 3 rows, `x` has 2"),
        ({"x": np.zeros((0, 2)), "y": np.zeros(0)}, "t.npz, array `x`: holds no rows (shape (0, 2))"),
        ({"x": np.float64(1), "y": np.zeros(1)}, "t.npz, array `x`: holds no rows (shape ())"),
        (
            {"x": np.asarray([[1, 2], [3, np.nan]]), "y": np.zeros(2)},
            "t.npz, array `x`, row 1, element [1]: expected a finite number, found `nan`",
        ),
        (
            {"x": np.zeros((2, 2)), "y": np.asarray([1, np.inf])},
            "t.npz, array `y`, row 1: expected a finite number, found `inf`",
        ),
        (
            {"x": np.asarray([["a"], ["b"]]), "y": np.zeros(2)},
            "t.npz, array `x`: expected numbers, found elements of type <U1",
        ),
        (
            {"x": np.asarray([[1j], [2j]]), "y": np.zeros(2)},
            "t.npz, array `x`: expected numbers, found elements of type complex128",
        ),
        (
            {"x": np.asarray([{}, {}], object), "y": np.zeros(2)},
            "t.npz, array `x`: holds pickled Python objects, which are never loaded",
        ),
    ],
)
def test_what_cannot_be_read_is_named(tmp_path: Path, arrays: dict[str, Any], message: str):
    save(tmp_path, **arrays)
    with pytest.raises(DataError) as error:
        Npz(path="t.npz").read(tmp_path)
    assert error.value.message == f"{tmp_path}/{message}"


def test_no_zip_file(tmp_path: Path):
    (tmp_path / "t.npz").write_text("hello")
    with pytest.raises(DataError, match=r"t\.npz: is no readable \.npz file: File is not a zip file"):
        Npz(path="t.npz").read(tmp_path)
    with pytest.raises(DataError, match=r"s\.npz: no such file"):
        Npz(path="s.npz").read(tmp_path)


def test_an_array_that_claims_more_than_it_holds(tmp_path: Path):
    header = io.BytesIO()
    np.lib.format.write_array_header_1_0(header, {"descr": "<f8", "fortran_order": False, "shape": (2**40, 2)})
    with zipfile.ZipFile(tmp_path / "t.npz", "w") as members:
        members.writestr("x.npy", header.getvalue() + bytes(64))
    with pytest.raises(DataError) as error:
        Npz(path="t.npz", target=None).read(tmp_path)
    assert error.value.message == f"{tmp_path}/t.npz, array `x`: its header announces more bytes than the file holds"


def test_a_damaged_member(tmp_path: Path):
    path = save(tmp_path, x=np.random.default_rng(0).normal(size=(50, 4)))
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 0xFF
    path.write_bytes(bytes(content))
    with pytest.raises(DataError, match=r"t\.npz"):
        Npz(path="t.npz", target=None).read(tmp_path)


def test_parts_of_another_shape(tmp_path: Path):
    save(tmp_path, x=np.zeros((2, 3)), y=np.zeros(2), x2=np.zeros((2, 4)), y2=np.zeros(2))
    source = Npz(path="t.npz", validation_input="x2", validation_target="y2")
    with pytest.raises(DataError) as error:
        source.read(tmp_path)
    assert error.value.message == f"{tmp_path}/t.npz, array `x2`: its rows have shape (4,), those to train on (3,)"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"test_target": "y2"}, "`test_target` needs `test_input`"),
        ({"test_input": "x2"}, "give either both `target` and `test_target`, or neither"),
        ({"target": None, "test_input": "x2", "test_target": "y2"}, "give either both"),
    ],
)
def test_refused_configs(arguments: dict[str, Any], message: str):
    with pytest.raises(ValueError, match=message):
        Npz(path="t.npz", **arguments)
