"""A trained model in; its answers on rows that it was not trained on, beside the true ones, out."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from trainer_cli.compiler.program import PREDICTION
from trainer_cli.data.source import TARGET, PartName
from trainer_cli.lazy import NDArray, np
from trainer_cli.training.evaluate import evaluate
from trainer_cli.training.model import open_model
from trainer_cli.training.predict import Predictions, predict

_POINTS = 1500
"""Rows of a scatter of values; of more, every n-th is taken."""


@dataclass(frozen=True)
class Confusion:
    """`counts[i][j]`: how often class i was taken for class j."""

    output: str
    classes: tuple[str, ...]
    counts: list[list[int]]


@dataclass(frozen=True)
class Residuals:
    """True and predicted values of some rows, one column of a target each."""

    output: str
    true: list[float]
    predicted: list[float]
    rows: int


@dataclass(frozen=True)
class HeldOut:
    """`results`: loss and metrics on the part; `answers`: what can be drawn, one per output or column."""

    part: PartName
    rows: int
    results: dict[str, float | None]
    answers: list[Confusion | Residuals]


def held_out(path: Path, *, part: PartName | None = None, target: str = "cpu", threads: int | None = None) -> HeldOut:
    """Evaluate the model of a run on a part of its own data, by default the one that says most about it.

    Raises ConfigError, DataError or CheckpointError.
    """
    measured = evaluate(path, part=part, target=target, threads=threads)
    assert measured.part is not None
    found = predict(path, part=measured.part, target=target, threads=threads)
    model = open_model(path)
    targets = model.read(None, measured.part, with_target=True).targets
    answers = []
    for name, target_values in targets.items():
        output = PREDICTION if name == TARGET else name
        form, scaling = model.encoding.targets[name].form, model.encoding.targets[name].scaling
        if scaling is not None:
            target_values = scaling.restore(target_values)
        answers += compared("" if len(found) == 1 else name, found[output], target_values, form)
    return HeldOut(measured.part, measured.rows, measured.results, answers)


def compared(output: str, found: Predictions, target: NDArray[Any], form: str) -> list[Confusion | Residuals]:
    """An output beside its targets, which have the form that the loss wants: `(rows,)`, or `(rows, …)`."""
    if found.labels is not None and found.classes is not None:
        true = np.argmax(target, axis=-1) if form == "one_hot" else target
        if form == "binary" and found.labels.size != found.rows:
            return []  # several questions of yes or no: no single matrix holds them
        return [_confusion(output, found.classes, np.ravel(true).astype(np.int64), np.ravel(found.labels))]
    if form not in ("values", "binary") or not found.rows:
        return []
    true, predicted = target.reshape(found.rows, -1), found.values.reshape(found.rows, -1)
    if true.shape != predicted.shape or true.shape[1] > 4:
        return []
    names = [output] if true.shape[1] == 1 else [f"{output} {place + 1}".strip() for place in range(true.shape[1])]
    chosen = np.arange(0, found.rows, -(-found.rows // _POINTS))
    return [
        Residuals(name, true[chosen, place].tolist(), predicted[chosen, place].tolist(), found.rows)
        for place, name in enumerate(names)
    ]


def _confusion(
    output: str, classes: tuple[Any, ...], true: NDArray[np.int64], predicted: NDArray[np.int64]
) -> Confusion:
    counts = np.zeros((len(classes), len(classes)), np.int64)
    known = (true >= 0) & (true < len(classes))  # a loss may leave out a number that is no class
    np.add.at(counts, (true[known], predicted[known]), 1)
    return Confusion(output, tuple(map(str, classes)), counts.tolist())
