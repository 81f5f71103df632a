"""What runs a program: `reference` defines every result, `cpu` computes it fast."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from trainer_cli.targets.target import Target

TARGETS = ("cpu", "reference")


def open_target(
    name: str, *, threads: int | None = None, precision: Literal["float32", "float64"] | None = None
) -> Target:
    """A target by name. `threads`: for `cpu`; the number of free cores if None. `precision`: for `reference`."""
    if name == "reference":
        from trainer_cli.targets.reference.executable import ReferenceTarget

        return ReferenceTarget(precision or "float64")
    if name == "cpu":
        from trainer_cli.targets.cpu.executable import CpuTarget

        return CpuTarget(threads)
    raise ValueError(f"there is no target {name}; known: {', '.join(TARGETS)}")
