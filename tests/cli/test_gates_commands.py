"""`--fail-if`, `--junit`, `--markdown`, `--dry-run` and `--limit-steps`, as a user types them."""

from __future__ import annotations

import json
from xml.etree import ElementTree

import numpy as np
import pytest
from safetensors.numpy import load_file


def test_a_gate_that_fails_leaves_with_5_and_says_what_was_measured(project):
    done = project.fit(
        *("--run-dir", "run", "--fail-if", "val_loss > 0.01", "--fail-if", "test_accuracy < 0"),
        *("--junit", "out/junit.xml", "--markdown", "summary.md"),
    )
    assert done.returncode == 5
    assert "error: 1 of 2 gates failed\n  --fail-if val_loss > 0.01: measured 0." in done.stderr
    assert "gate test_accuracy < 0: measured 0." in done.stderr
    assert (project.folder / "run" / "summary.json").is_file()
    (suite,) = ElementTree.parse(project.folder / "out" / "junit.xml").getroot()
    assert (suite.get("tests"), suite.get("failures"), suite.get("errors")) == ("3", "1", "0")
    assert "❌ failed" in (project.folder / "summary.md").read_text()


def test_gates_that_hold_change_nothing(project):
    done = project.fit("--fail-if", "best.val_loss > 100", "--fail-if", "epochs != 3", "--quiet")
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize("condition", ["val_acuracy < 0.9", "val_accuracy < high"])
def test_a_wrong_condition_is_refused_before_training(project, condition):
    done = project.fit("--fail-if", condition, "--junit", "junit.xml")
    assert (done.returncode, done.stdout) == (2, "")
    assert "val_accuracy" in done.stderr
    assert not (project.folder / "runs").exists()


def test_a_run_that_ends_early_is_an_error_for_ci(project):
    done = project.fit("--set", "optimizer={type: sgd, learning_rate: 1e30}", "--junit", "j.xml", "--markdown", "m.md")
    assert done.returncode == 4
    (suite,) = ElementTree.parse(project.folder / "j.xml").getroot()
    (error,) = suite.iter("error")
    assert error.get("type") == "DivergenceError"
    assert "DivergenceError" in (project.folder / "m.md").read_text()


def test_evaluate_has_gates_too(trained, tmp_path):
    junit, markdown = tmp_path / "j.xml", tmp_path / "m.md"
    arguments = ("evaluate", "run", "--target", "reference", "--junit", str(junit), "--markdown", str(markdown))
    done = trained.run(*arguments, "--fail-if", "accuracy < 2", "--json")
    assert done.returncode == 5
    assert json.loads(done.stdout)["rows"] == 18
    (suite,) = ElementTree.parse(junit).getroot()
    assert suite.get("failures") == "1"
    assert "| `accuracy < 2` |" in markdown.read_text()
    assert trained.run(*arguments, "--fail-if", "accuracy > 2").returncode == 0
    done = trained.run(*arguments, "--fail-if", "acuracy > 2")
    assert done.returncode == 2
    assert "did you mean `accuracy`?" in done.stderr


# --dry-run


def test_a_dry_run_does_everything_but_train(project):
    done = project.fit("--dry-run", "--set", "phases=[{fit: {epochs: 1}}, {name: fine, optimizer: sgd}]")
    assert done.returncode == 0, done.stderr
    first, second = done.stdout.splitlines()
    assert first.startswith("phase 1/2: first batch of 16 rows: loss ")
    assert second.split(": ", 1)[1] == first.split(": ", 1)[1], "the same batch with the same first weights"
    assert "67 parameters" in done.stderr
    assert "phase 2/2 `fine`: compiled in" in done.stderr
    assert not (project.folder / "runs").exists()
    found = json.loads(project.fit("--dry-run", "--json").stdout)
    assert found["rows"] == {"train": 54, "validation": 18, "test": 18}
    assert set(found["first_batch"]) == {"loss", "accuracy"}
    assert found["steps_per_epoch"] == 4


def test_a_dry_run_finds_what_would_stop_a_training(project):
    assert project.fit("--dry-run", "--fail-if", "lss > 1").returncode == 2
    done = project.fit("--dry-run", "--run-dir", "config.yaml/run")
    assert done.returncode == 6
    assert "cannot create a run directory" in done.stderr
    (project.folder / "flowers.csv").write_text("a,b\n1,2\n")
    done = project.fit("--dry-run")
    assert done.returncode in (2, 3)
    done = project.fit("--dry-run", "--resume", "run")
    assert done.returncode == 2


# --limit-steps


def test_a_limited_run_is_measured_and_resumes_to_the_same_bits(project):
    done = project.fit("--run-dir", "part", "--limit-steps", "6", "--json")
    assert done.returncode == 0, done.stderr
    *epochs, summary = map(json.loads, done.stdout.splitlines())
    assert [line["steps"] for line in epochs] == [4, 6]
    assert (summary["stop_reason"], summary["steps"]) == ("limit_steps", 6)
    assert "test_loss" in summary["final"]
    assert "val_loss" in epochs[-1]
    assert summary["best"]["epoch"] == 1, "an epoch that was cut short is no candidate"
    done = project.run("fit", "--resume", "part", "--target", "reference")
    assert done.returncode == 0, done.stderr
    assert project.fit("--run-dir", "whole").returncode == 0
    found, expected = (load_file(project.folder / name / "checkpoints/last.safetensors") for name in ("part", "whole"))
    assert found.keys() == expected.keys()
    for name, value in expected.items():
        np.testing.assert_array_equal(found[name], value, err_msg=name)
    lines = [(project.folder / name / "metrics.jsonl").read_text().splitlines() for name in ("part", "whole")]
    for ours, theirs in zip(*lines, strict=True):
        assert {**json.loads(ours), "seconds": 0} == {**json.loads(theirs), "seconds": 0}


@pytest.mark.parametrize(
    ("limit", "epochs", "reason"), [(4, 1, "limit_steps"), (12, 3, "completed"), (99, 3, "completed")]
)
def test_a_limit_at_the_end_of_an_epoch_cuts_nothing(project, limit, epochs, reason):
    done = project.fit("--limit-steps", str(limit), "--json")
    assert done.returncode == 0, done.stderr
    *lines, summary = map(json.loads, done.stdout.splitlines())
    assert (len(lines), summary["stop_reason"]) == (epochs, reason)


def test_a_limit_may_end_a_run_in_an_earlier_phase(project):
    phases = "phases=[{fit: {epochs: 2}}, {optimizer: sgd}]"
    for limit, steps in (("3", 3), ("8", 8), ("9", 9)):
        done = project.fit("--limit-steps", limit, "--set", phases, "--json")
        assert done.returncode == 0, done.stderr
        summary = json.loads(done.stdout.splitlines()[-1])
        assert (summary["stop_reason"], summary["steps"]) == ("limit_steps", steps)
        assert summary["final"]["test_loss"] > 0
