"""Keras's models over padded sequences in; what they lose, learn and predict, written to `keras_masks.json`, out.

Not a test and never run by one: it needs an environment with `keras` and `jax`.
The models are named by the layers that `tests/parts/layers/test_keras_masks.py` builds them from.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable
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
STEPS, ROWS, LENGTH, TOKENS = 10, 6, 8, 11
RATE = 0.25  # a number that float32, in which Keras keeps it, holds exactly


def tokens(random: np.random.Generator) -> np.ndarray:
    """Sequences of 1 to 8 tokens, zeros behind them."""
    found = np.zeros((ROWS, LENGTH), np.int32)
    for row, count in enumerate((1, 8, 5, 3, 8, 2)):
        found[row, :count] = random.integers(1, TOKENS, count)
    return found


def embedded() -> tuple[Any, Any]:
    given = keras.Input((LENGTH,), dtype="int32")
    return given, layers.Embedding(TOKENS, 4, mask_zero=True)(given)


def chain(*made: Any) -> Callable[[], Any]:
    def build() -> Any:
        given, x = embedded()
        for layer in made:
            x = layer()(x)
        return keras.Model(given, layers.Dense(3, activation="softmax")(x))

    return build


def attention(causal: bool) -> Callable[[], Any]:
    def build() -> Any:
        given, x = embedded()
        seen = layers.MultiHeadAttention(2, 3)(x, x, use_causal_mask=causal)
        # No residual connection: Keras 3.15's `Add` loses the mask, which here it hands on.
        x = layers.LayerNormalization()(seen)
        return keras.Model(given, layers.Dense(3, activation="softmax")(x))

    return build


def joined() -> Any:
    given, x = embedded()
    narrow = layers.Dense(2, activation="tanh")(x)
    both = layers.Concatenate()([narrow, x])
    return keras.Model(given, layers.Dense(3, activation="softmax")(both))


def masking() -> Any:
    given = keras.Input((LENGTH, 2))
    x = layers.GRU(4)(layers.Masking(-1.0)(given))
    return keras.Model(given, layers.Dense(3, activation="softmax")(x))


MODELS: dict[str, Callable[[], Any]] = {
    "simple_rnn": chain(lambda: layers.SimpleRNN(4)),
    "lstm": chain(lambda: layers.LSTM(4)),
    "lstm backwards": chain(lambda: layers.LSTM(4, go_backwards=True)),
    "gru": chain(lambda: layers.GRU(4)),
    "gru before": chain(lambda: layers.GRU(4, reset_after=False)),
    "stacked": chain(lambda: layers.GRU(4, return_sequences=True), lambda: layers.LSTM(3)),
    "lstm by token": chain(lambda: layers.LSTM(4, return_sequences=True)),
    "zeros by token": chain(lambda: layers.LSTM(4, return_sequences=True, zero_output_for_mask=True)),
    "bidirectional": chain(lambda: layers.Bidirectional(layers.LSTM(3))),
    "bidirectional by token": chain(lambda: layers.Bidirectional(layers.GRU(3, return_sequences=True))),
    "distributed by token": chain(lambda: layers.TimeDistributed(layers.Dense(5, activation="tanh"))),
    "pooled": chain(lambda: layers.GlobalAveragePooling1D()),
    "normalized": chain(lambda: layers.BatchNormalization(), lambda: layers.GlobalAveragePooling1D()),
    "normalized by token": chain(lambda: layers.BatchNormalization()),
    "attention by token": attention(False),
    "causal by token": attention(True),
    "joined by token": joined,
    "masking": masking,
}


def compute(name: str, build: Callable[[], Any], seed: int) -> dict[str, Any]:
    """Weights before, losses of every step, weights behind, and what the trained model predicts."""
    random = np.random.default_rng(seed)
    keras.utils.set_random_seed(seed)
    model = build()
    model.compile(optimizer=keras.optimizers.SGD(RATE), loss="sparse_categorical_crossentropy", jit_compile=False)
    x: np.ndarray = tokens(random)
    kept = x > 0
    if name == "masking":
        x = random.normal(size=(ROWS, LENGTH, 2)).round(3)
        x[~kept] = -1.0
    labels = random.integers(0, 3, (ROWS, LENGTH) if "by token" in name else (ROWS,))
    before = [np.asarray(weight.value) for weight in model.weights]
    losses = [float(model.train_on_batch(x, labels)) for _ in range(STEPS)]
    return {
        "inputs": x.tolist(),
        "labels": labels.tolist(),
        "kept": kept.tolist(),
        "before": [value.tolist() for value in before],
        "losses": losses,
        "behind": [np.asarray(weight.value).tolist() for weight in model.weights],
        "predicted": np.asarray(model.predict_on_batch(x)).tolist(),
    }


def main() -> None:
    found = {name: compute(name, build, seed) for seed, (name, build) in enumerate(MODELS.items())}
    path = Path(__file__).parent / "keras_masks.json"
    path.write_text(json.dumps({"keras": keras.__version__, "rate": RATE, "models": found}) + "\n")


if __name__ == "__main__":
    main()
