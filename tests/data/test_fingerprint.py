"""FarmHash's fingerprints of texts of every length, published values, and columns of categories that are hashed."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.data.test_column_kinds import column, prepared
from trainer_cli.config.load import load_text
from trainer_cli.data.fingerprint import fingerprint, hashed
from trainer_cli.data.source import INPUT
from trainer_cli.errors import ConfigError, DataError

GOLDEN = json.loads((Path(__file__).parent.parent / "golden" / "farmhash.json").read_text(encoding="utf-8"))


def test_texts_of_every_length_have_the_fingerprints_of_farmhash() -> None:
    found = GOLDEN["fingerprints"]
    lengths = {len(text.encode()) for text in found}
    assert lengths >= set(range(70))
    assert max(lengths) > 192
    assert {text: fingerprint(text.encode()) for text in found} == found


@pytest.mark.parametrize(
    ("text", "signed"),
    [
        ("1footrue", -1541654101129638711),
        ("2applefalse", 2794438866806483259),
        ("3true", -4880158226897771312),
    ],
)
def test_published_fingerprints(text: str, signed: int) -> None:
    """Those of the documentation of BigQuery's FARM_FINGERPRINT."""
    assert fingerprint(text.encode()) == signed % 2**64


def test_published_bins_of_tensorflow_and_keras() -> None:
    assert [hashed(text, 3) for text in ("Hello", "TensorFlow", "2.x")] == [0, 2, 2]
    assert [hashed(text, 3) for text in "ABCDE"] == [1, 0, 1, 1, 2]


HASHED: dict[str, Any] = {"kind": "categorical", "encoding": "hashing", "num_bins": 3}


def test_a_column_has_the_numbers_of_keras_with_a_mask(tmp_path: Path) -> None:
    # Hashing(num_bins=3, mask_value='') of [['A'], ['B'], [''], ['C'], ['D']], in its documentation.
    found = column(tmp_path, ["A", "B", "?", "C", "D"], missing="zero", **HASHED)
    assert found.dtype == np.int32
    assert found.ravel().tolist() == [1, 1, 0, 2, 2]


def test_new_categories_have_their_hash_and_nothing_is_learned(tmp_path: Path) -> None:
    spec = {**HASHED, "num_bins": 1000}
    found = column(tmp_path, ["x"], ["17", "größer", "x"], **spec)
    assert found.ravel().tolist() == [1 + hashed(text, 999) for text in ("17", "größer", "x")]
    with pytest.raises(DataError, match="the cell is"):
        column(tmp_path, ["x"], ['""'], **spec)


def test_columns_that_refuse_nothing_elsewhere_give_what_is_missing_the_number_0(tmp_path: Path) -> None:
    found = prepared(tmp_path, "a\nx\n?\n", columns={"a": HASHED}, missing="median").train.inputs[INPUT]
    assert found[1, 0] == 0


def test_the_embedding_needs_room_for_all_bins(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="there are 3 values of a hash, the model takes numbers below 2"):
        prepared(tmp_path, "a\nx\n", {INPUT: 2}, columns={"a": HASHED})


TEXT = """\
data:
  type: csv
  path: t.csv
  target: y
  columns:
    a: %s
architecture:
  - {type: dense, units: 1}
"""


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ("{kind: categorical, encoding: hashing}", "needs `num_bins`"),
        ("{kind: categorical, encoding: hashing, num_bins: 1}", "2"),
        ("{kind: categorical, encoding: integer, num_bins: 5}", "`num_bins` is for `encoding: hashing`"),
        ("{kind: categorical, encoding: hashing, num_bins: 5, unseen: refuse}", "`hashing` knows none"),
        ("{kind: categorical, encoding: hashing, num_bins: 5, missing: mean}", "no place for `missing: mean`"),
        ("{encoding: hashing, num_bins: 5}", "is not for numeric columns"),
    ],
)
def test_what_a_hash_does_not_take_is_refused(tmp_path: Path, spec: str, message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        load_text(TEXT % spec, tmp_path / "c.yaml")
    assert message in "\n".join(problem.message for problem in caught.value.problems)


@pytest.mark.parametrize(
    ("layer", "column"),
    [("hashing", "encoding: hashing"), ("StringLookup", "encoding: integer"), ("textVectorization", "kind: text")],
)
def test_layers_that_take_strings_are_refused_with_the_column_that_does_their_work(layer: str, column: str) -> None:
    text = TEXT.replace("dense, units: 1", f"{layer}, num_bins: 3") % "{kind: boolean}"
    with pytest.raises(ConfigError) as caught:
        load_text(text, Path("c.yaml"))
    (problem,) = caught.value.problems
    assert problem.path[-2:] == (0, "type")
    assert "strings become numbers when the data is read" in problem.message
    assert column in (problem.hint or "")
