"""The fuse pass: a simplified graph in, kernels in a valid order out.

Every value that is computed into memory or registers starts as a kernel of its own; kernels are merged along the
graph's edges while the merged kernel still is one loop nest and no other kernel has to run in between. Elementwise
work joins the matrix product (or other root) whose result it reads, so that it runs while the tile is in L1; row-wise
reductions join the elementwise work on their rows (softmax and cross-entropy become one kernel).
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass

from trainer_cli.compiler.kernels import (
    ALONE,
    LEAF_TENSORS,
    MAPPED,
    ROOTS,
    Access,
    Kernel,
    computes_terms,
    has_own_loop,
    identity_coordinates,
    is_collected,
    is_inline,
    is_replicated,
    is_row_reduction,
    is_unit_reshape,
    reads_of,
    same_element,
    storage,
    time_of,
)
from trainer_cli.compiler.precedence import depends, ordered
from trainer_cli.compiler.stages import stages_of
from trainer_cli.ir.graph import LEAVES, Graph, Value, reachable
from trainer_cli.ir.primitive import BATCH, Shape

__all__ = ["Fusion", "fuse"]


@dataclass
class Fusion:
    """The kernels in a valid order, and for each the kernels that must run before it."""

    kernels: list[Kernel]
    after: dict[Kernel, set[Kernel]]
    replicated: dict[Value, bool]


def fuse(graph: Graph) -> Fusion:
    """Group the values of a graph into kernels."""
    fuser = _Fuser(graph)
    fuser.merge_along_edges()
    fuser.merge_siblings()
    fuser.merge_joins()
    return fuser.finish()


class _Fuser:
    def __init__(self, graph: Graph) -> None:
        self.graph = graph
        self.replicated: dict[Value, bool] = {}
        self.order = reachable(graph.roots())
        self.position = {value: index for index, value in enumerate(self.order)}
        self.forced = self._forced()
        self.home: dict[Value, Kernel] = {}
        self.number: dict[Kernel, int] = {}
        # The place of a kernel's first value, which decides what is tried first.
        self.rank: dict[Kernel, int] = {}
        self.kernels: list[Kernel] = []
        # For each kernel (by number) a bit set of all kernels that must run before it. Bits of kernels that were merged
        # into others stay where they are and mean nothing.
        self.before: dict[int, int] = {}
        # The kernels that read a kernel's values themselves, by the numbers that they began with.
        self.readers: dict[int, set[int]] = {}
        self.merged_into: dict[int, int] = {}
        for value in self.order:
            if self.is_computed(value):
                self._start(value)

    def is_computed(self, value: Value) -> bool:
        """Whether a value gets a kernel (and not a leaf, an inline value, a view or a replicated scalar)."""
        if value in self.forced:
            return True
        if value.op in LEAVES or value.op == "reshape" or is_replicated(value, self.replicated):
            return False
        return not is_inline(value)

    def _forced(self) -> set[Value]:
        """Inline values that need a buffer all the same: a root or a view reads them, or they are results."""
        forced: set[Value] = set()

        def force(value: Value) -> None:
            base = storage(value)
            if base.op in LEAF_TENSORS or (base.op == "constant" and base.shape != ()):
                return
            if is_inline(base) and not is_replicated(base, self.replicated):
                forced.add(base)

        for value in self.order:
            if has_own_loop(value) and not computes_terms(value):
                for operand in value.operands:
                    force(operand)
            if value.op == "reshape" and not is_unit_reshape(value):
                force(value.operands[0])
        for root in self.graph.roots():
            force(root)
        return forced

    def producers(self, value: Value) -> list[tuple[Kernel, Access]]:
        """The kernels that a value reads from."""
        found = []
        for access in reads_of(value, self.replicated):
            base = storage(access.value) if access.value.op == "reshape" else access.value
            home = self.home.get(base)
            if home is not None:
                found.append((home, access))
        return found

    def _start(self, value: Value) -> None:
        if value.op == "project":
            # A loop's kernel writes the buffers of its results.
            self.home[value] = self.home[value.operands[0]]
            return
        row_reduction = is_row_reduction(value)
        domain: Shape = value.operands[0].shape if row_reduction else value.shape
        if value.op == "loop":
            domain = (BATCH,)
        kernel = Kernel(domain, outer=value.rank if row_reduction else None)
        if value.op in ROOTS and not row_reduction:
            kernel.root = value
        else:
            kernel.body.append(value)
        self.home[value] = kernel
        self.number[kernel] = self.rank[kernel] = len(self.kernels)
        self.kernels.append(kernel)
        before, own = 0, self.number[kernel]
        for producer, _ in self.producers(value):
            number = self.number[producer]
            before |= self.before[number] | (1 << number)
            self.readers[number].add(own)
        self.before[own] = before
        self.readers[own] = set()

    def merge_along_edges(self) -> None:
        """Merge each value's kernel with the kernels that it reads from."""
        for value in self.order:
            if value not in self.home:
                continue
            for producer, _ in sorted(self.producers(value), key=lambda found: -self.rank[found[0]]):
                consumer = self.home[value]
                if producer is not consumer and producer in self.number:
                    self.try_merge(producer, consumer)

    def merge_siblings(self) -> None:
        """Merge kernels over the same rows that read the same value and do not depend on each other."""
        readers: dict[Value, list[Value]] = defaultdict(list)
        for value in self.order:
            if value in self.home:
                for access in reads_of(value, self.replicated):
                    if access.coordinates is not None:
                        readers[access.value].append(value)
        for value, reading in readers.items():
            if not value.batched:
                continue
            # Where they are now: merging moves them.
            alive = [kernel for kernel in dict.fromkeys(map(self.home.__getitem__, reading)) if kernel in self.number]
            for index, second in enumerate(alive):
                for first in alive[:index]:
                    if first is not second and first in self.number and second in self.number:
                        a, b = sorted((first, second), key=self.rank.__getitem__)
                        if a.root is None and b.root is None and time_of(a) == time_of(b):
                            self.try_merge(a, b)

    def merge_joins(self) -> None:
        """Let a kernel put together what it computes, where that is all that another kernel would do."""
        for value in self.order:
            join = self.home.get(value)
            if value.op != "concatenate" or join is None or join.computed != [value]:
                continue
            homes = {self.home.get(part) for part in value.operands}
            (home, *others) = homes
            if home is None or others or home is join or home.root is not None or home.outer is not None:
                continue
            one, two = self.number[home], self.number[join]
            fits = home.domain[:1] == (BATCH,) and all(part.shape == home.domain for part in value.operands)
            if fits and not self._needs_between(one, two):
                self._absorb(home, join, home.domain, None)
                home.body.remove(value)
                home.joins.append(value)

    def try_merge(self, first: Kernel, second: Kernel) -> bool:
        """Merge two kernels if the result is one loop nest and nothing has to run between them."""
        shape = self._merged_domain(first, second)
        if shape is None:
            return False
        domain, outer = shape
        one, two = self.number[first], self.number[second]
        if self._needs_between(one, two) or self._needs_between(two, one):
            return False
        inside = {*first.computed, *second.computed}
        for value in second.computed + first.computed:
            for access in reads_of(value, self.replicated):
                base = storage(access.value)
                if base in inside and not same_element(access):
                    return False
        self._absorb(first, second, domain, outer)
        return True

    def _merged_domain(self, first: Kernel, second: Kernel) -> tuple[Shape, int | None] | None:
        if second.root is not None or _is_alone(first):
            return None
        if first.root is not None:
            # The work behind a root runs on parts of its result: no reductions over rows.
            fits = second.outer is None and first.domain == second.domain
            return (first.domain, None) if fits else None
        a, b = (first, second) if len(first.domain) >= len(second.domain) else (second, first)
        if a.domain == b.domain:
            if a.outer is not None and b.outer is not None and a.outer != b.outer:
                return None
            return a.domain, a.outer if a.outer is not None else b.outer
        if a.outer is not None and b.outer is None and b.domain == a.domain[: a.outer]:
            return a.domain, a.outer
        return None

    def _needs_between(self, one: int, two: int) -> bool:
        """Whether a third kernel must run after `one` and before `two`: one that reads `one` itself, then."""
        before = self.before[two]
        return any(before >> reader & 1 for reader in self._readers(one) if reader != two)

    def _readers(self, number: int) -> set[int]:
        """The kernels that read a kernel's values themselves, by their present numbers."""
        found = set()
        for reader in self.readers[number]:
            while reader in self.merged_into:
                reader = self.merged_into[reader]
            found.add(reader)
        self.readers[number] = found
        return found

    def _absorb(self, first: Kernel, second: Kernel, domain: Shape, outer: int | None) -> None:
        """Make one kernel of two. It takes the later one's number, which all that comes behind that one knows."""
        one, two = self.number[first], self.number[second]
        first.domain, first.outer = domain, outer
        first.body = sorted({*first.body, *second.body}, key=self.position.__getitem__)
        for value in second.computed:
            self.home[value] = first
        gone, kept = (two, one) if self.before[one] >> two & 1 else (one, two)
        apart = not self.before[kept] >> gone & 1
        readers = self._readers(gone) - {kept}
        own = (self.before.pop(gone) | self.before[kept]) & ~(1 << gone | 1 << kept)
        self.before[kept] = own
        self.readers[kept] = (self._readers(kept) - {gone}) | readers
        self.merged_into[gone] = kept
        # What came behind one of them alone comes behind both now.
        gained = own | 1 << kept
        if apart:
            for number, before in self.before.items():
                if (before >> gone | before >> kept) & 1:
                    self.before[number] = before | gained
        waiting = list(readers)
        while waiting and not apart:
            number = waiting.pop()
            if not self.before[number] >> kept & 1:
                self.before[number] |= gained
                waiting.extend(self._readers(number))
        del self.number[second]
        self.number[first] = kept

    def finish(self) -> Fusion:
        """Decide what is stored, written in place and added up, and order the kernels."""
        alive = [kernel for kernel in self.kernels if kernel in self.number]
        for kernel in alive:
            self._collect_reads(kernel)
            if kernel.outer is not None:
                # In their order, not a set's: the plan's text must be the same in every process, or no cache finds it.
                for value in sorted(stages_of(kernel, self.replicated).crossing, key=self.position.__getitem__):
                    self._store(value)
            if kernel.root is not None and is_collected(kernel.root):
                self._store(kernel.root)
        for total, value in self.graph.outputs.items():
            if value.batched:
                self._store(value)
            else:
                home = self.home.get(value)
                if home is None or _is_alone(home):
                    home = self._copy_of(value)
                    alive.append(home)
                home.totals.append((value, total))
        after = {kernel: self._direct(kernel) for kernel in alive}
        readers: dict[str, set[Kernel]] = defaultdict(set)
        for kernel in alive:
            for name in _leaves_read(kernel):
                readers[name].add(kernel)
        for name, value in self.graph.updates.items():
            self._write(alive, after, readers, name, value)
        return Fusion(ordered(alive, after), after, self.replicated)

    def _collect_reads(self, kernel: Kernel) -> None:
        inside = set(kernel.computed)
        reads: dict[Value, None] = {}
        for value in kernel.computed:
            for access in reads_of(value, self.replicated):
                base = storage(access.value)
                if base in inside and value not in (kernel.root,) and value.op not in MAPPED:
                    continue
                reads[access.value] = None
                self._store(base)
        kernel.reads = list(reads)

    def _store(self, value: Value) -> None:
        base = storage(value)
        home = self.home.get(base)
        if home is not None and base not in home.stores:
            home.stores.append(base)

    def _copy_of(self, value: Value) -> Kernel:
        """A kernel that computes nothing and hands a value on."""
        self._store(value)
        return Kernel(value.shape, reads=[] if is_replicated(value, self.replicated) else [value])

    def _direct(self, kernel: Kernel) -> set[Kernel]:
        found = {self.home[base] for base in map(storage, kernel.reads) if base in self.home}
        return found - {kernel}

    def _write(
        self,
        alive: list[Kernel],
        after: dict[Kernel, set[Kernel]],
        readers_of: dict[str, set[Kernel]],
        name: str,
        value: Value,
    ) -> None:
        """Write a weight's next value in place where every reader of the old one can run before, else by a copy."""
        readers = set(readers_of[name])
        # Seen in another shape, a value still has its elements in the same order.
        base = storage(value)
        home = self.home.get(base)
        others = readers - {home}
        if home is not None and home.outer is None and home.domain == base.shape and not _is_alone(home):
            elsewhere = home in readers and not self._reads_in_place(home, name)
            if not elsewhere and not any(depends(reader, home, after) for reader in others):
                home.updates.append((base, name))
                after[home] |= others
                return
        copy = self._copy_of(value)
        copy.updates.append((value, name))
        alive.append(copy)
        for leaf in _leaves_read(copy):
            readers_of[leaf].add(copy)
        source = self.home.get(storage(value))
        after[copy] = readers | ({source} if source is not None else set())

    def _reads_in_place(self, kernel: Kernel, name: str) -> bool:
        """Whether a kernel reads a leaf only at the element that it computes."""
        for value in kernel.computed:
            for access in reads_of(value, self.replicated):
                base = storage(access.value)
                if base.op in LEAF_TENSORS and base.name == name and not _in_place(kernel, access):
                    return False
        return True


def _is_alone(kernel: Kernel) -> bool:
    """Whether no work may follow in a kernel."""
    return kernel.root is not None and kernel.root.op in ALONE


def _in_place(kernel: Kernel, access: Access) -> bool:
    """Whether an access reads the place of the element that is being computed, in whatever shape it sees it."""
    here = identity_coordinates(access.value.shape)
    return same_element(access) or (access.value.shape == kernel.domain and access.coordinates == here)


def _leaves_read(kernel: Kernel) -> set[str]:
    """The names of the weights, states and inputs that a kernel reads."""
    return {base.name for base in map(storage, kernel.reads) if base.op in LEAF_TENSORS}
