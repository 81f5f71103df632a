"""Curves of one line."""

from __future__ import annotations

import math

import pytest

from trainer_cli.reports.sparkline import sparkline


@pytest.mark.parametrize(
    ("values", "width", "expected"),
    [
        ([0, 1, 2, 3, 4, 5, 6, 7], 10, "▁▂▃▄▅▆▇█"),
        ([1.0, 1.0], 10, "▁▁"),
        ([0.0, None, math.nan, 1.0], 10, "▁··█"),
        ([], 10, ""),
        ([None, None], 10, "··"),
        ([0, 0, 4, 4, 7, 7], 3, "▁▅█"),
        ([0, None, 7, 7], 2, "▁█"),
    ],
)
def test_a_curve(values, width, expected):
    assert sparkline(values, width) == expected


def test_a_common_scale():
    assert sparkline([1.0, 2.0], 5, 0.0, 2.0) == "▅█"
    assert sparkline([5.0], 5, 0.0, 2.0) == "█"


def test_many_values_fill_the_width_and_no_more():
    assert len(sparkline(list(range(1000)), 60)) == 60
    assert len(sparkline(list(range(61)), 60)) == 60
