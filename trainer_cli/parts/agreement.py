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


def along_another_axis(loss: str, axis: int, prediction: Prediction) -> list[Finding]:
    """For a loss over the last axis that is given the number of an axis."""
    rank = prediction.value.rank
    if axis in (-1, rank - 1):
        return []
    message = f"`{loss}` is over the last axis of the output, and `axis` is {axis}"
    hint = "leave `axis` out, and let a `permute` layer bring that axis to the end"
    return [Finding("impossible", message, hint)]


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
    exclusive = not _is_binary(loss)
    wanted = "softmax" if exclusive else "sigmoid"
    if activation is None or activation == wanted:
        return []
    low, high = interval(prediction)
    if low < 0 or high > 1:
        message = f"`{loss}` needs probabilities, but the output's activation is `{activation}`"
        logits = ", or give the loss `from_logits: true`" if "crossentropy" in loss else ""
        return [Finding("impossible", message, f"use activation `{wanted}`{logits}")]
    if exclusive:
        message = f"`{loss}` needs probabilities that sum to 1 over the classes, but `{activation}` gives one per unit"
        other = "binary_focal_crossentropy" if "focal" in loss else "binary_crossentropy"
        return [Finding("impossible", message, f"use activation `softmax`, or loss `{other}`")]
    if activation == "softmax":
        message = f"`{loss}` takes every unit for itself, but `softmax` makes them share a sum of 1"
        others = "`categorical_crossentropy` or `sparse_categorical_crossentropy`"
        if "focal" in loss:
            others = "`categorical_focal_crossentropy`"
        return [Finding("impossible", message, f"use activation `sigmoid`, or loss {others}")]
    return []


def with_logits(loss: str, prediction: Prediction) -> list[Finding]:
    """For a loss that turns its prediction into probabilities itself."""
    activation = prediction.activation_name
    if activation is None or (activation == "log_softmax" and not _is_binary(loss)):
        return []
    low, high = interval(prediction)
    if low >= 0 and high <= 1:
        message = f"`{loss}` with `from_logits` expects logits, but `{activation}` has made probabilities of them"
        return [Finding("impossible", message, "leave `from_logits` out, or use activation `linear`")]
    if (low, high) != (-math.inf, math.inf):
        message = f"`{loss}` with `from_logits` expects any number, but `{activation}` limits the output"
        return [Finding("doubtful", message, "use activation `linear`")]
    return []


def _is_binary(loss: str) -> bool:
    """Whether every unit is a question of its own for a loss of probabilities."""
    return loss.startswith("binary")


def with_parts_of_one(loss: str, prediction: Prediction) -> list[Finding]:
    """For a loss of overlaps, whose units are memberships from 0 to 1."""
    low, high = interval(prediction)
    if prediction.activation is None or (low >= 0 and high <= 1):
        return []
    message = f"`{loss}` needs memberships from 0 to 1, but the output's activation is `{prediction.activation.type}`"
    return [Finding("impossible", message, "use activation `sigmoid`, or `softmax` over several classes")]


def with_rates(loss: str, prediction: Prediction) -> list[Finding]:
    """For a loss that takes the logarithm of its prediction."""
    if prediction.activation is None:
        return []
    hint = "use activation `softplus` or `exponential`"
    if interval(prediction)[0] < 0:
        message = f"`{loss}` takes the logarithm of the output, but `{prediction.activation.type}` may be negative"
        return [Finding("impossible", message, hint)]
    return _with_an_end(loss, prediction, hint)


def with_amounts(loss: str, prediction: Prediction) -> list[Finding]:
    """For a loss that takes whatever is below 0 as 0."""
    if prediction.activation is None:
        return []
    hint, activation = "use activation `softplus` or `relu`", prediction.activation.type
    if interval(prediction)[0] < 0:
        message = f"`{loss}` takes negative predictions as 0, without a gradient, and `{activation}` may be negative"
        return [Finding("doubtful", message, hint)]
    return _with_an_end(loss, prediction, hint)


def _with_an_end(loss: str, prediction: Prediction, hint: str) -> list[Finding]:
    high = interval(prediction)[1]
    if prediction.activation is None or high == math.inf:
        return []
    message = (
        f"`{loss}` usually measures an output without a limit, but `{prediction.activation.type}` ends at {high:g}"
    )
    return [Finding("doubtful", message, hint)]


def with_margins(loss: str, prediction: Prediction) -> list[Finding]:
    """For a loss that wants scores above 1 for yes and below −1 for no."""
    if prediction.activation is None or interval(prediction)[0] < 0:
        return []
    message = f"`{loss}` wants scores below -1 for no, but `{prediction.activation.type}` is never negative"
    return [Finding("doubtful", message, "use activation `linear` or `tanh`")]


def with_directions(loss: str, prediction: Prediction) -> list[Finding]:
    """For a loss of the angle between vectors of the last axis."""
    if units(prediction) > 1:
        return []
    message = f"`{loss}` compares directions, but the output has one unit, which has a sign only"
    return [Finding("impossible", message, "use `mean_squared_error`, or several units")]


def with_classes(loss: str, prediction: Prediction) -> list[Finding]:
    """For a loss over the classes of the last axis."""
    if units(prediction) > 1 or prediction.activation_name == "softmax":
        return []
    message = f"`{loss}` needs one unit per class, but the output has one unit"
    return [Finding("impossible", message, "use `binary_crossentropy` with activation `sigmoid`")]
