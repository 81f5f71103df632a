"""Writes `keras_functions.json` beside itself: values and gradients of Keras's activations and regularizers.

Not a test and never run by one: it needs an environment with `keras` and `jax`. It continues `make_keras_parts.py`, in
the same form: a part, its argument, what Keras makes of it, all in float64 but where `precision` says otherwise.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from make_keras_blocks import jax, keras, normal, np, numbers

made = keras.activations

X = np.concatenate([np.linspace(-6.0, 6.0, 23) + 0.017, [-40.0, -15.5, 15.5, 40.0, 0.3]]).reshape(7, 4)
COTANGENT = np.linspace(0.5, 1.5, X.size).reshape(X.shape) * np.where(np.arange(X.size) % 3, 1.0, -1.0).reshape(X.shape)

ACTIVATIONS: list[tuple[dict[str, Any], Any]] = [
    ({"type": "celu"}, made.celu),
    ({"type": "celu", "alpha": 0.5}, lambda x: made.celu(x, alpha=0.5)),
    ({"type": "glu"}, made.glu),
    ({"type": "hard_shrink"}, made.hard_shrink),
    ({"type": "hard_shrink", "threshold": 1.5}, lambda x: made.hard_shrink(x, threshold=1.5)),
    ({"type": "hard_silu"}, made.hard_silu),
    ({"type": "hard_tanh"}, made.hard_tanh),
    ({"type": "log_sigmoid"}, made.log_sigmoid),
    ({"type": "soft_shrink"}, made.soft_shrink),
    ({"type": "soft_shrink", "threshold": 1.5}, lambda x: made.soft_shrink(x, threshold=1.5)),
    ({"type": "sparse_plus"}, made.sparse_plus),
    ({"type": "sparse_sigmoid"}, made.sparse_sigmoid),
    ({"type": "sparsemax"}, made.sparsemax),
    ({"type": "squareplus"}, made.squareplus),
    ({"type": "squareplus", "b": 0.5}, lambda x: made.squareplus(x, b=0.5)),
    ({"type": "tanh_shrink"}, made.tanh_shrink),
    (
        {"type": "threshold", "threshold": 0.5, "default_value": -1.0},
        lambda x: made.threshold(x, threshold=0.5, default_value=-1.0),
    ),
    ({"type": "threshold"}, lambda x: made.threshold(x, threshold=0.0, default_value=0.0)),
]


def activations() -> list[dict[str, Any]]:
    cases = []
    for part, function in ACTIVATIONS:
        x = X
        if part["type"] == "sparsemax":  # so far apart that one number stays: Keras 3.15 is wrong where several do
            x = X * 10.0
        value = function(x)
        cotangent = COTANGENT[:, : value.shape[1]]
        gradient = jax.grad(lambda x, f=function, c=cotangent: (f(x) * c).sum())(jax.numpy.asarray(x))
        found = {"x": x, "cotangent": cotangent, "value": value, "gradient": gradient}
        cases.append(
            {"part": part, **{key: numbers(each) for key, each in found.items()}, "precision": str(value.dtype)}
        )
    return cases


def regularizers() -> list[dict[str, Any]]:
    cases = []
    for mode in ("rows", "columns"):
        weight = normal(4, 3)
        value = keras.regularizers.OrthogonalRegularizer(factor=0.25, mode=mode)(jax.numpy.asarray(weight))
        part = {"type": "orthogonal_regularizer", "factor": 0.25, "mode": mode}
        cases.append({"part": part, "weight": numbers(weight), "value": numbers(value)})
    return cases


def main() -> None:
    content = {
        "source": f"Keras {keras.__version__} on JAX {jax.__version__}, float64",
        "activations": activations(),
        "regularizers": regularizers(),
    }
    text = json.dumps(content, indent=None, separators=(",", ":")).replace('},{"part"', '},\n{"part"')
    Path(__file__).with_name("keras_functions.json").write_text(text + "\n")


if __name__ == "__main__":
    main()
