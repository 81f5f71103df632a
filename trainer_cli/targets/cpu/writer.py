"""The kernel writer: a kernel in, its parameters by need and the lines that write its results out.

The files that write one kind of kernel each share it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from trainer_cli.compiler.kernels import (
    MAPPED,
    Coordinates,
    Kernel,
    identity_coordinates,
    reads_counter,
    reads_of,
    storage,
)
from trainer_cli.compiler.partition import BufferKey, LeafBuffer, TotalBuffer, buffer_of
from trainer_cli.ir.graph import Value
from trainer_cli.ir.primitive import BATCH, Shape
from trainer_cli.targets.cpu.expressions import Elements, Lines, Steps, linear_index
from trainer_cli.targets.cpu.program import Export, Unit

KERNEL_HEAD = """import math

from trainer_cli.targets.cpu.convolution import convolution, kernel_gradient
from trainer_cli.targets.cpu.mathematics import (
    cos, erf, exp, expm1, log, log1p, logistic, power, reciprocal, sin, tanh,
)
from trainer_cli.targets.cpu.runtime import (
    INFINITY, NAN, add_up, double_bits, double_pointer, float32, float64, floor, inline_attributes, int32, int64,
    kernel_attributes, larger, linked, offset, product, random_uniform, sign, sqrt, stack_floats, tiles, uint8,
    word_pointer,
)
from trainer_cli.targets.cpu.winograd import winograd, winograd_gradient


"""
"""What the text of every unit begins with."""


def _pointer_kind(key: BufferKey) -> str:
    """What a parameter that names a buffer is."""
    if isinstance(key, TotalBuffer):
        return "double*"
    if isinstance(key, LeafBuffer):
        return "float*"
    return "byte*" if key.dtype == "bool" else f"{key.dtype}*"


@dataclass
class KernelSource:
    """The text of a kernel, with what its parameters stand for.

    `definitions` are function definitions in which `{name}` stands for the kernel's name. The main function is
    `{name}(begin, end, rows, *pointers, *scalars)`; begin and end count the first axis of the domain. `whole` kernels
    are called once for all blocks of a thread, others once per block.
    """

    definitions: str
    pointers: list[BufferKey]
    scalars: list[Value]
    whole: bool

    @property
    def unit(self) -> Unit:
        """The unit that exports the kernel."""
        parameters = [*map(_pointer_kind, self.pointers), *(value.dtype for value in self.scalars)]
        text = KERNEL_HEAD + self.definitions.replace("{name}", "entry")
        return Unit(text, (Export(parameters=tuple(parameters)),))


@dataclass
class KernelWriter:
    """One kernel while it is written."""

    kernel: Kernel
    replicated: dict[Value, bool]
    lines: Lines = field(default_factory=lambda: Lines(1))
    pointers: dict[BufferKey, str] = field(default_factory=dict)
    scalars: dict[Value, str] = field(default_factory=dict)
    here: str = "here"
    # Of values whose rows do not follow each other in memory, the elements between two rows, and those along more axes.
    apart: Steps = field(default_factory=dict)
    # Coordinates that a loop over several axes at once counts together with the one behind them.
    absorbed: set[str] = field(default_factory=set)
    # Whether every call is for all of the result: no thread has a part of it.
    undivided: bool = False
    # Values that are written over others, and these: both go by one pointer, since no two may point to one place.
    replaced: Mapping[Value, Value] = field(default_factory=dict)

    def pointer(self, key: BufferKey) -> str:
        place = self.replaced.get(key, key) if isinstance(key, Value) else key
        return self.pointers.setdefault(place, f"p{len(self.pointers)}")

    def pointer_of(self, value: Value) -> str:
        return self.pointer(buffer_of(value))

    def scalar(self, value: Value) -> str:
        return self.scalars.setdefault(value, f"s{len(self.scalars)}")

    def index(self, value: Value, coordinates: Coordinates) -> str:
        if value.shape == self.kernel.domain and coordinates == identity_coordinates(value.shape):
            return self.here
        return linear_index(value.shape, ["0" if name in self.absorbed else name for name in coordinates])

    def place(self, value: Value, coordinates: Coordinates) -> str:
        """Where an element of a stored value lies in its buffer."""
        apart = self.apart.get(storage(value))
        if apart is None:
            return self.index(value, coordinates)
        return linear_index(value.shape, ["0" if name in self.absorbed else name for name in coordinates], apart)

    @property
    def lies_apart(self) -> bool:
        """Whether the rows of something that the kernel reads or stores do not follow each other."""
        return any(storage(value) in self.apart for value in (*self.kernel.reads, *self.kernel.stores))

    def elements(self) -> Elements:
        return Elements(self.lines, self.replicated, self.pointer_of, self.scalar, self.index, self.place)

    def declare(self) -> None:
        """Give the buffers that are written their parameters, whatever order the lines come to need them in."""
        for value in self.kernel.stores:
            self.pointer_of(value)
        for _, name in self.kernel.updates:
            self.pointer(LeafBuffer(name))
        for _, name in self.kernel.totals:
            self.pointer(TotalBuffer(name))

    def write_results(self, elements: Elements, shape: Shape, place: str) -> None:
        """Store, update and add up the values of this shape at the current element."""
        coordinates = identity_coordinates(shape)
        for value in self.kernel.stores:
            if value.shape == shape and value in elements.local:
                there = self.place(value, coordinates) if value in self.apart else place
                stored = stored_form(value, elements.local[value])
                self.lines.add(f"{self.pointer_of(value)}[{there}] = {stored}")
        for value in self.kernel.joins:
            self._write_parts(elements, value)
        for value, name in self.kernel.updates:
            if value.shape == shape and (value in elements.local or not self.computes(value)):
                read = elements.read(value, coordinates)
                self.lines.add(f"{self.pointer(LeafBuffer(name))}[{place}] = {read}")
        for value, name in self.kernel.totals:
            if value.shape == shape and (value in elements.local or not self.computes(value)):
                read = elements.read(value, coordinates)
                self.lines.add(f"{self.pointer(TotalBuffer(name))}[{place}] += {read}")

    def _write_parts(self, elements: Elements, join: Value) -> None:
        """Store the parts of a concatenation, computed at the current element, where each belongs."""
        axis, start = join.attributes["axis"], 0
        for part in join.operands:
            coordinates = list(identity_coordinates(part.shape))
            coordinates[axis] = f"({coordinates[axis]} + {start})"
            there = self.place(join, tuple(coordinates))
            self.lines.add(f"{self.pointer_of(join)}[{there}] = {stored_form(join, elements.local[part])}")
            start += int(part.shape[axis])  # type: ignore[call-overload]

    def computes(self, value: Value) -> bool:
        return value in self.kernel.computed

    def body(self, elements: Elements) -> None:
        """Compute the whole body at the current element and write its results."""
        coordinates = identity_coordinates(self.kernel.domain)
        for value in self.kernel.body:
            elements.define(value, coordinates)
        self.write_results(elements, self.kernel.domain, self.here)

    def needed_axes(self) -> set[int]:
        """The axes of the domain whose coordinate some line will name."""
        domain = self.kernel.domain
        needed: set[int] = set()
        if self.kernel.joins or any(value in self.apart for value in self.kernel.stores):
            needed |= {axis for axis, extent in enumerate(domain) if extent != 1}
        for value in self.kernel.body:
            if value.op in MAPPED or reads_counter(value):
                return {axis for axis, extent in enumerate(domain) if extent != 1}
            for access in reads_of(value, self.replicated):
                here = access.value.shape == domain and access.coordinates == identity_coordinates(domain)
                if here and storage(access.value) not in self.apart:
                    continue
                needed |= {int(name[1:]) for name in access.coordinates or () if name.startswith("i")}
        return needed

    def finish(self, before: str = "", *, whole: bool) -> KernelSource:
        """The kernel's text around the lines written; `before` are definitions that it calls."""
        parameters = ["begin", "end", "rows", *self.pointers.values(), *self.scalars.values()]
        head = ["@linked", f"def {{name}}({', '.join(parameters)}):", "    kernel_attributes()"]
        text = "\n".join([*head, *self.lines.lines, ""])
        return KernelSource(before + text, list(self.pointers), list(self.scalars), whole)


def stored_form(value: Value, name: str) -> str:
    return f"uint8({name})" if value.dtype == "bool" else name


def static_extent(shape: Shape) -> tuple[int, bool]:
    """Elements of a shape without its batch axis, and whether it has one."""
    size = 1
    for extent in shape:
        size *= 1 if extent is BATCH else int(extent)  # type: ignore[call-overload]
    return size, any(extent is BATCH for extent in shape)


def coordinate_of(shape: Shape, axis: int) -> str:
    """A coordinate from the linear index `here`."""
    inner, _ = static_extent(shape[axis + 1 :])
    moved = "here" if inner == 1 else f"here // {inner}"
    return moved if axis == 0 else f"({moved}) % {shape[axis]}"
