"""Metrics: epochs of batches as in Keras and as NumPy computes them from the whole, resolution, findings."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.programs import program, rows_for, train
from trainer_cli.ir.graph import BATCH, Graph
from trainer_cli.parts.activation import Activation
from trainer_cli.parts.families import ACTIVATIONS, LOSSES, METRICS, read_part
from trainer_cli.parts.loss import Loss, Prediction, TargetForm
from trainer_cli.parts.metric import Metric
from trainer_cli.targets.reference.interpreter import evaluate

NAMES = METRICS.names()
REQUIRED: dict[str, dict[str, Any]] = {
    "iou": {"target_class_ids": [0, 1]},
    "precision_at_recall": {"recall": 0.5},
    "recall_at_precision": {"precision": 0.5},
    "sensitivity_at_specificity": {"specificity": 0.5},
    "specificity_at_sensitivity": {"sensitivity": 0.5},
}
STAND_FOR_OTHERS = {"accuracy", "crossentropy"}
NOT_IN_KERAS = {"average_precision", "cohen_kappa", "matthews_correlation", "specificity"}
FORMS: dict[str, TargetForm] = {name: LOSSES.find(name).target for name in LOSSES.names()}  # type: ignore[attr-defined]
LOSS_OF_FORM = {
    "values": "mean_squared_error",
    "binary": "binary_crossentropy",
    "one_hot": "categorical_crossentropy",
    "labels": "sparse_categorical_crossentropy",
}
random = np.random.default_rng(21)


def metric(**arguments: Any) -> Metric:
    part = read_part(METRICS, {**REQUIRED.get(arguments["type"], {}), **arguments})
    assert isinstance(part, Metric)
    return part


def loss(form: str, **arguments: Any) -> Loss:
    part = read_part(LOSSES, {"type": LOSS_OF_FORM[form], **arguments})
    assert isinstance(part, Loss)
    assert part.target == form
    return part


def stream(part: Metric, form: TargetForm, target: Any, prediction: Any, rows: list[int], weights: Any = None) -> float:
    """The metric over an epoch: statistics of each batch on the reference, summed, then turned into the result."""
    graph = Graph()
    dtype = "int" if form == "labels" else "float"
    target, prediction = np.asarray(target), np.asarray(prediction)
    statistics = part.statistics(
        graph.input("target", (BATCH, *target.shape[1:]), dtype),
        Prediction(graph.input("prediction", (BATCH, *prediction.shape[1:]))),
        form,
        None if weights is None else graph.input("weights", (BATCH, *np.shape(weights)[1:])),
    )
    for value in statistics.values():
        assert not value.batched
        assert value.dtype == "float"
    totals = {name: np.zeros([int(extent) for extent in value.shape]) for name, value in statistics.items()}
    start = 0
    assert sum(rows) == len(target)
    for count in rows:
        bound = {"target": target[start : start + count], "prediction": prediction[start : start + count]}
        if weights is not None:
            bound["weights"] = np.asarray(weights)[start : start + count]
        for name, array in zip(totals, evaluate(list(statistics.values()), bound, count), strict=True):
            totals[name] = totals[name] + array
        start += count
    result = part.result(totals)
    assert type(result) is float
    return result


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
    single = [
        each
        for each in SKLEARN
        if each["form"] != "values" and len({str(row) for row in each["target"][: each["rows"][0]]}) == 1
    ]
    assert len(single) > 8
    names = {arguments["type"] for each in SKLEARN for arguments, _ in each["values"]}
    assert names >= NOT_IN_KERAS


COUNT, CLASSES = 23, 4
LABELS = random.integers(0, CLASSES, COUNT).astype(np.int32)
SCORES = random.normal(size=(COUNT, CLASSES)) + 1.5 * np.eye(CLASSES)[LABELS]
SOFTMAX = np.exp(SCORES) / np.exp(SCORES).sum(-1, keepdims=True)
FLAGS = random.integers(0, 2, (COUNT, CLASSES)).astype(float)
CHANCES = np.clip(0.6 * FLAGS + random.uniform(0, 0.5, (COUNT, CLASSES)), 0, 1)
VALUES = random.normal(size=(COUNT, CLASSES))
TARGETS = {"labels": LABELS, "one_hot": np.eye(CLASSES)[LABELS], "binary": FLAGS, "values": VALUES}
PREDICTIONS = {"labels": SOFTMAX, "one_hot": SOFTMAX, "binary": CHANCES, "values": SCORES}
DEFINED = ["binary_accuracy", "categorical_accuracy", "sparse_categorical_accuracy", "accuracy"]
DEFINED += ["mean_absolute_error", "mean_squared_error", "precision", "recall"]


def ratio(numerator: Any, denominator: Any) -> Any:
    return np.where(denominator > 0, numerator / np.maximum(denominator, 1), 0.0)


def by_definition(part: Metric, form: str, target: Any, prediction: Any) -> float:
    """The metric over all rows at once, written in NumPy from its textbook definition."""
    if part.type in ("mean_squared_error", "mean_absolute_error"):
        truth = np.eye(CLASSES)[target] if form == "labels" else target
        error = prediction - truth
        return float(np.mean(error**2 if part.type == "mean_squared_error" else np.abs(error)))
    if part.type == "binary_accuracy":
        return float(np.mean((prediction > part.threshold) == target))  # type: ignore[attr-defined]
    if part.type.endswith("categorical_accuracy"):
        return float(np.mean(prediction.argmax(-1) == (target if form == "labels" else target.argmax(-1))))
    truth = (np.eye(CLASSES)[target] if form == "labels" else target) > 0.5
    average, class_id = part.average, part.class_id  # type: ignore[attr-defined]
    decided = prediction > part.thresholds  # type: ignore[attr-defined]
    if form in ("labels", "one_hot") and (average or class_id is not None):
        decided = np.eye(CLASSES)[prediction.argmax(-1)] > 0.5
    hits, axes = truth & decided, tuple(range(truth.ndim - 1))
    base = decided if part.type == "precision" else truth
    if class_id is not None:
        return float(ratio(hits[..., class_id].sum(), base[..., class_id].sum()))
    if average == "macro":
        return float(np.mean(ratio(hits.sum(axes), base.sum(axes))))
    return float(ratio(hits.sum(), base.sum()))


def streaming_cases() -> list[Any]:
    cases = []
    for form in ("labels", "one_hot", "binary", "values"):
        for name in DEFINED:
            settings: list[dict[str, Any]] = [{}]
            if name in ("precision", "recall"):
                settings += [{"average": "micro"}, {"average": "macro"}, {"class_id": 2}, {"thresholds": 0.3}]
            for extra in settings:
                part = metric(type=name, **extra).resolve(loss(form), prediction_of(CLASSES))
                if not any(finding.severity == "impossible" for finding in part.findings(form, prediction_of(CLASSES))):  # type: ignore[arg-type]
                    cases.append(pytest.param(part, form, id=f"{form}-{name}-{extra}"))
    return cases


def prediction_of(*shape: int) -> Prediction:
    return Prediction(Graph().input("prediction", (BATCH, *shape)))


@pytest.mark.parametrize(("part", "form"), streaming_cases())
@pytest.mark.parametrize("rows", [[COUNT], [8, 8, 7], [22, 1], [1] * COUNT], ids=str)
def test_streaming_equals_the_whole(part: Metric, form: TargetForm, rows: list[int]) -> None:
    target, prediction = TARGETS[form], PREDICTIONS[form]
    found = stream(part, form, target, prediction, rows)
    assert found == pytest.approx(by_definition(part, form, target, prediction), rel=1e-12)


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
    assert len(found) == len(metrics) + 1
    for key, value in expected.items():
        assert found[key] == pytest.approx(value, rel=1e-4, abs=1e-5), key


def test_the_mean_of_batches_would_be_another_number() -> None:
    part = metric(type="recall", average="macro")
    batches = [slice(0, 8), slice(8, 16), slice(16, 23)]
    whole = stream(part, "labels", LABELS, SOFTMAX, [8, 8, 7])
    means = [stream(part, "labels", LABELS[b], SOFTMAX[b], [len(LABELS[b])]) for b in batches]
    assert abs(whole - np.mean(means)) > 1e-3


@pytest.mark.parametrize("form", ["labels", "one_hot", "binary", "values"])
def test_further_axes_count_like_samples(form: TargetForm) -> None:
    shape = (COUNT, 2)
    target, prediction = (np.stack([array, array[::-1]], axis=1) for array in (TARGETS[form], PREDICTIONS[form][::-1]))
    assert target.shape[:2] == shape
    part = metric(type="accuracy").resolve(loss(form), prediction_of(2, CLASSES))
    found = stream(part, form, target, prediction, [10, 10, 3])
    assert found == pytest.approx(by_definition(part, form, target, prediction))


RESOLVED = [
    ("binary", 1, "binary_accuracy"),
    ("binary", 3, "binary_accuracy"),
    ("labels", 3, "sparse_categorical_accuracy"),
    ("one_hot", 3, "categorical_accuracy"),
    ("values", 3, "categorical_accuracy"),
    ("values", 1, "binary_accuracy"),
]


@pytest.mark.parametrize(("form", "units", "kind"), RESOLVED)
def test_accuracy_is_resolved_by_output_and_loss(form: str, units: int, kind: str) -> None:
    resolved = metric(type="acc").resolve(loss(form), prediction_of(units))
    assert resolved.type == kind
    assert resolved.name == "accuracy"
    assert metric(type="acc", name="hits").resolve(loss(form), prediction_of(units)).name == "hits"


def test_accuracy_itself_computes_nothing() -> None:
    with pytest.raises(TypeError, match="resolve"):
        metric(type="accuracy").result({})


@pytest.mark.parametrize("name", ["accuracy", "binary_accuracy", "precision", "recall"])
@pytest.mark.parametrize("threshold", [0.2, 0.5, 0.9])
def test_logits_are_compared_with_the_thresholds_logit(name: str, threshold: float) -> None:
    field = {"binary_accuracy": "threshold", "accuracy": None}.get(name, "thresholds")
    given = metric(type=name, **({field: threshold} if field else {}))
    chances = random.uniform(0.01, 0.99, (COUNT, CLASSES))
    logits = np.log(chances) - np.log1p(-chances)
    plain = given.resolve(loss("binary"), prediction_of(CLASSES))
    on_logits = given.resolve(loss("binary", from_logits=True), prediction_of(CLASSES))
    assert stream(on_logits, "binary", FLAGS, logits, [COUNT]) == stream(plain, "binary", FLAGS, chances, [COUNT])


def test_the_config_can_say_what_is_a_logit() -> None:
    given = metric(type="binary_accuracy", from_logits=False)
    assert given.resolve(loss("binary", from_logits=True), prediction_of(1)) == given


def test_softmax_logits_are_thresholded_as_probabilities() -> None:
    given = metric(type="precision", thresholds=0.4)
    on_logits = given.resolve(loss("labels", from_logits=True), prediction_of(CLASSES))
    plain = given.resolve(loss("labels"), prediction_of(CLASSES))
    assert stream(on_logits, "labels", LABELS, SCORES, [COUNT]) == stream(plain, "labels", LABELS, SOFTMAX, [COUNT])


@pytest.mark.parametrize("threshold", [0.0, 1.0])
@pytest.mark.parametrize("from_logits", [False, True])
def test_thresholds_at_the_ends(threshold: float, from_logits: bool) -> None:
    part = metric(type="binary_accuracy", threshold=threshold, from_logits=from_logits)
    predictions = np.array([[-3.0], [4.0]]) if from_logits else np.array([[0.1], [0.9]])
    positive = stream(part, "binary", np.ones((2, 1)), predictions, [2])
    assert positive == (1.0 if threshold == 0 else 0.0)


@pytest.mark.parametrize("name", ["precision", "recall"])
def test_without_positives_the_result_is_zero(name: str) -> None:
    part = metric(type=name)
    assert stream(part, "binary", np.zeros((3, 1)), np.zeros((3, 1)), [3]) == 0.0
    macro = metric(type=name, average="macro")
    one_class = np.zeros(3, np.int32)
    assert stream(macro, "labels", one_class, np.eye(3)[one_class], [3]) == pytest.approx(1 / 3)


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


FINDINGS = [
    ("binary_accuracy", {}, "labels", 3, "impossible"),
    ("binary_accuracy", {}, "values", 1, "doubtful"),
    ("binary_accuracy", {}, "binary", 1, None),
    ("binary_accuracy", {}, "one_hot", 3, None),
    ("categorical_accuracy", {}, "one_hot", 3, None),
    ("categorical_accuracy", {}, "labels", 3, None),
    ("categorical_accuracy", {}, "binary", 3, "impossible"),
    ("categorical_accuracy", {}, "values", 3, "doubtful"),
    ("categorical_accuracy", {}, "binary", 1, "impossible"),
    ("sparse_categorical_accuracy", {}, "labels", 3, None),
    ("sparse_categorical_accuracy", {}, "values", 1, "impossible"),
    ("precision", {}, "binary", 1, None),
    ("precision", {}, "values", 1, "impossible"),
    ("precision", {"class_id": 3}, "labels", 3, "impossible"),
    ("precision", {"class_id": 2}, "labels", 3, None),
    ("recall", {"average": "macro"}, "binary", 1, "impossible"),
    ("recall", {"average": "macro"}, "binary", 3, None),
    ("recall", {}, "labels", 3, None),
    ("recall", {"average": "macro", "thresholds": 0.3}, "labels", 3, "doubtful"),
    ("recall", {"average": "macro", "thresholds": 0.3}, "binary", 3, None),
    ("mean_squared_error", {}, "labels", 3, None),
    ("mean_absolute_error", {}, "values", 1, None),
    ("auc", {}, "values", 1, "impossible"),
    ("auc", {}, "labels", 3, None),
    ("auc", {"class_id": 3}, "labels", 3, "impossible"),
    ("auc", {"multi_label": True, "label_weights": [0.5, 0.5]}, "binary", 3, "impossible"),
    ("f1_score", {}, "binary", 1, None),
    ("f1_score", {}, "values", 1, "impossible"),
    ("f1_score", {"class_id": 1}, "binary", 1, "impossible"),
    ("true_positives", {"class_id": 1, "thresholds": 0.4}, "labels", 3, "doubtful"),
    ("matthews_correlation", {}, "binary", 1, None),
    ("matthews_correlation", {}, "binary", 3, "impossible"),
    ("cohen_kappa", {}, "values", 1, "impossible"),
    ("mean_iou", {}, "labels", 3, None),
    ("mean_iou", {"num_classes": 4}, "labels", 3, "impossible"),
    ("mean_iou", {}, "binary", 1, "impossible"),
    ("iou", {"target_class_ids": [3]}, "labels", 3, "impossible"),
    ("binary_iou", {}, "binary", 1, None),
    ("binary_iou", {"target_class_ids": [2]}, "binary", 1, "impossible"),
    ("binary_iou", {}, "labels", 3, "doubtful"),
    ("binary_iou", {}, "values", 1, "doubtful"),
    ("top_k_categorical_accuracy", {}, "one_hot", 3, "doubtful"),
    ("top_k_categorical_accuracy", {"k": 2}, "one_hot", 3, None),
    ("sparse_top_k_categorical_accuracy", {"k": 2}, "values", 1, "impossible"),
    ("cosine_similarity", {}, "values", 1, "impossible"),
    ("categorical_crossentropy", {}, "binary", 3, "impossible"),
    ("binary_crossentropy", {}, "values", 1, "doubtful"),
    ("hinge", {}, "binary", 1, None),
]


@pytest.mark.parametrize(("name", "arguments", "form", "units", "severity"), FINDINGS)
def test_metric_findings(name: str, arguments: Any, form: TargetForm, units: int, severity: str | None) -> None:
    found = metric(type=name, **arguments).findings(form, prediction_of(units))
    assert [finding.severity for finding in found] == ([severity] if severity else [])
    for finding in found:
        assert name in finding.message
        assert finding.hint, "a finding says what to change"


def test_errors_are_better_small_and_the_rest_large() -> None:
    smaller = {name for name in NAMES if metric(type=name).direction == "min"}
    losses = set(LOSSES.names()) - {"cosine_similarity"}
    assert smaller >= {"mean_squared_error", "log_cosh_error", "crossentropy"} | (losses & set(NAMES))
    others = {name for name in NAMES if name not in losses and not name.endswith(("error", "crossentropy"))}
    assert smaller & others == {"false_positives", "false_negatives"}
