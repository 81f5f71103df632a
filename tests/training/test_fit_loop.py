"""The loop over phases and epochs, on the linear model: what is reported, kept, saved, and resumed bit for bit."""

from __future__ import annotations

import json
import os
import signal
from types import SimpleNamespace

import numpy as np
import pytest

from trainer_cli.config.schema import Checkpoint, EarlyStopping, Fit
from trainer_cli.errors import ConfigError, DataError, DivergenceError, Interrupted, ResourceError
from trainer_cli.training import fit as module
from trainer_cli.training import phase_run, saving
from trainer_cli.training.checkpoints import CheckpointError, read_checkpoint
from trainer_cli.training.events import EpochDone, Finished, PhaseStarted, SliceDone, Started
from trainer_cli.training.fit import FitOptions, fit
from trainer_cli.training.preparation import PhasePlan


class Momentum:
    """Stands for an optimizer part."""

    def __init__(self, type="sgd", nesterov=False, learning_rate=0.05):
        self.type, self.nesterov, self.learning_rate = type, nesterov, learning_rate

    def structure(self):
        return {"nesterov": self.nesterov}

    def model_dump(self, mode):
        return {"nesterov": self.nesterov, "learning_rate": self.learning_rate}


@pytest.fixture
def bench(linear, tmp_path, monkeypatch):
    """A config's stand-in whose phases can be changed, and `run(**options)` that gives the events."""

    def split(begin, end):
        return SimpleNamespace(
            inputs={"input": linear.split.inputs["input"][begin:end]},
            targets={"target": linear.split.targets["target"][begin:end]},
            rows=end - begin,
        )

    class Bench:
        executables = []

        def __init__(self):
            self.digest = "d1"
            self.test = None
            self.config = SimpleNamespace(name="toy", seed=5)
            self.phases = [self.phase(Fit(epochs=4, batch_size=8))]
            self.path = tmp_path / "toy.yaml"
            self.plain = {"name": "toy"}

        def phase(self, fit_section, program=None, optimizer=None, monitor="val_loss", **changes):
            dataset = SimpleNamespace(
                train=split(0, 40),
                validation=split(40, 50),
                test=None,
                digest="d1",
                block=None,
                encoding=SimpleNamespace(to_json=dict),
            )
            made = {
                "position": 0,
                "name": None,
                "optimizer": optimizer or Momentum(),
                "loss": {"type": "mean_squared_error"},
                "fit": fit_section,
                "program": program or linear.Program(),
                "dataset": dataset,
                "monitor": monitor,
                "directions": {},
            }
            return PhasePlan(**{**made, **changes})

        def plans(self):
            plans = [plan._replace(position=position) for position, plan in enumerate(self.phases)]
            for plan in plans:
                plan.dataset.digest, plan.dataset.test = self.digest, self.test
            return plans

        def dump(self):
            return self.plain

        def dump_yaml(self):
            return "name: toy\n"

        def run(self, directory, **options):
            return list(self.iterate(directory, **options))

        def iterate(self, directory, **options):
            if "resume" not in options:
                options["run_directory"] = tmp_path / directory
            options.setdefault("checkpoint_seconds", 0.0)
            return fit(self, FitOptions(target="toy", **options))

        def state(self, directory, stem="last"):
            return read_checkpoint(tmp_path / directory / "checkpoints" / f"{stem}.safetensors")

        def lines(self, directory):
            text = (tmp_path / directory / "metrics.jsonl").read_text()
            return [json.loads(line) for line in text.splitlines()]

    bench = Bench()

    class Target:
        def compile(self, program, batch_size):
            executable = linear.Executable(program, batch_size)
            bench.executables.append(executable)
            return executable

    bench.split = split
    bench.target = Target()
    bench.folder = tmp_path
    monkeypatch.setattr(module, "plan_phases", lambda config, folder: bench.plans())
    monkeypatch.setattr(module, "open_training_target", lambda name, threads: bench.target)
    monkeypatch.setattr(phase_run, "_diagnosis", lambda: lambda *_: "dense_1")
    return bench


def of(events, kind):
    return [event for event in events if isinstance(event, kind)]


def bits(state):
    return {name: value.tobytes() for name, value in state.tensors().items()}


def without_clock(lines):
    return [{key: value for key, value in line.items() if key != "seconds"} for line in lines]


def test_events_come_in_order_and_reports_are_the_files_lines(bench):
    events = bench.run("a")
    assert isinstance(events[0], Started)
    assert isinstance(events[1], PhaseStarted)
    assert isinstance(events[-1], Finished)
    assert events[0].rows == {"train": 40, "validation": 10}
    assert events[1].steps_per_epoch == 5
    reports = [event.report for event in of(events, EpochDone)]
    assert reports == bench.lines("a")
    assert [line["epoch"] for line in reports] == [1, 2, 3, 4]
    assert list(reports[0])[:6] == ["phase", "epoch", "steps", "seconds", "learning_rate", "loss"]
    assert reports[-1]["steps"] == 20
    assert reports[-1]["learning_rate"] == 0.05
    assert reports[-1]["val_loss"] < reports[0]["val_loss"]
    assert reports[0]["undefined"] is None
    last_slice = of(events, SliceDone)[-1]
    assert (last_slice.rows, last_slice.steps) == (40, 5)
    assert last_slice.results["loss"] == reports[-1]["loss"]


def test_the_run_directory_is_complete(bench):
    events = bench.run("a")
    folder = bench.folder / "a"
    found = sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())
    assert found == [
        "checkpoints/best.safetensors",
        "checkpoints/last.safetensors",
        "checkpoints/previous.safetensors",
        "config.yaml",
        "manifest.json",
        "metrics.jsonl",
        "summary.json",
    ]
    summary = json.loads((folder / "summary.json").read_text())
    assert summary == events[-1].summary
    assert summary["stop_reason"] == "completed"
    assert summary["final"]["val_loss"] == bench.lines("a")[-1]["val_loss"]
    assert summary["best"]["monitor"] == "val_loss"
    assert summary["seconds"]["total"] >= summary["seconds"]["train"] > 0


def test_the_test_rows_are_measured_once_at_the_end(bench):
    bench.test = bench.split(0, 10)
    events = bench.run("a")
    assert events[-1].summary["final"]["test_loss"] > 0
    assert bench.state("a").test["test_loss"] == events[-1].summary["final"]["test_loss"]
    assert "test_loss" not in bench.lines("a")[-1]


def test_best_is_the_epoch_with_the_best_value(bench):
    bench.phases = [bench.phase(Fit(epochs=12, batch_size=8), monitor="loss")]
    events = bench.run("a")
    losses = [line["loss"] for line in bench.lines("a")]
    best = int(np.argmin(losses))
    assert bench.state("a", "best").counters.epoch == best + 1
    assert events[-1].summary["best"]["epoch"] == best + 1
    improved = [event.epoch for event in of(events, EpochDone) if event.improved]
    assert improved[-1] == best + 1


def stop_after(events, count, number=signal.SIGTERM):
    """Send a signal after so many slices; the events seen and the error."""
    seen = []
    slices = 0
    with pytest.raises(Interrupted) as caught:  # noqa: PT012
        for event in events:
            seen.append(event)
            slices += isinstance(event, SliceDone)
            if slices == count:
                os.kill(os.getpid(), number)
                slices += 1
    return seen, caught.value


@pytest.fixture
def small_slices(monkeypatch):
    monkeypatch.setattr("trainer_cli.training.epoch.Pacer.observe", lambda *_: None)


@pytest.mark.parametrize("count", [1, 3, 5, 6, 11, 19])
def test_a_resumed_run_ends_with_the_bits_of_an_uninterrupted_one(bench, small_slices, count):
    stopping = EarlyStopping(monitor="val_loss", patience=3, restore_best=True)
    bench.phases = [bench.phase(Fit(epochs=4, batch_size=8, early_stopping=stopping))]
    bench.run("whole")
    _, error = stop_after(bench.iterate("cut"), count)
    assert error.exit_code == 143
    assert json.loads((bench.folder / "cut" / "summary.json").read_text())["stop_reason"] == "interrupted"
    assert bench.state("cut").counters.step == count
    events = bench.run("cut", resume=bench.folder / "cut")
    assert events[0].resumed.step == count
    assert bits(bench.state("cut")) == bits(bench.state("whole"))
    assert bits(bench.state("cut", "best")) == bits(bench.state("whole", "best"))
    assert without_clock(bench.lines("cut")) == without_clock(bench.lines("whole"))
    assert bench.state("cut").patience == bench.state("whole").patience


def test_a_signal_during_validation_loses_no_training(bench, linear, monkeypatch):
    bench.run("whole")
    evaluate = linear.Executable.evaluate

    def interrupted(self, split, order):
        if len(order):
            os.kill(os.getpid(), signal.SIGINT)
        return evaluate(self, split, order)

    monkeypatch.setattr(linear.Executable, "evaluate", interrupted)
    # Two pieces, so that the signal is seen between them.
    monkeypatch.setattr("trainer_cli.training.epoch._EVALUATION_ROWS", 5)
    with pytest.raises(Interrupted) as caught:
        bench.run("cut")
    assert caught.value.exit_code == 130
    counters = bench.state("cut").counters
    assert (counters.epoch, counters.position, counters.epoch_steps) == (0, 40, 5)
    monkeypatch.undo()
    monkeypatch.setattr(module, "plan_phases", lambda config, folder: bench.plans())
    monkeypatch.setattr(module, "open_training_target", lambda name, threads: bench.target)
    bench.run("cut", resume=bench.folder / "cut")
    assert bits(bench.state("cut")) == bits(bench.state("whole"))
    assert without_clock(bench.lines("cut")) == without_clock(bench.lines("whole"))


def test_a_signal_while_compiling_stops_at_once_and_can_be_resumed(bench, linear, monkeypatch):
    bench.run("whole")
    with monkeypatch.context() as patch:
        patch.setattr(linear.Executable, "load", lambda self, state: signal.raise_signal(signal.SIGINT))
        with pytest.raises(Interrupted, match="while compiling"):
            bench.run("cut")
    bench.run("cut", resume=bench.folder / "cut")
    assert bits(bench.state("cut")) == bits(bench.state("whole"))


def test_a_run_that_was_killed_resumes_from_its_last_checkpoint(bench, small_slices):
    bench.run("whole")
    events = bench.iterate("cut")
    for event in events:
        if isinstance(event, SliceDone) and event.epoch == 3 and event.steps == 2:
            break
    events.close()  # as after kill -9, nothing is written any more
    assert bench.state("cut").counters.epoch == 2
    with open(bench.folder / "cut" / "metrics.jsonl", "a") as file:
        file.write('{"phase": 1, "epoch": 3')
    bench.run("cut", resume=bench.folder / "cut")
    assert bits(bench.state("cut")) == bits(bench.state("whole"))
    assert without_clock(bench.lines("cut")) == without_clock(bench.lines("whole"))


@pytest.mark.parametrize(
    ("damaged", "words"),
    [(("last",), "the checkpoint before it"), (("last", "previous"), "the best epoch")],
    ids=["last", "last and previous"],
)
def test_a_damaged_checkpoint_falls_back_to_one_before(bench, damaged, words):
    bench.run("a")
    whole = {stem: bits(bench.state("a", stem)) for stem in ("last", "best")}
    folder = bench.folder / "a" / "checkpoints"
    for stem in damaged:
        (folder / f"{stem}.safetensors").write_bytes(b"junk")
    events = bench.run("a", resume=bench.folder / "a")
    assert "last.safetensors is damaged" in events[0].resumed.notes[0]
    assert words in events[0].resumed.notes[0]
    assert {stem: bits(bench.state("a", stem)) for stem in ("last", "best")} == whole
    assert len(bench.lines("a")) == 4
    # What was damaged is out of the way, and was not kept as the checkpoint before.
    assert (folder / "last.damaged").read_bytes() == b"junk"
    bench.state("a", "previous")


def test_a_run_whose_checkpoints_are_all_damaged_names_the_last(bench):
    bench.run("a")
    for path in (bench.folder / "a" / "checkpoints").iterdir():
        path.write_bytes(b"junk")
    with pytest.raises(CheckpointError, match=r"last\.safetensors is damaged"):
        bench.run("a", resume=bench.folder / "a")
    assert not (bench.folder / "a" / ".lock").exists()


def test_a_run_without_a_checkpoint_begins_anew(bench):
    bench.run("a")
    whole = bits(bench.state("a"))
    for path in (bench.folder / "a" / "checkpoints").iterdir():
        path.unlink()
    events = bench.run("a", resume=bench.folder / "a")
    assert "begins anew" in events[0].resumed.notes[0]
    assert bits(bench.state("a")) == whole


def test_a_run_under_way_is_refused_to_others_and_free_again_after_it(bench):
    events = bench.iterate("a")
    next(events)
    with pytest.raises(ResourceError, match=f"a is being trained by process {os.getpid()} on "):
        bench.run("a", resume=bench.folder / "a")
    events.close()
    assert not (bench.folder / "a" / ".lock").exists()
    bench.run("a", resume=bench.folder / "a")


def test_a_finished_run_resumed_stays_as_it_is(bench):
    bench.run("a")
    before = bits(bench.state("a"))
    events = bench.run("a", resume=bench.folder / "a")
    assert [type(event) for event in events] == [Started, Finished]
    assert bits(bench.state("a")) == before
    assert events[-1].summary["epochs"] == 4
    assert (events[0].resumed.phase, events[0].resumed.epoch) == (1, 4)
    assert "finished already" in events[0].resumed.notes[0]


def stopped_early(bench, linear, patience):
    """A rate at which momentum makes the loss go up and down."""
    program = linear.Program(hyperparameters={"learning_rate": 0.6, "momentum": 0.9})
    stopping = EarlyStopping(monitor="val_loss", patience=patience, restore_best=True)
    bench.phases = [bench.phase(Fit(epochs=50, batch_size=8, early_stopping=stopping), program)]


def test_a_run_that_stopped_early_goes_on_only_with_more_patience(bench, linear):
    stopped_early(bench, linear, patience=1)
    bench.run("a")
    epochs = len(bench.lines("a"))
    assert epochs < 50
    events = bench.run("a", resume=bench.folder / "a")
    assert [type(event) for event in events] == [Started, Finished]
    assert events[-1].summary["stop_reason"] == "early_stopping"
    stopped_early(bench, linear, patience=3)
    events = bench.run("a", resume=bench.folder / "a")
    assert of(events, EpochDone)[0].epoch == epochs + 1


def test_another_monitor_on_resume_starts_the_search_anew(bench, small_slices):
    stop_after(bench.iterate("a"), 12)
    bench.phases = [bench.phase(Fit(epochs=4, batch_size=8), monitor="loss")]
    events = bench.run("a", resume=bench.folder / "a")
    assert "the search for the best epoch starts anew" in of(events, PhaseStarted)[0].notes[1]
    best = bench.state("a", "best").best
    assert best.monitor == "loss"
    assert best.value == min(line["loss"] for line in bench.lines("a")[2:])


def test_a_run_can_go_on_in_another_folder(bench, small_slices):
    bench.run("whole")
    stop_after(bench.iterate("cut"), 12)
    before = (bench.folder / "cut" / "metrics.jsonl").read_bytes()
    bench.run("cut", resume=bench.folder / "cut", run_directory=bench.folder / "new")
    assert bits(bench.state("new")) == bits(bench.state("whole"))
    assert bits(bench.state("new", "best")) == bits(bench.state("whole", "best"))
    assert without_clock(bench.lines("new")) == without_clock(bench.lines("whole"))
    assert (bench.folder / "cut" / "metrics.jsonl").read_bytes() == before


def test_weights_that_became_nan_are_not_saved_at_a_signal(bench, linear, small_slices):
    bench.phases = [bench.phase(Fit(epochs=4, batch_size=8), linear.Program(poison=6))]
    seen = []
    with pytest.raises(Interrupted):  # noqa: PT012
        for event in bench.iterate("a"):
            seen.append(event)
            if isinstance(event, SliceDone) and event.epoch == 2 and event.steps == 2:
                os.kill(os.getpid(), signal.SIGTERM)
    state = bench.state("a")
    assert state.non_finite() == []
    assert (state.counters.epoch, state.counters.position) == (1, 0)


def test_a_finished_run_goes_on_when_it_gets_more_epochs(bench):
    bench.phases = [bench.phase(Fit(epochs=6, batch_size=8))]
    bench.run("whole")
    bench.phases = [bench.phase(Fit(epochs=4, batch_size=8))]
    bench.run("cut")
    bench.phases = [bench.phase(Fit(epochs=6, batch_size=8))]
    events = bench.run("cut", resume=bench.folder / "cut")
    assert [event.epoch for event in of(events, EpochDone)] == [5, 6]
    assert bits(bench.state("cut")) == bits(bench.state("whole"))


def test_changed_data_cannot_be_resumed(bench):
    bench.run("a")
    bench.digest = "d2"
    with pytest.raises(DataError, match="the data is not what this run was trained on"):
        bench.run("a", resume=bench.folder / "a")


def test_edited_keys_are_reported_on_resume(bench):
    bench.plain = {"fit": {"epochs": 4}, "metrics": ["a"]}
    bench.run("a")
    bench.plain = {"fit": {"epochs": 5}, "metrics": ["a"], "seed": 1}
    events = bench.run("a", resume=bench.folder / "a")
    assert events[0].resumed.changed == (("fit.epochs", 4, 5), ("seed", None, 1))


def test_resume_and_weights_exclude_each_other(bench):
    bench.run("a")
    with pytest.raises(ConfigError, match="has its weights already"):
        bench.run("a", resume=bench.folder / "a", weights=bench.folder / "a")


def test_weights_of_another_run_are_taken_over(bench):
    bench.run("a")
    events = bench.run("b", weights=bench.folder / "a" / "checkpoints" / "last.safetensors")
    assert set(events[0].weights.matched) == {"dense_1/kernel", "dense_1/bias"}
    assert bench.lines("b")[0]["loss"] < bench.lines("a")[0]["loss"]
    assert bench.lines("b")[0]["steps"] == 5


def test_early_stopping_ends_the_phase_and_restores_the_best_weights(bench, linear):
    stopped_early(bench, linear, patience=1)
    events = bench.run("a")
    lines = bench.lines("a")
    values = [line["val_loss"] for line in lines]
    assert len(lines) < 50
    best = int(np.argmin(values))
    assert best == len(values) - 2
    assert f"best {values[best]:.6g} in epoch {best + 1}, whose weights are restored" in events[-2].stopping
    assert (
        bench.state("a").weights["dense_1/kernel"].tobytes()
        == bench.state("a", "best").weights["dense_1/kernel"].tobytes()
    )
    summary = events[-1].summary
    assert summary["stop_reason"] == "early_stopping"
    assert summary["final"]["val_loss"] == values[best]


@pytest.mark.parametrize(("numerics", "epochs"), [("tfjs", 1), ("keras", 2)])
def test_a_run_that_begins_worse_than_its_baseline_ends_at_once_where_tensorflow_js_s_does(bench, numerics, epochs):
    stopping = EarlyStopping(monitor="val_loss", patience=1, baseline=1e-9, restore_best=True)
    section = Fit(epochs=6, batch_size=8, early_stopping=stopping)
    bench.phases = [bench.phase(section, numerics=numerics)]
    events = bench.run("a")
    assert len(bench.lines("a")) == epochs
    assert np.isfinite(bench.state("a").weights["dense_1/kernel"]).all()
    if numerics == "tfjs":
        assert events[-2].stopping == "val_loss has not been better than the baseline 1e-09"
        assert events[-1].summary["stop_reason"] == "early_stopping"


def test_a_new_learning_rate_keeps_the_optimizers_state(bench, linear):
    slow = linear.Program(hyperparameters={"learning_rate": 0.001, "momentum": 0.9})
    bench.phases = [bench.phase(Fit(epochs=2)), bench.phase(Fit(epochs=1), slow, Momentum(learning_rate=0.001))]
    events = bench.run("a")
    second = of(events, PhaseStarted)[1]
    assert second.notes == ("weights and the state of sgd kept (4 updates)",)
    assert bench.executables[-1].calls[1][0] == 4
    assert [(line["phase"], line["epoch"], line["steps"]) for line in bench.lines("a")] == [
        (1, 1, 2),
        (1, 2, 4),
        (2, 1, 6),
    ]
    assert bench.lines("a")[-1]["learning_rate"] == 0.001


@pytest.mark.parametrize(
    ("optimizer", "reason"),
    [
        (Momentum("adam"), "the optimizer changed from sgd to adam"),
        (Momentum(nesterov=True), "`nesterov` of sgd changed"),
    ],
)
def test_another_optimizer_resets_the_state_and_says_so(bench, optimizer, reason):
    bench.phases = [bench.phase(Fit(epochs=2)), bench.phase(Fit(epochs=1), optimizer=optimizer)]
    events = bench.run("a")
    (note,) = of(events, PhaseStarted)[1].notes
    assert note == f"weights kept, optimizer state reset: {reason}"
    assert [call[0] for call in bench.executables[-1].calls] == [0, 0, 1]
    assert bench.state("a").counters.step == 6
    assert bench.state("a").counters.optimizer_step == 2


def test_freezing_a_weight_resets_the_state_and_leaves_the_weight_alone(bench, linear):
    frozen = linear.Program(trainable=False)
    frozen_train = linear.Executable.train

    bench.phases = [bench.phase(Fit(epochs=2)), bench.phase(Fit(epochs=1), frozen)]

    def train(self, split, order, first_step, hyperparameters, seed, totals=None):
        if not self.program.trainable:
            kernel = self.values["dense_1/kernel"]
            self.values["dense_1/kernel/momentum"] = np.zeros_like(kernel)
            result = frozen_train(self, split, order, first_step, hyperparameters, seed, totals)
            self.values["dense_1/kernel"] = kernel
            del self.values["dense_1/kernel/momentum"]
            return result
        return frozen_train(self, split, order, first_step, hyperparameters, seed, totals)

    linear.Executable.train = train
    try:
        events = bench.run("a")
    finally:
        linear.Executable.train = frozen_train
    (note,) = of(events, PhaseStarted)[1].notes
    assert "no longer trained: dense_1/kernel" in note
    assert list(bench.state("a").slots) == ["dense_1/bias/momentum"]


def test_interruption_in_the_second_phase_resumes_there(bench, linear, small_slices):
    fast = Momentum("adam")
    bench.phases = [bench.phase(Fit(epochs=2, batch_size=8)), bench.phase(Fit(epochs=2, batch_size=5), optimizer=fast)]
    bench.run("whole")
    stop_after(bench.iterate("cut"), 14)
    assert bench.state("cut").counters.phase == 1
    events = bench.run("cut", resume=bench.folder / "cut")
    assert of(events, PhaseStarted)[0].phase == 2
    assert bits(bench.state("cut")) == bits(bench.state("whole"))
    assert without_clock(bench.lines("cut")) == without_clock(bench.lines("whole"))


def test_a_new_loss_starts_the_search_for_the_best_anew(bench):
    other = {"type": "mean_absolute_error"}
    bench.phases = [bench.phase(Fit(epochs=4)), bench.phase(Fit(epochs=1), loss=other)]
    events = bench.run("a")
    assert "the search for the best epoch starts anew, because the loss changed" in of(events, PhaseStarted)[1].notes
    assert of(events, EpochDone)[-1].improved
    assert events[-1].summary["best"]["phase"] == 2


def test_divergence_names_the_place_and_keeps_the_last_good_state(bench, linear):
    bench.phases = [bench.phase(Fit(epochs=4, batch_size=8), linear.Program(overflow=12))]
    with pytest.raises(DivergenceError, match="epoch 3, step 3 of 5, first in dense_1"):
        bench.run("a")
    state = bench.state("a")
    assert state.counters.epoch == 2
    assert state.non_finite() == []
    assert len(bench.lines("a")) == 2
    assert json.loads((bench.folder / "a" / "summary.json").read_text())["stop_reason"] == "diverged"


def test_weights_that_are_nan_at_the_end_of_an_epoch_are_never_saved(bench, linear):
    bench.phases = [bench.phase(Fit(epochs=2, batch_size=8), linear.Program(poison=4))]
    with pytest.raises(DivergenceError, match="epoch 1, step 5 of 5"):
        bench.run("a")
    assert bench.state("a").non_finite() == []


def test_few_checkpoints_are_written_when_epochs_are_short(bench, monkeypatch):
    written = []
    original = saving.write_checkpoint

    def count(path, state, **options):
        written.append(path.stem)
        original(path, state, **options)

    monkeypatch.setattr(saving, "write_checkpoint", count)
    bench.phases = [bench.phase(Fit(epochs=30, batch_size=8))]
    bench.run("a", checkpoint_seconds=3600.0)
    assert written == ["last", "best", "last"]
    assert bench.state("a").counters.step == 150
    assert len(bench.lines("a")) == 30


def test_a_monitored_metric_without_a_value_is_no_improvement(bench):
    fit_section = Fit(epochs=3, checkpoint=Checkpoint(monitor="undefined"))
    bench.phases = [bench.phase(fit_section, monitor="undefined")]
    events = bench.run("a")
    assert not any(event.improved for event in of(events, EpochDone))
    assert events[-1].summary["best"]["value"] is None
