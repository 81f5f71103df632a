"""A program in; whether this machine's memory holds it out, told before anything is allocated."""

from __future__ import annotations

import math

from trainer_cli.compiler.program import Program
from trainer_cli.data.room import free_bytes, gigabytes
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
        f"the model needs at least {gigabytes(needed)} of memory, {gigabytes(free)} are free; "
        f"its largest {what} with {gigabytes(_FLOAT * size)}",
        hint="check the sizes with `trainer validate`; smaller layers or a smaller batch need less",
    )
