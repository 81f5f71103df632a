"""Writes `keras_recurrent.json` beside itself: what Keras computes and learns with recurrent layers.

Not a test and never run by one: it needs an environment with `keras` and `jax`. Cases are made as in
`make_keras_blocks.py`; weights are called as in a config (`kernel`, `forward/kernel`).
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

os.environ.update(KERAS_BACKEND="jax", JAX_PLATFORMS="cpu")

import jax
import keras
import make_keras_blocks
import numpy as np
from make_keras_blocks import RATE, normal

DIGITS = 12
make_keras_blocks.random = np.random.default_rng(20240719)


def shortened(path: str) -> str:
    """`forward_lstm/lstm_cell/kernel` → `forward/kernel`, `lstm_cell/kernel` → `kernel`."""
    *scopes, name = path.split("/")
    sides = [scope.partition("_")[0] for scope in scopes if scope.startswith(("forward_", "backward_"))]
    return "/".join((*sides, name))


def rounded(item: Any) -> Any:
    if isinstance(item, list):
        return [rounded(each) for each in item]
    return float(f"{item:.{DIGITS}g}") if isinstance(item, float) else item


def case(part: dict[str, Any], made: Any, *shape: int) -> dict[str, Any]:
    found = make_keras_blocks.case(part, made, [normal(*shape)])
    for key in ("weights", "gradients", "trained"):
        kept = {name: values for name, values in found[key].items() if "seed_generator" not in name}
        found[key] = {shortened(name): rounded(values) for name, values in kept.items()}
    exact = {"part", "inputs", "weights", "target"}
    return {key: item if key in exact else rounded(item) for key, item in found.items()}


def recurrent() -> list[dict[str, Any]]:
    layers = keras.layers
    kinds = {"simple_rnn": layers.SimpleRNN, "lstm": layers.LSTM, "gru": layers.GRU}
    settings: list[tuple[str, dict[str, Any]]] = [
        (name, {"return_sequences": sequences, "go_backwards": backwards})
        for name in kinds
        for sequences in (False, True)
        for backwards in (False, True)
    ]
    settings += [
        ("simple_rnn", {"activation": "relu", "use_bias": False}),
        ("lstm", {"activation": "softsign", "recurrent_activation": "hard_sigmoid", "use_bias": False}),
        ("gru", {"activation": "softsign", "recurrent_activation": "hard_sigmoid", "use_bias": False}),
        ("gru", {"reset_after": False}),
        ("gru", {"reset_after": False, "return_sequences": True, "go_backwards": True}),
        ("gru", {"reset_after": False, "use_bias": False}),
    ]
    return [case({"type": name, "units": 3, **given}, kinds[name](3, **given), 2, 4, 2) for name, given in settings]


def bidirectional() -> list[dict[str, Any]]:
    layers = keras.layers
    settings: list[tuple[str, Any, bool, str]] = [
        *(("lstm", layers.LSTM, sequences, "concat") for sequences in (False, True)),
        *(("gru", layers.GRU, sequences, "concat") for sequences in (False, True)),
        *(("simple_rnn", layers.SimpleRNN, True, mode) for mode in ("sum", "mul", "ave")),
    ]
    return [
        case(
            {
                "type": "bidirectional",
                "layer": {"type": name, "units": 2, "return_sequences": sequences},
                "merge_mode": mode,
            },
            layers.Bidirectional(kind(2, return_sequences=sequences), merge_mode=mode),
            *(2, 3, 2),
        )
        for name, kind, sequences, mode in settings
    ]


def time_distributed() -> list[dict[str, Any]]:
    layers = keras.layers
    dense = {"type": "dense", "units": 2, "activation": "tanh"}
    return [
        case({"type": "time_distributed", "layer": dense}, layers.TimeDistributed(layers.Dense(2, "tanh")), *shape)
        for shape in ((2, 3, 2), (2, 3, 2, 2))
    ] + [
        case(
            {"type": "time_distributed", "layer": {"type": "lstm", "units": 2}},
            layers.TimeDistributed(layers.LSTM(2)),
            *(2, 2, 3, 2),
        ),
    ]


def main() -> None:
    golden = {
        "source": f"Keras {keras.__version__} on JAX {jax.__version__}, float64",
        "rate": RATE,
        "recurrent": recurrent(),
        "bidirectional": bidirectional(),
        "time_distributed": time_distributed(),
    }
    text = json.dumps(golden, indent=None, separators=(",", ":"))
    Path(__file__).with_name("keras_recurrent.json").write_text(text.replace('},{"part"', '},\n{"part"') + "\n")


if __name__ == "__main__":
    main()
