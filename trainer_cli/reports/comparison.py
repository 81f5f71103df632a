"""Runs in; the tables, curves and JSON that compare them out."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from typing import IO, Any

from rich import box
from rich.table import Table
from rich.text import Text

from trainer_cli.parts.families import METRICS
from trainer_cli.reports import text
from trainer_cli.reports.messages import relative
from trainer_cli.reports.sparkline import sparkline
from trainer_cli.reports.tables import print_table
from trainer_cli.training.runs import Difference, Run, differences, metric_keys

_CURVE_WIDTH = 60
_LONGEST = 40
"""Characters of a setting in the table; --json has all of it."""


def letter(position: int) -> str:
    """What a run is called in the tables: A, B, …, Z, AA, …"""
    first, last = divmod(position, 26)
    return (letter(first - 1) if first else "") + chr(ord("A") + last)


def print_comparison(runs: Sequence[Run], stream: IO[str] | None = None) -> None:
    """Which runs, the settings that differ, the measures of the best and last epochs, and the curves."""
    stream = stream or sys.stdout
    print_table(_run_table(runs), stream)
    print(file=stream)
    found = differences([run.config for run in runs])
    if found:
        print_table(_setting_table(runs, found), stream)
    else:
        print("no setting differs", file=stream)
    print(file=stream)
    print_table(_measure_table(runs), stream)
    for key in curve_keys(runs):
        print("", *curves(runs, key), sep="\n", file=stream)


def _run_table(runs: Sequence[Run]) -> Table:
    table = Table(box=box.SIMPLE_HEAD, show_edge=False)
    for heading in ("", "run", "name", "epochs", "ended", "seconds"):
        table.add_column(heading, justify="right" if heading in ("epochs", "seconds") else "left", overflow="fold")
    for position, run in enumerate(runs):
        seconds = run.seconds.get("train")
        table.add_row(
            letter(position),
            Text(relative(run.path)),
            Text(run.name),
            f"{len(run.history):,}",
            Text(str(run.summary.get("stop_reason", "not yet")).replace("_", " ")),
            "-" if seconds is None else text.duration(seconds),
        )
    return table


def _setting_table(runs: Sequence[Run], found: Sequence[Difference]) -> Table:
    table = _table_of_runs("setting", runs)
    for each in found:
        table.add_row(Text(each.path), *(Text(setting_words(value)) for value in each.values))
    return table


def _table_of_runs(heading: str, runs: Sequence[Run]) -> Table:
    table = Table(box=box.SIMPLE_HEAD, show_edge=False)
    table.add_column(heading, overflow="fold")
    for position in range(len(runs)):
        table.add_column(letter(position), justify="right", overflow="fold")
    return table


def setting_words(value: Any) -> str:
    """A setting in a few words: `adam (learning_rate 0.01, …)`, `dense 64, dropout, dense 10`."""
    words = _words(value)
    return words if len(words) <= _LONGEST else f"{words[: _LONGEST - 1]}…"


def _words(value: Any) -> str:
    if value is None:
        return "-"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, float):
        return f"{value:g}"
    if isinstance(value, list):
        return ", ".join(_words(_short(item)) for item in value) or "none"
    if isinstance(value, Mapping):
        rest = [f"{key} {_words(item)}" for key, item in value.items() if key != "type" and _is_scalar(item)]
        kind = str(value.get("type", ""))
        return f"{kind} ({', '.join(rest)})" if kind and rest else kind or ", ".join(rest)
    return str(value)


def _short(item: Any) -> Any:
    """A layer in a list: its type and its size."""
    if not isinstance(item, Mapping) or "type" not in item:
        return item
    size = next((item[key] for key in ("units", "filters", "rate") if key in item), None)
    return item["type"] if size is None else f"{item['type']} {_words(size)}"


def _is_scalar(value: Any) -> bool:
    return isinstance(value, int | float | str)


def _measure_table(runs: Sequence[Run]) -> Table:
    """Rows: the measures of the best epoch and of the end; the best run of a row is bold, and marked by a star."""
    table = _table_of_runs("measured", runs)
    best, final = measured(runs)
    for heading, rows in (("best epoch", best), ("at the end", final)):
        if not rows:
            continue
        table.add_row(Text(heading, style="italic"))
        for key, values in rows.items():
            winner = _winner(key, values)
            table.add_row(Text(f"  {key}"), *(_value(value, place == winner) for place, value in enumerate(values)))
    return table


def _value(value: float | None, best: bool) -> Text:
    shown = text.number(value)
    return Text(f"{shown} *", style="bold") if best else Text(f"{shown}  ")


def measured(runs: Sequence[Run]) -> tuple[dict[str, list[Any]], dict[str, list[Any]]]:
    """The measures of the runs' best epochs, and of their ends, by key."""
    keys = metric_keys(runs)
    best = {key: [run.best.get(key) for run in runs] for key in ["epoch", *keys]}
    final = {key: [run.final.get(key) for run in runs] for key in keys}
    return tuple(
        {key: values for key, values in rows.items() if any(value is not None for value in values)}
        for rows in (best, final)
    )  # type: ignore[return-value]


def _winner(key: str, values: Sequence[float | None]) -> int | None:
    """The place of the best value, None if it is not known whether more is better, or if it is not one alone."""
    larger = larger_is_better(key)
    known = [value for value in values if value is not None]
    if larger is None or len(known) < 2:
        return None
    best = max(known) if larger else min(known)
    return values.index(best) if values.count(best) == 1 else None


def larger_is_better(key: str) -> bool | None:
    """What a measure's name tells: losses shall be small, metrics know themselves; None for names of the user's."""
    base = key.removeprefix("val_").removeprefix("test_")
    if base == "loss" or base.endswith("_loss"):
        return False
    words = base.split("_")
    # With several outputs `digit_accuracy` is the accuracy of the output `digit`.
    for begin in range(len(words)):
        canonical = METRICS.canonical("_".join(words[begin:]))
        if canonical is not None:
            return bool(getattr(METRICS.find(canonical), "direction", "max") == "max")
    return None


def curve_keys(runs: Sequence[Run]) -> list[str]:
    """The measures worth a curve: the loss, that of the validation rows, and what the best epoch is chosen by."""
    wanted = ["loss", "val_loss", *(run.best.get("monitor") for run in runs)]
    return [key for key in dict.fromkeys(wanted) if key and any(_known(run, key) for run in runs)]


def _known(run: Run, key: str) -> list[float]:
    return [value for value in run.curve(key) if value is not None]


def curves(runs: Sequence[Run], key: str) -> list[str]:
    """A heading with the range that all curves share, and a line per run."""
    values = [value for run in runs for value in _known(run, key)]
    low, high = min(values), max(values)
    lines = [f"{key}, from {text.number(low)} (▁) to {text.number(high)} (█)"]
    width = max(len(letter(len(runs) - 1)), 1)
    longest = max(len(run.history) for run in runs)
    for position, run in enumerate(runs):
        # The same number of epochs is the same distance in all lines.
        room = max(1, round(min(_CURVE_WIDTH, longest) * len(run.history) / longest))
        ends = f"{text.number(_known(run, key)[0])} → {text.number(_known(run, key)[-1])}" if _known(run, key) else "-"
        curve = sparkline(run.curve(key), room, low, high)
        lines.append(f"  {letter(position):{width}}  {curve:{min(_CURVE_WIDTH, longest)}}  {ends}")
    return lines


def record(runs: Sequence[Run]) -> dict[str, Any]:
    """All of it for other programs; lists are in the order of the runs."""
    best, final = measured(runs)
    return {
        "runs": [
            {
                "path": str(run.path),
                "name": run.name,
                "epochs": len(run.history),
                "stop_reason": run.summary.get("stop_reason"),
                "seconds": run.summary.get("seconds"),
            }
            for run in runs
        ],
        "settings": {each.path: each.values for each in differences([run.config for run in runs])},
        "best": best,
        "final": final,
        "curves": {key: [run.curve(key) for run in runs] for key in curve_keys(runs)},
    }
