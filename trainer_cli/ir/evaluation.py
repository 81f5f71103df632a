"""Direct evaluation of values with NumPy: values and the arrays of their leaves in, arrays out; the definition of all.

`trainer_cli.targets.reference` runs programs through this; loops run their bodies through it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from trainer_cli.ir.graph import Value, reachable
from trainer_cli.ir.primitive import Array, Context, IRError


def run(
    values: Sequence[Value],
    bindings: Mapping[Value, Array],
    context: Context,
    watch: Callable[[Value, Array], None] | None = None,
) -> list[Array]:
    """The arrays of the given values. `bindings` holds the leaves; `watch` sees every value as it is computed."""
    results: dict[Value, Array] = dict(bindings)
    order = reachable(values)
    last_use: dict[Value, int] = {}
    for position, value in enumerate(order):
        for operand in value.operands:
            last_use[operand] = position
    wanted = set(values)
    for position, value in enumerate(order):
        if value not in results:
            meaning = value.primitive.meaning
            if meaning is None:
                raise IRError(f"{value!r} is not bound")
            results[value] = meaning(value, context, *(results[operand] for operand in value.operands))
            if watch is not None:
                watch(value, results[value])
        for operand in set(value.operands):
            # Free what no later value reads, so that a deep network does not keep every activation.
            if last_use[operand] == position and operand not in wanted and operand not in bindings:
                del results[operand]
    return [results[value] for value in values]
