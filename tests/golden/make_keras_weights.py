"""Keras's `fit` with weights of classes and of samples in; its history and weights, in `keras_weights.json`, out.

Not a test and never run by one: it needs an environment with `keras` and `jax`.
The models are named by those that `tests/training/test_keras_weights.py` builds.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

os.environ.update(KERAS_BACKEND="jax", JAX_PLATFORMS="cpu")

import jax
import keras
import numpy as np
from keras import layers
from keras.src.backend.common import dtypes

# Keras computes in float32 where it promotes types, whatever they were; here float64 shall stay what it is.
dtypes.BIT64_TO_BIT32_DTYPE.pop("float64")
jax.config.update("jax_enable_x64", True)
keras.config.set_floatx("float64")
ROWS, HELD_OUT, BATCH, EPOCHS, RATE = 10, 5, 4, 3, 0.25
CLASS_WEIGHT = {0: 0.5, 2: 3.0}  # class 1 is not named

SUMMED = {"type": "sparse_categorical_crossentropy", "reduction": "sum"}

# By name: units and activation, loss, metrics, how targets are given, and which weights there are.
CASES: dict[str, tuple[int, str | None, Any, list[str], str, str]] = {
    "classes": (3, "softmax", "sparse_categorical_crossentropy", ["accuracy"], "labels", "class"),
    "indicators": (3, "softmax", "categorical_crossentropy", ["accuracy"], "one_hot", "class"),
    "answers": (1, "sigmoid", "binary_crossentropy", ["accuracy"], "binary", "class"),
    "samples": (3, "softmax", "sparse_categorical_crossentropy", ["accuracy"], "labels", "sample"),
    "values": (2, None, "mean_squared_error", ["mean_absolute_error"], "values", "sample"),
    "accumulated": (2, None, "mean_squared_error", [], "values", "sample"),
    "padded": (3, "softmax", "sparse_categorical_crossentropy", [], "labels by step", "sample"),
    "two outputs": (2, None, "mean_squared_error", ["mean_absolute_error"], "values", "sample"),
    "summed": (3, "softmax", SUMMED, ["accuracy"], "labels", "class"),
    "padded, summed": (3, "softmax", SUMMED, [], "labels by step", "sample"),
    "by weight": (
        2,
        None,
        {"type": "mean_squared_error", "reduction": "mean_with_sample_weight"},
        [],
        "values",
        "sample",
    ),
    "padded, by weight": (
        3,
        "softmax",
        {**SUMMED, "reduction": "mean_with_sample_weight"},
        [],
        "labels by step",
        "sample",
    ),
    "mean": (2, None, {"type": "mean_squared_error", "reduction": "mean"}, [], "values", "sample"),
}


def lost(loss: Any) -> Any:
    """Keras's loss: the name as it is, or the class that is called so with a reduction."""
    if isinstance(loss, str):
        return loss
    known = "".join(word.capitalize() for word in loss["type"].split("_"))
    return getattr(keras.losses, known)(reduction=loss["reduction"])


def data(form: str, units: int, rows: int, random: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    if form == "labels by step":
        x = np.zeros((rows, 6), np.int32)
        for row in range(rows):
            count = 1 + (row * 2) % 6
            x[row, :count] = random.integers(1, 9, count)
        return x, random.integers(0, units, (rows, 6))
    x = random.normal(size=(rows, 3)).round(3)
    labels = random.integers(0, max(units, 2), rows)
    if form == "values":
        return x, random.normal(size=(rows, units)).round(3)
    return x, {"labels": labels, "one_hot": np.eye(units)[labels % units], "binary": labels[:, None]}[form]


def model(name: str, units: int, activation: str | None) -> Any:
    if name.startswith("padded"):
        given = keras.Input((6,), dtype="int32")
        x = layers.LSTM(4, return_sequences=True)(layers.Embedding(9, 4, mask_zero=True)(given))
        return keras.Model(given, layers.Dense(units, activation=activation)(x))
    given = keras.Input((3,))
    if name == "two outputs":
        return keras.Model(given, [layers.Dense(units, name=each)(given) for each in ("first", "second")])
    return keras.Model(
        given, layers.Dense(units, activation=activation, kernel_regularizer=keras.regularizers.L2(0.01))(given)
    )


def compute(name: str, seed: int) -> dict[str, Any]:
    units, activation, loss, metrics, form, kind = CASES[name]
    random = np.random.default_rng(seed)
    keras.utils.set_random_seed(seed)
    made = model(name, units, activation)
    steps = 2 if name == "accumulated" else None
    several = name == "two outputs"
    made.compile(
        optimizer=keras.optimizers.SGD(RATE, gradient_accumulation_steps=steps),
        loss=[loss, loss] if several else lost(loss),
        metrics=[metrics, metrics] if several else metrics,
        weighted_metrics=[metrics, metrics] if several else metrics,
        jit_compile=False,
    )
    (x, y), (x_held, y_held) = (data(form, units, rows, random) for rows in (ROWS, HELD_OUT))
    # A weight of 0 is among them, and the last batch is short.
    weights, weights_held = (
        np.asarray([0.0, *random.uniform(0.1, 3.0, rows - 1)]).round(3) for rows in (ROWS, HELD_OUT)
    )
    before = [np.asarray(weight.value) for weight in made.weights]
    given = {"class_weight": CLASS_WEIGHT} if kind == "class" else {"sample_weight": weights}
    held = (x_held, y_held) if kind == "class" else (x_held, y_held, weights_held)
    if name.startswith("padded"):  # Keras takes a weight for each step, or one that it can stretch over the steps
        given, held = {"sample_weight": weights[:, None]}, (x_held, y_held, weights_held[:, None])
    if several:
        y, y_held = [y, -y], [y_held, -y_held]
        given, held = {"sample_weight": [weights, weights]}, (x_held, y_held, [weights_held, weights_held])
    history = made.fit(
        x,
        y,
        batch_size=BATCH,
        epochs=EPOCHS,
        shuffle=False,
        validation_data=held,
        validation_batch_size=BATCH,
        verbose=0,
        **given,
    ).history
    lists = lambda value: [each.tolist() for each in value] if isinstance(value, list) else value.tolist()  # noqa: E731
    return {
        "x": x.tolist(),
        "y": lists(y),
        "x_held": x_held.tolist(),
        "y_held": lists(y_held),
        "weights": weights.tolist(),
        "weights_held": weights_held.tolist(),
        "before": [value.tolist() for value in before],
        "behind": [np.asarray(weight.value).tolist() for weight in made.weights],
        "history": history,
    }


def main() -> None:
    cases = {name: {"case": list(CASES[name]), **compute(name, seed)} for seed, name in enumerate(CASES)}
    constants = {"rate": RATE, "batch": BATCH, "epochs": EPOCHS, "class_weight": CLASS_WEIGHT}
    path = Path(__file__).parent / "keras_weights.json"
    path.write_text(json.dumps({"keras": keras.__version__, **constants, "cases": cases}) + "\n")


if __name__ == "__main__":
    main()
