"""Writes `keras_schedules.json` beside itself: the learning rates of Keras's schedules, and PyTorch's one-cycle policy.

Not a test and never run by one: it needs an environment with `keras` and `jax`, and another (or the same) with `torch`.
Each run replaces what its environment can compute and keeps the rest. Run it when a schedule is added, and commit the
file it writes. `precision` says where Keras computes in float32.
"""

from __future__ import annotations

import json
import os
from importlib.util import find_spec
from pathlib import Path
from typing import Any

os.environ.update(KERAS_BACKEND="jax", JAX_PLATFORMS="cpu", JAX_ENABLE_X64="1")

FILE = Path(__file__).with_name("keras_schedules.json")
STEPS = [0, 1, 2, 3, 5, 9, 10, 11, 14, 15, 19, 20, 21, 29, 30, 31, 33, 50, 69, 70, 71, 100, 149, 150, 151, 1000]
EXPONENTIAL: dict[str, Any] = {"initial_learning_rate": 0.1, "decay_steps": 10, "decay_rate": 0.7}
POLYNOMIAL: dict[str, Any] = {"initial_learning_rate": 0.1, "decay_steps": 30}
INVERSE: dict[str, Any] = {"initial_learning_rate": 0.1, "decay_steps": 4, "decay_rate": 0.5}
COSINE: dict[str, Any] = {"initial_learning_rate": 0.1, "decay_steps": 30}
RESTARTS: dict[str, Any] = {"initial_learning_rate": 0.1, "first_decay_steps": 10}
SETTINGS: list[dict[str, Any]] = [
    {"type": "exponential_decay", **EXPONENTIAL},
    {"type": "exponential_decay", **EXPONENTIAL, "staircase": True},
    {"type": "piecewise_constant_decay", "boundaries": [10, 30], "values": [0.1, 0.05, 0.01]},
    {"type": "piecewise_constant_decay", "boundaries": [20], "values": [0.1, 0.2]},
    {"type": "polynomial_decay", **POLYNOMIAL},
    {"type": "polynomial_decay", **POLYNOMIAL, "end_learning_rate": 0.02, "power": 2.5},
    {"type": "polynomial_decay", **POLYNOMIAL, "power": 0.5, "cycle": True},
    {"type": "inverse_time_decay", **INVERSE},
    {"type": "inverse_time_decay", **INVERSE, "staircase": True},
    {"type": "cosine_decay", **COSINE},
    {"type": "cosine_decay", **COSINE, "alpha": 0.1},
    {"type": "cosine_decay", **COSINE, "warmup_target": 0.3, "warmup_steps": 20, "alpha": 0.05},
    {"type": "cosine_decay", "initial_learning_rate": 0.0, "decay_steps": 30, "warmup_target": 0.3, "warmup_steps": 20},
    {"type": "cosine_decay_restarts", **RESTARTS},
    {"type": "cosine_decay_restarts", **RESTARTS, "t_mul": 1.0},
    {"type": "cosine_decay_restarts", **RESTARTS, "t_mul": 1.5, "m_mul": 0.8, "alpha": 0.1},
]
CYCLE: dict[str, Any] = {"max_learning_rate": 0.1, "total_steps": 40}
CYCLES: list[dict[str, Any]] = [
    {"type": "one_cycle", **CYCLE},
    {"type": "one_cycle", **CYCLE, "anneal_strategy": "linear"},
    {"type": "one_cycle", **CYCLE, "three_phase": True, "pct_start": 0.35, "div_factor": 9.0, "final_div_factor": 50.0},
]


def keras_cases() -> list[dict[str, Any]]:
    import keras
    import numpy as np

    keras.config.set_floatx("float64")
    cases = []
    for part in SETTINGS:
        name = "".join(word.capitalize() for word in part["type"].split("_"))
        arguments = {key: value for key, value in part.items() if key != "type"}
        schedule = getattr(keras.optimizers.schedules, name)(**arguments)
        rates = [schedule(step) for step in STEPS]
        precision = str(np.asarray(rates[1]).dtype)
        cases.append({"part": part, "steps": STEPS, "rates": [float(rate) for rate in rates], "precision": precision})
    return cases


def torch_cases() -> list[dict[str, Any]]:
    import torch

    cases = []
    for part in CYCLES:
        arguments = {key: value for key, value in part.items() if key not in ("type", "max_learning_rate")}
        optimizer = torch.optim.SGD([torch.zeros(1)], lr=1.0)
        highest = part["max_learning_rate"]
        schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, highest, cycle_momentum=False, **arguments)
        rates = []
        for _ in range(part["total_steps"]):
            rates.append(schedule.get_last_lr()[0])
            optimizer.step()
            if len(rates) < part["total_steps"]:
                schedule.step()
        cases.append({"part": part, "steps": list(range(len(rates))), "rates": rates, "precision": "float64"})
    return cases


def main() -> None:
    golden: dict[str, Any] = json.loads(FILE.read_text()) if FILE.exists() else {}
    if find_spec("keras"):
        golden["keras"] = keras_cases()
    if find_spec("torch"):
        golden["torch"] = torch_cases()
    text = json.dumps(golden, separators=(",", ":"))
    FILE.write_text(text.replace('},{"part"', '},\n{"part"') + "\n")


if __name__ == "__main__":
    main()
