"""`trainer predict` of models that answer for every place of a row: tokens of a text, tags of steps, pixels."""

from __future__ import annotations

import csv
import json

import numpy as np


def fitted(project, file: str, *changes: str) -> None:
    given = [word for change in changes for word in ("--set", change)]
    done = project.run("fit", file, "--target", "reference", "--run-dir", "run", *given)
    assert done.returncode == 0, done.stderr


def predicted(project, *arguments: str) -> tuple[list[dict], list[dict]]:
    """The rows in CSV, their cells read as JSON, and in JSON lines."""
    command = ("predict", "run", "--target", "reference", "--quiet", *arguments)
    done = project.run(*command, "--output", "rows.csv")
    assert done.returncode == 0, done.stderr
    with (project.folder / "rows.csv").open(newline="", encoding="utf-8") as file:
        table = [{key: json.loads(cell) for key, cell in row.items()} for row in csv.DictReader(file)]
    done = project.run(*command, "--json")
    assert done.returncode == 0, done.stderr
    return table, [json.loads(line) for line in done.stdout.splitlines()]


def test_the_tokens_that_follow_in_a_text(project):
    (project.folder / "book.txt").write_text("ab, " * 200)
    assert project.run("init", "book.txt", "--quiet").returncode == 0
    # More units than the text has letters: those that stand for none have a name as well.
    more = ("data.length=8", "data.vocabulary_size=8", "architecture[0].input_dim=8", "architecture[3].units=8")
    fitted(project, "book.yaml", *more, "fit.epochs=12", "optimizer.learning_rate=2e-2")
    (project.folder / "new.txt").write_text("ab, ab, ab, ab, ab, ab, ")
    table, lines = predicted(project, "--data", "new.txt")
    assert table == lines
    assert list(lines[0])[-2:] == ["score_unit_7", "score_unit_8"]
    assert lines[0]["prediction"] == list("b, ab, a")
    scores = np.asarray([[row[key] for key in row if key != "prediction"] for row in lines])
    assert scores.shape == (len(lines), 8, 8)
    np.testing.assert_allclose(scores.sum(axis=1), 1, atol=1e-6)


def test_a_class_for_every_step(project):
    # `the` is 1 and `day` is 0, wherever they stand.
    pairs = [["the", "day"], ["day", "the"], ["day", "day"], ["the", "the"]]
    rows = [{"words": words, "y": [int(word == "the") for word in words]} for words in pairs] * 20
    (project.folder / "tags.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    assert project.run("init", "tags.jsonl", "--quiet").returncode == 0
    fitted(project, "tags.yaml", "fit.epochs=15", "optimizer.learning_rate=2e-2")
    (project.folder / "new.jsonl").write_text('{"words": ["day", "day"]}\n{"words": ["the", "day"]}\n')
    table, lines = predicted(project, "--data", "new.jsonl")
    assert table == lines
    assert [line["prediction"] for line in lines] == [[0, 0], [1, 0]]
    assert set(lines[0]) == {"prediction", "score_0", "score_1"}


def test_a_class_for_every_pixel(project):
    pictures = np.random.default_rng(1).integers(0, 256, (80, 4, 5, 3), dtype=np.uint8)
    np.savez(project.folder / "masks.npz", x=pictures, y=(pictures[..., 0] > 128).astype(np.uint8))
    assert project.run("init", "masks.npz", "--quiet").returncode == 0
    fitted(project, "masks.yaml", "fit.epochs=2")
    table, lines = predicted(project, "--part", "test")
    assert table == lines
    for line in lines:
        assert np.shape(line["prediction"]) == np.shape(line["score_1"]) == (4, 5)
        np.testing.assert_array_equal(np.asarray(line["score_1"]) > 0.5, line["prediction"])


def test_numbers_for_every_step(project):
    rows = [{"steps": [[k % 3, k % 5], [k % 5, k % 2], [1, k % 7]], "y": [k % 3, k % 5, 1]} for k in range(40)]
    (project.folder / "steps.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    project.configure(
        data={"type": "json_lines", "path": "steps.jsonl", "input": "steps", "target": "y", "pad_target": True}
        | {"sequence": {"length": 3}, "split": {"test": 0.2}},
        architecture=[{"type": "dense", "units": 1}],
        loss="mse",
        metrics=[],
    )
    fitted(project, "config.yaml", "fit.epochs=1")
    table, lines = predicted(project, "--part", "test")
    assert table == lines
    assert set(lines[0]) == {"prediction"}
    assert np.shape(lines[0]["prediction"]) == (3,)


def test_pixels_of_several_channels(project):
    pictures = np.random.default_rng(1).random((40, 4, 5, 3)).astype(np.float32)
    np.savez(project.folder / "same.npz", x=pictures, y=pictures)
    project.configure(
        data={"type": "npz", "path": "same.npz", "split": {"test": 0.2}},
        architecture=[{"type": "conv2d", "filters": 3, "kernel_size": 1}],
        loss="mse",
        metrics=[],
    )
    fitted(project, "config.yaml", "fit.epochs=1")
    table, lines = predicted(project, "--part", "test")
    assert table == lines
    assert list(lines[0]) == ["prediction_1", "prediction_2", "prediction_3"]
    assert np.shape(lines[0]["prediction_2"]) == (4, 5)
