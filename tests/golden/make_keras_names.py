"""Writes `keras_names.json` beside itself: the classes that Keras has, each with the arguments of its constructor.

Not a test and never run by one: it needs an environment with `keras` and `jax`.
"""

from __future__ import annotations

import inspect
import json
import os
from pathlib import Path
from typing import Any

os.environ.update(KERAS_BACKEND="jax", JAX_PLATFORMS="cpu")

import keras

FAMILIES: dict[str, tuple[Any, Any]] = {
    "layer": (keras.layers, keras.layers.Layer),
    "loss": (keras.losses, keras.losses.Loss),
    "metric": (keras.metrics, keras.metrics.Metric),
    "optimizer": (keras.optimizers, keras.optimizers.Optimizer),
    "initializer": (keras.initializers, keras.initializers.Initializer),
    "regularizer": (keras.regularizers, keras.regularizers.Regularizer),
    "constraint": (keras.constraints, keras.constraints.Constraint),
    "schedule": (keras.optimizers.schedules, keras.optimizers.schedules.LearningRateSchedule),
}
NO_ARGUMENTS = ("self", "args", "kwargs", "x")


def arguments(of: Any) -> list[str]:
    return [name for name in inspect.signature(of).parameters if name not in NO_ARGUMENTS]


def classes(module: Any, base: Any) -> dict[str, list[str]]:
    """Classes by their own names: those that a module has under several stand once."""
    found = {each for each in vars(module).values() if inspect.isclass(each) and issubclass(each, base)}
    return {
        each.__name__: arguments(each.__init__) for each in sorted(found, key=lambda e: e.__name__) if each is not base
    }


def main() -> None:
    functions = {
        name: arguments(each)
        for name, each in sorted(vars(keras.activations).items())
        if inspect.isfunction(each) and name not in ("get", "serialize", "deserialize")
    }
    names = {noun: classes(*where) for noun, where in FAMILIES.items()} | {"activation": functions}
    content = {"source": f"Keras {keras.__version__}", "names": names}
    Path(__file__).with_name("keras_names.json").write_text(json.dumps(content, indent=1) + "\n")


if __name__ == "__main__":
    main()
