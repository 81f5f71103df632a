"""Encoding of targets: each form of target from text and from numbers, and what does not fit."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest

from trainer_cli.data.source import Origin, TargetArray
from trainer_cli.data.targets import TargetEncoding, TargetSpec, fit_target
from trainer_cli.errors import DataError
from trainer_cli.parts.loss import TargetForm


def table(values: Any, *columns: str, features: bool = True) -> TargetArray:
    origin = Origin("t.csv", "line", 2) if features else Origin("t.npz, array `y`")
    return TargetArray(np.asarray(values), origin, columns or ("label",), named=features)


def encode(form: TargetForm, values: Any, shape: tuple[int, ...] | None = None, *columns: str) -> np.ndarray:
    given = table(values, *columns)
    fitted = fit_target(given, TargetSpec(form, shape))
    encoded = fitted.apply(given)
    again = TargetEncoding.from_json(json.loads(json.dumps(fitted.to_json())))
    assert again == fitted
    assert np.array_equal(again.apply(given), encoded)
    assert encoded.flags.c_contiguous
    assert encoded.dtype == (np.int32 if form == "labels" else np.float32)
    return encoded


@pytest.mark.parametrize(
    ("values", "shape", "encoded"),
    [
        ([2.0, 0.0, 1.0], (3,), [2, 0, 1]),
        ([2.0, 0.0], (5,), [2, 0]),
        ([2.0, 0.0], None, [2, 0]),
        (np.asarray([2, 0, 1], np.uint8), (3,), [2, 0, 1]),
        (["dog", "ant", "cat", "ant"], (3,), [2, 0, 1, 0]),
        (["dog", "ant"], (4,), [1, 0]),
        ([[2.0], [0.0]], (3,), [2, 0]),
        ([[2.0, 0.0], [1.0, 1.0]], (2, 3), [[2, 0], [1, 1]]),
        ([["b", "a"], ["a", "a"]], (2, 3), [[1, 0], [0, 0]]),
    ],
)
def test_labels(values: Any, shape: tuple[int, ...] | None, encoded: list[Any]):
    assert encode("labels", values, shape).tolist() == encoded


@pytest.mark.parametrize(
    ("values", "shape", "columns", "encoded"),
    [
        ([1.0, 0.0], (3,), ("label",), [[0, 1, 0], [1, 0, 0]]),
        ([1.0, 0.0], None, ("label",), [[0, 1], [1, 0]]),
        (["b", "a", "c"], (3,), ("label",), [[0, 1, 0], [1, 0, 0], [0, 0, 1]]),
        (["b", "a"], (3,), ("label",), [[0, 1, 0], [1, 0, 0]]),
        ([[0.0, 1.0], [1.0, 0.0]], (2,), ("p", "q"), [[0, 1], [1, 0]]),
        ([[0.25, 0.75]], None, ("p", "q"), [[0.25, 0.75]]),
        ([[1.0, 0.0]], (2, 2), ("label",), [[[0, 1], [1, 0]]]),
    ],
)
def test_one_hot(values: Any, shape: tuple[int, ...] | None, columns: tuple[str, ...], encoded: list[Any]):
    assert encode("one_hot", values, shape, *columns).tolist() == encoded


@pytest.mark.parametrize(
    ("values", "shape", "columns", "encoded"),
    [
        ([0.0, 1.0], (1,), ("label",), [[0], [1]]),
        ([1.0, 1.0], None, ("label",), [[1], [1]]),
        (["no", "yes", "no"], (1,), ("label",), [[0], [1], [0]]),
        ([[0.0, 1.0], [1.0, 1.0]], (2,), ("p", "q"), [[0, 1], [1, 1]]),
    ],
)
def test_binary(values: Any, shape: tuple[int, ...] | None, columns: tuple[str, ...], encoded: list[Any]):
    assert encode("binary", values, shape, *columns).tolist() == encoded


@pytest.mark.parametrize(
    ("values", "shape", "columns", "encoded"),
    [
        ([1.5, -2.0], (1,), ("y",), [[1.5], [-2]]),
        ([1.5, -2.0], None, ("y",), [[1.5], [-2]]),
        ([[1.0, 2.0]], (2,), ("y", "z"), [[1, 2]]),
        ([[1.0, 2.0, 3.0, 4.0]], (2, 2), ("y",), [[[1, 2], [3, 4]]]),
    ],
)
def test_values(values: Any, shape: tuple[int, ...] | None, columns: tuple[str, ...], encoded: list[Any]):
    assert encode("values", values, shape, *columns).tolist() == encoded


def test_classes_are_remembered():
    assert fit_target(table(["b", "a", "b"]), TargetSpec("labels", (2,))).classes == ("a", "b")
    assert fit_target(table([1.0, 0.0]), TargetSpec("labels", (3,))).classes == (0, 1, 2)
    assert fit_target(table([1.0, 0.0]), TargetSpec("binary", (1,))).classes == (0, 1)
    assert fit_target(table([1.0, 0.0]), TargetSpec("values", (1,))).classes is None


@pytest.mark.parametrize(
    ("form", "values", "shape", "columns", "message"),
    [
        (
            "labels",
            [0.0, 10.0],
            (10,),
            ("label",),
            "line 3, column `label`: label out of range: the output has 10 units, that is labels 0 to 9, found `10`",
        ),
        (
            "one_hot",
            [0.0, -1.0],
            (10,),
            ("label",),
            "line 3, column `label`: label out of range: the output has 10 units, that is labels 0 to 9, found `-1`",
        ),
        (
            "labels",
            [0.0, 1.5],
            (3,),
            ("label",),
            "line 3, column `label`: expected a class (a whole number or text), found `1.5`",
        ),
        (
            "labels",
            [0.0, 1e300],
            (3,),
            ("label",),
            "line 3, column `label`: label out of range: the output has 3 units, that is labels 0 to 2, found `1e+300`",
        ),
        ("labels", [-3.0], None, ("label",), "line 2, column `label`: expected a class number from 0, found `-3`"),
        (
            "labels",
            ["b", "a", "x", "b", "a"],
            (2,),
            ("label",),
            "line 4, column `label`: label out of range: the output has 2 units, the column has 3: `a`, `b`, `x`, "
            "found `x`",
        ),
        (
            "labels",
            ["0", "1", "l", "1", "0"],
            (2,),
            ("label",),
            "line 4, column `label`: label out of range: the output has 2 units, the column has 3: `0`, `1`, `l`, "
            "found `l`",
        ),
        ("binary", [0.0, 2.0], (1,), ("label",), "line 3, column `label`: expected 0 or 1, found `2`"),
        ("binary", [[0.0, 1.0], [1.0, 0.5]], (2,), ("p", "q"), "line 3, column `q`: expected 0 or 1, found `0.5`"),
        (
            "binary",
            ["a", "b", "b", "a", "c"],
            (1,),
            ("label",),
            "line 6, column `label`: label out of range: a binary loss has 2 classes, the column has 3: "
            "`a`, `b`, `c`, found `c`",
        ),
        (
            "one_hot",
            [[0.0, 1.0], [2.0, 0.0]],
            (2,),
            ("p", "q"),
            "line 3, column `p`: expected a class indicator from 0 to 1, found `2`",
        ),
        ("values", ["1", "two"], (1,), ("label",), "line 3, column `label`: expected a number, found `two`"),
        (
            "values",
            [[1.0, 2.0], [1.0, 1e39]],
            (2,),
            ("y", "z"),
            "line 3, column `z`: expected a number that float32 can hold, found `1e+39`",
        ),
    ],
)
def test_what_does_not_fit_is_named_with_its_place(
    form: TargetForm, values: Any, shape: tuple[int, ...] | None, columns: tuple[str, ...], message: str
):
    with pytest.raises(DataError) as error:
        encode(form, values, shape, *columns)
    assert error.value.message == f"t.csv, {message}"


@pytest.mark.parametrize(
    ("values", "columns", "message"),
    [
        ([1.0, 2.0], ("y",), "t.csv: the target has 1 value per row (`y`), the output has 3 values"),
        ([[1.0, 2.0]], ("y", "z"), "t.csv: the target has 2 values per row (`y`, `z`), the output has 3 values"),
    ],
)
def test_another_number_of_values_than_the_output_has(values: Any, columns: tuple[str, ...], message: str):
    with pytest.raises(DataError) as error:
        encode("values", values, (3,), *columns)
    assert error.value.message == message


def test_arrays_name_their_elements():
    given = table([[0, 1], [1, 7]], features=False)
    with pytest.raises(DataError) as error:
        fit_target(given, TargetSpec("labels", (2, 3))).apply(given)
    expected = "label out of range: the output has 3 units, that is labels 0 to 2, found `7`"
    assert error.value.message == f"t.npz, array `y`, row 1, element [1]: {expected}"


@pytest.mark.parametrize(
    ("known", "new", "message"),
    [
        (["a", "b"], ["a", "c"], "line 3, column `label`: unknown class: expected one of `a`, `b`, found `c`"),
        (["1", "b"], [1.0, 2.0], "line 3, column `label`: unknown class: expected one of `1`, `b`, found `2`"),
        (
            [0.0, 1.0],
            [0.0, 3.0],
            "line 3, column `label`: label out of range: the output has 2 units, that is labels 0 to 1, found `3`",
        ),
        ([0.0, 1.0], ["0", "b"], "line 3, column `label`: expected a number, found `b`"),
    ],
)
def test_labels_that_training_did_not_know(known: Any, new: Any, message: str):
    fitted = fit_target(table(known), TargetSpec("labels", (2,)))
    with pytest.raises(DataError) as error:
        fitted.apply(table(new))
    assert error.value.message == f"t.csv, {message}"


def test_answers_of_minus_one_and_one_are_the_two_classes() -> None:
    given = table([-1.0, 1.0, 1.0])
    assert fit_target(given, TargetSpec("binary", (1,))).classes == ("-1", "1")
    assert encode("binary", [-1.0, 1.0, 1.0], (1,)).tolist() == [[0.0], [1.0], [1.0]]
    assert encode("binary", np.asarray([1, -1], np.int64), (1,)).tolist() == [[1.0], [0.0]]
    with pytest.raises(DataError, match="expected 0 or 1, found `-1`"):
        encode("binary", [-1.0, 0.0, 1.0], (1,))
