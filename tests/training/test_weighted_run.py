"""Runs whose rows count by class and by weight: phases, resuming, evaluation with and without the column."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from trainer_cli.config.load import load
from trainer_cli.data.source import class_weight_name
from trainer_cli.errors import ConfigError
from trainer_cli.training.checkpoints import read_checkpoint
from trainer_cli.training.evaluate import evaluate
from trainer_cli.training.fit import FitOptions, fit
from trainer_cli.training.preparation import plan_phases
from trainer_cli.training.validate import check

CONFIG = """
data: {type: csv, path: rows.csv, target: kind, sample_weight: importance, split: {validation: 0.2}}
architecture: [{type: dense, units: 3, activation: softmax}]
optimizer: {type: sgd, learning_rate: 0.1}
loss: sparse_categorical_crossentropy
class_weight: {cat: 2, 1: 0.5}
metrics: [accuracy, {type: accuracy, weighted: true}]
fit: {epochs: 3, batch_size: 8}
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    random = np.random.default_rng(2)
    kinds = random.choice(["cat", "dog", "eel"], 60, p=[0.6, 0.3, 0.1])
    rows = [
        f"{a:.3f},{b:.3f},{kind},{weight:.2f}"
        for a, b, kind, weight in zip(*random.normal(size=(2, 60)), kinds, random.uniform(0, 2, 60), strict=True)
    ]
    (tmp_path / "rows.csv").write_text("a,b,kind,importance\n" + "\n".join(rows))
    (tmp_path / "config.yaml").write_text(CONFIG)
    return tmp_path


def run(folder: Path, *overrides: str, target: str = "cpu", **options: Any) -> list[Any]:
    return list(fit(load(folder / "config.yaml", overrides), FitOptions(target=target, **options)))


def lines(directory: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (directory / "metrics.jsonl").read_text().splitlines()]


@pytest.mark.parametrize("target", ["cpu", "reference"])
def test_a_run_counts_rows_by_class_and_weight_and_resumes_to_the_same_bits(folder: Path, target: str) -> None:
    whole, cut = folder / "whole", folder / "cut"
    run(folder, target=target, run_directory=whole)
    run(folder, target=target, run_directory=cut, limit_steps=9)
    run(folder, target=target, resume=cut)
    states = [read_checkpoint(path / "checkpoints" / "last.safetensors") for path in (whole, cut)]
    assert all(states[0].weights[name].tobytes() == states[1].weights[name].tobytes() for name in states[0].weights)
    found = [
        [{key: value for key, value in line.items() if key != "seconds"} for line in lines(path)]
        for path in (whole, cut)
    ]
    assert found[0] == found[1]
    assert {"weighted_accuracy", "val_weighted_accuracy", "accuracy"} <= found[0][-1].keys()
    # The loss of the validation rows, by hand: weights of rows count, those of classes do not.
    (plan,) = plan_phases(load(folder / "config.yaml").config, folder)
    held = plan.dataset.validation
    assert held is not None
    weights = held.weights["/sample_weight"]
    logits = held.inputs["input"] @ states[0].weights["dense_1/kernel"] + states[0].weights["dense_1/bias"]
    scores = np.exp(logits) / np.exp(logits).sum(-1, keepdims=True)
    labels = held.targets["target"]
    losses = -np.log(scores[np.arange(len(labels)), labels])
    assert found[0][-1]["val_loss"] == pytest.approx(float((losses * weights).mean()), rel=1e-5)
    right = (scores.argmax(-1) == labels).astype(float)
    assert found[0][-1]["val_accuracy"] == pytest.approx(right.mean())
    assert found[0][-1]["val_weighted_accuracy"] == pytest.approx((right * weights).sum() / weights.sum(), rel=1e-5)


def test_phases_weigh_classes_differently_and_compile_once_for_other_numbers(folder: Path) -> None:
    phases = "phases=[{}, {class_weight: {cat: 4}}, {class_weight: balanced}, {class_weight: {}}]"
    plans = plan_phases(load(folder / "config.yaml", [phases]).config, folder)
    name = class_weight_name("target")
    labels = plans[0].dataset.train.targets["target"]
    for plan, table in zip(plans, ([2, 0.5, 1], [4, 1, 1]), strict=False):
        np.testing.assert_array_equal(plan.dataset.train.weights[name], np.float32(table)[labels])
    weighed = plans[2].dataset.train.weights[name] * plans[2].dataset.train.weights["/sample_weight"]
    totals = [float(weighed[labels == number].sum()) for number in range(3)]
    np.testing.assert_allclose(totals, totals[0], rtol=1e-5)
    assert name not in plans[3].dataset.train.weights
    assert all(plan.dataset.validation is plans[0].dataset.validation for plan in plans)
    graphs = [[(value.op, value.shape, value.attributes) for value in plan.program.train.values] for plan in plans]
    assert graphs[0] == graphs[1] == graphs[2] != graphs[3]
    run(folder, phases, run_directory=folder / "run")
    assert [line["phase"] for line in lines(folder / "run")] == [1] * 3 + [2] * 3 + [3] * 3 + [4] * 3


def test_evaluation_heeds_the_column_of_weights_or_says_that_there_is_none(folder: Path) -> None:
    run(folder, run_directory=folder / "run")
    rows = (folder / "rows.csv").read_text().splitlines()
    (folder / "new.csv").write_text("\n".join(rows[:20]))
    (folder / "bare.csv").write_text("\n".join(row.rpartition(",")[0] for row in rows[:20]))
    (folder / "ones.csv").write_text("\n".join([rows[0], *(row.rpartition(",")[0] + ",1" for row in rows[1:20])]))
    found = {name: evaluate(folder / "run", data=folder / f"{name}.csv") for name in ("new", "bare", "ones")}
    assert found["bare"].results == pytest.approx(found["ones"].results)
    assert found["new"].results["loss"] != pytest.approx(found["ones"].results["loss"], rel=1e-3)
    assert found["new"].notes == found["ones"].notes == ()
    assert found["bare"].notes == (f"{folder / 'bare.csv'} has no `importance`: every row counts alike",)


@pytest.mark.parametrize(
    ("overrides", "message", "line"),
    [
        (["loss=mse"], "takes numbers for targets, not classes", 6),
        (["loss=binary_crossentropy", "architecture[0].activation=sigmoid"], "every unit of the output", 6),
        (["class_weight={digit: {cat: 1}}"], "there is no output `digit` with a loss", 0),
        (["class_weight={cat: -1}"], "class_weight.cat: expected a number of at least 0", 0),
        (["class_weight=balance"], "`balanced`", 0),
        (["data.sample_weight=weight"], "no column `weight`", 2),
        (["class_weight={cow: 1}"], "the target has no class `cow`", 0),
    ],
)
def test_weights_that_fit_nothing_are_refused_in_their_place(
    folder: Path, overrides: list[str], message: str, line: int
) -> None:
    try:
        problems = check(load(folder / "config.yaml", overrides), read_data=True).problems
    except ConfigError as error:
        problems = list(error.problems)
    (problem,) = problems
    assert message in problem.message
    assert problem.place is not None
    assert problem.place.line == line  # 0: what `--set` gives


def test_a_weighted_metric_without_weights_is_doubted(folder: Path) -> None:
    found = check(
        load(folder / "config.yaml", ["class_weight=null", "data.sample_weight=null", "data.features=[a, b]"])
    )
    assert [problem.message for problem in found.warnings] == [
        "`accuracy` is weighted, but neither `data.sample_weight` nor `class_weight` gives weights"
    ]
