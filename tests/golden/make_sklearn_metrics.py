"""Writes `sklearn_metrics.json` beside itself: 100 random sets of predictions and what scikit-learn says about them.

Not a test and never run by one: it needs an environment with `scikit-learn`. The sets have ties (probabilities are
multiples of 1/20), weights of samples, batches of one class and short last batches.
"""

from __future__ import annotations

import json
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import sklearn
from sklearn import metrics as of
from sklearn.metrics.pairwise import paired_cosine_distances

random = np.random.default_rng(20260312)
warnings.simplefilter("ignore")  # about classes without samples, whose scores are 0

SETS_OF_A_KIND = 20


def chances(*shape: int) -> Any:
    return random.integers(1, 20, shape) / 20


def binary(weights: Any, rows: int, by_class: bool) -> dict[str, Any]:
    answers = random.integers(0, 2, rows)
    answers[:2] = 0, 1
    if by_class:
        answers = np.sort(answers)
    score = np.clip(chances(rows) * 0.6 + answers * np.round(random.uniform(0, 0.4), 1), 0.05, 1.0)
    score = np.round(score * 20) / 20
    yes, w = (score > 0.5).astype(int), weights
    rising, found, _ = of.roc_curve(answers, score, sample_weight=w, drop_intermediate=False)
    precision, recall, _ = of.precision_recall_curve(answers, score, sample_weight=w)
    values = [
        ({"type": "auc"}, of.roc_auc_score(answers, score, sample_weight=w)),
        ({"type": "average_precision"}, of.average_precision_score(answers, score, sample_weight=w)),
        ({"type": "accuracy"}, of.accuracy_score(answers, yes, sample_weight=w)),
        ({"type": "precision"}, of.precision_score(answers, yes, sample_weight=w)),
        ({"type": "recall"}, of.recall_score(answers, yes, sample_weight=w)),
        ({"type": "specificity"}, of.recall_score(answers, yes, pos_label=0, sample_weight=w)),
        ({"type": "f1_score"}, of.f1_score(answers, yes, sample_weight=w)),
        ({"type": "fbeta_score", "beta": 2.0}, of.fbeta_score(answers, yes, beta=2, sample_weight=w)),
        ({"type": "matthews_correlation"}, of.matthews_corrcoef(answers, yes, sample_weight=w)),
        ({"type": "cohen_kappa"}, kappa(answers, yes, w)),
        ({"type": "binary_iou"}, of.jaccard_score(answers, score >= 0.5, average="macro", sample_weight=w)),
        ({"type": "sensitivity_at_specificity", "specificity": 0.61}, found[1 - rising >= 0.61].max()),
        ({"type": "specificity_at_sensitivity", "sensitivity": 0.61}, (1 - rising)[found >= 0.61].max()),
        # The curve of scikit-learn ends with a precision of 1 at a recall of 0, which no threshold has.
        ({"type": "precision_at_recall", "recall": 0.61}, precision[recall >= 0.61].max()),
        ({"type": "recall_at_precision", "precision": 0.61}, recall[precision >= 0.61].max()),
        ({"type": "true_positives"}, of.confusion_matrix(answers, yes, sample_weight=w)[1, 1]),
        ({"type": "false_negatives"}, of.confusion_matrix(answers, yes, sample_weight=w)[1, 0]),
        ({"type": "true_negatives"}, of.confusion_matrix(answers, yes, sample_weight=w)[0, 0]),
        ({"type": "false_positives"}, of.confusion_matrix(answers, yes, sample_weight=w)[0, 1]),
        ({"type": "hinge"}, of.hinge_loss(2 * answers - 1, score, sample_weight=w)),
        ({"type": "mean_absolute_error"}, of.mean_absolute_error(answers, score, sample_weight=w)),
        # The Brier score.
        ({"type": "mean_squared_error"}, of.brier_score_loss(answers, score, sample_weight=w)),
    ]
    if score.max() < 1:
        logarithmic = of.log_loss(answers, score, sample_weight=w)
        values += [({"type": "binary_crossentropy"}, logarithmic), ({"type": "crossentropy"}, logarithmic)]
    return {"form": "binary", "target": answers[:, None], "prediction": score[:, None], "values": values}


def kappa(true: Any, found: Any, weights: Any) -> float:
    """0 where chance alone explains everything; scikit-learn says nan."""
    value = float(of.cohen_kappa_score(true, found, sample_weight=weights))
    return 0.0 if np.isnan(value) else value


def classes(weights: Any, rows: int, by_class: bool) -> dict[str, Any]:
    labels, score = scored(rows, by_class)
    names, best, w = np.arange(4), score.argmax(-1), weights
    values = [
        *of_classes(labels, score, weights),
        ({"type": "accuracy"}, of.accuracy_score(labels, best, sample_weight=w)),
        ({"type": "sparse_categorical_accuracy"}, of.accuracy_score(labels, best, sample_weight=w)),
        ({"type": "sparse_categorical_crossentropy"}, of.log_loss(labels, score, labels=names, sample_weight=w)),
    ]
    values += among_the_best("sparse_top_k_categorical_accuracy", labels, score, weights)
    return {"form": "labels", "target": labels, "prediction": score, "values": values}


def indicators(weights: Any, rows: int, by_class: bool) -> dict[str, Any]:
    labels, score = scored(rows, by_class)
    answers, best, w = np.eye(4, dtype=int)[labels], score.argmax(-1), weights
    yes, every = (score > 0.5).astype(int), None if w is None else np.repeat(w, 4)
    values = [
        *of_classes(labels, score, weights),
        ({"type": "accuracy"}, of.accuracy_score(labels, best, sample_weight=w)),
        ({"type": "categorical_accuracy"}, of.accuracy_score(labels, best, sample_weight=w)),
        ({"type": "categorical_crossentropy"}, of.log_loss(answers, score, sample_weight=w)),
        # Crammer and Singer's, which is Keras's where no score is below 0.
        ({"type": "categorical_hinge"}, of.hinge_loss(labels, score, labels=np.arange(4), sample_weight=w)),
        ({"type": "binary_accuracy"}, of.accuracy_score(answers.ravel(), yes.ravel(), sample_weight=every)),
    ]
    if not rows % 2:  # exact where no bin holds two different scores
        values.append(({"type": "auc"}, of.roc_auc_score(answers.ravel(), score.ravel(), sample_weight=every)))
    values += among_the_best("top_k_categorical_accuracy", labels, score, weights)
    return {"form": "one_hot", "target": answers, "prediction": score, "values": values}


def scored(rows: int, by_class: bool) -> tuple[Any, Any]:
    """One of four classes and scores of all of them, by row."""
    labels = random.integers(0, 4, rows)
    if by_class:
        labels = np.sort(labels)
    score = chances(rows, 4) + 0.5 * np.eye(4)[labels] * random.integers(0, 2, (rows, 1))
    if rows % 2:  # no ties: scikit-learn and Keras take different sides of a tie among the best k
        score = score + random.uniform(0, 0.01, score.shape)
    else:  # probabilities that many rows share, so that the bins of a curve hold one each
        score = np.array([[1, 2, 3, 4], [4, 3, 2, 1], [1, 1, 4, 4], [3, 3, 3, 1]])[random.integers(0, 4, rows)]
    return labels, score / score.sum(-1, keepdims=True)


def of_classes(labels: Any, score: Any, weights: Any) -> list[tuple[dict[str, Any], Any]]:
    """What is measured alike however the classes are written."""
    names, best, w = np.arange(4), score.argmax(-1), weights
    each: dict[str, Any] = {"labels": names, "zero_division": 0, "sample_weight": w}
    values = [
        ({"type": "matthews_correlation"}, of.matthews_corrcoef(labels, best, sample_weight=w)),
        ({"type": "cohen_kappa"}, kappa(labels, best, w)),
        ({"type": "mean_iou"}, of.jaccard_score(labels, best, average="macro", sample_weight=w)),
        ({"type": "recall", "class_id": 2}, of.recall_score(labels, best, average=None, **each)[2]),
        ({"type": "f1_score", "class_id": 1}, of.f1_score(labels, best, average=None, **each)[1]),
    ]
    if {0, 3} <= {*labels[(w if w is not None else 1 + 0 * labels) > 0], *best}:
        overlaps = of.jaccard_score(labels, best, labels=[0, 3], average="macro", zero_division=0, sample_weight=w)
        values.append(({"type": "iou", "target_class_ids": [0, 3]}, overlaps))
    for average in ("micro", "macro", "weighted"):
        values.append(({"type": "f1_score", "average": average}, of.f1_score(labels, best, average=average, **each)))
        found = of.fbeta_score(labels, best, beta=0.5, average=average, **each)
        values.append(({"type": "fbeta_score", "average": average, "beta": 0.5}, found))
    for average in ("micro", "macro"):
        for name, function in (("precision", of.precision_score), ("recall", of.recall_score)):
            values.append(({"type": name, "average": average}, function(labels, best, average=average, **each)))
    return values


def among_the_best(name: str, labels: Any, score: Any, weights: Any) -> list[tuple[dict[str, Any], Any]]:
    """How often the class is among the best k scores, where no two are equal."""
    if any(len(set(row)) < len(row) for row in score.tolist()):
        return []
    names = np.arange(score.shape[-1])
    return [
        ({"type": name, "k": k}, of.top_k_accuracy_score(labels, score, k=k, labels=names, sample_weight=weights))
        for k in (1, 2, 3)
    ]


def several(weights: Any, rows: int, by_class: bool) -> dict[str, Any]:
    answers = random.integers(0, 2, (rows, 3))
    answers[:2] = [[0, 1, 0], [1, 0, 1]]
    if by_class:
        answers = answers[np.argsort(answers[:, 0], kind="stable")]
    score = chances(rows, 3)
    yes, w = (score > 0.5).astype(int), weights
    every = None if w is None else np.repeat(w, 3)
    values = [
        ({"type": "auc", "multi_label": True}, of.roc_auc_score(answers, score, average="macro", sample_weight=w)),
        ({"type": "auc"}, of.roc_auc_score(answers, score, average="micro", sample_weight=w)),
        ({"type": "average_precision"}, of.average_precision_score(answers, score, average="micro", sample_weight=w)),
        ({"type": "auc", "class_id": 1}, of.roc_auc_score(answers[:, 1], score[:, 1], sample_weight=w)),
        ({"type": "binary_accuracy"}, of.accuracy_score(answers.ravel(), yes.ravel(), sample_weight=every)),
        ({"type": "precision"}, of.precision_score(answers, yes, average="micro", zero_division=0, sample_weight=w)),
    ]
    for average in ("micro", "macro", "weighted"):
        found = of.f1_score(answers, yes, average=average, zero_division=0, sample_weight=w)
        values.append(({"type": "f1_score", "average": average}, found))
    for average in ("micro", "macro"):
        found = of.recall_score(answers, yes, average=average, zero_division=0, sample_weight=w)
        values.append(({"type": "recall", "average": average}, found))
    return {"form": "binary", "target": answers, "prediction": score, "values": values}


def amounts(weights: Any, rows: int, by_class: bool) -> dict[str, Any]:
    true = np.round(random.uniform(0.5, 9, (rows, 2)), 2)
    if by_class:
        true = np.sort(true, axis=0)
    found, w = np.round(np.abs(true + random.normal(size=(rows, 2))), 2), weights
    weighted = {"sample_weight": w}
    values = [
        ({"type": "mean_squared_error"}, of.mean_squared_error(true, found, **weighted)),
        ({"type": "mean_absolute_error"}, of.mean_absolute_error(true, found, **weighted)),
        # scikit-learn takes the root column by column.
        ({"type": "root_mean_squared_error"}, np.sqrt(of.mean_squared_error(true, found, **weighted))),
        (
            {"type": "mean_absolute_percentage_error"},
            100 * of.mean_absolute_percentage_error(true, found, **weighted),
        ),
        ({"type": "mean_squared_logarithmic_error"}, of.mean_squared_log_error(true, found, **weighted)),
        ({"type": "r2_score"}, of.r2_score(true, found, **weighted)),
        (
            {"type": "r2_score", "class_aggregation": "variance_weighted_average"},
            of.r2_score(true, found, multioutput="variance_weighted", **weighted),
        ),
    ]
    spread = [np.cov(true[:, unit], found[:, unit], aweights=w, ddof=0) for unit in range(2)]
    pearson = np.mean([each[0, 1] / np.sqrt(each[0, 0] * each[1, 1]) for each in spread])
    values.append(({"type": "pearson_correlation", "axis": 0}, pearson))
    angles = np.average(1 - paired_cosine_distances(true, found), weights=w)
    values.append(({"type": "cosine_similarity"}, angles))
    return {"form": "values", "target": true, "prediction": found, "values": values}


def main() -> None:
    cases = []
    for kind in (binary, classes, indicators, several, amounts):
        for number in range(SETS_OF_A_KIND):
            rows = int(random.integers(9, 24))
            weights = random.integers(0, 5, rows) / 2 if number % 3 == 1 else None
            if weights is not None:
                weights[:3] = 1.0
            found = kind(weights, rows, by_class=number % 4 == 2)
            batch = int(random.integers(2, 9))
            counts = [batch] * (rows // batch) + ([rows % batch] if rows % batch else [])
            found["values"] = [[part, float(value)] for part, value in found["values"]]
            arrays = {"target": found["target"].tolist(), "prediction": np.round(found["prediction"], 15).tolist()}
            cases.append({**found, **arrays, "weights": None if weights is None else weights.tolist(), "rows": counts})
    content = {"source": f"scikit-learn {sklearn.__version__}, NumPy {np.__version__}", "sets": cases}
    text = json.dumps(content, separators=(",", ":"), allow_nan=False).replace('},{"form"', '},\n{"form"')
    Path(__file__).with_name("sklearn_metrics.json").write_text(text + "\n")


if __name__ == "__main__":
    main()
