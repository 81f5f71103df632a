"""Agreement of loss and output: a prediction and what a loss expects of it in, what speaks against the pair out."""

from __future__ import annotations

import math

from trainer_cli.ir.graph import BATCH
from trainer_cli.parts.loss import Finding, Prediction


def units(prediction: Prediction) -> int:
    """The extent of the last axis; 1 where there is only the batch axis."""
    extent = prediction.value.shape[-1]
    return 1 if extent is BATCH else int(extent)


def interval(prediction: Prediction) -> tuple[float, float]:
    """What encloses the output's values, as far as its activation tells."""
    return (-math.inf, math.inf) if prediction.activation is None else prediction.activation.interval


def with_one_unit(prediction: Prediction) -> list[Finding]:
    """Softmax of one number is 1 whatever the number is."""
    if prediction.activation_name != "softmax" or units(prediction) > 1:
        return []
    hint = "use activation `sigmoid` with `binary_crossentropy`, or one unit per class"
    return [Finding("impossible", "`softmax` over one unit is always 1, so nothing can be learned", hint)]


def with_values(loss: str, prediction: Prediction) -> list[Finding]:
    """For a loss of targets that may be any number."""
    activation = prediction.activation_name
    if activation is None or interval(prediction) == (-math.inf, math.inf):
        return []
    hint = f"use activation `linear` in the last layer unless `{activation}` can give every target"
    if activation in ("softmax", "sigmoid"):
        fitting = "binary_crossentropy" if activation == "sigmoid" else "categorical_crossentropy"
        hint = f"for classes use `{fitting}`, for numbers activation `linear`"
    return [Finding("doubtful", f"`{loss}` usually measures a linear output, but `{activation}` limits it", hint)]


def with_probabilities(loss: str, prediction: Prediction) -> list[Finding]:
    """For a loss that takes its prediction as probabilities, each for itself (sigmoid) or of classes (softmax)."""
    activation = prediction.activation_name
    exclusive = loss != "binary_crossentropy"
    wanted = "softmax" if exclusive else "sigmoid"
    if activation is None or activation == wanted:
        return []
    low, high = interval(prediction)
    if low < 0 or high > 1:
        message = f"`{loss}` needs probabilities, but the output's activation is `{activation}`"
        return [Finding("impossible", message, f"use activation `{wanted}`, or give the loss `from_logits: true`")]
    if exclusive:
        message = f"`{loss}` needs probabilities that sum to 1 over the classes, but `{activation}` gives one per unit"
        return [Finding("impossible", message, "use activation `softmax`, or loss `binary_crossentropy`")]
    if activation == "softmax":
        message = f"`{loss}` takes every unit for itself, but `softmax` makes them share a sum of 1"
        hint = "use activation `sigmoid`, or loss `categorical_crossentropy` or `sparse_categorical_crossentropy`"
        return [Finding("impossible", message, hint)]
    return []


def with_logits(loss: str, prediction: Prediction) -> list[Finding]:
    """For a loss that turns its prediction into probabilities itself."""
    activation = prediction.activation_name
    if activation is None or (activation == "log_softmax" and loss != "binary_crossentropy"):
        return []
    low, high = interval(prediction)
    if low >= 0 and high <= 1:
        message = f"`{loss}` with `from_logits` expects logits, but `{activation}` has made probabilities of them"
        return [Finding("impossible", message, "leave `from_logits` out, or use activation `linear`")]
    if (low, high) != (-math.inf, math.inf):
        message = f"`{loss}` with `from_logits` expects any number, but `{activation}` limits the output"
        return [Finding("doubtful", message, "use activation `linear`")]
    return []


def with_classes(loss: str, prediction: Prediction) -> list[Finding]:
    """For a loss over the classes of the last axis."""
    if units(prediction) > 1 or prediction.activation_name == "softmax":
        return []
    message = f"`{loss}` needs one unit per class, but the output has one unit"
    return [Finding("impossible", message, "use `binary_crossentropy` with activation `sigmoid`")]
