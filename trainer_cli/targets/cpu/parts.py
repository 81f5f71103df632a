"""Parts in memory: a schedule in, the steps between the elements of values that lie part by part out.

Where threads share the terms of sums, each gathers and reads its part of every row and writes its partial sums. With
the parts of a row side by side, a processor that fetches ahead takes lines of the neighbour's part from the core that
writes them: two threads then took as long to gather half of each row as one took for whole rows. Values whose readers
allow it lie part by part instead, `(part, row, place)` in memory.
"""

from __future__ import annotations

from functools import partial

from trainer_cli.compiler.kernels import Kernel, reads_of, storage
from trainer_cli.compiler.memory import Schedule
from trainer_cli.ir.graph import Value
from trainer_cli.ir.ops.products import labels
from trainer_cli.ir.ops.structure import static_size
from trainer_cli.targets.cpu.contraction import is_shared, matrix_product


def steps_of_parts(schedule: Schedule) -> dict[Value, tuple[int, ...]]:
    """The elements between two rows and between two parts, of inputs and of partial sums that lie part by part.

    An input of `n` elements in `p` parts is read as `(batch, p, n / p)`, or along its rows of `n / p`.
    """
    partition, batch = schedule.partition, schedule.batch_size
    readers: dict[Value, list[Kernel]] = {}
    for kernel in partition.kernels:
        for base in dict.fromkeys(map(storage, kernel.reads)):
            readers.setdefault(base, []).append(kernel)
    kept = {storage(value) for value in schedule.graph.outputs.values()} | set(schedule.local)
    parts = {value: split.extent for value, split in partition.gathers.items()}
    for kernel in partition.kernels:
        root = kernel.root
        if root is not None and partition.splits[kernel].kind == "parts" and root in kernel.stores:
            parts[root] = partition.splits[kernel].extent
    found: dict[Value, tuple[int, ...]] = {}
    for value, count in parts.items():
        allowed = _sums_up_parts if value.op == "contract" else partial(_reads_parts, count)
        if value not in kept and all(allowed(kernel, value, partition.replicated) for kernel in readers.get(value, ())):
            width = static_size(value.shape) // count
            found[value] = width, batch * width
    return found


def _sums_up_parts(kernel: Kernel, sums: Value, replicated: dict[Value, bool]) -> bool:
    """Whether a kernel does nothing with partial sums but add up the parts."""
    root = kernel.root
    if root is None or root.op != "reduce_sum" or root.operands[0] is not sums or root.attributes["axes"] != (1,):
        return False
    return not _body_reads(kernel, sums, replicated)


def _reads_parts(count: int, kernel: Kernel, source: Value, replicated: dict[Value, bool]) -> bool:
    """Whether a kernel is a product of so many parts of an input, or one whose rows are places in the input's rows."""
    root = kernel.root
    if root is None or root.op != "contract" or _body_reads(kernel, source, replicated):
        return False
    positions = [place for place, operand in enumerate(root.operands) if storage(operand) is source]
    product = matrix_product(root, {})
    if len(positions) != 1 or product is None or product.left != positions[0]:
        return False
    operand = root.operands[product.left]
    if "shared" in root.attributes:
        return operand.rank == 3 and operand.shape[1] == count
    rows = product.rows
    if operand.rank != 2 or rows is None or product.loops or not is_shared(root, rows):
        return False
    return rows.label == labels(root.attributes["specification"])[product.left][1]


def _body_reads(kernel: Kernel, base: Value, replicated: dict[Value, bool]) -> bool:
    return any(storage(access.value) is base for value in kernel.body for access in reads_of(value, replicated))
