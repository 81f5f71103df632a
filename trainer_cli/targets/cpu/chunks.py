"""Chunks: the kernels of a region in, groups of them that go through a few rows together out.

One kernel after the other over all rows of a thread's share, a value has left the second-level cache before the next
kernel reads it. Kernels that stay in their own rows may go through the rows in chunks instead: each finds what the one
before has just written. No bit depends on it, since what is computed for a row does not depend on the rows beside it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

from trainer_cli.compiler.kernels import Kernel, storage
from trainer_cli.compiler.memory import ITEM_SIZE
from trainer_cli.compiler.partition import ROW_BLOCK, Split
from trainer_cli.ir.graph import Value
from trainer_cli.ir.ops.structure import static_size

_CACHES = Path("/sys/devices/system/cpu/cpu0/cache")
_USUAL_CACHE = 1 << 20

LEAST_ROWS = ROW_BLOCK
LEAST_ROWS_OF_LOOPS = 2 * ROW_BLOCK
"""A loop over time runs many short kernels: with fewer rows their calls weigh more than what the cache gives."""


@dataclass
class Group:
    """Kernels in their order, and the rows that they take at a time: 0 for all at once."""

    kernels: list[Kernel] = field(default_factory=list)
    rows: int = 0


@cache
def second_level_cache() -> int:
    """Bytes of a core's second-level cache; a usual size where the machine does not tell."""
    for folder in sorted(_CACHES.glob("index*")):
        try:
            level, size = (folder / "level").read_text().strip(), (folder / "size").read_text().strip()
        except OSError:
            continue
        if level == "2" and size.endswith("K") and size[:-1].isdigit():
            return int(size[:-1]) << 10
    return _USUAL_CACHE


def chunks_of(kernels: Iterable[Kernel], splits: Mapping[Kernel, Split], batch_size: int) -> list[Group]:
    """The kernels of a region in groups; those of one group read weights that stay in the cache beside the rows."""
    half = second_level_cache() // 2
    groups: list[Group] = []
    open_group, weights = False, dict[Value, int]()
    for kernel in kernels:
        by_rows = splits[kernel].kind == "rows"
        read = {storage(value): _size(value) for value in _touched(kernel) if not value.batched}
        if not (by_rows and open_group and sum((weights | read).values()) <= half):
            groups.append(Group())
            open_group, weights = by_rows, {}
        weights |= read
        groups[-1].kernels.append(kernel)
    for group in groups:
        if len(group.kernels) > 1:
            group.rows = _rows(group.kernels, half, batch_size)
    return groups


def _rows(kernels: list[Kernel], room: int, batch_size: int) -> int:
    """Rows of which two kernels' values fit into the room; 0 if a batch has no more."""
    widest = max(sum(_size(value) for value in {storage(v) for v in _touched(k)} if value.batched) for k in kernels)
    fitting = room // (2 * max(1, widest)) // ROW_BLOCK * ROW_BLOCK
    loops = any(kernel.inner is not None for kernel in kernels)
    rows = max(fitting, LEAST_ROWS_OF_LOOPS if loops else LEAST_ROWS)
    return rows if rows < batch_size else 0


def _touched(kernel: Kernel) -> list[Value]:
    """What a kernel reads and stores; of a loop, also what its body reads of weights."""
    return [*kernel.reads, *kernel.stores]


def _size(value: Value) -> int:
    """Bytes of a row of a value, or of a value that has no rows."""
    return static_size(value.shape) * ITEM_SIZE.get(value.dtype, 4)
