"""Sequences of any length from JSON lines: padding changes nothing, whatever the length that rows are brought to."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from trainer_cli.config.load import load
from trainer_cli.training.evaluate import evaluate
from trainer_cli.training.fit import FitOptions, fit
from trainer_cli.training.predict import predict

WORDS = {"good": ["fine", "lovely", "bright"], "bad": ["awful", "dreary", "grim"]}

TOKENS = """
name: reviews
seed: 3
data:
  type: json_lines
  path: reviews.jsonl
  input: words
  target: opinion
  sequence: {length: 6, padding: post}
architecture:
  - {type: embedding, input_dim: 12, output_dim: 6, mask_zero: true}
  - {type: lstm, units: 5}
  - {type: dense, units: 2, activation: softmax}
optimizer: {type: adam, learning_rate: 0.05}
loss: sparse_categorical_crossentropy
metrics: [accuracy]
fit: {epochs: 4, batch_size: 8}
"""

VECTORS = """
name: walks
seed: 3
data:
  type: json_lines
  path: walks.jsonl
  input: steps
  target: end
  sequence: {length: 6, padding: post, value: -9}
architecture:
  - {type: masking, mask_value: -9}
  - {type: gru, units: 4}
  - {type: dense, units: 1}
optimizer: adam
loss: mse
fit: {epochs: 2, batch_size: 8}
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    random = np.random.default_rng(0)
    reviews, walks = [], []
    for number in range(80):
        opinion = ("good", "bad")[number % 2]
        words = [str(random.choice(WORDS[opinion])) for _ in range(int(random.integers(1, 6)))]
        reviews.append({"words": words, "opinion": opinion})
        steps = random.normal(size=(int(random.integers(1, 6)), 2))
        walks.append({"steps": steps.tolist(), "end": float(steps.sum())})
    for name, rows in (("reviews", reviews), ("walks", walks)):
        (tmp_path / f"{name}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    (tmp_path / "tokens.yaml").write_text(TOKENS)
    (tmp_path / "vectors.yaml").write_text(VECTORS)
    return tmp_path


@pytest.mark.parametrize("name", ["tokens", "vectors"])
def test_a_longer_row_of_padding_changes_no_result(folder: Path, name: str) -> None:
    weights = []
    for length in (6, 9):
        run = folder / f"run{length}"
        config = load(folder / f"{name}.yaml", [f"data.sequence.length={length}"])
        list(fit(config, FitOptions(run_directory=run, target="reference")))
        weights.append(json.loads((run / "metrics.jsonl").read_text().splitlines()[-1])["loss"])
    assert weights[0] == pytest.approx(weights[1], rel=1e-6)


def test_new_rows_are_read_by_what_was_learned(folder: Path) -> None:
    run = folder / "run"
    list(fit(load(folder / "tokens.yaml"), FitOptions(run_directory=run, target="reference")))
    assert evaluate(run, data=folder / "reviews.jsonl", target="reference").results["accuracy"] == 1.0
    new = folder / "new.jsonl"
    new.write_text('{"words": ["fine", "indeed", "bright"]}\n{"words": "grim, awful"}\n')
    (found,) = predict(run, data=new, target="reference").values()
    assert list(found.class_names()) == ["good", "bad"]
