"""Numbers, records and summaries in, plain words out: four significant digits, humane times, one line per epoch."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence

from trainer_cli.errors import Problem

_COUNTERS = ("phase", "epoch", "steps", "seconds", "learning_rate")


def number(value: float | int | None) -> str:
    """Four significant digits; whole numbers as they are: `0.04321`, `1.500`, `123.5`, `12,346`, `1.235e+08`."""
    if value is None:
        return "-"
    if isinstance(value, int):
        return f"{value:,}"
    if not math.isfinite(value):
        return str(value)
    if value == 0.0:
        return "0"
    rounded = float(f"{value:.4g}")
    magnitude = math.floor(math.log10(abs(rounded)))
    if magnitude < -4 or magnitude > 6:
        return f"{value:.3e}"
    return f"{value:,.{max(0, 3 - magnitude)}f}"


def duration(seconds: float) -> str:
    """`340 µs`, `12 ms`, `1.2 s`, `48 s`, `3 min 05 s`, `2 h 07 min`."""
    if seconds < 0.9995e-3:
        return f"{seconds * 1e6:.0f} µs"
    if seconds < 0.9995:
        return f"{seconds * 1e3:.0f} ms"
    if seconds < 9.95:
        return f"{seconds:.1f} s"
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60:02} s"
    return f"{whole // 3600} h {whole % 3600 // 60:02} min"


def amount(value: float, unit: str) -> str:
    """A large amount with its unit and a decimal prefix: `4.10 MFLOP`, `812 kB`, `96 B`."""
    for prefix in ("", "k", "M", "G", "T"):
        if abs(value) < 999.5 or prefix == "T":
            break
        value /= 1000.0
    digits = 0 if prefix == "" or abs(value) >= 99.95 else 1 if abs(value) >= 9.995 else 2
    return f"{value:,.{digits}f} {prefix}{unit}"


def aligned(rows: Iterable[tuple[str, str]]) -> list[str]:
    """Labels and words in two columns, one row per line."""
    rows = list(rows)
    width = max((len(label) for label, _ in rows), default=0)
    return [f"{label:{width}}  {words}" for label, words in rows]


def shape(dimensions: Sequence[int]) -> str:
    """The shape of a layer's output, whose batch axis is not among the dimensions: `(batch, 8, 8)`."""
    return f"({', '.join(['batch', *map(str, dimensions)])})"


def measures(record: Mapping[str, object]) -> list[str]:
    """The names of losses and metrics in a line of metrics.jsonl, in its order."""
    return [key for key in record if key not in _COUNTERS]


def epoch_line(record: Mapping[str, object], epochs: int | None, best: bool) -> str:
    """One epoch on one line: `epoch 3/20  loss 0.1235  accuracy 0.9712  val_loss 0.1840  0.4 s`."""
    words = [f"epoch {record['epoch']}" + (f"/{epochs}" if epochs else "")]
    words.append(listed({name: record[name] for name in measures(record)}))
    seconds = record.get("seconds")
    if isinstance(seconds, int | float):
        words.append(duration(seconds))
    if best:
        words.append("best")
    return "  ".join(words)


def listed(numbers: Mapping[str, object]) -> str:
    """`loss 0.1235  accuracy 0.9712`."""
    return "  ".join(f"{name} {_cell(value)}" for name, value in numbers.items())


def cell(record: Mapping[str, object], name: str) -> str:
    """The text of one value of a record."""
    value = record.get(name)
    if name == "seconds" and isinstance(value, int | float):
        return duration(value)
    if name == "learning_rate" and isinstance(value, float):
        return f"{value:.4g}"  # a setting: 0.002, not 0.002000
    return _cell(value)


def warning(problem: Problem) -> str:
    """`warning: configs/a.yaml:7:3: the loss expects probabilities (hint: …)`."""
    where = f"{problem.place}: " if problem.place else ""
    hint = f"\n  hint: {problem.hint}" if problem.hint else ""
    return f"warning: {where}{problem.message}{hint}"


def _cell(value: object) -> str:
    return number(value) if value is None or isinstance(value, int | float) else str(value)
