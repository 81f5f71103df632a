"""Writes `keras_parts.json` beside itself: what Keras computes for the arguments in this file.

Not a test and never run by one: it needs an environment with `keras` and `jax`. Run it when a part is added, and commit
the file it writes. Everything is float64 on the CPU as far as Keras lets it be; `precision` says where it does not.
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
from keras.src.initializers.random_initializers import compute_fans

jax.config.update("jax_enable_x64", True)
keras.config.set_floatx("float64")

random = np.random.default_rng(20240607)


def numbers(value: Any) -> Any:
    return np.asarray(value, dtype=np.float64).tolist()


def case(part: dict[str, Any], **content: Any) -> dict[str, Any]:
    return {"part": part, **{key: numbers(value) for key, value in content.items()}}


# Activations: values, and gradients of Σ c·f(x), at 0 too unless the libraries differ there.
POINTS = np.array(
    [[-30.0, -6.5, -3.5, -2.0, -1.0], [-0.5, -1e-3, 1e-3, 0.5, 1.0], [2.0, 2.5, 3.5, 6.5, 30.0]], dtype=np.float64
)
WITH_ZERO = np.concatenate([POINTS, [[0.0, 0.25, -0.25, 4.5, -4.5]]])
COTANGENT = random.uniform(0.5, 1.5, WITH_ZERO.shape)

ACTIVATIONS: list[tuple[dict[str, Any], Any]] = [
    ({"type": "elu"}, keras.activations.elu),
    ({"type": "elu", "alpha": 0.3}, lambda x: keras.activations.elu(x, 0.3)),
    ({"type": "selu"}, keras.activations.selu),
    ({"type": "relu"}, keras.activations.relu),
    ({"type": "relu", "max_value": 3.0}, lambda x: keras.activations.relu(x, max_value=3.0)),
    ({"type": "relu", "negative_slope": 0.1}, lambda x: keras.activations.relu(x, negative_slope=0.1)),
    (
        {"type": "relu", "negative_slope": 0.1, "threshold": 1.5, "max_value": 5.0},
        lambda x: keras.activations.relu(x, negative_slope=0.1, threshold=1.5, max_value=5.0),
    ),
    ({"type": "relu", "threshold": 1.5}, lambda x: keras.activations.relu(x, threshold=1.5)),
    ({"type": "relu6"}, keras.activations.relu6),
    ({"type": "linear"}, keras.activations.linear),
    ({"type": "sigmoid"}, keras.activations.sigmoid),
    ({"type": "hard_sigmoid"}, keras.activations.hard_sigmoid),
    ({"type": "softplus"}, keras.activations.softplus),
    ({"type": "softsign"}, keras.activations.softsign),
    ({"type": "tanh"}, keras.activations.tanh),
    ({"type": "softmax"}, keras.activations.softmax),
    ({"type": "log_softmax"}, keras.activations.log_softmax),
    ({"type": "gelu"}, keras.activations.gelu),
    ({"type": "gelu", "approximate": True}, lambda x: keras.activations.gelu(x, approximate=True)),
    ({"type": "gelu_new"}, lambda x: keras.activations.gelu(x, approximate=True)),
    ({"type": "mish"}, keras.activations.mish),
    ({"type": "swish"}, keras.activations.silu),
    ({"type": "exponential"}, keras.activations.exponential),
    ({"type": "leaky_relu"}, keras.activations.leaky_relu),
    ({"type": "leaky_relu", "negative_slope": 0.3}, lambda x: keras.activations.leaky_relu(x, 0.3)),
]
# jax.nn.relu6 and a relu with further arguments share the gradient at 0 between both sides; here it is 0 as in
# TensorFlow and PyTorch.
TIED_AT_ZERO = ("relu6",)


def activations() -> list[dict[str, Any]]:
    cases = []
    for part, function in ACTIVATIONS:
        tied = part["type"] in TIED_AT_ZERO or (part["type"] == "relu" and len(part) > 1)
        x = POINTS if tied else WITH_ZERO
        cotangent = COTANGENT[: len(x)]
        gradient = jax.grad(lambda x, f=function, c=cotangent: (f(x) * c).sum())(x)
        precision = str(function(x).dtype)
        content = case(part, x=x, cotangent=cotangent, value=function(x), gradient=gradient)
        cases.append({**content, "precision": precision})
    return cases


def initializers() -> dict[str, Any]:
    shapes = [(5,), (3, 7), (3, 4, 5), (3, 3, 8, 16), (2, 3, 4, 5, 6)]
    spread = []
    for name in ("glorot", "he", "lecun"):
        for form in ("uniform", "normal"):
            made = getattr(keras.initializers, f"{name.capitalize()}{form.capitalize()}")(seed=1)
            values = np.asarray(made((300, 500)))
            spread.append(case({"type": f"{name}_{form}"}, std=values.std(), largest=np.abs(values).max()))
    for scale, mode, distribution in [
        (1.0, "fan_in", "truncated_normal"),
        (3.0, "fan_out", "uniform"),
        (2.0, "fan_avg", "untruncated_normal"),
    ]:
        made = keras.initializers.VarianceScaling(scale, mode, distribution, seed=1)
        values = np.asarray(made((300, 500)))
        part = {"type": "variance_scaling", "scale": scale, "mode": mode, "distribution": distribution}
        spread.append(case(part, std=values.std(), largest=np.abs(values).max()))
    for part, made in [
        ({"type": "random_uniform"}, keras.initializers.RandomUniform(seed=1)),
        ({"type": "random_normal"}, keras.initializers.RandomNormal(seed=1)),
        ({"type": "truncated_normal"}, keras.initializers.TruncatedNormal(seed=1)),
    ]:
        values = np.asarray(made((300, 500)))
        spread.append(case(part, std=values.std(), largest=np.abs(values).max()))
    exact = [
        case({"type": "zeros"}, value=keras.initializers.Zeros()((2, 3))),
        case({"type": "ones"}, value=keras.initializers.Ones()((2, 3))),
        case({"type": "constant", "value": 0.25}, value=keras.initializers.Constant(0.25)((2, 3))),
        case({"type": "identity", "gain": 2.0}, value=keras.initializers.Identity(2.0)((2, 3))),
    ]
    fans = [{"shape": list(shape), "fans": numbers(compute_fans(shape))} for shape in shapes]
    return {"fans": fans, "spread": spread, "exact": exact}


def losses() -> list[dict[str, Any]]:
    logits = random.normal(size=(4, 3)) * 2.0
    softmax = np.asarray(keras.ops.softmax(logits))
    sigmoid = np.asarray(keras.ops.sigmoid(logits))
    sure = np.array([[1.0, 0.0, 0.0], [0.0, 0.0, 1.0], [1e-9, 1.0 - 1e-9, 0.0], [0.2, 0.3, 0.5]])
    unnormalised = random.uniform(0.1, 0.9, (4, 3))
    values = random.normal(size=(4, 3))
    labels = np.array([2, 0, 1, 1])
    one_hot = np.eye(3)[labels]
    binary = np.array([[1.0, 0.0, 1.0], [0.0, 0.0, 1.0], [1.0, 1.0, 1.0], [0.0, 1.0, 0.0]])
    sequence = random.normal(size=(2, 5, 3))
    sequence_labels = random.integers(0, 3, (2, 5))
    made = keras.losses
    settings: list[tuple[dict[str, Any], Any, Any, Any]] = [
        ({"type": "mean_squared_error"}, made.MeanSquaredError, values, logits),
        ({"type": "mean_absolute_error"}, made.MeanAbsoluteError, values, logits),
        ({"type": "mean_squared_error"}, made.MeanSquaredError, sequence, sequence[:, ::-1]),
    ]
    for smoothing in (0.0, 0.2):
        for prediction, from_logits in ((sigmoid, False), (sure, False), (logits, True), (logits * 40, True)):
            part = {"type": "binary_crossentropy", "label_smoothing": smoothing, "from_logits": from_logits}
            settings.append((part, made.BinaryCrossentropy, binary, prediction))
        for prediction, from_logits in ((softmax, False), (sure, False), (unnormalised, False), (logits, True)):
            part = {"type": "categorical_crossentropy", "label_smoothing": smoothing, "from_logits": from_logits}
            settings.append((part, made.CategoricalCrossentropy, one_hot, prediction))
    for prediction, from_logits in ((softmax, False), (sure, False), (unnormalised, False), (logits * 40, True)):
        part = {"type": "sparse_categorical_crossentropy", "from_logits": from_logits}
        settings.append((part, made.SparseCategoricalCrossentropy, labels, prediction))
    part = {"type": "sparse_categorical_crossentropy", "from_logits": True}
    settings.append((part, made.SparseCategoricalCrossentropy, sequence_labels, sequence))
    cases = []
    for part, kind, target, prediction in settings:
        # Means are float32 in Keras: its own over the batch is avoided here, that over the last axis cannot be.
        precision = "float64" if "categorical" in part["type"] else "float32"
        loss = kind(reduction=None, **{key: value for key, value in part.items() if key != "type"})
        value, gradient = jax.value_and_grad(lambda p, loss=loss, target=target: loss(target, p).mean())(prediction)
        content = case(part, target=target, prediction=prediction, value=value, gradient=gradient)
        cases.append({**content, "precision": precision})
    return cases


def optimizers() -> list[dict[str, Any]]:
    gradients = random.normal(size=(10, 2, 3))
    gradients[3] = 0.0
    start = random.normal(size=(2, 3))
    # The rate changes after half of the steps: the forms of momentum differ only then.
    rates = [0.1] * 5 + [0.02] * 5
    settings: list[tuple[dict[str, Any], Any]] = [
        ({"type": "sgd"}, keras.optimizers.SGD),
        ({"type": "sgd", "momentum": 0.9}, keras.optimizers.SGD),
        ({"type": "sgd", "momentum": 0.9, "nesterov": True}, keras.optimizers.SGD),
        ({"type": "rmsprop"}, keras.optimizers.RMSprop),
        ({"type": "rmsprop", "rho": 0.8, "momentum": 0.5}, keras.optimizers.RMSprop),
        ({"type": "rmsprop", "centered": True, "epsilon": 1e-3}, keras.optimizers.RMSprop),
        ({"type": "rmsprop", "centered": True, "momentum": 0.5}, keras.optimizers.RMSprop),
        ({"type": "adam"}, keras.optimizers.Adam),
        ({"type": "adam", "beta_1": 0.5, "beta_2": 0.9, "epsilon": 1e-2}, keras.optimizers.Adam),
        ({"type": "adam", "amsgrad": True, "beta_2": 0.5}, keras.optimizers.Adam),
        ({"type": "adagrad"}, keras.optimizers.Adagrad),
        ({"type": "adagrad", "initial_accumulator_value": 0.5, "epsilon": 1e-2}, keras.optimizers.Adagrad),
    ]
    cases = []
    for part, kind in settings:
        optimizer = kind(learning_rate=rates[0], **{key: value for key, value in part.items() if key != "type"})
        weight = keras.Variable(start, dtype="float64")
        optimizer.build([weight])
        path = []
        for gradient, rate in zip(gradients, rates, strict=True):
            optimizer.learning_rate = rate
            optimizer.apply_gradients([(keras.ops.convert_to_tensor(gradient), weight)])
            path.append(np.asarray(weight.value))
        precision = str(optimizer._learning_rate.dtype)
        cases.append({**case(part, start=start, gradients=gradients, rates=rates, path=path), "precision": precision})
    return cases


def metrics() -> list[dict[str, Any]]:
    rows = [4, 4, 3]
    scores = random.normal(size=(11, 3))
    softmax = np.asarray(keras.ops.softmax(scores * 2))
    labels = random.integers(0, 3, 11)
    one_hot = np.eye(3)[labels]
    multi = random.uniform(size=(11, 3))
    binary = random.integers(0, 2, (11, 3)).astype(float)
    single, single_target = multi[:, :1], binary[:, :1]
    made = keras.metrics
    settings: list[tuple[dict[str, Any], str, Any, Any, Any]] = [
        ({"type": "binary_accuracy"}, "binary", made.BinaryAccuracy(), single_target, single),
        ({"type": "binary_accuracy", "threshold": 0.3}, "binary", made.BinaryAccuracy(threshold=0.3), binary, multi),
        ({"type": "categorical_accuracy"}, "one_hot", made.CategoricalAccuracy(), one_hot, softmax),
        ({"type": "sparse_categorical_accuracy"}, "labels", made.SparseCategoricalAccuracy(), labels, softmax),
        ({"type": "mean_squared_error"}, "values", made.MeanSquaredError(), multi, scores),
        ({"type": "mean_absolute_error"}, "values", made.MeanAbsoluteError(), multi, scores),
        ({"type": "mean_squared_error"}, "one_hot", made.MeanSquaredError(), one_hot, softmax),
    ]
    for name, kind in (("precision", made.Precision), ("recall", made.Recall)):
        settings += [
            ({"type": name}, "binary", kind(), single_target, single),
            ({"type": name, "thresholds": 0.3}, "binary", kind(thresholds=0.3), single_target, single),
            ({"type": name}, "binary", kind(), binary, multi),
            ({"type": name, "average": "micro"}, "binary", kind(), binary, multi),
            ({"type": name, "class_id": 1}, "binary", kind(class_id=1), binary, multi),
            ({"type": name}, "one_hot", kind(), one_hot, softmax),
            ({"type": name, "average": "micro"}, "one_hot", kind(top_k=1), one_hot, softmax),
            ({"type": name, "class_id": 2}, "one_hot", kind(top_k=1, class_id=2), one_hot, softmax),
            ({"type": name}, "binary", kind(), single_target * 0, single * 0),
        ]
    cases = []
    for part, form, metric, target, prediction in settings:
        start = 0
        for count in rows:
            metric.update_state(target[start : start + count], prediction[start : start + count])
            start += count
        content = case(part, target=target, prediction=prediction, value=metric.result())
        precision = "float64" if part["type"] in ("precision", "recall") else "float32"
        cases.append({**content, "form": form, "rows": rows, "precision": precision})
    return cases


def constraints() -> list[dict[str, Any]]:
    weight = random.normal(size=(4, 3)) * np.array([0.1, 1.0, 4.0])
    kernel = random.normal(size=(2, 2, 3, 2))
    made = keras.constraints
    settings = [
        ({"type": "max_norm"}, made.MaxNorm(), weight),
        ({"type": "max_norm", "max_value": 0.5, "axis": 1}, made.MaxNorm(0.5, axis=1), weight),
        ({"type": "max_norm", "max_value": 0.5, "axis": [0, 1, 2]}, made.MaxNorm(0.5, axis=[0, 1, 2]), kernel),
        ({"type": "min_max_norm"}, made.MinMaxNorm(), weight),
        (
            {"type": "min_max_norm", "min_value": 0.5, "max_value": 0.8, "rate": 0.7, "axis": -1},
            made.MinMaxNorm(0.5, 0.8, 0.7, axis=-1),
            weight,
        ),
        ({"type": "non_neg"}, made.NonNeg(), weight),
        ({"type": "unit_norm"}, made.UnitNorm(), weight),
        ({"type": "unit_norm", "axis": [0, 1, 2]}, made.UnitNorm(axis=[0, 1, 2]), kernel),
    ]
    return [case(part, weight=given, value=made(given)) for part, made, given in settings]


def regularizers() -> list[dict[str, Any]]:
    weight = random.normal(size=(4, 3))
    made = keras.regularizers
    settings = [
        ({"type": "l1"}, made.L1()),
        ({"type": "l1", "l1": 0.3}, made.L1(0.3)),
        ({"type": "l2"}, made.L2()),
        ({"type": "l2", "l2": 0.3}, made.L2(0.3)),
        ({"type": "l1_l2"}, made.L1L2()),
        ({"type": "l1_l2", "l1": 0.1, "l2": 0.2}, made.L1L2(0.1, 0.2)),
    ]
    return [case(part, weight=weight, value=made(weight)) for part, made in settings]


def main() -> None:
    golden = {
        "source": f"Keras {keras.__version__} on JAX {jax.__version__}, float64",
        "activations": activations(),
        "initializers": initializers(),
        "losses": losses(),
        "optimizers": optimizers(),
        "metrics": metrics(),
        "constraints": constraints(),
        "regularizers": regularizers(),
    }
    text = json.dumps(golden, indent=None, separators=(",", ":"))
    Path(__file__).with_name("keras_parts.json").write_text(text.replace('},{"part"', '},\n{"part"') + "\n")


if __name__ == "__main__":
    main()
