"""Metrics: the same as Keras and scikit-learn have, natively too, with weights and in any batches."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.measures import (
    CLASSES,
    COUNT,
    LOSS_OF_FORM,
    NAMES,
    NOT_IN_KERAS,
    PREDICTIONS,
    STAND_FOR_OTHERS,
    TARGETS,
    loss,
    metric,
    prediction_of,
    stream,
)
from tests.programs import program, rows_for, train
from trainer_cli.ir.graph import BATCH, Graph
from trainer_cli.parts.activation import Activation
from trainer_cli.parts.families import ACTIVATIONS, LOSSES, read_part
from trainer_cli.parts.loss import Loss, Prediction, TargetForm
from trainer_cli.parts.metric import Metric

random = np.random.default_rng(23)


def test_keras_streams_to_the_same_results(keras: dict[str, Any]) -> None:
    assert {case["part"]["type"] for case in keras["metrics"]} == set(NAMES) - STAND_FOR_OTHERS - NOT_IN_KERAS
    for case in keras["metrics"]:
        part = metric(**case["part"])
        target = np.asarray(case["target"], dtype=np.int32 if case["form"] == "labels" else np.float64)
        found = stream(part, case["form"], target, case["prediction"], case["rows"])
        tolerance = 1e-9 if case["precision"] == "float64" else 1e-6
        assert found == pytest.approx(case["value"], rel=tolerance, abs=1e-12), case["part"]


SKLEARN = json.loads((Path(__file__).parent.parent / "golden" / "sklearn_metrics.json").read_text())["sets"]


@pytest.mark.parametrize("number", range(len(SKLEARN)))
def test_scikit_learn_says_the_same_of_the_whole(number: int) -> None:
    given = SKLEARN[number]
    form, target = given["form"], np.asarray(given["target"])
    prediction, weights = np.asarray(given["prediction"]), given["weights"]
    for arguments, expected in given["values"]:
        part = metric(**arguments).resolve(loss(form), prediction_of(prediction.shape[-1]))
        found = stream(part, form, target, prediction, given["rows"], weights)
        assert found == pytest.approx(expected, rel=1e-6, abs=1e-9), arguments


def test_scikit_learns_sets_cover_weights_short_batches_and_batches_of_one_class() -> None:
    assert len(SKLEARN) == 100
    assert sum(each["weights"] is not None for each in SKLEARN) > 20
    assert sum(each["rows"][-1] < each["rows"][0] for each in SKLEARN) > 50
    for form in ("binary", "labels", "one_hot"):
        given = [each for each in SKLEARN if each["form"] == form]
        # Batches of one class, and predictions that several rows share.
        assert sum(has_a_batch_of_one_class(each) for each in given) > 4
        assert sum(len({str(row) for row in each["prediction"]}) < len(each["prediction"]) for each in given) > 2


def has_a_batch_of_one_class(given: dict[str, Any]) -> bool:
    stops = np.cumsum(given["rows"])
    batches = [given["target"][stop - count : stop] for stop, count in zip(stops, given["rows"], strict=True)]
    return any(len(batch) > 1 and len({str(row) for row in batch}) == 1 for batch in batches)


NOT_IN_SCIKIT_LEARN = {
    "concordance_correlation",
    "huber",
    "kl_divergence",
    "log_cosh_error",
    "poisson",
    "squared_hinge",
}
"""Metrics that no function of scikit-learn computes: those of Keras are compared with Keras above."""


def test_every_other_metric_is_compared_with_scikit_learn() -> None:
    compared = {arguments["type"] for each in SKLEARN for arguments, _ in each["values"]}
    assert compared | NOT_IN_SCIKIT_LEARN == set(NAMES)
    assert not compared & NOT_IN_SCIKIT_LEARN


def usable() -> list[tuple[Metric, TargetForm]]:
    """Every metric with every form of target that it goes with."""
    found: list[tuple[Metric, TargetForm]] = []
    for form in ("labels", "one_hot", "binary", "values"):
        for name in NAMES:
            part = metric(type=name).resolve(loss(form), prediction_of(CLASSES))
            if not impossible(part, form, prediction_of(CLASSES)):
                found.append((part, form))
    return found


def impossible(part: Metric, form: TargetForm, prediction: Prediction) -> bool:
    return any(finding.severity == "impossible" for finding in part.findings(form, prediction))


def test_every_metric_can_be_used_with_some_form() -> None:
    assert {part.type for part, _ in usable()} == set(NAMES) - STAND_FOR_OTHERS


@pytest.mark.parametrize(("part", "form"), [pytest.param(*each, id=f"{each[1]}-{each[0].type}") for each in usable()])
def test_any_batches_and_weights_of_1_give_the_same(part: Metric, form: TargetForm) -> None:
    target, prediction = TARGETS[form], np.abs(PREDICTIONS[form])
    whole = stream(part, form, target, prediction, [COUNT])
    assert np.isfinite(whole)
    assert stream(part, form, target, prediction, [8, 8, 7]) == pytest.approx(whole, rel=1e-9)
    assert stream(part, form, target, prediction, [1] * COUNT) == pytest.approx(whole, rel=1e-9)
    assert stream(part, form, target, prediction, [8, 8, 7], np.ones(COUNT)) == pytest.approx(whole, rel=1e-9)


@pytest.mark.parametrize(("part", "form"), [pytest.param(*each, id=f"{each[1]}-{each[0].type}") for each in usable()])
def test_a_weight_of_0_leaves_a_row_out_and_one_of_2_counts_it_twice(part: Metric, form: TargetForm) -> None:
    target, prediction = TARGETS[form], np.abs(PREDICTIONS[form])
    weights = np.resize([1.0, 0.0, 2.0], COUNT)
    again = np.repeat(np.arange(COUNT), weights.astype(int))
    found = stream(part, form, target, prediction, [COUNT], weights)
    assert found == pytest.approx(stream(part, form, target[again], prediction[again], [len(again)]), rel=1e-9)


@pytest.mark.parametrize("form", ["labels", "one_hot", "binary", "values"])
def test_all_metrics_are_the_same_natively(form: TargetForm) -> None:
    output = {"values": "softplus", "binary": "sigmoid"}.get(form, "softmax")
    made = read_part(ACTIVATIONS, output)
    assert isinstance(made, Activation)
    prediction = Prediction(prediction_of(CLASSES).value, made)
    fitting = [part for part, fit in usable() if fit == form and not impossible(part, form, prediction)]
    metrics = [part.model_dump(mode="json") for part in fitting]
    layers = [{"type": "dense", "units": CLASSES, "activation": output}]
    model = program(layers, LOSS_OF_FORM[form], metrics=metrics, inputs=(5,))
    split = rows_for(model, COUNT)
    if form == "values":
        split.targets["target"][:] = np.abs(split.targets["target"])
    (native, *_), (exact, *_) = (train(model, split, steps=3, target=target)[1] for target in ("cpu", "reference"))
    found, expected = (model.results(each.totals, each.rows) for each in (native, exact))
    (threaded, *_) = train(model, split, steps=3, threads=3)[1]
    for name, total in native.totals.items():
        assert threaded.totals[name].tobytes() == total.tobytes(), name
    assert len(found) == len(metrics) + 1
    for key, value in expected.items():
        assert found[key] == pytest.approx(value, rel=1e-4, abs=1e-5), key


@pytest.mark.parametrize("name", sorted(set(NAMES) - STAND_FOR_OTHERS))
def test_an_empty_epoch_is_zero(name: str) -> None:
    part, form = next((part, form) for part, form in usable() if part.type == name)
    graph = Graph()
    prediction = Prediction(graph.input("prediction", (BATCH, CLASSES)))
    target = graph.input("target", (BATCH,), "int") if form == "labels" else graph.input("target", (BATCH, CLASSES))
    statistics = part.statistics(target, prediction, form)
    totals = {key: np.zeros([int(extent) for extent in value.shape]) for key, value in statistics.items()}
    assert part.result(totals) == 0.0


@pytest.mark.parametrize("curve", ["ROC", "PR"])
def test_more_thresholds_bring_the_area_nearer_to_the_exact_one(curve: str) -> None:
    chances = random.uniform(size=(400, 1))
    answers = (random.uniform(size=(400, 1)) < chances).astype(float)
    exact = stream(metric(type="auc", curve=curve, num_thresholds=100_000), "binary", answers, chances, [400])
    errors = [
        abs(stream(metric(type="auc", curve=curve, num_thresholds=count), "binary", answers, chances, [400]) - exact)
        for count in (5, 50, 500)
    ]
    assert errors[0] > errors[1] > errors[2]
    assert errors[2] < 2e-3


def test_the_area_of_scores_that_are_no_numbers_stays_within_its_bins() -> None:
    broken = np.array([[np.nan], [np.inf], [-np.inf], [0.5]])
    found = stream(metric(type="auc"), "binary", np.array([[1.0], [0.0], [1.0], [0.0]]), broken, [4])
    assert 0.0 <= found <= 1.0


def test_r2_of_a_constant_target() -> None:
    part, constant = metric(type="r2_score"), np.full((6, 1), 3.25)
    assert stream(part, "values", constant, constant, [4, 2]) == 1.0
    assert stream(part, "values", constant, constant + 0.5, [4, 2]) == 0.0


def test_a_correlation_of_one_unit_is_that_of_the_epoch() -> None:
    true = random.normal(size=(20, 1))
    part = metric(type="pearson_correlation").resolve(loss("values"), prediction_of(1))
    assert stream(part, "values", true, 3.0 * true - 1.0, [8, 8, 4]) == pytest.approx(1.0)
    assert stream(part, "values", true, -true, [8, 8, 4]) == pytest.approx(-1.0)
    assert stream(part, "values", true, true * 0 + 2.0, [20]) == 0.0


def test_the_sign_of_a_hinges_score_decides() -> None:
    trained = read_part(LOSSES, "hinge")
    assert isinstance(trained, Loss)
    part = metric(type="accuracy").resolve(trained, prediction_of(1))
    scores = np.array([[0.2], [-0.2], [2.0]])
    assert stream(part, "binary", np.array([[1.0], [0.0], [0.0]]), scores, [3]) == pytest.approx(2 / 3)


CROSSENTROPIES = [
    ("binary", 1, "binary_crossentropy"),
    ("binary", 3, "binary_crossentropy"),
    ("labels", 3, "sparse_categorical_crossentropy"),
    ("one_hot", 3, "categorical_crossentropy"),
]


@pytest.mark.parametrize(("form", "units", "kind"), CROSSENTROPIES)
def test_crossentropy_is_resolved_by_output_and_loss(form: str, units: int, kind: str) -> None:
    resolved = metric(type="ce").resolve(loss(form), prediction_of(units))
    assert (resolved.type, resolved.name) == (kind, "crossentropy")
