"""The partition pass: fused kernels in, the split of every kernel over threads and regions between barriers out.

A value with a batch axis is split by rows, one without by slices of its first axis. A kernel runs on the split of its
result. Two kernels that touch one buffer, at least one of them writing, need a barrier between them unless both stay in
the same slices of it. Kernels are placed in the earliest region that this rule allows.

Threads take whole blocks of a split. Where a block begins depends on the shape alone, and the code that runs for a
block never depends on the thread that runs it: that is why any thread count gives the same bits.
"""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass
from typing import Literal, TypeAlias

from trainer_cli.compiler.fuse import Fusion
from trainer_cli.compiler.kernels import (
    Access,
    Kernel,
    has_own_loop,
    is_private,
    reads_of,
    storage,
    time_of,
)
from trainer_cli.ir.graph import Value
from trainer_cli.ir.ops.products import label_extents, labels, shared_label
from trainer_cli.ir.primitive import BATCH, IRError, Shape

ROW_BLOCK = 8
"""Rows of a block; the height of the matrix products' panels."""

FLAT_BLOCK = 64
"""Elements of a block where the first axis is nearly all there is: one cache line of bytes, four vectors of floats."""


@dataclass(frozen=True)
class Split:
    """How threads share a kernel: `rows` of the batch, `slices` of a first axis of `extent`, `parts` of a sum, of which
    there are `extent`, or `single`: thread 0; a `private` one is computed as a whole by every thread."""

    kind: Literal["rows", "slices", "parts", "single", "private"]
    extent: int = 0
    block: int = ROW_BLOCK


@dataclass(frozen=True)
class LeafBuffer:
    """The memory of a weight or a state, by name; it lives outside the arena."""

    name: str


@dataclass(frozen=True)
class TotalBuffer:
    """The epoch's total of that name."""

    name: str


BufferKey: TypeAlias = Value | LeafBuffer | TotalBuffer
"""What memory a kernel touches: a value's place in the arena, a leaf, a total."""


@dataclass(frozen=True)
class Touch:
    """A kernel's use of a buffer: written or read, and whether it stays in its own slices of the first axis."""

    buffer: BufferKey
    writes: bool
    own: bool


@dataclass
class Region:
    """Kernels that run without a barrier between them."""

    kernels: list[Kernel]


@dataclass
class Partition:
    """Regions in order (a barrier stands after each) and the split of every kernel.

    Each thread gathers the rows of the inputs that are its own, of those in `gathers` its parts of all rows.
    """

    regions: list[Region]
    splits: dict[Kernel, Split]
    touches: dict[Kernel, list[Touch]]
    replicated: dict[Value, bool]
    gathers: dict[Value, Split]

    @property
    def kernels(self) -> list[Kernel]:
        return [kernel for region in self.regions for kernel in region.kernels]


def split_of(shape: Shape) -> Split:
    """The split of a kernel over a domain."""
    if not shape:
        return Split("single")
    if shape[0] is BATCH:
        return Split("rows")
    extent = int(shape[0])
    width = math.prod(int(other) for other in shape[1:])
    if extent * width < FLAT_BLOCK:
        return Split("single")
    return Split("slices", extent, ROW_BLOCK if width >= ROW_BLOCK else FLAT_BLOCK)


def _split(kernel: Kernel) -> Split:
    """By what its domain is, unless the root names the axis that threads share, or gives a sum for every few rows."""
    root = kernel.root
    if root is not None and root.op == "subtotals":
        return Split("rows")
    if root is None and any(is_private(value) for value in kernel.body):
        return Split("private", int(kernel.domain[0]))
    if root is not None and "shared" in root.attributes:
        return Split("parts", int(label_extents(root)[root.attributes["shared"]]), 1)
    return split_of(kernel.domain)


def partition(fusion: Fusion) -> Partition:
    """Place every kernel in a region. Raises IRError if a hazard is left."""
    splits = {kernel: _split(kernel) for kernel in fusion.kernels}
    touches = {kernel: _touches(kernel, fusion.replicated) for kernel in fusion.kernels}
    gathers = {
        touch.buffer: splits[kernel]
        for kernel in fusion.kernels
        for touch in touches[kernel]
        if splits[kernel].kind == "parts" and isinstance(touch.buffer, Value) and touch.buffer.op == "input"
    }
    region_of: dict[Kernel, int] = {}
    for kernel in fusion.kernels:
        region = 1 if _awaits_inputs(kernel, splits[kernel], touches[kernel], gathers) else 0
        for earlier in fusion.after[kernel]:
            barrier = _conflict(earlier, kernel, splits, touches)
            region = max(region, region_of[earlier] + (1 if barrier else 0))
        region_of[kernel] = region
    _put_off(fusion, splits, touches, region_of)
    regions = [Region([]) for _ in range(1 + max(region_of.values(), default=0))]
    # What threads compute for themselves needs weights alone: it comes first.
    for kernel in sorted(fusion.kernels, key=lambda kernel: splits[kernel].kind != "private"):
        regions[region_of[kernel]].kernels.append(kernel)
    result = Partition(regions, splits, touches, fusion.replicated, gathers)
    _verify(result, fusion, region_of)
    return result


def _put_off(
    fusion: Fusion, splits: dict[Kernel, Split], touches: dict[Kernel, list[Touch]], region_of: dict[Kernel, int]
) -> None:
    """Move kernels that make values again to the last region that those who read them allow."""
    for kernel in reversed(fusion.kernels):
        if time_of(kernel) is None:
            continue
        bounds = [
            region_of[later] - (1 if _conflict(kernel, later, splits, touches) else 0)
            for later in fusion.kernels
            if kernel in fusion.after[later]
        ]
        region_of[kernel] = max(region_of[kernel], min(bounds, default=0))


def buffer_of(value: Value) -> BufferKey:
    """The key of the buffer that a value lives in."""
    base = storage(value)
    if base.op in ("weight", "state"):
        return LeafBuffer(base.name)
    return base


def _touches(kernel: Kernel, replicated: dict[Value, bool]) -> list[Touch]:
    found: dict[tuple[BufferKey, bool], bool] = {}
    inside = set(kernel.computed)

    def touch(buffer: BufferKey, writes: bool, own: bool) -> None:
        found[buffer, writes] = found.get((buffer, writes), True) and own

    for value in kernel.computed:
        for position, access in enumerate(reads_of(value, replicated)):
            base = storage(access.value)
            if base.op == "constant" or (base in inside and access.value in inside):
                continue
            touch(buffer_of(access.value), False, _stays_own(kernel, value, access, position))
    for read in kernel.reads:
        if (buffer_of(read), False) not in found and storage(read).op != "constant":
            touch(buffer_of(read), False, read.shape == kernel.domain)
    for value in kernel.stores:
        touch(buffer_of(value), True, True)
    for _, name in kernel.updates:
        touch(LeafBuffer(name), True, True)
    for _, name in kernel.totals:
        touch(TotalBuffer(name), True, True)
    return [Touch(buffer, writes, own) for (buffer, writes), own in found.items()]


def _stays_own(kernel: Kernel, value: Value, access: Access, position: int) -> bool:
    if value.op == "subtotals":
        return access.value.batched
    if not kernel.domain or not access.value.shape or access.value.shape[0] != kernel.domain[0]:
        return False
    if has_own_loop(value):
        return _root_stays_own(value, position)
    return access.coordinates is not None and access.coordinates[0] == "i0"


def _root_stays_own(root: Value, position: int) -> bool:
    """Whether a root reads of this operand only the slices of the first axis, or the parts, that it writes."""
    if root.op == "contract":
        own, shared = labels(root.attributes["specification"])[position], shared_label(root)
        return shared in own if "shared" in root.attributes else own[:1] == shared != ""
    if root.op in ("reduce_sum", "reduce_max"):
        return 0 not in root.attributes["axes"]
    if root.op == "loop":
        return root.operands[position].batched
    return root.batched and root.operands[position].batched


def _conflict(first: Kernel, second: Kernel, splits: dict[Kernel, Split], touches: dict[Kernel, list[Touch]]) -> bool:
    """Whether two kernels touch a buffer, one of them writing, outside slices that one thread owns in both."""
    if splits[first].kind == splits[second].kind == "single":
        return False
    aligned = splits[first] == splits[second]
    known: dict[BufferKey, list[Touch]] = {}
    for touch in touches[first]:
        known.setdefault(touch.buffer, []).append(touch)
    for later in touches[second]:
        if isinstance(later.buffer, Value) and is_private(later.buffer):
            continue
        for earlier in known.get(later.buffer, ()):
            if (earlier.writes or later.writes) and not (aligned and earlier.own and later.own):
                return True
    return False


def _awaits_inputs(kernel: Kernel, split: Split, touches: list[Touch], gathers: dict[Value, Split]) -> bool:
    """Whether a kernel reads what other threads gather of an input: they do so when a step begins."""
    return any(
        isinstance(touch.buffer, Value)
        and touch.buffer.op == "input"
        and not (touch.own and split == gathers.get(touch.buffer, Split("rows")))
        for touch in touches
    )


def _verify(result: Partition, fusion: Fusion, region_of: dict[Kernel, int]) -> None:
    """Every pair with a conflict is apart by a barrier, in the right order, whatever the pass above believed."""
    placed = result.kernels
    if len(placed) != len(fusion.kernels) or set(placed) != set(fusion.kernels):
        raise IRError("every kernel belongs in one region")
    written: set[BufferKey] = set()
    for second in placed:
        if region_of[second] == 0 and _awaits_inputs(
            second, result.splits[second], result.touches[second], result.gathers
        ):
            raise IRError(f"no barrier between the inputs and `{second.label}`")
        # Arena: read after the write. Weights and states: the old value is read, so before the write.
        for touch in result.touches[second]:
            if isinstance(touch.buffer, LeafBuffer) and touch.buffer in written:
                raise IRError(f"`{second.label}` comes after the update of {touch.buffer.name}")
        written |= {touch.buffer for touch in result.touches[second] if touch.writes}
    for region in result.regions:
        # Only those that touch one buffer can be in each other's way.
        users: dict[BufferKey, dict[Kernel, bool]] = {}
        for kernel in region.kernels:
            for touch in result.touches[kernel]:
                known = users.setdefault(touch.buffer, {})
                known[kernel] = known.get(kernel, False) or touch.writes
        for known in users.values():
            for first, second in itertools.combinations(known, 2):
                if (known[first] or known[second]) and _conflict(first, second, result.splits, result.touches):
                    raise IRError(f"no barrier between `{first.label}` and `{second.label}`")
    done: set[Kernel] = set()
    for kernel in placed:
        if not fusion.after[kernel] <= done:
            raise IRError(f"`{kernel.label}` runs before what it reads")
        done.add(kernel)
