"""The NPY source: arrays in files of their own, several in the order of their rows, and new data beside them."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from trainer_cli.data.prepare import apply, blocks, prepare
from trainer_cli.data.source import INPUT, SAMPLE_WEIGHT, TARGET
from trainer_cli.data.sources.npy import Npy
from trainer_cli.data.targets import TargetSpec
from trainer_cli.errors import DataError

LABELS = {TARGET: TargetSpec("labels", None)}


def save(folder: Path, **arrays: Any) -> None:
    folder.mkdir(exist_ok=True)
    for name, values in arrays.items():
        np.save(folder / f"{name}.npy", values)


@pytest.mark.parametrize(
    ("given", "kept"),
    [("uint8", "uint8"), ("float32", "float32"), ("float16", "float64"), (">f4", "float64"), ("int64", "float64")],
)
@pytest.mark.parametrize("order", ["C", "F"])
def test_numbers_keep_their_values(tmp_path: Path, given: str, kept: str, order: Any):
    values = np.asarray([[0, 1, 1], [1, 0, 0]], given, order=order)
    save(tmp_path, x=values, y=np.asarray([3, 4]))
    source = Npy(input="x.npy", target="y.npy")
    found = source.read(tmp_path).inputs[INPUT].values
    assert (found.dtype, found.tolist()) == (kept, [[0, 1, 1], [1, 0, 0]])
    bytes_ = np.dtype(given) == np.uint8
    assert source.signature(tmp_path).inputs[INPUT] == ((3,), "uint8" if bytes_ else "float32", 1.0)
    assert source.signature(tmp_path).targets == (TARGET,)


def test_several_files_are_rows_in_the_order_of_names_or_of_the_list(tmp_path: Path):
    save(tmp_path, x_a=np.zeros((2, 1)), x_b=np.ones((3, 1), np.uint8), y=np.asarray(["no", "no", "yes", "no", "yes"]))
    table = Npy(input="x_*.npy", target="y.npy").read(tmp_path)
    assert table.inputs[INPUT].values.ravel().tolist() == [0, 0, 1, 1, 1]
    assert table.inputs[INPUT].origin.at(3) == f"{tmp_path}/x_b.npy, row 1"
    table = Npy(input=["x_b.npy", "x_a.npy"], target="y.npy").read(tmp_path)
    assert table.inputs[INPUT].values.ravel().tolist() == [1, 1, 1, 0, 0]
    read = [block.inputs[INPUT].values.ravel().tolist() for block in Npy(input=str(tmp_path / "x_*.npy")).blocks(2)]
    assert read == [[0, 0], [1, 1], [1]]


def test_inputs_targets_and_parts_by_name(tmp_path: Path):
    save(tmp_path, a=np.zeros((4, 2)), b=np.zeros((4, 3)), y=np.zeros(4), z=np.ones(4))
    save(tmp_path / "held", a=np.ones((2, 2)), b=np.ones((2, 3)), y=np.ones(2), z=np.ones(2))
    names = {"input": {"one": "a.npy", "two": "b.npy"}, "target": {"p": "y.npy", "q": "z.npy"}}
    own = {f"test_{role}": {name: f"held/{file}" for name, file in given.items()} for role, given in names.items()}
    source = Npy(**names, **own)
    table = source.read(tmp_path)
    assert set(table.inputs) == {"one", "two"}
    assert table.parts["test"].targets["q"].values.tolist() == [1, 1]
    assert [path.name for path in source.files(tmp_path)["test"]] == ["a.npy", "b.npy", "y.npy", "z.npy"]
    new = source.reading(tmp_path / "held", {}, with_target=True).read(Path())
    assert new.inputs["two"].values.shape == (2, 3)
    assert new.parts == {}
    with pytest.raises(DataError, match="trained on several files of inputs"):
        source.reading(tmp_path / "a.npy", {}, with_target=False)


@pytest.mark.parametrize(
    ("names", "new", "expected"),
    [
        (("x_train.npy", "y_train.npy"), "x_test.npy", "y_test.npy"),
        (("train_images.npy", "train_labels.npy"), "new_images.npy", "new_labels.npy"),
        (("photos.npy", "photos_labels.npy"), "others.npy", "others_labels.npy"),
        (("photos-x.npy", "photos-classes.npy"), "b-x.npy", "b-classes.npy"),
    ],
)
def test_new_targets_are_named_as_those_trained_on(tmp_path: Path, names: tuple[str, str], new: str, expected: str):
    values, labels = np.arange(6.0).reshape(3, 2), np.asarray([0, 1, 1])
    np.save(tmp_path / names[0], values)
    np.save(tmp_path / names[1], labels)
    np.save(tmp_path / new, values[:2] * 3)
    np.save(tmp_path / expected, labels[:2])
    source = Npy(input=names[0], target=names[1], scaling="standardize")
    encoding = prepare(source, tmp_path, LABELS, 0).encoding
    found = apply(encoding, source, tmp_path, file=tmp_path / new)
    assert found.targets[TARGET].tolist() == [0, 1]
    (tmp_path / expected).unlink()
    with pytest.raises(DataError, match=f"{expected}: no such file"):
        apply(encoding, source, tmp_path, file=tmp_path / new)
    (alone,) = blocks(encoding, source, tmp_path / new, 10)
    assert np.array_equal(alone.inputs[INPUT], found.inputs[INPUT])


def test_new_data_in_a_folder_keeps_its_names_and_may_lack_weights(tmp_path: Path):
    arrays = {"x": np.arange(6.0).reshape(3, 2), "y": np.asarray(["a", "b", "b"]), "w": np.asarray([1.0, 2, 0])}
    save(tmp_path, **arrays)
    source = Npy(input="x.npy", target="y.npy", sample_weight="w.npy")
    encoding = prepare(source, tmp_path, LABELS, 0).encoding
    save(tmp_path / "new", **arrays)
    found = apply(encoding, source.anchored(tmp_path), tmp_path, file=tmp_path / "new")
    assert found.weights[SAMPLE_WEIGHT].tolist() == [1, 2, 0]
    (tmp_path / "new" / "w.npy").unlink()
    assert not apply(encoding, source, tmp_path, file=tmp_path / "new").weights
    same = Npy(input="x/d.npy", target="y/d.npy")
    with pytest.raises(DataError, match=r"new/x.npy: inputs and `d.npy` cannot be told apart by their names"):
        same.reading(tmp_path / "new" / "x.npy", {}, with_target=True)


def test_paths_are_those_of_all_arrays(tmp_path: Path):
    split = {"test": 0.5, "group": "who.npy"}
    source = Npy(input={"a": "a.npy", "b": ["b.npy", "c.npy"]}, target="y.npy", split=split)
    save(tmp_path, a=np.zeros(2), b=np.zeros(2), y=np.zeros(2))
    assert [path.name for path in source.absent(tmp_path)] == ["c.npy", "who.npy"]
    anchored = source.anchored(tmp_path)
    assert anchored.input == {"a": f"{tmp_path}/a.npy", "b": [f"{tmp_path}/b.npy", f"{tmp_path}/c.npy"]}
    assert anchored.split.group == f"{tmp_path}/who.npy"
    assert anchored.anchored(Path("/elsewhere")) == anchored


@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        ({"x": np.zeros((2, 2))}, "y.npy: no such file"),
        ({"x": np.zeros((2, 2)), "y": np.zeros(3)}, "y.npy: has 3 rows, `x.npy` has 2"),
        ({"x": np.zeros((0, 2)), "y": np.zeros(0)}, "x.npy: holds no rows (shape (0, 2))"),
        ({"x": np.zeros((2, 0)), "y": np.zeros(2)}, "x.npy: holds no rows (shape (2, 0))"),
        ({"x": np.float64(1), "y": np.zeros(1)}, "x.npy: holds no rows (shape ())"),
        (
            {"x": np.asarray([[1, 2], [3, np.nan]]), "y": np.zeros(2)},
            "x.npy, row 1, element [1]: expected a finite number, found `nan`",
        ),
        ({"x": np.asarray([["a"], ["b"]]), "y": np.zeros(2)}, "x.npy: expected numbers, found elements of type <U1"),
        (
            {"x": np.zeros(2, [("a", "f4"), ("b", "i2")]), "y": np.zeros(2)},
            "x.npy: expected numbers, found elements of type [('a', '<f4'), ('b', '<i2')]",
        ),
        (
            {"x": np.asarray([{}, {}], object), "y": np.zeros(2)},
            "x.npy: holds pickled Python objects, which are never loaded",
        ),
    ],
)
def test_what_cannot_be_read_is_named(tmp_path: Path, arrays: dict[str, Any], message: str):
    for name, values in arrays.items():
        np.save(tmp_path / f"{name}.npy", values, allow_pickle=True)
    with pytest.raises(DataError) as error:
        Npy(input="x.npy", target="y.npy").read(tmp_path)
    assert error.value.message == f"{tmp_path}/{message}"


@pytest.mark.parametrize(
    ("shapes", "message"),
    [
        (((2, 3), (2, 4)), "x_1.npy: its rows have shape (4,), those of {}/x_0.npy (3,)"),
        (((2, 3), "text"), "x_1.npy: holds elements of type <U1, {}/x_0.npy float64"),
    ],
)
def test_files_that_do_not_go_together(tmp_path: Path, shapes: Any, message: str):
    for number, shape in enumerate(shapes):
        save(tmp_path, **{f"x_{number}": np.full((2, 3), "a") if shape == "text" else np.zeros(shape)})
    with pytest.raises(DataError) as error:
        Npy(input="x_*.npy").signature(tmp_path)
    assert error.value.message == f"{tmp_path}/{message.format(tmp_path)}"


def header_of(**fields: Any) -> bytes:
    header = io.BytesIO()
    np.lib.format.write_array_header_1_0(header, {"descr": "<f8", "fortran_order": False, **fields})
    return header.getvalue()


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "the header of the array is damaged"),
        (b"a,b\n1,2\n", "the header of the array is damaged: the magic string is not correct"),
        (header_of(shape=(2**40, 2)) + bytes(64), "its header announces 17,592,186,044,416 bytes (shape"),
        (header_of(shape=(2**62, 2**62)), "its header announces"),
        (header_of(shape=(3, 2)) + bytes(47), "its header announces 48 bytes (shape (3, 2)), it holds 47"),
        (header_of(shape=(3, 2)) + bytes(49), "its header announces 48 bytes (shape (3, 2)), it holds 49"),
        (header_of(shape=(-3, 2)) + bytes(48), "holds no rows (shape (-3, 2))"),
        (header_of(shape=(10**12,), descr="<U0"), "holds no rows (shape (1000000000000,) of type <U0)"),
        (header_of(shape=(10**12,), descr="|V0"), "holds no rows"),
        (header_of(shape=(2,), descr="|O") + b"\x80\x04N.", "holds pickled Python objects"),
        (b"\x93NUMPY\x03\x00\x10\x00\x00\x00{'descr': '<f8'}", "NPY format 3.0 is not supported"),
        (b"\x93NUMPY\x01\x00\x40\x1f" + b"(" * 8000, "the header of the array is damaged"),
        (b"\x93NUMPY\x01\x00\x40\x1f" + b"-" * 8000, "the header of the array is damaged"),
        (b"\x93NUMPY\x02\x00\xff\xff\xff\x7f{", "the header of the array is damaged"),
        (b"\x93NUMPY\x01\x00\x10\x00{'descr': open()}", "the header of the array is damaged"),
    ],
)
def test_headers_that_lie(tmp_path: Path, content: bytes, message: str):
    (tmp_path / "x.npy").write_bytes(content)
    with pytest.raises(DataError) as error:
        Npy(input="x.npy").read(tmp_path)
    assert error.value.message.startswith(f"{tmp_path}/x.npy: ")
    assert message in error.value.message


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"test_target": "y2.npy"}, "`test_target` needs `test_input`"),
        ({"target": "y.npy", "test_input": "x2.npy"}, "give either both `target` and `test_target`, or neither"),
        ({"test_input": {"a": "x2.npy"}}, "`test_input` must name an array for each of input"),
        ({"sample_weight": "w.npy", "test_input": "x2.npy"}, "`test_sample_weight` goes with `sample_weight`"),
    ],
)
def test_refused_configs(arguments: dict[str, Any], message: str):
    with pytest.raises(ValueError, match=message):
        Npy(input="x.npy", **arguments)
