"""JUnit XML and Markdown say the same as the exit code, and survive any text."""

from __future__ import annotations

from xml.etree import ElementTree

import pytest

from trainer_cli.errors import DivergenceError
from trainer_cli.reports.continuous import Account, junit, markdown
from trainer_cli.training.gates import judge, read_gates


@pytest.fixture
def account():
    values = {"loss": 0.25, "val_accuracy": 0.5, "auc": None}
    outcomes = judge(read_gates(["val_accuracy < 0.9", "loss > 1"]), values)
    return Account("fit", "digits", 1.5, {"run directory": "runs/<a>|b"}, values, outcomes)


def test_a_gate_is_a_test_case(account):
    (suite,) = ElementTree.fromstring(junit(account))
    assert (suite.get("tests"), suite.get("failures"), suite.get("errors")) == ("3", "1", "0")
    cases = {case.get("name"): [child.tag for child in case] for case in suite.iter("testcase")}
    assert cases == {"fit": [], "val_accuracy < 0.9": ["failure"], "loss > 1": []}
    (failure,) = suite.iter("failure")
    assert failure.get("message") == "val_accuracy < 0.9: measured 0.5"
    properties = {each.get("name"): each.get("value") for each in suite.iter("property")}
    assert properties == {"run directory": "runs/<a>|b", "loss": "0.25", "val_accuracy": "0.5", "auc": ""}


def test_what_ended_a_run_is_an_error():
    failed = Account("fit", "a", failure=DivergenceError("the loss is NaN", hint="lower it"))
    (suite,) = ElementTree.fromstring(junit(failed))
    assert suite.get("errors") == "1"
    (error,) = suite.iter("error")
    assert (error.get("type"), error.get("message"), error.text) == ("DivergenceError", "the loss is NaN", "lower it")
    assert "❌" in markdown(failed)
    assert "**DivergenceError**: the loss is NaN" in markdown(failed)


def test_characters_that_xml_cannot_hold_are_replaced():
    made = junit(Account("fit", "a\0b\x1b[0m\ud800&<>\"'"))
    (suite,) = ElementTree.fromstring(made)
    assert suite.get("name") == "trainer fit a�b�[0m�&<>\"'"


def test_markdown_has_the_gates_the_values_and_the_facts(account):
    lines = markdown(account).splitlines()
    assert lines[0] == "## ❌ trainer fit: digits"
    assert "| `val_accuracy < 0.9` | 0.5000 | ❌ failed |" in lines
    assert "| `loss > 1` | 0.2500 | ✅ passed |" in lines
    assert "| auc | no value |" in lines
    assert "| run directory | runs/\\<a\\>\\|b |" in lines
    account.outcomes = account.outcomes[1:]
    assert markdown(account).startswith("## ✅")


def test_nothing_is_written_unless_asked_for(account, tmp_path):
    account.write(None, None)
    assert list(tmp_path.iterdir()) == []
    account.write(tmp_path / "a" / "junit.xml", tmp_path / "summary.md")
    assert (tmp_path / "a" / "junit.xml").read_bytes() == junit(account)
    assert (tmp_path / "summary.md").read_text() == markdown(account)
