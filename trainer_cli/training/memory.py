"""A program in; whether this machine's memory holds it out, told before anything is allocated."""

from __future__ import annotations

import math
import os
from collections.abc import Iterable
from pathlib import Path

from trainer_cli.compiler.program import Program
from trainer_cli.errors import ResourceError

_FLOAT = 4


def needed_bytes(program: Program, batch_size: int) -> int:
    """The least that training takes: weights, optimizer state, and one batch of the largest layer's output."""
    state = program.parameters + sum(math.prod(slot.shape) for slot in program.slots.values())
    largest = max((math.prod(layer.output_shape) for layer in program.layers), default=0)
    return _FLOAT * (state + largest * batch_size)


def check_memory(program: Program, batch_size: int) -> None:
    """Raise ResourceError if the machine cannot hold the program."""
    needed, free = needed_bytes(program, batch_size), free_bytes()
    if free is None or needed <= free:
        return
    parts = [(f"weight is {name}", spec.size) for name, spec in program.weights.items()]
    parts += [
        (f"output is that of {layer.name}", math.prod(layer.output_shape) * batch_size) for layer in program.layers
    ]
    what, size = max(parts, key=lambda part: part[1])
    raise ResourceError(
        f"the model needs at least {_gigabytes(needed)} of memory, {_gigabytes(free)} are free; "
        f"its largest {what} with {_gigabytes(_FLOAT * size)}",
        hint="check the sizes with `trainer validate`; smaller layers or a smaller batch need less",
    )


def _gigabytes(size: int) -> str:
    """A size in words; a config may ask for more bytes than a float holds."""
    return f"{size / 1e9:,.1f} GB" if size < 10**24 else "a million billion GB"


def free_bytes(root: Path = Path("/")) -> int | None:
    """Memory that this process may still take: the machine's, or what its control group leaves; None if unknown."""
    found = [size for size in (_machine_bytes(root), *_group_bytes(root)) if size is not None]
    return min(found, default=None)


def _machine_bytes(root: Path) -> int | None:
    try:
        for line in (root / "proc/meminfo").read_text(encoding="ascii").splitlines():
            if line.startswith("MemAvailable:"):
                return int(line.split()[1]) * 1024
    except (OSError, ValueError):
        pass
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, ValueError, OSError):
        return None


def _group_bytes(root: Path) -> Iterable[int]:
    """Version 2 of control groups, as containers see their own."""
    folder = root / "sys/fs/cgroup"
    try:
        limit = (folder / "memory.max").read_text(encoding="ascii").strip()
        used = int((folder / "memory.current").read_text(encoding="ascii"))
        if limit != "max":
            yield max(0, int(limit) - used)
    except (OSError, ValueError):
        return
