"""Predictions in; a line per row out, as CSV or JSON."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator, Mapping
from typing import IO

from trainer_cli.training.predict import Predictions


def column_names(predictions: Predictions) -> list[str]:
    """The header: the class and a score per class, or the output's numbers."""
    width = int(predictions.values[0].size) if predictions.rows else 1
    classes = predictions.classes
    if classes is None or not _one_class_per_row(predictions):
        return ["prediction"] if width == 1 else [f"prediction_{position + 1}" for position in range(width)]
    if width == len(classes):
        return ["prediction", *(f"score_{name}" for name in classes)]
    return ["prediction", f"score_{classes[-1]}"]


def records(predictions: Predictions) -> Iterator[list[object]]:
    """The values of every row under those names."""
    scores = predictions.values.reshape(predictions.rows, -1).tolist()
    if not _one_class_per_row(predictions):
        for row in scores:
            yield [_short(score) for score in row]
        return
    for name, row in zip(predictions.class_names(), scores, strict=True):
        yield [name, *(_short(score) for score in row)]


def write_csv(outputs: Mapping[str, Predictions], stream: IO[str], *, with_header: bool = True) -> None:
    """A header and one line per row."""
    writer = csv.writer(stream, lineterminator="\n")
    if with_header:
        writer.writerow(header(outputs))
    writer.writerows(rows_of(outputs))


def write_json_lines(outputs: Mapping[str, Predictions], stream: IO[str]) -> None:
    """One object per row, with the names of the CSV header as keys."""
    names = header(outputs)
    for row in rows_of(outputs):
        stream.write(json.dumps(dict(zip(names, row, strict=True)), ensure_ascii=False) + "\n")


def header(outputs: Mapping[str, Predictions]) -> list[str]:
    """The columns of all outputs, behind the output's name if there are several."""
    if len(outputs) == 1:
        return column_names(next(iter(outputs.values())))
    return [f"{name}_{column}" for name, predictions in outputs.items() for column in column_names(predictions)]


def rows_of(outputs: Mapping[str, Predictions]) -> Iterator[list[object]]:
    """The values of every row under that header."""
    for parts in zip(*(records(predictions) for predictions in outputs.values()), strict=True):
        yield [value for part in parts for value in part]


def _one_class_per_row(predictions: Predictions) -> bool:
    return predictions.labels is not None and predictions.labels.size == predictions.rows


def _short(score: float) -> float:
    """Float32 in as few digits as tell it from its neighbours."""
    return float(f"{score:.7g}")
