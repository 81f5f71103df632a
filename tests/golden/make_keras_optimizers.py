"""Writes `keras_optimizers.json` beside itself: ten steps of Keras's optimizers on weights of several shapes.

Not a test and never run by one: it needs an environment with `keras` and `jax`. Run it when an optimizer is added, and
commit the file it writes. Everything is float64 as far as Keras lets it be.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

os.environ.update(KERAS_BACKEND="jax", JAX_PLATFORMS="cpu", JAX_ENABLE_X64="1")

import jax
import keras
import numpy as np

keras.config.set_floatx("float64")

random = np.random.default_rng(20241122)
STEPS = 10
SHAPES: dict[str, tuple[int, ...]] = {
    "dense_1/kernel": (3, 4),
    "dense_1/bias": (4,),
    "embedding_1/embeddings": (4, 2),
    "conv2d_1/kernel": (1, 2, 3, 2),
    "dense_2/kernel": (4, 2),
}
CONSTRAINED = "dense_2/kernel"
RATES = [0.1] * 5 + [0.02] * 5  # forms of momentum differ only where the rate changes
DECAY: dict[str, Any] = {"type": "exponential_decay", "initial_learning_rate": 0.1, "decay_steps": 2, "decay_rate": 0.7}
EXCLUDED: dict[str, Any] = {"weight_decay": 0.1, "exclude_from_weight_decay": ["bias", "embeddings"]}
NAMES = {"adamw": "AdamW", "rmsprop": "RMSprop", "sgd": "SGD", "schedule_free_adamw": "ScheduleFreeAdamW"}
SETTINGS: list[dict[str, Any]] = [
    {"type": "adadelta"},
    {"type": "adadelta", "rho": 0.5, "epsilon": 1e-3},
    {"type": "adamax"},
    {"type": "adamax", "beta_1": 0.5, "beta_2": 0.7, "epsilon": 1e-2},
    {"type": "adamw"},
    {"type": "adamw", "weight_decay": 0.2, "amsgrad": True, "exclude_from_weight_decay": ["bias"]},
    {"type": "nadam"},
    {"type": "nadam", "beta_1": 0.5, "beta_2": 0.8, "epsilon": 1e-2},
    {"type": "lion"},
    {"type": "lion", "beta_1": 0.5, "beta_2": 0.7, "weight_decay": 0.3},
    {"type": "ftrl"},
    {
        "type": "ftrl",
        "learning_rate_power": -0.7,
        "initial_accumulator_value": 0.3,
        "l1_regularization_strength": 0.5,
        "l2_regularization_strength": 0.2,
        "l2_shrinkage_regularization_strength": 0.1,
        "beta": 0.4,
    },
    {"type": "lamb"},
    {"type": "lamb", "beta_1": 0.5, "beta_2": 0.8, "epsilon": 1e-2, "weight_decay": 0.1},
    {"type": "adafactor"},
    {
        "type": "adafactor",
        "beta_2_decay": -0.5,
        "epsilon_1": 1e-2,
        "epsilon_2": 0.5,
        "clip_threshold": 0.5,
        "weight_decay": 0.1,
    },
    {"type": "muon"},
    {"type": "muon", "exclude_layers": ["dense_2"], "nesterov": False, "rms_rate": None, "adam_lr_ratio": 0.1},
    {
        "type": "muon",
        "exclude_embeddings": False,
        "momentum": 0.5,
        "ns_steps": 2,
        "muon_a": 3.0,
        "muon_b": -4.0,
        "muon_c": 2.0,
        "adam_beta_1": 0.5,
        "adam_beta_2": 0.8,
        "epsilon": 1e-2,
        "weight_decay": 0.1,
        "adam_weight_decay": 0.2,
    },
    {"type": "schedule_free_adamw"},
    {
        "type": "schedule_free_adamw",
        "beta_1": 0.7,
        "beta_2": 0.8,
        "epsilon": 1e-2,
        "warmup_steps": 4,
        "weight_decay": 0.1,
    },
    {"type": "sgd", **EXCLUDED},
    {"type": "sgd", "momentum": 0.9, "weight_decay": 0.1, "learning_rate": DECAY},
    {"type": "sgd", "clipnorm": 0.5},
    {"type": "sgd", "clipvalue": 0.3},
    {"type": "sgd", "global_clipnorm": 0.7},
    {"type": "sgd", "use_ema": True, "ema_momentum": 0.8},
    {"type": "adam", "learning_rate": DECAY},
    {"type": "adam", "use_ema": True, "ema_momentum": 0.7, "ema_overwrite_frequency": 3},
    {"type": "adam", "gradient_accumulation_steps": 3},
    {"type": "adam", "gradient_accumulation_steps": 3, "learning_rate": DECAY, **EXCLUDED},
    {"type": "adam", "gradient_accumulation_steps": 2, "use_ema": True, "ema_momentum": 0.6},
    {
        "type": "rmsprop",
        "gradient_accumulation_steps": 2,
        "global_clipnorm": 0.4,
        "use_ema": True,
        "ema_momentum": 0.6,
        "ema_overwrite_frequency": 2,
        "weight_decay": 0.1,
    },
    {"type": "nadam", "gradient_accumulation_steps": 2, "clipnorm": 0.2},
    {"type": "schedule_free_adamw", "gradient_accumulation_steps": 3, "weight_decay": 0.1},
    {"type": "adafactor", "gradient_accumulation_steps": 3, "learning_rate": DECAY},
    {"type": "muon", "global_clipnorm": 0.5, "exclude_from_weight_decay": ["bias"]},
]


def numbers(value: Any) -> Any:
    """Twelve digits: more than any comparison asks for."""
    array = np.asarray(value, dtype=np.float64)
    return np.array([float(f"{number:.12g}") for number in array.ravel()]).reshape(array.shape).tolist()


def variables(start: dict[str, Any]) -> dict[str, keras.Variable]:
    made = {}
    for path, value in start.items():
        layer, name = path.split("/")
        with keras.name_scope(layer):
            made[path] = keras.Variable(value, dtype="float64", name=name)
        assert made[path].path == path
    made[CONSTRAINED].constraint = keras.constraints.MaxNorm(1.0)
    return made


def case(part: dict[str, Any], start: dict[str, Any], gradients: list[dict[str, Any]]) -> dict[str, Any]:
    arguments = {key: value for key, value in part.items() if key not in ("type", "exclude_from_weight_decay")}
    rate = arguments.pop("learning_rate", RATES[0])
    if isinstance(rate, dict):
        settings = {key: value for key, value in rate.items() if key != "type"}
        rate = keras.optimizers.schedules.ExponentialDecay(**settings)
    kind = getattr(keras.optimizers, NAMES.get(part["type"], part["type"].capitalize()))
    optimizer = kind(learning_rate=rate, **arguments)
    if "exclude_from_weight_decay" in part:
        optimizer.exclude_from_weight_decay(var_names=part["exclude_from_weight_decay"])
    made = variables(start)
    optimizer.build(list(made.values()))
    path: dict[str, list[Any]] = {name: [] for name in made}
    for step in range(STEPS):
        if "learning_rate" not in part:
            optimizer.learning_rate = RATES[step]
        given = [keras.ops.convert_to_tensor(gradients[step][name]) for name in made]
        optimizer.apply(given, list(made.values()))
        for name, variable in made.items():
            path[name].append(numbers(variable.value))
    found: dict[str, Any] = {"part": part, "path": path}
    if part.get("use_ema"):
        optimizer.finalize_variable_values(list(made.values()))
        found["final"] = {name: numbers(variable.value) for name, variable in made.items()}
    return found


def main() -> None:
    start = {name: random.normal(size=shape) for name, shape in SHAPES.items()}
    # The constraint holds at the start and no longer after some steps.
    start[CONSTRAINED] *= 0.9 / np.linalg.norm(start[CONSTRAINED], axis=0)
    start = {name: np.array(numbers(value)) for name, value in start.items()}
    gradients = [{name: random.normal(size=shape) for name, shape in SHAPES.items()} for _ in range(STEPS)]
    gradients = [{name: np.array(numbers(value)) for name, value in each.items()} for each in gradients]
    gradients[3] = {name: np.zeros_like(value) for name, value in gradients[3].items()}
    golden = {
        "source": f"Keras {keras.__version__} on JAX {jax.__version__}, float64",
        "given": {
            "start": {name: numbers(value) for name, value in start.items()},
            "gradients": [{name: numbers(value) for name, value in each.items()} for each in gradients],
            "rates": RATES,
            "constrained": CONSTRAINED,
        },
        "cases": [case(part, start, gradients) for part in SETTINGS],
    }
    text = json.dumps(golden, separators=(",", ":")).replace('},{"part"', '},\n{"part"')
    Path(__file__).with_name("keras_optimizers.json").write_text(text + "\n")


if __name__ == "__main__":
    main()
