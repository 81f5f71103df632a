"""Metrics: epochs of batches as in Keras and as NumPy computes them from the whole, resolution, findings."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from trainer_cli.ir.graph import BATCH, Graph
from trainer_cli.parts.families import LOSSES, METRICS, read_part
from trainer_cli.parts.loss import Loss, Prediction, TargetForm
from trainer_cli.parts.metric import Metric
from trainer_cli.targets.reference.interpreter import evaluate

NAMES = METRICS.names()
FORMS: dict[str, TargetForm] = {name: LOSSES.find(name).target for name in LOSSES.names()}  # type: ignore[attr-defined]
LOSS_OF_FORM = {
    "values": "mean_squared_error",
    "binary": "binary_crossentropy",
    "one_hot": "categorical_crossentropy",
    "labels": "sparse_categorical_crossentropy",
}
random = np.random.default_rng(21)


def metric(**arguments: Any) -> Metric:
    part = read_part(METRICS, arguments)
    assert isinstance(part, Metric)
    return part


def loss(form: str, **arguments: Any) -> Loss:
    part = read_part(LOSSES, {"type": LOSS_OF_FORM[form], **arguments})
    assert isinstance(part, Loss)
    assert part.target == form
    return part


def stream(part: Metric, form: TargetForm, target: Any, prediction: Any, rows: list[int]) -> float:
    """The metric over an epoch: statistics of each batch on the reference, summed, then turned into the result."""
    graph = Graph()
    dtype = "int" if form == "labels" else "float"
    target, prediction = np.asarray(target), np.asarray(prediction)
    statistics = part.statistics(
        graph.input("target", (BATCH, *target.shape[1:]), dtype),
        Prediction(graph.input("prediction", (BATCH, *prediction.shape[1:]))),
        form,
    )
    for value in statistics.values():
        assert not value.batched
        assert value.dtype == "float"
    totals = {name: np.zeros([int(extent) for extent in value.shape]) for name, value in statistics.items()}
    start = 0
    assert sum(rows) == len(target)
    for count in rows:
        bound = {"target": target[start : start + count], "prediction": prediction[start : start + count]}
        for name, array in zip(totals, evaluate(list(statistics.values()), bound, count), strict=True):
            totals[name] = totals[name] + array
        start += count
    result = part.result(totals)
    assert type(result) is float
    return result


def test_keras_streams_to_the_same_results(keras: dict[str, Any]) -> None:
    assert {case["part"]["type"] for case in keras["metrics"]} == set(NAMES) - {"accuracy"}
    for case in keras["metrics"]:
        part = metric(**case["part"])
        target = np.asarray(case["target"], dtype=np.int32 if case["form"] == "labels" else np.float64)
        found = stream(part, case["form"], target, case["prediction"], case["rows"])
        tolerance = 1e-9 if case["precision"] == "float64" else 1e-6
        assert found == pytest.approx(case["value"], rel=tolerance, abs=1e-12), case["part"]


COUNT, CLASSES = 23, 4
LABELS = random.integers(0, CLASSES, COUNT).astype(np.int32)
SCORES = random.normal(size=(COUNT, CLASSES)) + 1.5 * np.eye(CLASSES)[LABELS]
SOFTMAX = np.exp(SCORES) / np.exp(SCORES).sum(-1, keepdims=True)
FLAGS = random.integers(0, 2, (COUNT, CLASSES)).astype(float)
CHANCES = np.clip(0.6 * FLAGS + random.uniform(0, 0.5, (COUNT, CLASSES)), 0, 1)
VALUES = random.normal(size=(COUNT, CLASSES))
TARGETS = {"labels": LABELS, "one_hot": np.eye(CLASSES)[LABELS], "binary": FLAGS, "values": VALUES}
PREDICTIONS = {"labels": SOFTMAX, "one_hot": SOFTMAX, "binary": CHANCES, "values": SCORES}


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
        for name in NAMES:
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


def test_every_metric_can_be_used_with_some_form() -> None:
    assert {case.values[0].type for case in streaming_cases()} == set(NAMES) - {"accuracy"}


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


@pytest.mark.parametrize("name", NAMES)
def test_an_empty_epoch_is_zero(name: str) -> None:
    part = metric(type=name).resolve(loss("binary"), prediction_of(1))
    graph = Graph()
    operands = graph.input("target", (BATCH, 1)), Prediction(graph.input("prediction", (BATCH, 1)))
    if name.endswith("categorical_accuracy"):
        operands = graph.input("two", (BATCH, 2)), Prediction(graph.input("scores", (BATCH, 2)))
    statistics = part.statistics(*operands, "binary")
    totals = {key: np.zeros([int(extent) for extent in value.shape]) for key, value in statistics.items()}
    assert part.result(totals) == 0.0


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
    assert smaller == {"mean_squared_error", "mean_absolute_error"}
