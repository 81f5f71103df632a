"""The report survives runs of any content, and nothing of it becomes markup."""

from __future__ import annotations

import io
import json
import re

import pytest

from trainer_cli.reports import comparison
from trainer_cli.reports.page import page
from trainer_cli.training.held_out import Confusion, HeldOut, Residuals
from trainer_cli.training.runs import read_run

LINE = {"phase": 1, "epoch": 1, "steps": 4, "seconds": 0.1, "learning_rate": 0.1, "loss": 1.0}
NASTY = "<script>alert(1)</script>"
JUNK = [
    {},
    {"best": 3, "final": [], "seconds": "long", "stop_reason": {"a": [NASTY]}},
    {
        "best": {"value": 1, "epoch": NASTY, "loss": NASTY},
        "final": {"loss": NASTY, NASTY: 2.0},
        "seconds": {"train": None},
    },
    {"best": {"value": 1e400, "monitor": NASTY}, "final": {"loss": True, "test_x": -1e400}, "stop_reason": NASTY},
]


def run_of(folder, lines=(LINE,), summary=None, manifest=None):
    (folder / "config.yaml").write_text(f'name: "{NASTY}"\n')
    (folder / "metrics.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    for name, content in (("summary", summary), ("manifest", manifest)):
        if content is not None:
            (folder / f"{name}.json").write_text(json.dumps(content))
    return read_run(folder)


@pytest.mark.parametrize("summary", JUNK, ids=range(len(JUNK)))
@pytest.mark.parametrize(
    "lines",
    [
        [],
        [LINE],
        [{}, {"loss": NASTY, NASTY: 1}, {"loss": [1], "epoch": None}],
        [LINE, {**LINE, "loss": float("nan"), "seconds": NASTY}, {**LINE, "phase": 2, "loss": 1e308}],
    ],
    ids=["none", "one", "odd", "numbers"],
)
def test_any_content_has_a_page_and_a_comparison(tmp_path, summary, lines):
    run = run_of(tmp_path, lines, summary, {"cpu": NASTY, "git": {"commit": NASTY}, "resumed": [3]})
    text = page(run, None, NASTY, NASTY)
    assert "<script" not in text
    assert text.count("<table") == text.count("</table>")
    assert text.count("<figure") == text.count("</figure>")
    shown = io.StringIO()
    comparison.print_comparison([run, run], shown)
    assert "no setting differs" in shown.getvalue()
    json.dumps(comparison.record([run, run]), allow_nan=False)


def test_what_the_model_answered_is_shown(tmp_path):
    classes = tuple(f"class {place}" for place in range(5))
    counts = [[3 if row == column else row * column for column in range(5)] for row in range(5)]
    answers = [Confusion("", classes, counts), Residuals("size", [1.0, 2.0], [1.5, 1.5], 7)]
    text = page(run_of(tmp_path), HeldOut("test", 9, {"loss": 0.5, "auc": None}, answers), "")
    assert "9 test rows" in text
    assert "loss 0.5000, auc without value" in text
    assert "2 of 7 rows" in text
    mistakes = re.findall(r"<tr><td>(class \d)</td><td>(class \d)</td><td>(\d+)</td></tr>", text)
    assert mistakes[0] == ("class 4", "class 3", "12")
    assert "<td>class 1</td>" in text


def test_many_classes_are_told_and_not_drawn(tmp_path):
    classes = tuple(map(str, range(300)))
    counts = [[int(row == column) for column in range(300)] for row in range(300)]
    counts[5][7] = 4
    text = page(run_of(tmp_path), HeldOut("test", 304, {}, [Confusion("", classes, counts)]), "")
    assert "Confusion matrix" not in text
    assert "<tr><td>5</td><td>7</td><td>4</td></tr>" in text


@pytest.mark.parametrize(
    ("key", "larger"),
    [
        ("loss", False),
        ("val_digit_loss", False),
        ("test_accuracy", True),
        ("digit_accuracy", True),
        ("picture_mean_absolute_error", False),
        ("something", None),
    ],
)
def test_which_way_is_better(key, larger):
    assert comparison.larger_is_better(key) is larger
