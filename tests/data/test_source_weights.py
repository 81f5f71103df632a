"""Weights of rows and of classes, in every source and in memory as in files: supported, or refused in their place."""

from __future__ import annotations

import json
import struct
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from trainer_cli.config.load import load
from trainer_cli.data.prepare import Dataset, apply, prepare
from trainer_cli.data.source import INPUT, SAMPLE_WEIGHT, TARGET, Source, class_weight_name
from trainer_cli.data.targets import TargetSpec
from trainer_cli.data.weighting import with_class_weights
from trainer_cli.errors import ConfigError, DataError
from trainer_cli.parts.families import SOURCES

ROWS = 12
NUMBERS = np.arange(ROWS)
CLASSES = (NUMBERS % 3 == 0).astype(np.int64)
WEIGHTS = NUMBERS % 5 + 0.25


def csv(folder: Path) -> dict[str, Any]:
    rows = zip(NUMBERS, CLASSES, WEIGHTS, strict=True)
    (folder / "t.csv").write_text("x,y,w\n" + "".join(f"{x},{y},{w}\n" for x, y, w in rows))
    return {"path": "t.csv", "target": "y", "sample_weight": "w"}


def arrow_table(folder: Path, ending: str) -> dict[str, Any]:
    arrow = pytest.importorskip("pyarrow", reason="needs the extra `arrow`")
    from pyarrow import feather, parquet

    table = arrow.table({"x": NUMBERS * 1.0, "y": CLASSES, "w": WEIGHTS})
    (parquet.write_table if ending == "parquet" else feather.write_feather)(table, folder / f"t.{ending}")
    return {"path": f"t.{ending}", "target": "y", "sample_weight": "w"}


def json_lines(folder: Path) -> dict[str, Any]:
    rows = zip(NUMBERS.tolist(), CLASSES.tolist(), WEIGHTS.tolist(), strict=True)
    (folder / "t.jsonl").write_text("".join(json.dumps({"x": x, "y": y, "w": w}) + "\n" for x, y, w in rows))
    return {"path": "t.jsonl", "input": "x", "target": "y", "sample_weight": "w"}


def npz(folder: Path) -> dict[str, Any]:
    np.savez(folder / "t.npz", x=NUMBERS * 1.0, y=CLASSES, w=WEIGHTS)
    return {"path": "t.npz", "sample_weight": "w"}


def npy(folder: Path) -> dict[str, Any]:
    for name, values in (("x", NUMBERS * 1.0), ("y", CLASSES), ("w", WEIGHTS)):
        np.save(folder / f"{name}.npy", values)
    return {"input": "x.npy", "target": "y.npy", "sample_weight": "w.npy"}


def idx(folder: Path) -> dict[str, Any]:
    for name, values in (("images", NUMBERS.reshape(-1, 1, 1)), ("labels", CLASSES)):
        header = bytes([0, 0, 8, values.ndim]) + struct.pack(f">{values.ndim}I", *values.shape)
        (folder / name).write_bytes(header + values.astype(np.uint8).tobytes())
    np.save(folder / "w.npy", WEIGHTS)
    return {"images": "images", "labels": "labels", "sample_weight": "w.npy", "scaling": "none"}


def images(folder: Path) -> dict[str, Any]:
    pillow = pytest.importorskip("PIL.Image", reason="needs the extra `images`")
    lines = ["file,label,w"]
    for x, y, w in zip(NUMBERS, CLASSES, WEIGHTS, strict=True):
        pillow.fromarray(np.full((1, 1, 3), x, np.uint8)).save(folder / f"{x}.png")
        lines.append(f"{x}.png,{y},{w}")
    (folder / "labels.csv").write_text("\n".join(lines) + "\n")
    return {"path": ".", "labels": "labels.csv", "sample_weight": "w", "scaling": "none"}


WEIGHTED = {
    "csv": csv,
    "parquet": lambda folder: arrow_table(folder, "parquet"),
    "arrow": lambda folder: arrow_table(folder, "arrow"),
    "json_lines": json_lines,
    "npz": npz,
    "npy": npy,
    "idx": idx,
    "images": images,
}
REFUSED = {"text": {"path": "t.txt", "length": 2, "sample_weight": "w"}}


def test_every_source_is_here() -> None:
    assert {*WEIGHTED, *REFUSED} == {*SOURCES.names()}


def prepared(kind: str, folder: Path, memory: str, **changes: Any) -> tuple[Source, Dataset]:
    """Three quarters of the rows to train on and one to validate on."""
    given = {**WEIGHTED[kind](folder), "split": {"validation": 0.25}, "memory": memory, **changes}
    made = SOURCES.find(kind).model_validate(given)
    assert isinstance(made, Source)
    cache = folder / "cache" if memory == "mapped" else None
    return made, prepare(made, folder, {TARGET: TargetSpec("labels", (2,))}, 3, cache=cache)


BOTH = [(kind, memory) for kind in WEIGHTED for memory in ("loaded", "mapped")]


@pytest.mark.parametrize(("kind", "memory"), BOTH)
def test_every_row_has_its_weight_and_its_class_s(kind: str, memory: str, tmp_path: Path) -> None:
    made, dataset = prepared(kind, tmp_path, memory)
    assert made.weighted
    seen = []
    for split in (dataset.train, dataset.validation):
        assert split is not None
        rows = split.inputs[INPUT].reshape(split.rows, -1)[:, 0].astype(int)
        np.testing.assert_array_equal(split.weights[SAMPLE_WEIGHT], WEIGHTS[rows].astype(np.float32))
        np.testing.assert_array_equal(split.targets[TARGET], CLASSES[rows])
        seen += rows.tolist()
    assert sorted(seen) == NUMBERS.tolist()
    weights = {TARGET: ({"1": 4.0}, ("class_weight",))}
    found = with_class_weights(dataset.train, weights, dataset.encoding.targets)
    expected = np.where(dataset.train.targets[TARGET] == 1, 4, 1)
    np.testing.assert_array_equal(found.weights[class_weight_name(TARGET)], expected)
    balanced = {TARGET: ("balanced", ("class_weight",))}
    found = with_class_weights(dataset.train, balanced, dataset.encoding.targets)
    totals = found.weights[class_weight_name(TARGET)] * found.weights[SAMPLE_WEIGHT]
    assert totals[expected == 4].sum() == pytest.approx(totals[expected == 1].sum(), rel=1e-5)


@pytest.mark.parametrize("kind", [kind for kind in WEIGHTED if kind != "idx"])
def test_new_data_is_weighted_where_it_says_how(kind: str, tmp_path: Path) -> None:
    made, dataset = prepared(kind, tmp_path, "loaded")
    new = {"csv": "t.csv", "parquet": "t.parquet", "arrow": "t.arrow", "json_lines": "t.jsonl", "npz": "t.npz"}
    file = tmp_path / new.get(kind, "")
    found = apply(dataset.encoding, made, tmp_path, file=file)
    np.testing.assert_array_equal(found.weights[SAMPLE_WEIGHT], WEIGHTS.astype(np.float32))
    assert not apply(dataset.encoding, made, tmp_path, file=file, with_target=False).weights


def test_new_idx_images_and_tables_of_labels_without_the_column_have_none(tmp_path: Path) -> None:
    made, dataset = prepared("idx", tmp_path, "loaded")
    for name in ("images", "labels"):
        (tmp_path / name).rename(tmp_path / f"new-{name}")
    assert not apply(dataset.encoding, made, tmp_path, file=tmp_path / "new-images").weights
    made, dataset = prepared("images", tmp_path, "loaded")
    (tmp_path / "labels.csv").write_text("file,label\n3.png,1\n")
    assert not apply(dataset.encoding, made, tmp_path, file=tmp_path).weights
    with pytest.raises(DataError, match="no column `w`"):
        apply(dataset.encoding, made, tmp_path)


def test_weights_of_idx_files_go_with_their_images(tmp_path: Path) -> None:
    np.save(tmp_path / "few.npy", WEIGHTS[:-1])
    np.save(tmp_path / "bad.npy", -WEIGHTS)
    with pytest.raises(DataError, match=r"few.npy: holds 11 weights for the 12 images of images"):
        prepared("idx", tmp_path, "loaded", sample_weight="few.npy")
    with pytest.raises(DataError, match=r"few.npy: holds 11 weights for the 12 images of images"):
        prepared("idx", tmp_path, "mapped", sample_weight="few.npy")
    with pytest.raises(DataError, match=r"bad.npy, row 0: the sample weight `bad.npy` is -0.25, below 0"):
        prepared("idx", tmp_path, "loaded", sample_weight="bad.npy")
    with pytest.raises(ConfigError) as caught:
        prepared("idx", tmp_path, "loaded", test_images="images", test_labels="labels")
    assert caught.value.problems[0].message == "the images to test on have no weights"
    own = {"test_images": "images", "test_labels": "labels", "test_sample_weight": "w.npy"}
    _, dataset = prepared("idx", tmp_path, "loaded", **own)
    assert dataset.test is not None
    np.testing.assert_array_equal(dataset.test.weights[SAMPLE_WEIGHT], WEIGHTS)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ("{type: text, path: t.txt, length: 2, sample_weight: w}", "windows of a running text have no numbers"),
        ("{type: images, path: photos, sample_weight: w}", "images by folder have no numbers of their own"),
        ("{type: idx, images: a, test_images: b, test_sample_weight: w.npy}", "`test_sample_weight` needs"),
    ],
)
def test_weights_of_what_has_none_are_refused_in_their_place(tmp_path: Path, given: str, message: str) -> None:
    (tmp_path / "config.yaml").write_text(f"data: {given}\narchitecture: [{{type: dense, units: 2}}]\n")
    with pytest.raises(ConfigError) as caught:
        load(tmp_path / "config.yaml")
    (problem,) = caught.value.problems
    assert message in problem.message
    assert problem.hint or "needs" in message
    assert problem.path[-1].endswith("sample_weight")
    assert problem.place is not None
    assert problem.place.line == 1
