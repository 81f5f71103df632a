"""Pictures are well-formed XML, put numbers where they belong, and survive any values and names."""

from __future__ import annotations

import math
import re
from xml.etree import ElementTree

import pytest

from trainer_cli.reports import svg
from trainer_cli.reports.svg import Axis, Series


def parsed(picture):
    return ElementTree.fromstring(picture)


@pytest.mark.parametrize(
    ("values", "ticks"),
    [
        ([0.0, 1.0], (0.0, 0.2, 0.4, 0.6, 0.8, 1.0)),
        ([3.0, 3.0], (2.6, 2.8, 3.0, 3.2, 3.4)),
        ([-12.0, 41.0], (-20.0, 0.0, 20.0, 40.0, 60.0)),
        ([0.0, 0.0], (-1.0, -0.5, 0.0, 0.5, 1.0)),
        ([1e-9, 2e-9], (1e-9, 1.2e-9, 1.4e-9, 1.6e-9, 1.8e-9, 2e-9)),
    ],
)
def test_an_axis_has_round_ticks_and_holds_all_values(values, ticks):
    found = svg.axis(values)
    assert found.ticks == pytest.approx(ticks, rel=1e-9, abs=0)
    assert found.low <= min(values)
    assert found.high >= max(values)


def test_a_loss_over_many_magnitudes_gets_powers_of_ten():
    found = svg.axis([0.002, 3.0], logarithmic=True)
    assert found.logarithmic
    assert (found.low, found.high) == (1e-3, 10.0)
    assert found.share(0.1) == pytest.approx(0.5)
    assert not svg.axis([0.5, 3.0], logarithmic=True).logarithmic
    assert not svg.axis([0.0, 3.0], logarithmic=True).logarithmic


def test_a_line_goes_from_corner_to_corner():
    picture = parsed(svg.line_chart("accuracy", [Series("accuracy", [0.0, 0.5, 1.0])], best=3))
    (line,) = picture.iter("polyline")
    points = [tuple(map(float, pair.split(","))) for pair in line.get("points", "").split()]
    assert points == [(58.0, 226.0), (303.0, 119.0), (548.0, 12.0)]
    (best,) = [each for each in picture.iter("line") if each.get("class") == "best"]
    assert best.get("x1") == "548.0"


def test_gaps_break_a_line_and_lone_values_are_points():
    picture = parsed(svg.line_chart("x", [Series("x", [1.0, 2.0, None, 3.0, math.nan, 4.0, 5.0])]))
    assert [len(each.get("points", "").split()) for each in picture.iter("polyline")] == [2, 2]
    assert len(list(picture.iter("circle"))) == 1


@pytest.mark.parametrize("values", [[], [None], [math.nan, math.inf]])
def test_nothing_to_draw_is_no_picture(values):
    assert svg.line_chart("x", [Series("x", values)]) == ""


def test_one_epoch_and_a_hundred_thousand_are_drawn():
    assert len(list(parsed(svg.line_chart("loss", [Series("loss", [1.0])])).iter("circle"))) == 1
    long = svg.line_chart("loss", [Series("loss", [float(k) for k in range(100_000)])])
    (line,) = parsed(long).iter("polyline")
    assert len(line.get("points", "").split()) <= 1002
    assert line.get("points", "").endswith("548.0,12.0")


def test_names_are_escaped_everywhere():
    nasty = "<script>alert('1')</script>&\""
    pictures = [
        svg.line_chart(nasty, [Series(nasty, [1.0, 2.0])]),
        svg.heatmap(nasty, [nasty, "b"], [nasty, "b"], [[1, 2], [3, 4]]),
        svg.scatter(nasty, [1.0, 2.0], [2.0, 1.0], (nasty, nasty)),
        svg.histogram(nasty, [1.0, 2.0], nasty),
    ]
    for picture in pictures:
        assert "<script" not in picture
        assert parsed(picture).find("title").text == nasty
    parsed(svg.legend([Series(nasty, [])]))


def test_a_matrix_shades_by_the_row_and_numbers_what_fits():
    picture = parsed(svg.heatmap("m", ["a", "b"], ["a", "b"], [[3, 1], [0, 0]]))
    cells = [(cell.get("class"), cell.get("fill-opacity")) for cell in picture.iter("rect")]
    assert cells == [("right", "0.750"), ("wrong", "0.500"), ("wrong", "0.000"), ("right", "0.000")]
    assert [each.text for each in picture.iter("text") if "count" in each.get("class", "")] == ["3", "1"]
    many = [str(place) for place in range(60)]
    counts = [[1] * 60 for _ in many]
    large = parsed(svg.heatmap("m", many, many, counts))
    assert not [each for each in large.iter("text") if "count" in each.get("class", "")]


def test_a_histogram_counts_every_value():
    values = [float(k) for k in range(100)]
    picture = parsed(svg.histogram("h", values, "x"))
    told = [re.search(r": ([\d,]+)$", bar.find("title").text).group(1) for bar in picture.iter("rect")]
    assert sum(map(int, told)) == 100


def test_equal_values_still_have_an_axis():
    parsed(svg.scatter("s", [2.0], [2.0], ("a", "b")))
    parsed(svg.histogram("h", [0.0, 0.0], "x"))
    assert isinstance(svg.axis([5.0]), Axis)
