"""The data files that the example configs train on are what their description says."""

from __future__ import annotations

import gzip
from pathlib import Path

import numpy as np
import pytest

from trainer_cli.data.prepare import prepare
from trainer_cli.data.source import INPUT, TARGET
from trainer_cli.data.sources.csv import Csv
from trainer_cli.data.targets import TargetSpec


@pytest.mark.parametrize(
    ("name", "target", "rows", "columns", "low", "high"),
    [
        ("digits.csv.gz", "label", 1797, 64, 0, 16),
        ("iris.csv", "species", 150, 4, 0.1, 7.9),
        ("diabetes.csv", "progression", 442, 10, 0, 301),
    ],
)
def test_shapes_and_ranges(root: Path, name: str, target: str, rows: int, columns: int, low: float, high: float):
    table = Csv(path=name, target=target).read(root / "configs" / "data")
    values = table.inputs[INPUT].values
    assert values.shape == (rows, columns)
    assert low <= values.min()
    assert values.max() <= high
    assert len(table.targets[TARGET].values) == rows


def test_classes_are_balanced(root: Path):
    folder = root / "configs" / "data"
    digits = Csv(path="digits.csv.gz", target="label").read(folder).targets[TARGET].values.astype(int)
    assert np.bincount(digits).tolist() == [178, 182, 177, 183, 181, 182, 181, 179, 174, 180]
    species = Csv(path="iris.csv", target="species").read(folder).targets[TARGET].values
    assert np.unique(species, return_counts=True)[1].tolist() == [50, 50, 50]


def test_the_packed_file_is_reproducible_and_small(root: Path):
    content = (root / "configs" / "data" / "digits.csv.gz").read_bytes()
    assert content[4:8] == bytes(4), "gzip stores no time"
    assert len(content) < 100_000
    header = gzip.decompress(content).split(b"\n", 1)[0].decode().split(",")
    assert header == [f"pixel_{row}_{column}" for row in range(8) for column in range(8)] + ["label"]


def test_iris_s_species_become_indicators(root: Path):
    source = Csv(path="data/iris.csv", target="species", split={"test": 0.2, "stratify": True}, scaling="standardize")
    data = prepare(source, root / "configs", {"target": TargetSpec("one_hot", (3,))}, 1)
    assert data.encoding.targets["target"].classes == ("setosa", "versicolor", "virginica")
    assert data.train.targets["target"].sum(axis=0).tolist() == [40, 40, 40]
