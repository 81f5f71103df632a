"""From a source to splits with their encoding, and from new data to what a trained model expects."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from trainer_cli.data.encoding import Encoding
from trainer_cli.data.prepare import apply, prepare
from trainer_cli.data.source import INPUT, Source
from trainer_cli.data.sources.npz import Npz
from trainer_cli.data.targets import TargetSpec
from trainer_cli.errors import ConfigError, DataError
from trainer_cli.parts.families import SOURCES, read_part
from trainer_cli.parts.loss import TargetForm


def target(form: TargetForm, shape: tuple[int, ...] | None = None) -> dict[str, TargetSpec]:
    return {"target": TargetSpec(form, shape)}


def csv(**arguments: Any) -> Source:
    part = read_part(SOURCES, {"type": "csv", "path": "t.csv", "target": "kind", **arguments})
    assert isinstance(part, Source)
    return part


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    rows = (f"{row},{row * row},{'even' if row % 2 == 0 else 'odd'}\n" for row in range(40))
    (tmp_path / "t.csv").write_text("n,square,kind\n" + "".join(rows))
    return tmp_path


def test_splits_hold_matching_rows_and_statistics_of_training_alone(folder: Path):
    source = csv(split={"validation": 0.2, "test": 0.3, "stratify": True}, scaling="min_max")
    data = prepare(source, folder, target("labels", (2,)), 5)
    assert data.validation is not None
    assert data.test is not None
    splits = [data.train, data.validation, data.test]
    assert [split.rows for split in splits] == [20, 8, 12]
    assert data.train.inputs[INPUT].min() == 0
    assert data.train.inputs[INPUT].max() == 1
    scaling = data.encoding.inputs[INPUT]
    assert scaling.offset is not None
    assert scaling.divisor is not None
    seen = []
    for split in splits:
        assert "target" in split.targets
        assert len(split.targets["target"]) == split.rows == len(split.inputs[INPUT])
        assert split.inputs[INPUT].dtype == np.float32
        assert split.inputs[INPUT].flags.c_contiguous
        assert split.targets["target"].sum() == split.rows // 2
        numbers = np.rint(split.inputs[INPUT] * scaling.divisor + scaling.offset)
        assert np.array_equal(numbers[:, 0] ** 2, numbers[:, 1])
        assert np.array_equal(numbers[:, 0] % 2, split.targets["target"])
        seen.append(numbers[:, 0])
    assert np.array_equal(np.sort(np.concatenate(seen)), np.arange(40))
    assert data.encoding.targets["target"].classes == ("even", "odd")


def test_preparing_twice_gives_the_same_bits(folder: Path):
    source = csv(split={"test": 0.3}, scaling="standardize")
    first, second = (prepare(source, folder, target("labels", (2,)), 5) for _ in range(2))
    assert np.array_equal(first.train.inputs[INPUT], second.train.inputs[INPUT])
    assert first.digest == second.digest
    assert first.encoding.to_json() == second.encoding.to_json()
    other = prepare(source, folder, target("labels", (2,)), 6)
    assert not np.array_equal(first.train.inputs[INPUT], other.train.inputs[INPUT])


@pytest.mark.parametrize("form", ["labels", "one_hot", "binary"])
def test_parts_are_found_again_after_a_trip_through_json(folder: Path, form: Any):
    source = csv(split={"validation": 0.2, "test": 0.3, "stratify": True}, scaling="standardize")
    data = prepare(source, folder, target(form, (1,) if form == "binary" else (2,)), 5)
    encoding = Encoding.from_json(json.loads(json.dumps(data.encoding.to_json())))
    parts: tuple[Any, ...] = ("train", "validation", "test")
    for part, expected in zip(parts, (data.train, data.validation, data.test), strict=True):
        assert expected is not None
        found = apply(encoding, source, folder, part=part)
        assert np.array_equal(found.inputs[INPUT], expected.inputs[INPUT])
        assert "target" in found.targets
        assert "target" in expected.targets
        assert np.array_equal(found.targets["target"], expected.targets["target"])
    assert apply(encoding, source, folder).rows == 40
    assert apply(encoding, source, folder, part="test", with_target=False).targets == {}


def test_changed_data_has_no_known_parts(folder: Path):
    source = csv(split={"test": 0.3})
    encoding = prepare(source, folder, target("labels", (2,)), 5).encoding
    with (folder / "t.csv").open("a") as file:
        file.write("40,1600,even\n")
    with pytest.raises(DataError) as error:
        apply(encoding, source, folder, part="test")
    assert (
        error.value.message == f"{folder}/t.csv: has changed since training, so the rows of its test part are unknown"
    )
    assert apply(encoding, source, folder).rows == 41


def test_a_part_that_does_not_exist(folder: Path):
    encoding = prepare(csv(), folder, target("labels", (2,)), 5).encoding
    with pytest.raises(DataError, match="the data has no test part"):
        apply(encoding, csv(), folder, part="test")


def test_new_data_is_encoded_by_training_s_statistics(folder: Path):
    encoding = prepare(csv(scaling="min_max"), folder, target("labels", (2,)), 0).encoding
    new = folder / "new.csv"
    new.write_text("kind,square,comment,n\nodd,1521,x,39\neven,0,y,0\n")
    split = apply(encoding, csv(scaling="min_max"), folder, file=new)
    assert split.inputs[INPUT].tolist() == [[1, 1], [0, 0]]
    assert "target" in split.targets
    assert split.targets["target"].tolist() == [1, 0]
    new.write_text("square,n\n1521,39\n")
    assert apply(encoding, csv(), folder, file=new, with_target=False).inputs[INPUT].tolist() == [[1, 1]]
    with pytest.raises(DataError, match=r"new\.csv: no column `kind`"):
        apply(encoding, csv(), folder, file=new)
    new.write_text("kind,square,n\nprime,9,3\n")
    with pytest.raises(DataError, match="line 2, column `kind`: unknown class: expected one of `even`, `odd`"):
        apply(encoding, csv(), folder, file=new)


def test_parts_with_files_of_their_own(folder: Path):
    (folder / "v.csv").write_text("square,kind,n\n4,even,2\n")
    source = csv(validation_path="v.csv", split={"test": 0.25}, scaling="min_max")
    data = prepare(source, folder, target("labels", (2,)), 0)
    assert data.train.rows == 30
    assert data.validation is not None
    assert data.validation.rows == 1
    assert source.has_validation
    assert apply(data.encoding, source, folder, part="validation").rows == 1
    (folder / "v.csv").write_text("square,kind,n\n4,strange,2\n")
    with pytest.raises(DataError, match=r"v\.csv, line 2, column `kind`: unknown class"):
        prepare(source, folder, target("labels", (2,)), 0)


def test_a_second_test_part_is_refused(tmp_path: Path):
    np.savez(tmp_path / "t.npz", x=np.zeros((8, 2)), y=np.zeros(8), x2=np.zeros((2, 2)), y2=np.zeros(2))
    source = Npz(path="t.npz", test_input="x2", test_target="y2")
    data = prepare(
        source.model_copy(update={"split": csv(split={"validation": 0.25}).split}), tmp_path, target("values"), 0
    )
    assert data.train.rows == 6
    assert data.test is not None
    assert data.test.rows == 2
    with pytest.raises(DataError, match=r"the data has its own test part, so `split\.test` would hold out a second"):
        prepare(source.model_copy(update={"split": csv(split={"test": 0.25}).split}), tmp_path, target("values"), 0)


def test_bytes_keep_their_scale_in_the_encoding(tmp_path: Path):
    np.savez(tmp_path / "t.npz", x=np.arange(24, dtype=np.uint8).reshape(4, 2, 3), y=np.arange(4))
    source = Npz(path="t.npz", scaling="unit", split=csv(split={"test": 0.25}).split)
    data = prepare(source, tmp_path, target("labels", (4,)), 0)
    assert data.train.inputs[INPUT].dtype == np.uint8
    assert data.encoding.inputs[INPUT].input_scale == source.signature(tmp_path).inputs[INPUT].scale == 1 / 255


def test_without_a_loss_the_target_is_left_out(folder: Path):
    data = prepare(csv(), folder, {}, 0)
    assert data.train.targets == {}
    assert data.encoding.targets == {}


def test_a_loss_without_a_target_is_the_config_s_fault(folder: Path):
    with pytest.raises(ConfigError, match="the loss needs a target, and the data has none"):
        prepare(csv(target=None, features=["n"]), folder, target("values"), 0)


def test_strata_need_classes(folder: Path):
    source = csv(target="square", features=["n"], split={"test": 0.25, "stratify": True})
    with pytest.raises(ConfigError, match="a stratified split needs classes") as error:
        prepare(source, folder, target("values"), 0)
    assert error.value.problems[0].path == ("data", "split", "stratify")


def test_indicator_columns_are_strata_too(tmp_path: Path):
    rows = "".join(f"{row},{int(row % 4 == 0)},{int(row % 4 > 0)}\n" for row in range(40))
    (tmp_path / "t.csv").write_text("n,p,q\n" + rows)
    source = csv(target=["p", "q"], split={"test": 0.5, "stratify": True})
    data = prepare(source, tmp_path, target("one_hot", (2,)), 0)
    assert data.test is not None
    assert "target" in data.test.targets
    assert data.test.targets["target"].sum(axis=0).tolist() == [5, 15]
