"""The memory pass: a partition and a batch size in, a schedule with the place of every buffer in the arena out.

Buffers whose regions do not overlap share memory. What only one group of kernels touches, which goes through the rows
in chunks, has room for a chunk in the memory of each thread, and none in the arena. Weights, states and data live
elsewhere.
"""

from __future__ import annotations

from dataclasses import dataclass

from trainer_cli.compiler.chunk import Group, row_bytes
from trainer_cli.compiler.kernels import Kernel, storage
from trainer_cli.compiler.layout import ALIGNMENT, ITEM_SIZE, elements
from trainer_cli.compiler.partition import Partition
from trainer_cli.ir.graph import Graph, Value
from trainer_cli.ir.primitive import BATCH, IRError


@dataclass(frozen=True)
class Buffer:
    """The place of a value in the arena: first byte, bytes, and the regions between which it is alive.

    In the memory of a thread: the same, with the kernels of a group in place of regions.
    """

    value: Value
    offset: int
    size: int
    first: int
    last: int


@dataclass
class Schedule:
    """Everything a target needs to emit one step: graph, regions, splits, buffers.

    `groups` has the kernels of each region by chunks of rows. `local` are buffers of a chunk's rows, in `local_size`
    bytes that every thread has for itself.
    """

    graph: Graph
    partition: Partition
    buffers: dict[Value, Buffer]
    arena: int
    batch_size: int
    groups: list[list[Group]]
    local: dict[Value, Buffer]
    local_size: int

    @property
    def barriers(self) -> int:
        """Barriers of one step, the one at its end included."""
        return len(self.partition.regions)


def plan_memory(graph: Graph, partition: Partition, batch_size: int, groups: list[list[Group]]) -> Schedule:
    """Give every stored value and every input of a batch a place in the arena or in the memory of threads."""
    local = _local_buffers(graph, groups)
    alive: dict[Value, list[int]] = {}
    for value in graph.leaves("input").values():
        alive[value] = [0, len(partition.regions) - 1]
    for number, region in enumerate(partition.regions):
        for kernel in region.kernels:
            for value in [*kernel.stores, *_inside(kernel)]:
                alive.setdefault(storage(value), [number, number])[1] = number
            for value in kernel.reads:
                base = storage(value)
                if base in alive:
                    alive[base][1] = max(alive[base][1], number)
    for value in graph.outputs.values():
        if value.batched and storage(value) in alive:
            # A batched output is read by the caller after the step.
            alive[storage(value)][1] = len(partition.regions) - 1
    for value in local:
        alive.pop(value, None)
    buffers: dict[Value, Buffer] = {}
    placed: list[Buffer] = []
    largest_first = sorted(alive, key=lambda value: (-_bytes(value, batch_size), value.index))
    for value in largest_first:
        first, last = alive[value]
        size = _bytes(value, batch_size)
        offset = _lowest_gap([other for other in placed if first <= other.last and other.first <= last], size)
        buffers[value] = Buffer(value, offset, size, first, last)
        placed.append(buffers[value])
    arena = max((buffer.offset + buffer.size for buffer in placed), default=ALIGNMENT)
    local_size = max((buffer.offset + buffer.size for buffer in local.values()), default=0)
    schedule = Schedule(graph, partition, buffers, arena, batch_size, groups, local, local_size)
    _verify(schedule)
    return schedule


def _local_buffers(graph: Graph, groups: list[list[Group]]) -> dict[Value, Buffer]:
    """Places in a thread's memory of values that one group alone touches, chunk by chunk."""
    users: dict[Value, set[int]] = {}
    everything = [group for region in groups for group in region]
    for number, group in enumerate(everything):
        for kernel in group.kernels:
            for value in (*kernel.reads, *kernel.stores, *_inside(kernel)):
                users.setdefault(storage(value), set()).add(number)
    kept = {storage(value) for value in graph.outputs.values()} | set(graph.leaves("input").values())
    local: dict[Value, Buffer] = {}
    for number, group in enumerate(everything):
        if group.rows:
            local |= _places(group, {value for value, used in users.items() if used == {number}} - kept)
    # Behind what groups use in turn: copies that stay for the whole step.
    end = max((buffer.offset + buffer.size for buffer in local.values()), default=0)
    for value in (
        value for group in everything if group.private for kernel in group.kernels for value in kernel.stores
    ):
        local[value] = Buffer(value, end, _bytes(value, 0), 0, len(everything))
        end += local[value].size
    return local


def _places(group: Group, candidates: set[Value]) -> dict[Value, Buffer]:
    alive: dict[Value, list[int]] = {}
    for number, kernel in enumerate(group.kernels):
        for value in [*kernel.stores, *_inside(kernel)]:
            base = storage(value)
            if base in candidates and base.shape and base.shape[0] is BATCH:
                alive.setdefault(base, [number, number])
        for value in (*kernel.reads, *kernel.stores, *_inside(kernel)):
            if storage(value) in alive:
                alive[storage(value)][1] = number
    places: dict[Value, Buffer] = {}
    for value in sorted(alive, key=lambda value: (-row_bytes(value), value.index)):
        first, last = alive[value]
        size = -(-max(1, group.rows * row_bytes(value)) // ALIGNMENT) * ALIGNMENT
        near = [other for other in places.values() if first <= other.last and other.first <= last]
        places[value] = Buffer(value, _lowest_gap(near, size), size, first, last)
    return places


def _inside(kernel: Kernel) -> list[Value]:
    """What the steps of a loop need memory for: carried values and slices, and what its body stores."""
    if kernel.inner is None or kernel.root is None:
        return []
    attributes = kernel.root.attributes
    stepwise = kernel.inner.parameters[: attributes["carries"] + attributes["sequences"]]
    found = [value for value in stepwise if value is not None]
    for inner in kernel.inner.kernels:
        found += [value for value in inner.stores if value not in kernel.inner.replaced]
        found += _inside(inner)
    return found


def _bytes(value: Value, batch_size: int) -> int:
    if value.dtype not in ITEM_SIZE:
        raise IRError(f"no buffer holds the results of {value!r}")
    size = max(1, elements(value.shape, batch_size)) * ITEM_SIZE[value.dtype]
    return -(-size // ALIGNMENT) * ALIGNMENT


def _lowest_gap(occupied: list[Buffer], size: int) -> int:
    offset = 0
    for buffer in sorted(occupied, key=lambda buffer: buffer.offset):
        if buffer.offset - offset >= size:
            break
        offset = max(offset, buffer.offset + buffer.size)
    return offset


def _verify(schedule: Schedule) -> None:
    """No two live buffers overlap; every kernel reads buffers that are alive."""
    _verify_apart(list(schedule.buffers.values()))
    for group in (group for region in schedule.groups for group in region):
        inside = {storage(value) for kernel in group.kernels for value in (*kernel.stores, *_inside(kernel))}
        _verify_apart([buffer for value, buffer in schedule.local.items() if value in inside])
    written = {storage(value) for value in schedule.graph.leaves("input").values()}
    for number, region in enumerate(schedule.partition.regions):
        for kernel in region.kernels:
            for value in kernel.reads:
                base = storage(value)
                if base in schedule.local and base not in written:
                    raise IRError(f"`{kernel.label}` reads {base!r} before it is written")
                buffer = schedule.buffers.get(base)
                if buffer is None:
                    continue
                if base not in written or not buffer.first <= number <= buffer.last:
                    raise IRError(f"`{kernel.label}` reads {base!r} while it is not alive")
            written.update(storage(value) for value in kernel.stores)


def _verify_apart(known: list[Buffer]) -> None:
    """Buffers that are alive at once do not overlap, and all are aligned."""
    buffers = sorted(known, key=lambda buffer: buffer.offset)
    for index, one in enumerate(buffers):
        if one.offset % ALIGNMENT:
            raise IRError(f"the buffer of {one.value!r} is not aligned")
        for other in buffers[index + 1 :]:
            if other.offset >= one.offset + one.size:
                break
            if one.first <= other.last and other.first <= one.last:
                raise IRError(f"the buffers of {one.value!r} and {other.value!r} overlap")
