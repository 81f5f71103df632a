"""Run directories in; their configs, epochs and summaries, and the settings in which they differ, out."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

from trainer_cli.config.source import parse, read_file
from trainer_cli.errors import ConfigError, DataError

_COUNTERS = ("phase", "epoch", "steps", "seconds", "learning_rate")


@dataclass(frozen=True)
class Run:
    """A run as its folder tells it; one that is under way, or was killed, has no summary of its end yet."""

    path: Path
    config: dict[str, Any]
    history: list[dict[str, Any]]
    summary: dict[str, Any] = field(default_factory=dict)
    manifest: dict[str, Any] = field(default_factory=dict)

    @property
    def name(self) -> str:
        return str(self.config.get("name", self.path.name))

    @property
    def measures(self) -> list[str]:
        """The names of losses and metrics, in the order of the lines."""
        found = dict.fromkeys(key for line in self.history for key in line)
        return [key for key in found if key not in _COUNTERS]

    def curve(self, key: str) -> list[float | None]:
        """A measure over the epochs of all phases; None where it was not measured, or was no number."""
        return [_number(line.get(key)) for line in self.history]

    @property
    def best(self) -> dict[str, Any]:
        """The line of the best epoch, as far as there is one."""
        found = self.summary.get("best")
        if not isinstance(found, Mapping) or _number(found.get("value")) is None:
            return {}
        return {"monitor": str(found.get("monitor")), **_numbers(found)}

    @property
    def final(self) -> dict[str, Any]:
        """The measures of the weights that the run ended with, and on the test rows; else the last line's."""
        found = self.summary.get("final")
        if isinstance(found, Mapping) and found:
            return _numbers(found)
        last = self.history[-1] if self.history else {}
        return {key: value for key, value in _numbers(last).items() if key in self.measures}

    @property
    def seconds(self) -> dict[str, float]:
        """The timings of a run that has ended."""
        found = self.summary.get("seconds")
        return {key: value for key, value in _numbers(found).items() if value is not None} if found else {}


def _number(value: object) -> float | None:
    """A finite number; whatever else a file may hold is no measure."""
    if not isinstance(value, int | float) or isinstance(value, bool) or abs(value) > sys.float_info.max:
        return None
    return value if value == value else None


def _numbers(record: object) -> dict[str, Any]:
    """The numbers of a record, and None for measures without a value."""
    if not isinstance(record, Mapping):
        return {}
    return {str(key): _number(value) for key, value in record.items() if value is None or _number(value) is not None}


def read_run(path: Path) -> Run:
    """Read a run directory, whole or still growing. Raises ConfigError if it is none, DataError if it is damaged."""
    if not (path / "config.yaml").is_file() or not (path / "metrics.jsonl").is_file():
        raise ConfigError(f"{path} is no run directory", hint="give the folder that `fit` made: it holds metrics.jsonl")
    config = parse(read_file(path / "config.yaml"), str(path / "config.yaml")).plain()
    if not isinstance(config, dict):
        raise ConfigError(f"{path / 'config.yaml'} is no config")
    return Run(
        path=path,
        config=config,
        history=_lines(path / "metrics.jsonl"),
        summary=_mapping(path / "summary.json"),
        manifest=_mapping(path / "manifest.json"),
    )


def _lines(path: Path) -> list[dict[str, Any]]:
    """The epochs; the last line of a run that was killed may be torn."""
    lines = _text(path).splitlines()
    found = []
    for number, line in enumerate(lines, start=1):
        try:
            value = json.loads(line)
        except (ValueError, RecursionError):
            if number == len(lines):
                break
            raise DataError(f"{path}, line {number}: is no JSON") from None
        if not isinstance(value, dict):
            raise DataError(f"{path}, line {number}: is no epoch")
        found.append(value)
    return found


def _mapping(path: Path) -> dict[str, Any]:
    if not path.exists():
        return {}
    try:
        value = json.loads(_text(path))
    except (ValueError, RecursionError):
        raise DataError(f"{path}: is damaged") from None
    return value if isinstance(value, dict) else {}


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8", errors="replace")
    except OSError as error:
        raise DataError(f"cannot read {path}: {error.strerror or error}") from error


class Difference(NamedTuple):
    """A setting that is not the same in all configs: its path, and its value in each (None where it is not there)."""

    path: str
    values: list[Any]


def differences(configs: Sequence[Mapping[str, Any]]) -> list[Difference]:
    """The settings that differ, as short as they can be told: parts of other types are one difference."""
    return list(_differences("", list(configs)))


def _differences(path: str, values: list[Any]) -> Iterator[Difference]:
    if all(value == values[0] for value in values[1:]):
        return
    if all(isinstance(value, Mapping) for value in values) and len({str(value.get("type")) for value in values}) == 1:
        for key in dict.fromkeys(key for value in values for key in value):
            yield from _differences(f"{path}.{key}" if path else key, [value.get(key) for value in values])
    elif all(isinstance(value, list) for value in values) and len({len(value) for value in values}) == 1:
        for index in range(len(values[0])):
            yield from _differences(f"{path}[{index}]", [value[index] for value in values])
    else:
        yield Difference(path, values)


def metric_keys(runs: Sequence[Run]) -> list[str]:
    """What any of the runs measured, in order."""
    return list(dict.fromkeys(key for run in runs for key in [*run.measures, *run.final]))
