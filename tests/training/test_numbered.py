"""Numbered checkpoints: which are written, which are kept, and going back to one."""

from __future__ import annotations

import json

import numpy as np
import pytest
from safetensors.numpy import load_file

from tests.cli.conftest import make
from trainer_cli.config.load import load
from trainer_cli.errors import ConfigError
from trainer_cli.training.fit import fit
from trainer_cli.training.options import FitOptions


@pytest.fixture
def folder(tmp_path, monkeypatch):
    make(tmp_path)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def train(folder, name, checkpoint="{}", epochs=7, resume=False, phases="[]"):
    overrides = (f"fit.epochs={epochs}", f"fit.checkpoint={checkpoint}", f"phases={phases}")
    where = None if resume else folder / name
    options = FitOptions(run_directory=where, target="reference", resume=resume, checkpoint_seconds=0.0)
    return list(fit(load(folder / "config.yaml", overrides), options))


def names(folder, run):
    return sorted(path.name for path in (folder / run / "checkpoints").iterdir())


def test_every_so_many_epochs_stay_and_the_oldest_go(folder):
    train(folder, "a", "{every_epochs: 2}")
    kept = [f"epoch-000{number}.safetensors" for number in (2, 4, 6)]
    always = {"best.safetensors", "last.safetensors", "previous.safetensors"}
    assert set(names(folder, "a")) == {*always, *kept}
    train(folder, "b", "{every_epochs: 2, keep: 1}")
    assert set(names(folder, "b")) == {*always, kept[-1]}
    train(folder, "c")
    assert set(names(folder, "c")) == always


def test_epochs_are_counted_over_all_phases(folder):
    train(folder, "a", "{every_epochs: 3}", epochs=2, phases="[{}, {optimizer: sgd}]")
    assert "epoch-0003.safetensors" in names(folder, "a")


def test_going_back_leads_to_the_same_bits_and_forgets_the_best_of_later(folder):
    train(folder, "a", "{every_epochs: 2}")
    before = load_file(folder / "a/checkpoints/last.safetensors")
    events = train(folder, "a", "{every_epochs: 2}", resume=folder / "a/checkpoints/epoch-0002.safetensors")
    (resumed,) = [event.resumed for event in events if getattr(event, "resumed", None)]
    assert (resumed.epoch, resumed.notes[0].startswith("best.safetensors is of a later epoch")) == (2, True)
    for name, value in load_file(folder / "a/checkpoints/last.safetensors").items():
        np.testing.assert_array_equal(value, before[name], err_msg=name)
    assert load_file(folder / "a/checkpoints/epoch-0004.safetensors").keys() == before.keys()
    lines = (folder / "a/metrics.jsonl").read_text().splitlines()
    assert [json.loads(line)["epoch"] for line in lines] == [1, 2, 3, 4, 5, 6, 7]
    summary = json.loads((folder / "a/summary.json").read_text())
    assert summary["best"]["epoch"] > 2


def test_resuming_the_last_epoch_keeps_the_best(folder):
    train(folder, "a", epochs=4)
    events = train(folder, "a", epochs=5, resume=folder / "a")
    (resumed,) = [event.resumed for event in events if getattr(event, "resumed", None)]
    assert not any("best.safetensors" in note for note in resumed.notes)


def test_a_run_is_saved_within_long_epochs(folder, monkeypatch):
    from trainer_cli.training import saving

    written = []
    monkeypatch.setattr(
        saving, "write_checkpoint", lambda path, state, **_: written.append((path.name, state.counters))
    )
    train(folder, "a", "{every_minutes: 1e-9}", epochs=1)
    assert [counters for name, counters in written if name == "last.safetensors" and counters.epoch_steps]
    written.clear()
    train(folder, "b", epochs=1)
    assert not [counters for name, counters in written if name == "last.safetensors" and counters.epoch_steps]


@pytest.mark.parametrize(
    "checkpoint", ["{keep: 2}", "{every_epochs: 0}", "{every_epochs: 2, keep: 0}", "{every_minutes: 0}"]
)
def test_settings_without_meaning_are_refused(folder, checkpoint):
    with pytest.raises(ConfigError) as refused:
        load(folder / "config.yaml", (f"fit.checkpoint={checkpoint}",))
    assert len(refused.value.problems) == 1
