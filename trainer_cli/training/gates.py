"""Conditions such as `val_accuracy < 0.9` and measured values in; which of them hold, and so fail a run, out."""

from __future__ import annotations

import math
import operator
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from trainer_cli.errors import ConfigError, GateError, Problem

if TYPE_CHECKING:
    from trainer_cli.training.preparation import PhasePlan

_CONDITION = r"\s*(\S(?:.*?\S)?)\s*(<=|>=|==|!=|<|>)\s*(\S+)\s*"
_OPERATORS: dict[str, Callable[[float, float], bool]] = {
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
    "==": operator.eq,
    "!=": operator.ne,
}
_TIMES = ("compile", "train", "total")


class Gate(NamedTuple):
    """A condition under which a run fails."""

    text: str
    key: str
    sign: str
    bound: float


class Outcome(NamedTuple):
    """What a gate found; a value that could not be measured (None) fails, for nothing shows that all is well."""

    gate: Gate
    measured: float | None
    failed: bool

    @property
    def words(self) -> str:
        measured = "has no value" if self.measured is None else f"measured {self.measured:.6g}"
        return f"{self.gate.text}: {measured}"


def read_gates(texts: Iterable[str]) -> list[Gate]:
    """The gates that `--fail-if` gives. Raises ConfigError with all that cannot be read."""
    gates, problems = [], []
    for text in texts:
        found = re.fullmatch(_CONDITION, text)
        bound = _number(found.group(3)) if found else None
        if found is None or bound is None:
            message = (
                f'--fail-if "{text}" is no condition: it needs a name, one of {" ".join(_OPERATORS)}, and a number'
            )
            problems.append(Problem(message, hint='such as --fail-if "val_accuracy < 0.9"'))
        else:
            key, sign, shown = found.groups()
            gates.append(Gate(f"{key} {sign} {shown}", key, sign, bound))
    if problems:
        raise ConfigError(problems)
    return gates


def _number(text: str) -> float | None:
    """A finite number as people write it; `90%` is 0.9."""
    percent = text.endswith("%")
    try:
        value = float(text.removesuffix("%"))
    except ValueError:
        return None
    if not math.isfinite(value) or "_" in text:
        return None
    return value / 100.0 if percent else value


def check_keys(gates: Iterable[Gate], known: Sequence[str]) -> None:
    """Raise a ConfigError, with the nearest name, if a gate asks for what is not measured."""
    problems = []
    for gate in gates:
        if gate.key in known:
            continue
        import difflib

        near = difflib.get_close_matches(gate.key, known, n=1, cutoff=0.5)
        hint = f"did you mean `{near[0]}`? " if near else ""
        message = f'--fail-if "{gate.text}": nothing named `{gate.key}` is measured'
        problems.append(Problem(message, hint=f"{hint}known: {', '.join(known)}"))
    if problems:
        raise ConfigError(problems)


def keys_of_training(plans: Sequence[PhasePlan]) -> list[str]:
    """What will have been measured when a training ends, by the names that `values_of_training` gives."""
    last = plans[-1]
    measured = ["loss", *last.program.losses, *last.directions]
    keys = list(measured)
    if last.dataset.validation is not None:
        keys += [f"val_{key}" for key in measured]
    best = [f"best.{key}" for key in keys]
    if last.dataset.test is not None:
        keys += [f"test_{key}" for key in measured]
    return [*keys, *best, "epochs", "steps", *(f"seconds.{name}" for name in _TIMES)]


def values_of_training(summary: Mapping[str, Any]) -> dict[str, float | None]:
    """The numbers of a `summary.json`: of the weights that the run ended with, of its best epoch, and of its length."""
    values = {key: value for key, value in summary["final"].items() if _is_number(value)}
    best = {key: value for key, value in summary["best"].items() if key not in ("value", "phase", "epoch")}
    values |= {f"best.{key}": value for key, value in best.items() if _is_number(value)}
    values |= {key: summary[key] for key in ("epochs", "steps")}
    return values | {f"seconds.{name}": summary["seconds"][name] for name in _TIMES}


def _is_number(value: object) -> bool:
    return value is None or (isinstance(value, int | float) and not isinstance(value, bool))


def judge(gates: Iterable[Gate], values: Mapping[str, float | None]) -> list[Outcome]:
    """The outcome of every gate."""
    outcomes = []
    for gate in gates:
        measured = values.get(gate.key)
        if measured is not None and math.isnan(measured):
            measured = None
        failed = measured is None or _OPERATORS[gate.sign](measured, gate.bound)
        outcomes.append(Outcome(gate, measured, failed))
    return outcomes


def refuse(outcomes: Sequence[Outcome]) -> None:
    """Raise a GateError with what was measured if a gate failed."""
    failed = [outcome for outcome in outcomes if outcome.failed]
    if failed:
        words = "".join(f"\n  --fail-if {outcome.words}" for outcome in failed)
        raise GateError(f"{len(failed)} of {len(outcomes)} gate{'s' if len(outcomes) > 1 else ''} failed{words}")
