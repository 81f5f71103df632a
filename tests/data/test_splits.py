"""Splits are disjoint, cover all rows, keep proportions, and depend on nothing but their arguments."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from trainer_cli.data.source import SplitSpec
from trainer_cli.data.splits import apportion, split_rows
from trainer_cli.errors import DataError

fractions = st.floats(0.05, 0.4)
seeds = st.integers(0, 2**32 - 1)


@given(st.integers(0, 10_000), st.lists(st.integers(1, 100), min_size=1, max_size=5))
def test_apportioned_shares_add_up_and_are_off_by_less_than_one(count: int, weights: list[int]):
    wanted = [weight / sum(weights) for weight in weights]
    shares = apportion(count, wanted)
    assert sum(shares) == count
    assert all(abs(share - count * fraction) < 1 for share, fraction in zip(shares, wanted, strict=True))


@pytest.mark.parametrize(
    ("count", "wanted", "shares"),
    [
        (20, [0.7, 0.15, 0.15], [14, 3, 3]),
        (10, [0.7, 0.15, 0.15], [7, 2, 1]),
        (7, [0.5, 0.5], [4, 3]),
        (0, [0.5, 0.5], [0, 0]),
        (60_000, [0.9, 0.1], [54_000, 6_000]),
    ],
)
def test_apportioned_shares(count: int, wanted: list[float], shares: list[int]):
    assert apportion(count, wanted) == shares


@given(st.integers(30, 400), fractions, fractions, seeds)
def test_parts_are_disjoint_ordered_and_cover_all_rows(rows: int, validation: float, test: float, seed: int):
    parts = split_rows(rows, SplitSpec(validation=validation, test=test), seed)
    assert sorted(parts) == ["test", "train", "validation"]
    assert all((np.diff(part) > 0).all() for part in parts.values())
    assert np.array_equal(np.sort(np.concatenate(list(parts.values()))), np.arange(rows))
    assert abs(len(parts["validation"]) - validation * rows) < 1
    assert abs(len(parts["test"]) - test * rows) < 1


@given(st.lists(st.integers(0, 3), min_size=40, max_size=300), fractions, fractions, seeds)
def test_stratified_parts_have_the_classes_proportions(labels: list[int], validation: float, test: float, seed: int):
    classes = np.asarray(labels)
    assume(np.bincount(classes).max() * min(validation, test) >= 1)
    parts = split_rows(len(classes), SplitSpec(validation=validation, test=test, stratify=True), seed, classes)
    assert np.array_equal(np.sort(np.concatenate(list(parts.values()))), np.arange(len(classes)))
    for name, fraction in (("validation", validation), ("test", test), ("train", 1 - validation - test)):
        for value in np.unique(classes):
            assert abs((classes[parts[name]] == value).sum() - fraction * (classes == value).sum()) < 1


@given(st.integers(30, 200), seeds)
def test_the_same_seed_gives_the_same_split_and_another_one_does_not(rows: int, seed: int):
    spec = SplitSpec(validation=0.3)
    first, again, other = (split_rows(rows, spec, number) for number in (seed, seed, (seed + 1) % 2**32))
    assert np.array_equal(first["validation"], again["validation"])
    assert not np.array_equal(first["validation"], other["validation"])


def test_a_split_is_the_same_on_every_machine():
    assert split_rows(20, SplitSpec(validation=0.25), 7)["validation"].tolist() == [0, 3, 5, 10, 11]


def test_holding_out_nothing_keeps_all_rows_in_order():
    parts = split_rows(5, SplitSpec(), 0)
    assert list(parts) == ["train"]
    assert parts["train"].tolist() == [0, 1, 2, 3, 4]


@pytest.mark.parametrize(
    ("rows", "spec", "classes", "message"),
    [
        (20, SplitSpec(validation=0.01), None, "split.validation = 0.01 of 20 rows holds no row"),
        (4, SplitSpec(validation=0.3, test=0.01), None, "split.test = 0.01 of 4 rows holds no row"),
        (3, SplitSpec(validation=0.9), None, "the training part of 3 rows holds no row"),
        (
            4,
            SplitSpec(test=0.25, stratify=True),
            np.asarray([0, 0, 1, 1]),
            "split.test = 0.25 of 4 rows in 2 classes holds no row",
        ),
    ],
)
def test_an_empty_part_is_an_error(rows: int, spec: SplitSpec, classes: np.ndarray | None, message: str):
    with pytest.raises(DataError) as error:
        split_rows(rows, spec, 0, classes)
    assert error.value.message == message


@given(st.lists(st.integers(0, 12), min_size=30, max_size=300), fractions, fractions, seeds)
def test_no_group_is_in_two_parts(groups: list[int], validation: float, test: float, seed: int):
    by = np.asarray(groups)
    assume(len(set(groups)) >= 3)
    spec = SplitSpec(validation=validation, test=test, group="g")
    parts = split_rows(len(by), spec, seed, by=by)
    assert np.array_equal(np.sort(np.concatenate(list(parts.values()))), np.arange(len(by)))
    seen = [set(by[part].tolist()) for part in parts.values()]
    assert sum(map(len, seen)) == len(set(groups))
    largest = np.bincount(by).max()
    for name, fraction in (("validation", validation), ("test", test)):
        assert abs(len(parts[name]) - fraction * len(by)) <= 2 * largest
    assert all(np.array_equal(split_rows(len(by), spec, seed, by=by)[name], part) for name, part in parts.items())


@given(st.lists(st.integers(0, 50), min_size=30, max_size=300), fractions, fractions, seeds)
def test_the_last_rows_are_held_out_by_time(times: list[int], validation: float, test: float, seed: int):
    by = np.asarray(times, np.float64)
    assume(np.bincount(times).max() < 0.02 * len(times) or len(set(times)) > 25)
    spec = SplitSpec(validation=validation, test=test, time="t")
    try:
        parts = split_rows(len(by), spec, seed, by=by)
    except DataError:
        assume(False)
    assert np.array_equal(np.sort(np.concatenate(list(parts.values()))), np.arange(len(by)))
    assert by[parts["train"]].max() < by[parts["validation"]].min()
    assert by[parts["validation"]].max() < by[parts["test"]].min()


def test_borders_in_time_are_the_nearest_that_tell_times_apart():
    by = np.asarray([3, 1, 1, 2, 2, 2, 2, 5, 4, 6], np.float64)
    parts = split_rows(10, SplitSpec(validation=0.2, test=0.2, time="t"), 0, by=by)
    assert {name: part.tolist() for name, part in parts.items()} == {
        "train": [1, 2, 3, 4, 5, 6],
        "validation": [0, 8],
        "test": [7, 9],
    }


@pytest.mark.parametrize(
    ("spec", "by", "message"),
    [
        ({"test": 0.4, "group": "g"}, [7, 7, 7], "split.test = 0.4 of 3 rows in 1 group holds no row"),
        ({"test": 0.1, "time": "t"}, [1, 1, 1], "split.test = 0.1 of 3 rows at 1 times holds no row"),
    ],
)
def test_too_few_groups_or_times(spec: dict[str, Any], by: list[int], message: str):
    with pytest.raises(DataError, match=message):
        split_rows(len(by), SplitSpec(**spec), 0, by=np.asarray(by))


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ({"test": 0.1, "group": "a", "time": "b"}, "both `group` and `time` are given"),
        ({"test": 0.1, "group": "a", "stratify": True}, "both `stratify` and `group` are given"),
        ({"time": "a"}, "`time` says how rows are held out, and none are"),
    ],
)
def test_refused_splits(spec: dict[str, Any], message: str):
    with pytest.raises(ValueError, match=message):
        SplitSpec(**spec)
