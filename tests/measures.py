"""Metrics for tests: arguments, targets and predictions in; the metric's value over an epoch's batches out."""

from __future__ import annotations

from typing import Any

import numpy as np

from trainer_cli.ir.graph import BATCH, Graph
from trainer_cli.ir.primitive import DType
from trainer_cli.parts.families import LOSSES, METRICS, read_part
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
LOSS_OF_FORM = {
    "values": "mean_squared_error",
    "binary": "binary_crossentropy",
    "one_hot": "categorical_crossentropy",
    "labels": "sparse_categorical_crossentropy",
}


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
    dtype: DType = "int" if form == "labels" else "float"
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


def prediction_of(*shape: int) -> Prediction:
    return Prediction(Graph().input("prediction", (BATCH, *shape)))


random = np.random.default_rng(21)
COUNT, CLASSES = 23, 4
LABELS = random.integers(0, CLASSES, COUNT).astype(np.int32)
SCORES = random.normal(size=(COUNT, CLASSES)) + 1.5 * np.eye(CLASSES)[LABELS]
SOFTMAX = np.exp(SCORES) / np.exp(SCORES).sum(-1, keepdims=True)
FLAGS = random.integers(0, 2, (COUNT, CLASSES)).astype(float)
CHANCES = np.clip(0.6 * FLAGS + random.uniform(0, 0.5, (COUNT, CLASSES)), 0, 1)
VALUES = random.normal(size=(COUNT, CLASSES))
TARGETS: dict[str, Any] = {"labels": LABELS, "one_hot": np.eye(CLASSES)[LABELS], "binary": FLAGS, "values": VALUES}
PREDICTIONS: dict[str, Any] = {"labels": SOFTMAX, "one_hot": SOFTMAX, "binary": CHANCES, "values": SCORES}
