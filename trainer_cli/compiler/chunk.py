"""The chunk pass: a partition in, for each region groups of kernels that go through a few rows together out.

One kernel after the other over all rows of a thread's share, a value has left the second-level cache before the next
kernel reads it. Kernels that stay in their own rows may go through the rows in chunks instead: each finds what the one
before has just written. No bit depends on it, since what is computed for a row does not depend on the rows beside it.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from trainer_cli.compiler.kernels import Kernel, storage
from trainer_cli.compiler.layout import ITEM_SIZE
from trainer_cli.compiler.partition import ROW_BLOCK, Partition, Region
from trainer_cli.ir.graph import Value
from trainer_cli.ir.ops.structure import static_size

LEAST_ROWS = ROW_BLOCK // 2
"""With long rows, such as the scores of attention or large images, eight do not fit into the cache."""

LEAST_ROWS_OF_LOOPS = ROW_BLOCK
"""A loop over time runs many short kernels, whose products take eight rows at a time."""


@dataclass
class Group:
    """Kernels in their order, and the rows that they take at a time: 0 for all at once.

    A `private` group, which stands before the others, has what every thread computes for itself. A `backward` one goes
    from the last rows to the first.
    """

    kernels: list[Kernel] = field(default_factory=list)
    rows: int = 0
    private: bool = False
    backward: bool = False


def chunk(partition: Partition, batch_size: int, cache: int) -> list[list[Group]]:
    """Groups of the kernels of every region, for cores with so many bytes of cache; without any, nothing is divided.

    They take turns in the direction in which they go through the rows. What a cache still holds of a large value is
    what was touched last: the next group begins with that.
    """
    found = [_groups(region, partition, batch_size, cache // 2) for region in partition.regions]
    for number, group in enumerate(group for groups in found for group in groups if group.rows):
        group.backward = number % 2 == 1
    return found


def _groups(region: Region, partition: Partition, batch_size: int, room: int) -> list[Group]:
    """Those of one group read weights that stay in the cache beside the rows. A region has one group at least."""
    groups: list[Group] = []
    open_group, weights = False, dict[Value, int]()
    for kernel in region.kernels:
        kind = partition.splits[kernel].kind
        by_rows = kind == "rows"
        read = {storage(value): row_bytes(value) for value in _touched(kernel) if _stays(value)}
        if kind == "private":
            if not groups:
                groups.append(Group(private=True))
            groups[0].kernels.append(kernel)
            continue
        if not (by_rows and open_group and sum((weights | read).values()) <= room):
            groups.append(Group())
            open_group, weights = by_rows, {}
        weights |= read
        groups[-1].kernels.append(kernel)
    for group in groups:
        if len(group.kernels) > 1 and room > 0 and not group.private:
            group.rows = _rows(group.kernels, room, batch_size)
    return groups if any(not group.private for group in groups) else [*groups, Group()]


def _rows(kernels: list[Kernel], room: int, batch_size: int) -> int:
    """Rows of which two kernels' values fit into the room, whole subtotals at least; 0 if a batch has no more."""
    widest = max(
        sum(row_bytes(value) for value in {storage(v) for v in _touched(kernel)} if value.batched) for kernel in kernels
    )
    fitting = room // (2 * max(1, widest)) // ROW_BLOCK * ROW_BLOCK
    rows = max(fitting, *map(_least_rows, kernels))
    return rows if rows < batch_size else 0


def _least_rows(kernel: Kernel) -> int:
    """The fewest rows that a kernel takes at a time."""
    if kernel.root is None:
        return LEAST_ROWS
    if kernel.root.op == "subtotals":
        return int(kernel.root.attributes["rows"])
    return LEAST_ROWS_OF_LOOPS if kernel.root.op == "loop" else LEAST_ROWS


def _stays(value: Value) -> bool:
    """Whether every chunk touches all of a value: of subtotals each has its own."""
    return not value.batched and value.op != "subtotals"


def _touched(kernel: Kernel) -> list[Value]:
    return [*kernel.reads, *kernel.stores]


def row_bytes(value: Value) -> int:
    """Bytes of a row of a value, or of a value that has no rows."""
    return static_size(value.shape) * ITEM_SIZE.get(value.dtype, 4)
