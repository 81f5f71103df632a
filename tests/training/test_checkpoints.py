"""Checkpoints come back bit for bit, are whole at every moment, and say what is wrong with them."""

from __future__ import annotations

import json
import os

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

from trainer_cli.errors import ConfigError, DataError, ResourceError
from trainer_cli.training import checkpoints
from trainer_cli.training.checkpoints import (
    FORMAT_VERSION,
    CheckpointError,
    find_checkpoint,
    import_weights,
    read_checkpoint,
    write_atomically,
    write_checkpoint,
)
from trainer_cli.training.state import Best, Binding, Counters, Patience, RunState


def some_state():
    third = np.float64(1) / 3
    return RunState(
        weights={"dense_1/kernel": np.arange(6, dtype=np.float32).reshape(2, 3) / 7, "dense_1/bias": np.zeros(3, "f4")},
        slots={"dense_1/kernel/momentum": np.full((2, 3), 1e-38, np.float32)},
        totals={"loss": np.asarray(third), "accuracy/matches": np.array([third, 2.0])},
        kept_weights={"dense_1/bias": np.ones(3, "f4")},
        counters=Counters(phase=1, epoch=2, position=64, epoch_steps=2, step=30, optimizer_step=12),
        patience=Patience(wait=1, best=third, best_epoch=1),
        best=Best(
            monitor="val_loss", mode="min", loss={"type": "mean_squared_error"}, value=third, report={"epoch": 2}
        ),
        binding=Binding("sgd", {"nesterov": False}, ["dense_1/kernel"], {"dense_1/kernel/momentum": [2, 3]}),
        seed=11,
        config={"name": "größe"},
        encoding={"classes": ["a", "b"]},
        digest="abc",
        history=[{"epoch": 1, "loss": third, "recall": None}],
        epoch_seconds=0.25,
        compile_seconds=1.5,
    )


def assert_same(a, b):
    for field in ("weights", "slots", "totals", "kept_weights"):
        left, right = getattr(a, field), getattr(b, field)
        assert left.keys() == right.keys()
        for name in left:
            assert left[name].dtype == right[name].dtype
            assert left[name].shape == right[name].shape
            assert left[name].tobytes() == right[name].tobytes()
    for field in ("counters", "patience", "best", "binding", "seed", "config", "encoding", "digest", "history"):
        assert getattr(a, field) == getattr(b, field)


def test_a_state_comes_back_bit_for_bit(tmp_path):
    path = tmp_path / "last.safetensors"
    write_checkpoint(path, some_state())
    assert_same(read_checkpoint(path), some_state())


def test_equal_states_are_equal_files(tmp_path):
    for name in ("a", "b"):
        write_checkpoint(tmp_path / name, some_state())
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


def test_other_programs_find_weights_under_their_names(tmp_path):
    path = tmp_path / "last.safetensors"
    write_checkpoint(path, some_state())
    np.testing.assert_array_equal(load_file(path)["dense_1/kernel"], some_state().weights["dense_1/kernel"])


def test_non_contiguous_weights_keep_their_values(tmp_path):
    state = some_state()
    state.weights["dense_1/kernel"] = np.asfortranarray(state.weights["dense_1/kernel"])
    write_checkpoint(tmp_path / "x", state)
    np.testing.assert_array_equal(
        read_checkpoint(tmp_path / "x").weights["dense_1/kernel"], some_state().weights["dense_1/kernel"]
    )


@pytest.mark.parametrize("length", [0, 4, 100, -1])
def test_a_truncated_file_is_named(tmp_path, length):
    path = tmp_path / "last.safetensors"
    write_checkpoint(path, some_state())
    path.write_bytes(path.read_bytes()[:length])
    with pytest.raises(CheckpointError, match=r"last\.safetensors") as caught:
        read_checkpoint(path)
    assert caught.value.exit_code == 3


def test_no_changed_byte_passes_for_what_was_written(tmp_path):
    path = tmp_path / "last.safetensors"
    write_checkpoint(path, some_state())
    written = path.read_bytes()
    accepted = []
    for place in range(8, len(written)):
        path.write_bytes(written[:place] + bytes([written[place] ^ 1]) + written[place + 1 :])
        try:
            accepted.append((place, read_checkpoint(path)))
        except CheckpointError as error:
            assert "last.safetensors" in error.message  # noqa: PT017
    # Only the blanks that fill the header up mean nothing.
    assert [place for place, _ in accepted if written[place : place + 1] != b" "] == []


def test_what_was_there_stays_under_another_name(tmp_path, monkeypatch):
    last, previous = tmp_path / "last", tmp_path / "previous"
    write_atomically(last, b"1", before=previous)
    assert not previous.exists()
    write_atomically(last, b"2", before=previous)
    assert (last.read_bytes(), previous.read_bytes()) == (b"2", b"1")
    # A crash between the two renames leaves both names on one file.
    previous.unlink()
    os.link(last, previous)
    write_atomically(last, b"3", before=previous)
    assert (last.read_bytes(), previous.read_bytes()) == (b"3", b"2")

    def refuse(*_):
        raise OSError(95, "Operation not supported")

    monkeypatch.setattr(os, "link", refuse)
    write_atomically(last, b"4", before=previous)
    assert (last.read_bytes(), previous.read_bytes()) == (b"4", b"3")
    assert sorted(entry.name for entry in tmp_path.iterdir()) == ["last", "previous"]


def test_foreign_missing_and_future_files_are_told_apart(tmp_path):
    save_file({"a": np.zeros(2, "f4")}, tmp_path / "foreign")
    with pytest.raises(CheckpointError, match="no checkpoint of trainer"):
        read_checkpoint(tmp_path / "foreign")
    with pytest.raises(CheckpointError, match="there is no checkpoint at"):
        read_checkpoint(tmp_path / "missing")
    with pytest.raises(CheckpointError, match=r"cannot read|damaged"):
        read_checkpoint(tmp_path)
    save_file({}, tmp_path / "future", {"trainer": json.dumps({"format_version": 99})})
    with pytest.raises(CheckpointError, match="format 99"):
        read_checkpoint(tmp_path / "future")
    save_file(
        {}, tmp_path / "partial", {"trainer": json.dumps({"format_version": FORMAT_VERSION, "weights": ["gone"]})}
    )
    with pytest.raises(CheckpointError, match="damaged"):
        read_checkpoint(tmp_path / "partial")


def test_a_failed_write_leaves_the_old_file_and_nothing_else(tmp_path, monkeypatch):
    path = tmp_path / "last.safetensors"
    write_atomically(path, b"old")

    def full(descriptor):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(ResourceError, match="No space left") as caught:
        write_atomically(path, b"new")
    assert caught.value.exit_code == 6
    assert path.read_bytes() == b"old"
    assert [entry.name for entry in tmp_path.iterdir()] == ["last.safetensors"]


def test_a_folder_that_cannot_be_made_is_a_resource_error(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(ResourceError, match="cannot write"):
        write_atomically(tmp_path / "file" / "last.safetensors", b"")


def test_weights_are_imported_by_name(tmp_path, linear):
    program = linear.Program(features=3)
    kernel = np.array([1, 2, 3], np.float64)
    save_file({"dense_1/kernel": kernel, "head/kernel": np.zeros(2)}, tmp_path / "w.safetensors")
    state, report = import_weights(tmp_path / "w.safetensors", program, seed=3)
    assert state["dense_1/kernel"].dtype == np.float32
    np.testing.assert_array_equal(state["dense_1/kernel"], kernel)
    assert (report.matched, report.missing, report.unused) == (("dense_1/kernel",), ("dense_1/bias",), ("head/kernel",))
    assert set(state) == set(program.initial_state(3))


def test_importing_from_a_run_takes_the_best_weights_and_no_optimizer_state(tmp_path, linear):
    program = linear.Program(features=3)
    for stem, value in (("best", 1.0), ("last", 2.0)):
        state = RunState(
            weights={"dense_1/kernel": np.full(3, value, np.float32), "dense_1/bias": np.zeros((), np.float32)},
            slots={"dense_1/kernel/momentum": np.full(3, 9.0, np.float32)},
        )
        write_checkpoint(tmp_path / "checkpoints" / f"{stem}.safetensors", state)
    state, report = import_weights(tmp_path, program)
    assert state["dense_1/kernel"][0] == 1.0
    assert state["dense_1/kernel/momentum"][0] == 0.0
    assert report.unused == ()


def test_all_shape_mismatches_are_listed_with_both_shapes(tmp_path, linear):
    save_file({"dense_1/kernel": np.zeros((4, 2), "f4"), "dense_1/bias": np.zeros(2, "f4")}, tmp_path / "w")
    with pytest.raises(ConfigError) as caught:
        import_weights(tmp_path / "w", linear.Program(features=3))
    messages = [problem.message for problem in caught.value.problems]
    assert len(messages) == 2
    assert "(3,)" in messages[0]
    assert "(4, 2)" in messages[0]


def test_a_file_without_any_known_name_is_refused(tmp_path, linear):
    save_file({"fc.weight": np.zeros(3, "f4")}, tmp_path / "w")
    with pytest.raises(ConfigError, match=r"`fc\.weight`"):
        import_weights(tmp_path / "w", linear.Program())


def test_finding_checkpoints_in_folders(tmp_path):
    with pytest.raises(DataError, match="holds no checkpoints"):
        find_checkpoint(tmp_path)
    (tmp_path / "checkpoints").mkdir()
    (tmp_path / "checkpoints" / "last.safetensors").touch()
    assert find_checkpoint(tmp_path).name == "last.safetensors"
    (tmp_path / "checkpoints" / "best.safetensors").touch()
    assert find_checkpoint(tmp_path).name == "best.safetensors"
    assert find_checkpoint(tmp_path, prefer="last").name == "last.safetensors"
    assert find_checkpoint(tmp_path / "x.safetensors") == tmp_path / "x.safetensors"


def test_versions_are_found_without_importing_anything():
    assert checkpoints.versions()["numba"]
