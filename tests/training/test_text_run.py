"""The character Transformer that the configs ship, made small: trained, measured and applied to a new text."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from trainer_cli.config.load import load
from trainer_cli.errors import DataError
from trainer_cli.training.evaluate import evaluate
from trainer_cli.training.fit import FitOptions, fit
from trainer_cli.training.predict import predict
from trainer_cli.training.validate import validate

CONFIG = Path(__file__).parents[2] / "configs" / "character-transformer.yaml"

# A fraction of the letters and an eighth of the width: seconds on the target that is not made for speed.
SMALL = (
    *("data.length=16", "data.stride=32", "optimizer.learning_rate=1e-2", "fit.epochs=1", "architecture[2].repeat=1"),
    *("architecture[0].output_dim=8", "architecture[1].sequence_length=16"),
    *("architecture[2].layers[1].num_heads=2", "architecture[2].layers[1].key_dim=4"),
    *("architecture[2].layers[4].units=16", "architecture[2].layers[5].units=8"),
)


@pytest.fixture(scope="module")
def run_directory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("text") / "run"
    list(fit(load(CONFIG, SMALL), FitOptions(run_directory=directory, target="reference")))
    return directory


def test_the_shipped_config_is_sound() -> None:
    found = validate(CONFIG, read_data=True, strict=True)
    assert found.ok
    assert found.problems == []


def test_it_learns_more_than_how_often_each_letter_occurs(run_directory: Path) -> None:
    (line,) = [json.loads(line) for line in (run_directory / "metrics.jsonl").read_text().splitlines()]
    # How often each letter occurs tells as much as 3.18 of the ln 64 = 4.16.
    assert line["val_loss"] < 2.9
    assert evaluate(run_directory, part="validation", target="reference").results["loss"] == pytest.approx(
        line["val_loss"], rel=1e-6
    )


def test_a_new_text_is_read_by_the_vocabulary_in_the_checkpoint(run_directory: Path, tmp_path: Path) -> None:
    new = tmp_path / "new.txt"
    new.write_text("The Hatter opened his eyes very wide on hearing this. ¿Qué?")
    found = evaluate(run_directory, data=new, target="reference")
    assert found.rows == 2
    (scores,) = predict(run_directory, data=new, target="reference").values()
    assert scores.values.shape == (2, 16, 64)
    np.testing.assert_allclose(scores.values.sum(axis=-1), 1.0, rtol=1e-5)
    # Nothing but what the places have seen decides: another end changes none of the scores before it.
    new.write_text("The Hatter openX")
    (other,) = predict(run_directory, data=new, target="reference").values()
    np.testing.assert_allclose(other.values[0, :15], scores.values[0, :15], rtol=1e-6)
    assert not np.allclose(other.values[0, 15], scores.values[0, 15])
    new.write_text("Too short")
    with pytest.raises(DataError, match="the text has 9 tokens, a window takes 16"):
        predict(run_directory, data=new, target="reference")
