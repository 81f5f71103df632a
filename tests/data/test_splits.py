"""Splits are disjoint, cover all rows, keep proportions, and depend on nothing but their arguments."""

from __future__ import annotations

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
