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


def losses() -> list[dict[str, Any]]:
    cases = []
    for part, kind, target, prediction in LOSSES:
        arguments = {key: value for key, value in part.items() if key != "type"}
        if isinstance(arguments.get("axis"), list):
            arguments["axis"] = tuple(arguments["axis"])
        loss = kind(reduction=None, **arguments)
        value, gradient = jax.value_and_grad(lambda p, loss=loss, target=target: loss(target, p).mean())(prediction)
        found = {"target": target, "prediction": prediction, "value": value, "gradient": gradient}
        content = {key: numbers(each) for key, each in found.items()}
        cases.append({"part": part, **content, "precision": str(value.dtype)})
    return cases


def main() -> None:
    content = {
        "source": f"Keras {keras.__version__} on JAX {jax.__version__}, float64",
        "losses": losses(),
    }
    text = json.dumps(content, indent=None, separators=(",", ":")).replace('},{"part"', '},\n{"part"')
    Path(__file__).with_name("keras_measures.json").write_text(text + "\n")


if __name__ == "__main__":
    main()
