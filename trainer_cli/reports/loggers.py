"""Events of a run in; its numbers in TensorBoard's event files and on an MLflow server out, as the config's `log` says.

A logger that is not installed ends the run before it begins; one that fails later is told once and then left alone.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from trainer_cli.config.schema import Config
from trainer_cli.errors import ResourceError
from trainer_cli.training.checkpoints import write_atomically
from trainer_cli.training.events import EpochDone, Event, Finished, Started

if TYPE_CHECKING:
    from trainer_cli.reports.tensorboard import EventFile

_PARTS = {"val_": "validation", "test_": "test"}
_COUNTERS = ("phase", "epoch", "steps")
_MLFLOW_RUN = "mlflow.json"


class Logger(Protocol):
    """Takes the events of a run, one after the other; may raise whatever it likes."""

    def show(self, event: Event) -> None: ...

    def close(self, *, completed: bool) -> None: ...


class Loggers:
    """All loggers of a run; `say` puts a warning on the terminal."""

    def __init__(self, config: Config, say: Callable[[str], None]) -> None:
        """Raises ResourceError if one of them is not installed."""
        made: dict[str, Callable[[], Logger]] = {"tensorboard": TensorBoard, "mlflow": lambda: Mlflow(config)}
        self._loggers: dict[str, Logger] = {name: made[name]() for name in config.log}
        self._say = say
        self._completed = False

    def show(self, event: Event) -> None:
        """Hand an event to all loggers."""
        self._completed = self._completed or isinstance(event, Finished)
        for name, logger in list(self._loggers.items()):
            self._try(name, partial(logger.show, event))

    def __enter__(self) -> Loggers:
        return self

    def __exit__(self, *_: object) -> None:
        for name, logger in list(self._loggers.items()):
            self._try(name, partial(logger.close, completed=self._completed))

    def _try(self, name: str, work: Callable[[], None]) -> None:
        try:
            work()
        except Exception as error:  # of libraries, servers and disks: none of them is worth a training
            del self._loggers[name]
            words = " ".join(str(error).split()) or type(error).__name__
            self._say(f"warning: {name} gets no more of this run: {words[:200]}")


def by_part(values: Mapping[str, Any]) -> dict[str, dict[str, float]]:
    """The numbers of an epoch by the rows they are of, under names that are the same for all."""
    found: dict[str, dict[str, float]] = {}
    for key, value in values.items():
        if value is None or key in _COUNTERS:
            continue
        prefix = next((each for each in _PARTS if key.startswith(each)), "")
        found.setdefault(_PARTS.get(prefix, "train"), {})[key.removeprefix(prefix)] = float(value)
    return found


class TensorBoard:
    """`tensorboard/` in the run directory: a folder each for training, validation and test, whose curves TensorBoard
    lays over one another. The step is the number of updates."""

    def __init__(self) -> None:
        self._folder: Path | None = None
        self._files: dict[str, EventFile] = {}
        self._step = 0

    def show(self, event: Event) -> None:
        if isinstance(event, Started):
            self._folder = event.run_directory / "tensorboard"
        elif isinstance(event, EpochDone):
            self._step = int(event.report["steps"] or 0)
            self._add(event.report)
        elif isinstance(event, Finished):
            self._add(_tested(event))

    def _add(self, values: Mapping[str, Any]) -> None:
        from trainer_cli.reports.tensorboard import EventFile

        assert self._folder is not None
        for part, numbers in by_part(values).items():
            file = self._files.setdefault(part, EventFile(self._folder / part))
            file.add(self._step, numbers)

    def close(self, *, completed: bool) -> None:
        for file in self._files.values():
            file.close()


class Mlflow:
    """A run of MLflow, on the server and in the experiment of `MLFLOW_TRACKING_URI` and `MLFLOW_EXPERIMENT_NAME`, or in
    one named after the config. A resumed run goes on in the same."""

    def __init__(self, config: Config) -> None:
        """Raises ResourceError if MLflow is not installed."""
        try:
            from mlflow import MlflowClient
            from mlflow.entities import Metric, Param, RunTag
        except ImportError:
            hint = "pip install 'trainer-cli[mlflow]', or take `mlflow` out of `log`"
            raise ResourceError("`log: [mlflow]` needs MLflow, which is not installed", hint=hint) from None
        self._metric, self._param, self._tag = Metric, Param, RunTag
        self._connect = MlflowClient
        self._config = config
        self._run = ""
        self._step = 0

    def show(self, event: Event) -> None:
        if isinstance(event, Started):
            self._begin(event)
        elif isinstance(event, EpochDone):
            self._step = int(event.report["steps"] or 0)
            self._add(event.report)
        elif isinstance(event, Finished):
            self._add(_tested(event))

    def _begin(self, event: Started) -> None:
        self._client = self._connect()
        note = event.run_directory / _MLFLOW_RUN
        if event.resumed is not None and note.is_file():
            self._run = json.loads(note.read_text(encoding="utf-8"))["run_id"]
            self._client.update_run(self._run, status="RUNNING")
            return
        name = os.environ.get("MLFLOW_EXPERIMENT_NAME") or event.name
        experiment = self._client.get_experiment_by_name(name)
        identifier = self._client.create_experiment(name) if experiment is None else experiment.experiment_id
        made = self._client.create_run(identifier, run_name=event.run_directory.name)
        self._run = made.info.run_id
        write_atomically(note, json.dumps({"run_id": self._run}).encode())
        settings = self._config.model_dump(mode="json", include={"seed", "optimizer", "loss", "fit"})
        params = [self._param(key, str(value)[:500]) for key, value in _flat(settings)]
        tags = [self._tag("trainer.run_directory", str(event.run_directory.absolute()))]
        self._client.log_batch(self._run, params=params[:100], tags=tags)

    def _add(self, values: Mapping[str, Any]) -> None:
        now = int(time.time() * 1000)
        numbers = {key: value for key, value in values.items() if value is not None and key not in ("phase", "steps")}
        metrics = [self._metric(key, float(value), now, self._step) for key, value in numbers.items()]
        if metrics:
            self._client.log_batch(self._run, metrics=metrics)

    def close(self, *, completed: bool) -> None:
        if self._run:
            self._client.set_terminated(self._run, "FINISHED" if completed else "KILLED")


def _tested(event: Finished) -> dict[str, Any]:
    """What was measured on the test rows at the end."""
    final = event.summary.get("final")
    found = final if isinstance(final, Mapping) else {}
    return {key: value for key, value in found.items() if key.startswith("test_")}


def _flat(value: Any, path: Sequence[str] = ()) -> list[tuple[str, Any]]:
    """The values of nested mappings by their dotted names."""
    if isinstance(value, Mapping):
        return [pair for key, item in value.items() for pair in _flat(item, (*path, str(key)))]
    return [] if value is None else [(".".join(path), value)]
