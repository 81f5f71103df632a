"""The name of a library in; the arguments of parts that a config does not give, where they are not Keras 3's, out.

Where TensorFlow.js 4.22 computes otherwise than Keras, the part has an argument for it, and here alone stands which one
`numerics: tfjs` chooses. Arguments that a config gives are never touched. TensorFlow.js's bugs are in no table.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from types import MappingProxyType
from typing import Any, Literal, TypeAlias

Numerics: TypeAlias = Literal["keras", "tfjs"]

_NORMAL = {"kernel_initializer": "glorot_normal"}
_GATED = {**_NORMAL, "recurrent_activation": "hard_sigmoid"}
_UNCORRECTED = {"corrected": False}
_CLIPPED = {"recover_logits": False}

TFJS: Mapping[tuple[str, str], Mapping[str, Any]] = MappingProxyType(
    {
        ("activation", "hard_sigmoid"): {"slope": 0.2},
        ("initializer", "glorot_normal"): _UNCORRECTED,
        ("initializer", "he_normal"): _UNCORRECTED,
        ("initializer", "lecun_normal"): _UNCORRECTED,
        ("initializer", "variance_scaling"): _UNCORRECTED,
        ("layer", "conv1d"): _NORMAL,
        ("layer", "conv2d"): _NORMAL,
        ("layer", "conv2d_transpose"): _NORMAL,
        ("layer", "conv3d"): _NORMAL,
        ("layer", "conv3d_transpose"): _NORMAL,
        ("layer", "conv_lstm2d"): {**_GATED, "unit_forget_bias": False},
        ("layer", "dense"): _NORMAL,
        ("layer", "depthwise_conv2d"): {"depthwise_initializer": "glorot_normal"},
        ("layer", "gru"): {**_GATED, "reset_after": False},
        ("layer", "lstm"): {**_GATED, "unit_forget_bias": False},
        ("layer", "simple_rnn"): _NORMAL,
        ("loss", "binary_crossentropy"): _CLIPPED,
        ("loss", "categorical_crossentropy"): _CLIPPED,
        ("loss", "cosine_similarity"): {"epsilon": 1e-7},
        ("loss", "kl_divergence"): {**_CLIPPED, "clip_factor": False},
        ("loss", "sparse_categorical_crossentropy"): _CLIPPED,
        ("metric", "cosine_similarity"): {"epsilon": 1e-7},
        ("metric", "kl_divergence"): {**_CLIPPED, "clip_factor": False},
        ("optimizer", "adadelta"): {"learning_rate": 1.0},
        ("optimizer", "adagrad"): {"learning_rate": 0.01},
        ("optimizer", "adam"): {"epsilon_hat": False},
        ("optimizer", "adamax"): {"learning_rate": 0.002},
        ("optimizer", "sgd"): {"rate_in_velocity": False},
        ("regularizer", "l1_l2"): {"l1": 0.01, "l2": 0.01},
    }
)
"""By the noun of the family and the type of the part: the arguments that stand for those not given."""

PENALTIES_IN_EVALUATION: Mapping[Numerics, bool] = MappingProxyType({"keras": True, "tfjs": False})
"""Whether the loss of evaluated rows, `val_loss` among them, holds the penalties on weights and outputs."""

BASELINE_IS_FIRST_BEST: Mapping[Numerics, bool] = MappingProxyType({"keras": False, "tfjs": True})
"""Whether the baseline of early stopping is the best value before the first epoch, which may then stop the run."""

_CHOSEN: ContextVar[Numerics] = ContextVar("numerics", default="keras")


@contextmanager
def reading_as(numerics: Numerics) -> Iterator[None]:
    """Within the block, parts that are read have the defaults of this library."""
    token = _CHOSEN.set(numerics)
    try:
        yield
    finally:
        _CHOSEN.reset(token)


def defaults(noun: str, name: str) -> Mapping[str, Any]:
    """What stands for the arguments that are not given, where it is not the default that the part itself names."""
    return TFJS.get((noun, name), {}) if _CHOSEN.get() == "tfjs" else {}
