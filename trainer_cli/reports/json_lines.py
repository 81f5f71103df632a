"""Results in, one JSON value per line of stdout out, for other programs."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping, Sequence
from dataclasses import fields
from typing import IO, TYPE_CHECKING

from trainer_cli.errors import Problem

if TYPE_CHECKING:
    from trainer_cli.training.compile import Compilation


def write_json(value: object, stream: IO[str] | None = None) -> None:
    """One JSON value on one line, at once; a number that JSON lacks (NaN, infinity) becomes null."""
    print(json.dumps(_finite(value), ensure_ascii=False, default=_plain), file=stream or sys.stdout, flush=True)


def validation(ok: bool, problems: Sequence[Problem], warnings: Sequence[Problem], notes: Sequence[str]) -> object:
    """The outcome of a check."""
    return {
        "ok": ok,
        "problems": [problem_record(problem) for problem in problems],
        "warnings": [problem_record(problem) for problem in warnings],
        "notes": list(notes),
    }


def compilation(compiled: Compilation, *, with_source: bool) -> dict[str, object]:
    """What `trainer compile` tells."""
    record = {field.name: getattr(compiled, field.name) for field in fields(compiled)}
    record["layers"] = [layer._asdict() for layer in compiled.layers]
    record["warnings"] = [problem_record(problem) for problem in compiled.warnings]
    if not with_source:
        del record["source"]
    return record


def problem_record(problem: Problem) -> dict[str, object]:
    """A problem with its place; file, line and column are null where there is none."""
    place = problem.place
    return {
        "file": place.file if place else None,
        "line": place.line if place else None,
        "column": place.column if place else None,
        "path": list(problem.path),
        "message": problem.message,
        "hint": problem.hint,
    }


def _finite(value: object) -> object:
    if isinstance(value, float):
        return value if abs(value) != float("inf") and value == value else None
    if isinstance(value, Mapping):
        return {str(key): _finite(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(item) for item in value]
    return value


def _plain(value: object) -> object:
    """NumPy's scalars and arrays have a list form, everything else is shown as text."""
    listed = getattr(value, "tolist", None)
    return _finite(listed()) if callable(listed) else str(value)
