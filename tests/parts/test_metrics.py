"""Metrics: epochs of batches as NumPy computes them from the whole, resolution, findings."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from tests.measures import (
    CLASSES,
    COUNT,
    FLAGS,
    LABELS,
    NAMES,
    PREDICTIONS,
    SCORES,
    SOFTMAX,
    TARGETS,
    loss,
    metric,
    prediction_of,
    stream,
)
from trainer_cli.parts.families import LOSSES
from trainer_cli.parts.loss import TargetForm
from trainer_cli.parts.metric import Metric

random = np.random.default_rng(22)
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


@pytest.mark.parametrize(("part", "form"), streaming_cases())
@pytest.mark.parametrize("rows", [[COUNT], [8, 8, 7], [22, 1], [1] * COUNT], ids=str)
def test_streaming_equals_the_whole(part: Metric, form: TargetForm, rows: list[int]) -> None:
    target, prediction = TARGETS[form], PREDICTIONS[form]
    found = stream(part, form, target, prediction, rows)
    assert found == pytest.approx(by_definition(part, form, target, prediction), rel=1e-12)


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
