"""Predictions in; a line per row out, as CSV or JSON."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable, Iterator, Mapping
from typing import IO, Any

from trainer_cli.data.targets import Class
from trainer_cli.training.predict import Predictions


def column_names(predictions: Predictions) -> list[str]:
    """The header: the class and a score per class, or a column for each of the output's units."""
    if predictions.labels is None or predictions.classes is None:
        width = _units(predictions)
        return ["prediction"] if width == 1 else [f"prediction_{position + 1}" for position in range(width)]
    return ["prediction", *(f"score_{name}" for name in _scored(predictions, predictions.classes))]


def records(predictions: Predictions) -> Iterator[list[Any]]:
    """The values of every row under those names; lists of them where each place of a row has its own."""
    if predictions.labels is None or predictions.classes is None:
        units = _units(predictions)
        for row in predictions.values.reshape(predictions.rows, *predictions.values.shape[1:-1], units):
            yield [_each(row[..., unit].tolist(), _short) for unit in range(units)]
        return
    classes = predictions.classes
    width = len(_scored(predictions, classes))
    places = _places(predictions)
    # Row by row: the scores of all places take many times the array's memory as Python's numbers.
    for labels, values in zip(predictions.labels, predictions.values, strict=True):
        scores = values.reshape(*places, width)
        names = _each(labels.reshape(places).tolist(), classes.__getitem__)
        yield [names, *(_each(scores[..., unit].tolist(), _short) for unit in range(width))]


def write_csv(outputs: Mapping[str, Predictions], stream: IO[str], *, with_header: bool = True) -> None:
    """A header and one line per row; a list is a cell of JSON."""
    writer = csv.writer(stream, lineterminator="\n")
    if with_header:
        writer.writerow(header(outputs))
    for row in rows_of(outputs):
        writer.writerow([_json(value) if isinstance(value, list) else value for value in row])


def write_json_lines(outputs: Mapping[str, Predictions], stream: IO[str]) -> None:
    """One object per row, with the names of the CSV header as keys."""
    names = header(outputs)
    for row in rows_of(outputs):
        stream.write(_json(dict(zip(names, row, strict=True))) + "\n")


def header(outputs: Mapping[str, Predictions]) -> list[str]:
    """The columns of all outputs, behind the output's name if there are several."""
    if len(outputs) == 1:
        return column_names(next(iter(outputs.values())))
    return [f"{name}_{column}" for name, predictions in outputs.items() for column in column_names(predictions)]


def rows_of(outputs: Mapping[str, Predictions]) -> Iterator[list[Any]]:
    """The values of every row under that header."""
    for parts in zip(*(records(predictions) for predictions in outputs.values()), strict=True):
        yield [value for part in parts for value in part]


def _units(predictions: Predictions) -> int:
    """How many numbers the output has, for a row or for each place of it: the last axis."""
    return predictions.values.shape[-1] if predictions.values.ndim > 1 else 1


def _scored(predictions: Predictions, classes: tuple[Class, ...]) -> tuple[Class, ...]:
    """The classes that have a score: all, or the second of two that one unit tells apart."""
    return classes if predictions.scored_by_class else classes[-1:]


def _places(predictions: Predictions) -> tuple[int, ...]:
    """The shape of a row's classes: `()` for one, `(time,)` or `(height, width)` where each place has its own."""
    assert predictions.labels is not None
    shape = predictions.labels.shape[1:]
    return shape[:-1] if not predictions.scored_by_class and shape[-1:] == (1,) else shape


def _each(value: Any, change: Callable[[Any], Any]) -> Any:
    """A value, or those of nested lists, changed."""
    return [_each(item, change) for item in value] if isinstance(value, list) else change(value)


def _json(value: object) -> str:
    return json.dumps(value, ensure_ascii=False)


def _short(score: float) -> float:
    """Float32 in as few digits as tell it from its neighbours."""
    return float(f"{score:.7g}")
