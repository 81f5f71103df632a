"""The monitored value of every epoch in; the learning rate of the next one, lower once nothing improves, out.

The meaning is that of Keras 3's `ReduceLROnPlateau`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Literal, Protocol

from trainer_cli.compiler.rate import LEARNING_RATE
from trainer_cli.errors import Problem
from trainer_cli.parts.schedule import Schedule
from trainer_cli.training.contracts import Program
from trainer_cli.training.monitor import Direction, direction, improves

if TYPE_CHECKING:
    from trainer_cli.training.state import Plateau, RunState


class PlateauSettings(Protocol):
    """`fit.reduce_learning_rate_on_plateau` of a config."""

    @property
    def monitor(self) -> str: ...
    @property
    def mode(self) -> Literal["auto", "min", "max"]: ...
    @property
    def factor(self) -> float: ...
    @property
    def patience(self) -> int: ...
    @property
    def min_delta(self) -> float: ...
    @property
    def cooldown(self) -> int: ...
    @property
    def min_learning_rate(self) -> float: ...


def begin(state: RunState, settings: PlateauSettings | None, program: Program) -> None:
    """Remember nothing where a phase begins, and what was remembered where one is gone on with.

    A rate that was edited in the config since begins anew; another monitored key leaves the reduced rate as it is.
    """
    from trainer_cli.training.state import Plateau  # whose records a check of a config does not need

    old = state.plateau
    if settings is None:
        state.plateau = Plateau()
        return
    rate = program.hyperparameters[LEARNING_RATE]
    if state.counters.epoch == state.counters.position == 0 or old.begun != rate:
        state.plateau = Plateau(monitor=settings.monitor, begun=rate, rate=rate)
    elif old.monitor != settings.monitor:
        state.plateau = Plateau(monitor=settings.monitor, begun=rate, rate=old.rate)


def observe(
    plateau: Plateau, fit: Any, report: Mapping[str, Any], directions: Mapping[str, Direction]
) -> tuple[str, ...]:
    """Take one epoch into account; in words, why the learning rate was reduced, if it was.

    `fit` is the section of the phase, `report` the epoch's line, `directions` those of the metrics.
    """
    settings: PlateauSettings | None = fit.reduce_learning_rate_on_plateau
    if settings is None:
        return ()
    assert plateau.rate is not None
    if plateau.cooldown > 0:
        plateau.cooldown -= 1
        plateau.wait = 0
    value = report[settings.monitor]
    if improves(value, plateau.best, direction(settings.monitor, settings.mode, directions), settings.min_delta):
        plateau.best = value
        plateau.wait = 0
        return ()
    if plateau.cooldown > 0:
        return ()
    plateau.wait += 1
    if plateau.wait < settings.patience or plateau.rate <= settings.min_learning_rate:
        return ()
    waited, plateau.wait, plateau.cooldown = plateau.wait, 0, settings.cooldown
    plateau.rate = max(plateau.rate * settings.factor, settings.min_learning_rate)
    epochs = f"{waited} epoch{'' if waited == 1 else 's'}"
    return (f"no better {settings.monitor} for {epochs}: learning rate reduced to {plateau.rate:.6g}",)


def misfit(settings: PlateauSettings | None, optimizer: Any, path: tuple[str | int, ...]) -> Problem | None:
    """Why the learning rate of an optimizer cannot be reduced; `path` is that of the `fit` section."""
    if settings is None or not isinstance(getattr(optimizer, LEARNING_RATE, None), Schedule):
        return None
    return Problem(
        "the optimizer's `learning_rate` is a schedule, which a plateau cannot reduce as well",
        (*path, "reduce_learning_rate_on_plateau"),
        "leave one of the two out",
    )
