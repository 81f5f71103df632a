"""A phase's optimizer and loss in; if one is missing, a config error with the lines to add out."""

from __future__ import annotations

from typing import Any

from trainer_cli.errors import ConfigError, Problem

_SUGGESTED_LOSSES = {
    "softmax": "sparse_categorical_crossentropy",
    "sigmoid": "binary_crossentropy",
}


def check_compiled(optimizer: object | None, loss: object | None, config: Any, path: tuple[str | int, ...]) -> None:
    """Raise a ConfigError with the lines to add if the model is not bound to an optimizer and a loss."""
    lines = []
    if optimizer is None:
        lines.append("optimizer: adam")
    if not loss:
        lines.append(f"loss: {suggested_loss(config)}")
    if not lines:
        return
    missing = " and ".join(f"`{line.partition(':')[0]}`" for line in lines)
    verb = "are" if len(lines) > 1 else "is"
    raise ConfigError(
        [
            Problem(
                f"the model is not compiled for training: {missing} {verb} missing",
                path,
                hint="add to the config:\n" + "\n".join(lines),
            )
        ]
    )


def suggested_loss(config: Any) -> str:
    """A loss that agrees with the last layer's activation."""
    activation = getattr(config.architecture.layers[-1], "activation", None)
    return _SUGGESTED_LOSSES.get(getattr(activation, "type", ""), "mean_squared_error")
