"""Keras's `ReduceLROnPlateau` and monitored values in; the rate behind every epoch, in `keras_plateau.json`, out.

Not a test and never run by one: it needs an environment with `keras` and `jax`.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

os.environ.update(KERAS_BACKEND="jax", JAX_PLATFORMS="cpu")

import keras
import numpy as np

EPOCHS, RATE = 24, 0.5
SETTINGS: list[dict[str, Any]] = [
    {},
    {"patience": 2, "factor": 0.5},
    {"patience": 0, "factor": 0.5},
    {"patience": 1, "factor": 0.25, "cooldown": 1},
    {"patience": 2, "factor": 0.5, "cooldown": 3},
    {"patience": 1, "factor": 0.5, "min_lr": 0.0625},
    {"patience": 1, "factor": 0.3, "min_lr": 0.1},
    {"patience": 2, "factor": 0.5, "min_delta": 0.125},
    {"patience": 2, "factor": 0.5, "mode": "max"},
    {"patience": 3, "factor": 0.5, "mode": "max", "min_delta": 0.0, "cooldown": 2},
]


def rates(settings: dict[str, Any], values: list[float]) -> list[float]:
    model = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1)])
    model.compile(optimizer=keras.optimizers.SGD(RATE), loss="mse")
    callback = keras.callbacks.ReduceLROnPlateau(monitor="val_loss", **settings)
    callback.set_model(model)
    callback.on_train_begin()
    found = []
    for epoch, value in enumerate(values):
        callback.on_epoch_end(epoch, {"val_loss": value})
        found.append(float(np.asarray(model.optimizer.learning_rate)))
    return found


def main() -> None:
    random = np.random.default_rng(4)
    cases = []
    for settings in SETTINGS:
        for kind in range(3):
            steps = random.normal(size=EPOCHS) * 0.2
            falling = [2.0 / (1 + epoch) for epoch in range(EPOCHS)]
            values = [falling, (np.asarray(falling) + steps).tolist(), np.cumsum(steps).tolist()][kind]
            values = [round(value, 3) for value in values]
            if kind == 2:
                values[5] = float("nan")
            cases.append({"settings": settings, "values": values, "rates": rates(settings, values)})
    path = Path(__file__).parent / "keras_plateau.json"
    path.write_text(json.dumps({"keras": keras.__version__, "rate": RATE, "cases": cases}) + "\n")


if __name__ == "__main__":
    main()
