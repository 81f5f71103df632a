"""Events of a run in, lines for stderr out: what started, what a new phase kept, how it ended."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from trainer_cli.reports import text
from trainer_cli.training.checkpoints import WeightReport
from trainer_cli.training.events import EpochDone, Event, Finished, PhaseStarted, Resumed, Started

_ROW_USES = {"train": "to train on", "validation": "to validate on", "test": "to test on"}


def lines(event: Event) -> Iterator[str]:
    """What is worth saying about an event besides its numbers."""
    if isinstance(event, Started):
        yield from _started(event)
    elif isinstance(event, PhaseStarted):
        yield from _phase_started(event)
    elif isinstance(event, EpochDone):
        yield from event.notes
        if event.stopping:
            yield f"stopping after epoch {event.epoch}: {event.stopping}"
    elif isinstance(event, Finished):
        yield from event.notes
        seconds = event.summary.get("seconds")
        if isinstance(seconds, Mapping):
            yield ", ".join(f"{name} {text.duration(value)}" for name, value in seconds.items())
        yield f"run directory: {relative(event.run_directory)}"


def warnings(event: Event) -> Iterator[str]:
    """Doubts about the config, which are shown even to those who want quiet."""
    if isinstance(event, Started | PhaseStarted):
        yield from map(text.warning, event.warnings)


def results(summary: Mapping[str, object]) -> Iterator[str]:
    """The best epoch's numbers and those of the test rows, as lines for stdout."""
    best, final = summary.get("best"), summary.get("final")
    if isinstance(best, Mapping) and best.get("value") is not None:
        numbers = {name: value for name, value in best.items() if name not in ("monitor", "value", "phase", "epoch")}
        yield f"best epoch {best['epoch']} by {best['monitor']}: {text.listed(numbers)}"
    if isinstance(final, Mapping):
        test = {name.removeprefix("test_"): value for name, value in final.items() if name.startswith("test_")}
        if test:
            yield f"test: {text.listed(test)}"


def weights(report: WeightReport) -> Iterator[str]:
    """What a file given with `--weights` brought."""
    total = len(report.matched) + len(report.missing)
    yield f"weights from {report.path}: {len(report.matched)} of {total} matched"
    if report.missing:
        yield f"  not in the file, newly initialised: {', '.join(report.missing)}"
    if report.unused:
        yield f"  in the file, but not in the model: {', '.join(report.unused)}"


def relative(path: Path) -> str:
    """The path as a user would type it here."""
    try:
        return str(path.relative_to(Path.cwd()))
    except ValueError:
        return str(path)


def _started(event: Started) -> Iterator[str]:
    rows = ", ".join(f"{count:,} {_ROW_USES.get(use, use)}" for use, count in event.rows.items())
    trainable = event.trainable_parameters
    parameters = f"{event.parameters:,} parameters"
    if trainable != event.parameters:
        parameters += f" ({trainable:,} trained)"
    threads = f" with {event.threads} thread{'s' if event.threads != 1 else ''}" if event.threads else ""
    yield f"{event.name}: {parameters}, {event.target} target{threads}, seed {event.seed}"
    yield f"rows: {rows}"
    if event.resumed:
        yield from _resumed(event.resumed)
    if event.weights:
        yield from weights(event.weights)


def _resumed(resumed: Resumed) -> Iterator[str]:
    yield (
        f"resuming {relative(resumed.checkpoint)}: phase {resumed.phase}, "
        f"{resumed.epoch} epoch{'s' if resumed.epoch != 1 else ''} done, step {resumed.step}"
    )
    for key, before, now in resumed.changed:
        yield f"  changed: {key} was {before}, is {now}"
    yield from resumed.notes


def _phase_started(event: PhaseStarted) -> Iterator[str]:
    if event.phases > 1:
        name = f" `{event.name}`" if event.name else ""
        yield f"phase {event.phase}/{event.phases}{name}"
    yield from _indented(event.notes, event.phases > 1)
    yield f"compiled in {text.duration(event.compile_seconds)}; {event.steps_per_epoch:,} steps per epoch"


def _indented(notes: Iterable[str], indent: bool) -> Iterator[str]:
    for note in notes:
        yield f"  {note}" if indent else note
