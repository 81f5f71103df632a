"""What `predict` writes: a class per row, or lists of them where a model answers for every time step or pixel."""

from __future__ import annotations

import csv
import io
import json

import numpy as np
import pytest

from trainer_cli.reports.predictions import write_csv, write_json_lines
from trainer_cli.training.predict import Predictions


def written(found: Predictions) -> tuple[list[dict], list[dict]]:
    """The rows as CSV tells them, and as JSON lines do."""
    table, lines = io.StringIO(), io.StringIO()
    write_csv({"prediction": found}, table)
    write_json_lines({"prediction": found}, lines)
    table.seek(0)
    return list(csv.DictReader(table)), [json.loads(line) for line in lines.getvalue().splitlines()]


def of_classes(values: np.ndarray, *classes: str | int) -> Predictions:
    return Predictions(values, classes, np.argmax(values, axis=-1))


def test_a_class_per_row():
    table, lines = written(of_classes(np.asarray([[0.25, 0.75], [1.0, 0.0]], np.float32), "no", "yes"))
    assert table[0] == {"prediction": "yes", "score_no": "0.25", "score_yes": "0.75"}
    assert lines[1] == {"prediction": "no", "score_no": 1.0, "score_yes": 0.0}


@pytest.mark.parametrize(("classes", "kind"), [(("no", "yes"), "string"), ((0, 1), "int64")], ids=["texts", "numbers"])
def test_parquet_of_several_blocks(classes: tuple[str | int, ...], kind: str):
    pytest.importorskip("pyarrow")
    from pyarrow import parquet

    from trainer_cli.reports.parquet import parquet_writer

    places = np.asarray([[[0.25, 0.75], [1.0, 0.0]], [[0.1, 0.9], [0.5, 0.5]]], np.float32)
    outputs = {"one": of_classes(places[0], *classes), "each": of_classes(places, *classes)}
    file = io.BytesIO()
    with parquet_writer(outputs, file) as write:
        write(outputs)
        write(outputs)
    table = parquet.read_table(io.BytesIO(file.getvalue()))
    assert table.schema.names == [
        f"{output}_{name}" for output in outputs for name in ("prediction", *(f"score_{each}" for each in classes))
    ]
    assert str(table.schema.field("one_prediction").type) == kind
    assert str(table.schema.field("each_prediction").type).startswith("list<")
    assert table.column("one_prediction").to_pylist() == [classes[1], classes[0]] * 2
    assert table.column("each_prediction").to_pylist()[:2] == [[classes[1], classes[0]], [classes[1], classes[0]]]
    assert np.array_equal(
        np.asarray(table.column(f"one_score_{classes[1]}").to_pylist(), np.float32)[:2], places[0, :, 1]
    )


def test_a_class_per_time_step():
    values = np.asarray([[[0.25, 0.75, 0], [0, 0.5, 0.5]], [[1, 0, 0], [0, 0, 1]]], np.float32)
    table, lines = written(of_classes(values, "a", 'quoted "b",', "\n"))
    assert lines == [
        {
            "prediction": ['quoted "b",'] * 2,
            "score_a": [0.25, 0.0],
            'score_quoted "b",': [0.75, 0.5],
            "score_\n": [0, 0.5],
        },
        {"prediction": ["a", "\n"], "score_a": [1, 0], 'score_quoted "b",': [0, 0], "score_\n": [0, 1]},
    ]
    assert [{key: json.loads(cell) for key, cell in row.items()} for row in table] == lines


def test_a_class_per_pixel():
    values = np.eye(3, dtype=np.float32)[np.asarray([[[0, 1], [2, 2]]])]
    _, (line,) = written(of_classes(values, 0, 1, 2))
    assert line["prediction"] == [[0, 1], [2, 2]]
    assert line["score_2"] == [[0, 0], [1, 1]]


def test_one_unit_for_two_classes_of_a_row_and_of_every_pixel():
    values = np.asarray([[[[0.25], [0.75]]]], np.float32)
    _, (line,) = written(Predictions(values, ("ground", "sky"), (values > 0.5).astype(np.int64)))
    assert line == {"prediction": [["ground", "sky"]], "score_sky": [[0.25, 0.75]]}
    _, (line,) = written(Predictions(values[:, 0, 1], ("ground", "sky"), np.asarray([[1]])))
    assert line == {"prediction": "sky", "score_sky": 0.75}
    # The same without an axis of length 1.
    _, (line,) = written(Predictions(values[:, 0, :, 0], ("ground", "sky"), np.asarray([[0, 1]])))
    assert line == {"prediction": ["ground", "sky"], "score_sky": [0.25, 0.75]}


def test_numbers():
    table, (line,) = written(Predictions(np.asarray([[0.1, 2.0]], np.float32)))
    assert table == [{"prediction_1": "0.1", "prediction_2": "2.0"}]
    assert line == {"prediction_1": 0.1, "prediction_2": 2.0}
    _, (line,) = written(Predictions(np.asarray([[0.1]], np.float32)))
    assert line == {"prediction": 0.1}
