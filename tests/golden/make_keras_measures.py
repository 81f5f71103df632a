"""Writes `keras_measures.json` beside itself: Keras's losses with their gradients, and its metrics over batches.

Not a test and never run by one: it needs an environment with `keras` and `jax`. It continues `make_keras_parts.py`, in
the same form: a part, its target and prediction, what Keras makes of them, in float64 but where `precision` says
otherwise.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from make_keras_blocks import jax, keras, np, numbers

random = np.random.default_rng(20260311)

LOGITS = random.normal(size=(5, 3)) * 2.0
VALUES = random.normal(size=(5, 3))
AMOUNTS = random.uniform(0.1, 6.0, (5, 3))
COUNTS = random.integers(0, 5, (5, 3)).astype(float)
FLAGS = random.integers(0, 2, (5, 3)).astype(float)
ONE_HOT = np.eye(3)[random.integers(0, 3, 5)]
SOFTMAX = np.asarray(keras.ops.softmax(LOGITS))
SIGMOID = np.asarray(keras.ops.sigmoid(LOGITS))
SHARES = np.asarray(keras.ops.softmax(random.normal(size=(5, 3))))
UNNORMALISED = random.uniform(0.1, 0.9, (5, 3))
IMAGE_FLAGS = random.integers(0, 2, (3, 4, 2, 2)).astype(float)
IMAGE_CHANCES = random.uniform(0.02, 0.98, (3, 4, 2, 2))
SEQUENCE, SEQUENCE_VALUES = random.normal(size=(2, 4, 3)), random.normal(size=(2, 4, 3))

made = keras.losses
LOSSES: list[tuple[dict[str, Any], Any, Any, Any]] = [
    ({"type": "mean_absolute_percentage_error"}, made.MeanAbsolutePercentageError, VALUES, LOGITS),
    ({"type": "mean_absolute_percentage_error"}, made.MeanAbsolutePercentageError, COUNTS, AMOUNTS),
    ({"type": "mean_squared_logarithmic_error"}, made.MeanSquaredLogarithmicError, COUNTS, AMOUNTS),
    ({"type": "mean_squared_logarithmic_error"}, made.MeanSquaredLogarithmicError, VALUES, LOGITS),
    ({"type": "log_cosh"}, made.LogCosh, VALUES, LOGITS),
    ({"type": "log_cosh"}, made.LogCosh, VALUES, LOGITS * 200),
    ({"type": "huber"}, made.Huber, VALUES, LOGITS),
    ({"type": "huber", "delta": 0.3}, made.Huber, SEQUENCE_VALUES, SEQUENCE),
    ({"type": "poisson"}, made.Poisson, COUNTS, AMOUNTS),
    ({"type": "kl_divergence"}, made.KLDivergence, SHARES, SOFTMAX),
    ({"type": "kl_divergence"}, made.KLDivergence, ONE_HOT, SOFTMAX),
    ({"type": "cosine_similarity"}, made.CosineSimilarity, VALUES, LOGITS),
    ({"type": "cosine_similarity"}, made.CosineSimilarity, SEQUENCE_VALUES, SEQUENCE * 1e-3),
    ({"type": "hinge"}, made.Hinge, FLAGS, LOGITS),
    ({"type": "hinge"}, made.Hinge, FLAGS * 2 - 1, LOGITS),
    ({"type": "squared_hinge"}, made.SquaredHinge, FLAGS, LOGITS),
    ({"type": "categorical_hinge"}, made.CategoricalHinge, ONE_HOT, LOGITS),
    ({"type": "dice"}, made.Dice, FLAGS, SIGMOID),
    ({"type": "dice", "axis": [1, 2, 3]}, made.Dice, IMAGE_FLAGS, IMAGE_CHANCES),
    ({"type": "dice", "axis": [0, 1, 2]}, made.Dice, IMAGE_FLAGS, IMAGE_CHANCES),
    ({"type": "dice", "axis": -1}, made.Dice, IMAGE_FLAGS, IMAGE_CHANCES),
    ({"type": "tversky"}, made.Tversky, FLAGS, SIGMOID),
    ({"type": "tversky", "alpha": 0.3, "beta": 0.7}, made.Tversky, IMAGE_FLAGS, IMAGE_CHANCES),
    ({"type": "tversky", "alpha": 0.8, "beta": 0.1, "axis": [1, 2]}, made.Tversky, IMAGE_FLAGS, IMAGE_CHANCES),
]
for extra in ({}, {"apply_class_balancing": True, "alpha": 0.4, "gamma": 1.5}, {"gamma": 0.0, "label_smoothing": 0.2}):
    LOSSES += [
        ({"type": "binary_focal_crossentropy", **extra, "from_logits": False}, made.BinaryFocalCrossentropy, FLAGS, p)
        for p in (SIGMOID, UNNORMALISED)
    ]
    LOSSES.append(
        (
            {"type": "binary_focal_crossentropy", **extra, "from_logits": True},
            made.BinaryFocalCrossentropy,
            FLAGS,
            LOGITS,
        )
    )
for extra in ({}, {"alpha": [0.2, 0.3, 0.5], "gamma": 1.0}, {"alpha": 1.0, "gamma": 3.0, "label_smoothing": 0.2}):
    name, kind = "categorical_focal_crossentropy", made.CategoricalFocalCrossentropy
    LOSSES += [({"type": name, **extra, "from_logits": False}, kind, ONE_HOT, p) for p in (SOFTMAX, UNNORMALISED)]
    LOSSES.append(({"type": name, **extra, "from_logits": True}, kind, ONE_HOT, LOGITS))


# Numbers of their own, so that those above stay what they were.
more = np.random.default_rng(20261122)
SPELLED = np.array([[1, 2, 0, 0, 0], [3, 3, 1, 0, 0], [2, 0, 0, 0, 0], [0, 0, 0, 0, 0], [1, 1, 1, 1, 0]])
STEPS = more.normal(size=(5, 7, 4)) * 2.0
LABELS, PLACES = more.integers(0, 4, (3, 5)), more.normal(size=(3, 5, 4))
PLACE_CHANCES = np.asarray(keras.ops.softmax(PLACES))
LOSSES += [
    ({"type": "ctc", "label_length": 5}, made.CTC, SPELLED, STEPS),
    ({"type": "ctc", "label_length": 1}, made.CTC, SPELLED[:, :1], STEPS[:, :2]),
    *(
        (
            {"type": "sparse_categorical_crossentropy", "ignore_class": 2, "from_logits": logits},
            made.SparseCategoricalCrossentropy,
            LABELS,
            PLACES if logits else PLACE_CHANCES,
        )
        for logits in (False, True)
    ),
]
VECTORS = more.normal(size=(7, 3))
VECTORS *= 0.9 / np.linalg.norm(VECTORS, axis=1, keepdims=True)
KINDS = np.array([2, 0, 2, 1, 0, 2, 1])
LOSSES += [
    ({"type": "circle"}, made.Circle, KINDS, VECTORS),
    ({"type": "circle", "gamma": 20.0, "margin": 0.25}, made.Circle, KINDS, VECTORS),
    ({"type": "circle", "gamma": 5.0, "remove_diagonal": False}, made.Circle, KINDS, VECTORS),
    # A row that no other is of the class of: it does not count.
    ({"type": "circle", "gamma": 5.0, "remove_diagonal": True}, made.Circle, np.array([2, 0, 2, 7, 0, 2, 1]), VECTORS),
]
LOSSES += [
    ({"type": "sparse_categorical_crossentropy", "ignore_class": other}, made.SparseCategoricalCrossentropy, left, p)
    for other in (-1, 255)
    for left, p in ((np.where(LABELS == 1, other, LABELS), PLACE_CHANCES),)
]
LOSSES += [
    (
        {"type": "categorical_generalized_cross_entropy", **own},
        made.CategoricalGeneralizedCrossEntropy,
        ONE_HOT.argmax(-1),
        p,
    )
    for own in ({}, {"q": 0.125})
    for p in (SOFTMAX, UNNORMALISED)
]
OURS = ("label_length",)
"""Arguments that Keras does not have."""


def losses() -> list[dict[str, Any]]:
    cases = []
    for part, kind, target, prediction in LOSSES:
        arguments = {key: value for key, value in part.items() if key not in ("type", *OURS)}
        if isinstance(arguments.get("axis"), list):
            arguments["axis"] = tuple(arguments["axis"])
        # What is left out counts in no mean, which is Keras's own then.
        own = {} if "ignore_class" in arguments or part["type"] == "circle" else {"reduction": None}
        loss = kind(**own, **arguments)
        value, gradient = jax.value_and_grad(lambda p, loss=loss, target=target: loss(target, p).mean())(prediction)
        found = {"target": target, "prediction": prediction, "value": value, "gradient": gradient}
        content = {key: numbers(each) for key, each in found.items()}
        cases.append({"part": part, **content, "precision": str(value.dtype)})
    return cases


ROWS = [4, 4, 3]
SCORES, TRUTH = random.normal(size=(11, 3)), random.normal(size=(11, 3))
POSITIVE_SCORES, POSITIVE_TRUTH = random.uniform(0.1, 5.0, (11, 3)), random.uniform(0.1, 5.0, (11, 3))
CLASS_CHANCES = np.asarray(keras.ops.softmax(random.normal(size=(11, 4)) * 2))
TIED_CHANCES = np.round(CLASS_CHANCES * 4) / 4
CLASSES = random.integers(0, 4, 11)
CLASSES_ONE_HOT = np.eye(4)[CLASSES]
ANSWERS = random.integers(0, 2, (11, 3)).astype(float)
CHANCES = np.round(random.uniform(size=(11, 3)), 2)
SINGLE, SINGLE_ANSWERS = CHANCES[:, :1], ANSWERS[:, :1]
IN_FLOAT32 = ("auc", "_at_", "concordance", "iou", "f1", "fbeta", "r2", "root")

of = keras.metrics
METRICS: list[tuple[dict[str, Any], str, Any, Any, Any]] = [
    ({"type": "mean_absolute_percentage_error"}, "values", of.MeanAbsolutePercentageError(), TRUTH, SCORES),
    (
        {"type": "mean_squared_logarithmic_error"},
        "values",
        of.MeanSquaredLogarithmicError(),
        POSITIVE_TRUTH,
        POSITIVE_SCORES,
    ),
    ({"type": "root_mean_squared_error"}, "values", of.RootMeanSquaredError(), TRUTH, SCORES),
    ({"type": "log_cosh_error"}, "values", of.LogCoshError(), TRUTH, SCORES),
    ({"type": "huber", "delta": 0.7}, "values", of.MeanMetricWrapper(keras.losses.huber, delta=0.7), TRUTH, SCORES),
    ({"type": "poisson"}, "values", of.Poisson(), np.floor(POSITIVE_TRUTH), POSITIVE_SCORES),
    ({"type": "kl_divergence"}, "one_hot", of.KLDivergence(), CLASSES_ONE_HOT, CLASS_CHANCES),
    ({"type": "hinge"}, "binary", of.Hinge(), ANSWERS, SCORES),
    ({"type": "squared_hinge"}, "binary", of.SquaredHinge(), ANSWERS, SCORES),
    ({"type": "categorical_hinge"}, "one_hot", of.CategoricalHinge(), CLASSES_ONE_HOT, CLASS_CHANCES),
    ({"type": "binary_crossentropy"}, "binary", of.BinaryCrossentropy(), ANSWERS, np.clip(CHANCES, 0.01, 0.99)),
    (
        {"type": "binary_crossentropy", "from_logits": True, "label_smoothing": 0.1},
        "binary",
        of.BinaryCrossentropy(from_logits=True, label_smoothing=0.1),
        ANSWERS,
        SCORES,
    ),
    ({"type": "categorical_crossentropy"}, "one_hot", of.CategoricalCrossentropy(), CLASSES_ONE_HOT, CLASS_CHANCES),
    ({"type": "sparse_categorical_crossentropy"}, "labels", of.SparseCategoricalCrossentropy(), CLASSES, CLASS_CHANCES),
    ({"type": "cosine_similarity"}, "values", of.CosineSimilarity(), TRUTH, SCORES),
    ({"type": "pearson_correlation"}, "values", of.PearsonCorrelation(), TRUTH, SCORES),
    ({"type": "concordance_correlation"}, "values", of.ConcordanceCorrelation(), TRUTH, SCORES),
    ({"type": "r2_score"}, "values", of.R2Score(), TRUTH, TRUTH + 0.3 * SCORES),
    (
        {"type": "r2_score", "class_aggregation": "variance_weighted_average"},
        "values",
        of.R2Score("variance_weighted_average"),
        TRUTH,
        TRUTH + 0.3 * SCORES,
    ),
    (  # of one unit: Keras takes every unit of a sample for a sample
        {"type": "r2_score", "num_regressors": 2},
        "values",
        of.R2Score(num_regressors=2),
        TRUTH[:, :1],
        TRUTH[:, :1] + 0.3 * SCORES[:, :1],
    ),
    ({"type": "mean_iou"}, "labels", of.MeanIoU(4, sparse_y_pred=False), CLASSES, CLASS_CHANCES),
    (
        {"type": "mean_iou", "ignore_class": 1},
        "labels",
        of.MeanIoU(4, sparse_y_pred=False, ignore_class=1),
        CLASSES,
        CLASS_CHANCES,
    ),
    (
        {"type": "iou", "target_class_ids": [0, 2]},
        "one_hot",
        of.OneHotIoU(4, [0, 2]),
        CLASSES_ONE_HOT,
        CLASS_CHANCES,
    ),
    ({"type": "binary_iou", "threshold": 0.3}, "binary", of.BinaryIoU(threshold=0.3), ANSWERS, CHANCES),
    ({"type": "binary_iou", "target_class_ids": [1]}, "binary", of.BinaryIoU([1]), ANSWERS, CHANCES),
]
for chances in (CLASS_CHANCES, TIED_CHANCES):
    for k in (1, 2, 3):
        METRICS += [
            (
                {"type": "top_k_categorical_accuracy", "k": k},
                "one_hot",
                of.TopKCategoricalAccuracy(k),
                CLASSES_ONE_HOT,
                chances,
            ),
            (
                {"type": "sparse_top_k_categorical_accuracy", "k": k},
                "labels",
                of.SparseTopKCategoricalAccuracy(k),
                CLASSES,
                chances,
            ),
        ]
for name, kind in (
    ("true_positives", of.TruePositives),
    ("false_positives", of.FalsePositives),
    ("true_negatives", of.TrueNegatives),
    ("false_negatives", of.FalseNegatives),
):
    METRICS += [
        ({"type": name}, "binary", kind(), ANSWERS, CHANCES),
        ({"type": name, "thresholds": 0.3}, "one_hot", kind(thresholds=0.3), CLASSES_ONE_HOT, CLASS_CHANCES),
    ]
for curve in ("ROC", "PR"):
    for method in ("interpolation", "minoring", "majoring"):
        extra = {"curve": curve, "summation_method": method}
        METRICS.append(({"type": "auc", **extra}, "binary", of.AUC(**extra), SINGLE_ANSWERS, SINGLE))
        more = {**extra, "multi_label": True, "label_weights": [0.2, 0.5, 0.3], "num_thresholds": 7}
        METRICS.append(({"type": "auc", **more}, "binary", of.AUC(**more), ANSWERS, CHANCES))
    more = {"curve": curve, "thresholds": [0.1, 0.25, 0.7]}
    METRICS.append(({"type": "auc", **more}, "binary", of.AUC(**more), ANSWERS, CHANCES))
METRICS += [
    ({"type": "auc"}, "one_hot", of.AUC(), CLASSES_ONE_HOT, CLASS_CHANCES),
    ({"type": "auc", "from_logits": True}, "binary", of.AUC(from_logits=True), ANSWERS, SCORES),
    ({"type": "auc"}, "binary", of.AUC(), SINGLE_ANSWERS * 0, SINGLE),
]
for name, kind, key in (
    ("sensitivity_at_specificity", of.SensitivityAtSpecificity, "specificity"),
    ("specificity_at_sensitivity", of.SpecificityAtSensitivity, "sensitivity"),
    ("precision_at_recall", of.PrecisionAtRecall, "recall"),
    ("recall_at_precision", of.RecallAtPrecision, "precision"),
):
    for least in (0.2, 0.5, 0.9):
        more = {key: least, "num_thresholds": 30}
        METRICS.append(({"type": name, **more}, "binary", kind(**more), SINGLE_ANSWERS, SINGLE))
    more = {key: 0.6, "class_id": 2}
    METRICS.append(({"type": name, **more}, "one_hot", kind(**more), CLASSES_ONE_HOT, CLASS_CHANCES))
for average in ("micro", "macro", "weighted"):
    METRICS += [
        ({"type": "f1_score", "average": average}, "one_hot", of.F1Score(average), CLASSES_ONE_HOT, CLASS_CHANCES),
        (
            {"type": "fbeta_score", "average": average, "beta": 2.0, "threshold": 0.4},
            "binary",
            of.FBetaScore(average, 2.0, 0.4),
            ANSWERS,
            CHANCES,
        ),
    ]


for top_k in (1, 2):
    for extra in ({}, {"class_id": 1}, {"thresholds": 0.4}):
        for kind in (of.Precision, of.Recall):
            part = {"type": kind.__name__.lower(), "top_k": top_k, **extra}
            METRICS += [
                (part, "one_hot", kind(top_k=top_k, **extra), CLASSES_ONE_HOT, CLASS_CHANCES),
                (part, "binary", kind(top_k=top_k, **extra), ANSWERS, CHANCES),
            ]


def metrics() -> list[dict[str, Any]]:
    cases = []
    for part, form, metric, target, prediction in METRICS:
        start = 0
        for count in ROWS:
            metric.update_state(target[start : start + count], prediction[start : start + count])
            start += count
        found = {"target": target, "prediction": prediction, "value": metric.result()}
        # These keep sums in float32, or add 1e-7 to what they divide by.
        precision = "float32" if any(word in part["type"] for word in IN_FLOAT32) else "float64"
        content = {key: numbers(each) for key, each in found.items()}
        cases.append({"part": part, **content, "form": form, "rows": ROWS, "precision": precision})
    return cases


def main() -> None:
    content = {
        "source": f"Keras {keras.__version__} on JAX {jax.__version__}, float64",
        "losses": losses(),
        "metrics": metrics(),
    }
    text = json.dumps(content, indent=None, separators=(",", ":")).replace('},{"part"', '},\n{"part"')
    Path(__file__).with_name("keras_measures.json").write_text(text + "\n")


if __name__ == "__main__":
    main()
