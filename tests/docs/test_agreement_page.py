"""The page about the agreement with Keras: every part that it is about stands in it, with numbers or a reason."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.parts.test_tfjs import CASES
from trainer_cli.parts.families import ACTIVATIONS, LAYERS, LOSSES, METRICS, OPTIMIZERS, Family

PAGE = (Path(__file__).parents[2] / "docs" / "parts" / "agreement.md").read_text(encoding="utf-8")
TABLES = {"Layers": LAYERS, "Activations": ACTIVATIONS, "Losses": LOSSES, "Metrics": METRICS, "Optimizers": OPTIMIZERS}


@pytest.mark.parametrize("title", TABLES)
def test_the_page_has_every_part_with_numbers_or_a_reason(title: str) -> None:
    family: Family = TABLES[title]
    (table,) = re.findall(rf"^## {title}\n\n(.*?)(?:\n\n|\Z)", PAGE, re.MULTILINE | re.DOTALL)
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in table.strip().split("\n")[2:]]
    assert [row[0].strip("`") for row in rows] == family.names(), "python docs/make_agreement.py"
    for name, cases, *errors, reason in rows:
        numbers = [float(error) for error in errors if error]
        assert reason or (numbers and int(cases) > 0), name
        assert all(error <= 1e-5 for error in numbers), name


def test_the_page_has_every_model_of_tensorflow_js_on_both_targets() -> None:
    (table,) = re.findall(r"^## TensorFlow\.js\n\n[^|]*(\|.*?)\Z", PAGE, re.MULTILINE | re.DOTALL)
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in table.strip().split("\n")[2:]]
    assert [(row[0], row[2]) for row in rows] == [(name, target) for name in CASES for target in ("reference", "cpu")]
    assert all(float(error) <= 1e-5 for row in rows for error in row[3:7]), "python docs/make_agreement.py"
