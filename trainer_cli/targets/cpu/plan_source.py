"""Plan source: a schedule in, one self-contained Numba module with the function that every thread runs out.

`run(thread, threads, table)` runs a slice of an epoch: all its steps, with the barriers between regions. The table of
64-bit words holds every address and number that it needs; `Table` names its places.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from trainer_cli.compiler.kernels import Kernel, LoopPlan, storage
from trainer_cli.compiler.memory import Schedule
from trainer_cli.compiler.partition import BufferKey, LeafBuffer, Split, buffer_of
from trainer_cli.compiler.trace import InputSpec
from trainer_cli.ir.graph import Value
from trainer_cli.ir.ops.structure import static_size
from trainer_cli.ir.primitive import IRError
from trainer_cli.targets.cpu.expressions import Lines
from trainer_cli.targets.cpu.kernel_source import KernelSource, write_kernel
from trainer_cli.targets.cpu.scalar_source import scalar_expression

FIXED = (
    "arena",
    "barrier",
    "order",
    "count",
    "first_step",
    "seed",
    "hyperparameters",
    "totals",
    "status",
)


@dataclass
class Table:
    """Where the words of the table stand. `data` are addresses of the inputs' rows, `leaves` of weights and states,
    `outputs` of the arrays for batched outputs.

    `hyperparameters` and `totals` are places within the arrays of doubles that two of the fixed words point to.
    """

    data: dict[str, int] = field(default_factory=dict)
    leaves: dict[str, int] = field(default_factory=dict)
    outputs: dict[str, int] = field(default_factory=dict)
    constants: list[Value] = field(default_factory=list)
    hyperparameters: dict[str, int] = field(default_factory=dict)
    totals: dict[str, tuple[int, int]] = field(default_factory=dict)

    @property
    def size(self) -> int:
        return len(FIXED) + len(self.data) + len(self.leaves) + len(self.outputs) + len(self.constants)

    def place(self, name: str) -> int:
        return FIXED.index(name)

    def constant_place(self, value: Value) -> int:
        return self.size - len(self.constants) + self.constants.index(value)


@dataclass
class PlanSource:
    """The text of a plan's module and the layout of its table."""

    text: str
    table: Table


HEADER = '''"""A training plan, generated. {what}"""

import math

from numba import njit, types

from trainer_cli.targets.cpu.convolution import convolution, kernel_gradient
from trainer_cli.targets.cpu.mathematics import cos, erf, exp, expm1, log, log1p, logistic, power, sin, tanh
from trainer_cli.targets.cpu.runtime import (
    INFINITY, NAN, OPTIONS, bool_pointer, byte_pointer, copy_rows, double_pointer, float32, float64, float_pointer,
    floor, flush_subnormals, gather_bytes, gather_floats, inline_attributes, int32, int64, int_pointer,
    kernel_attributes, linked, offset, product, put_step, random_uniform, restore_float_state, share, sign, sqrt,
    stack_floats, take_step, uint8, wait_for_all, word_pointer,
)
'''


def reads_bytes(value: Value, inputs: Mapping[str, InputSpec]) -> bool:
    """Whether an input is stored as bytes that become scaled floats when they are gathered."""
    return value.dtype == "float" and value.name in inputs and inputs[value.name].dtype == "uint8"


def write_plan(schedule: Schedule, inputs: Mapping[str, InputSpec], what: str = "") -> PlanSource:
    """Write the module of a schedule; `inputs` go by their leaves' names. Raises IRError for what cannot be emitted."""
    return _PlanWriter(schedule, inputs, what).write()


class _PlanWriter:
    def __init__(self, schedule: Schedule, inputs: Mapping[str, InputSpec], what: str) -> None:
        self.schedule = schedule
        self.inputs = inputs
        self.what = what
        self.graph = schedule.graph
        self.table = Table()
        self.scalars: dict[Value, str] = {}
        self.sources: dict[Kernel, KernelSource] = {}
        self.names: dict[Kernel, str] = {}
        # What the parameters of a loop's body stand for, where they are no buffers of their own.
        self.captured: dict[Value, Value] = {}
        self.lines = Lines(1)

    def write(self) -> PlanSource:
        kernels = list(_with_bodies(self.schedule.partition.kernels, self.schedule.partition.replicated))
        self.sources = {kernel: write_kernel(kernel, replicated) for kernel, replicated in kernels if not kernel.inner}
        self._lay_out()
        definitions, self.names = _definitions(self.sources)
        self._open()
        with self.lines.block("for n in range(steps):"):
            self._step()
        self.lines.add("if thread == 0:")
        self.lines.add("    status[1] = done")
        self.lines.add("restore_float_state(float_state)")
        head = [
            "@njit(types.void(types.intp, types.intp, types.CPointer(types.intp)), **OPTIONS)",
            "def run(thread, threads, table):",
        ]
        body = "\n".join([*head, *self.lines.lines, ""])
        return PlanSource("\n\n".join([HEADER.format(what=self.what), *definitions, body]), self.table)

    def _lay_out(self) -> None:
        table = self.table
        place = len(FIXED)
        for name in self.graph.leaves("input"):
            table.data[name] = place
            place += 1
        leaves = {**self.graph.leaves("weight"), **self.graph.leaves("state")}
        for name in [*leaves, *(name for name in self.graph.updates if name not in leaves)]:
            table.leaves[name] = place
            place += 1
        for name, value in self.graph.outputs.items():
            if value.batched:
                table.outputs[name] = place
                place += 1
        for source in self.sources.values():
            for key in source.pointers:
                if isinstance(key, Value) and key.op == "constant" and key not in table.constants:
                    table.constants.append(key)
        for number, name in enumerate(self.graph.leaves("hyperparameter")):
            table.hyperparameters[name] = number
        start = 0
        for name, value in self.graph.outputs.items():
            if not value.batched:
                size = max(1, static_size(value.shape))
                table.totals[name] = (start, size)
                start += size

    def _open(self) -> None:
        """Everything that is read from the table once."""
        add, table = self.lines.add, self.table
        add("float_state = flush_subnormals()")
        pointers = {"barrier": "word", "order": "int", "hyperparameters": "double", "totals": "double"}
        pointers |= {"status": "word"}
        for number, name in enumerate(FIXED):
            kind = pointers.get(name)
            add(f"{name} = {kind}_pointer(table[{number}])" if kind else f"{name} = table[{number}]")
        for name, value in self.graph.leaves("input").items():
            kind = "byte" if reads_bytes(value, self.inputs) else value.dtype
            place = table.data[name]
            add(f"data{place} = {kind}_pointer(table[{place}])  # {name}")
        for index, (name, place) in enumerate(table.leaves.items()):
            add(f"w{index} = float_pointer(table[{place}])  # {name}")
        for name, place in table.outputs.items():
            add(f"output{place} = float_pointer(table[{place}])  # {name}")
        for index, value in enumerate(table.constants):
            add(f"k{index} = {value.dtype}_pointer(table[{table.constant_place(value)}])")
        for index, (value, buffer) in enumerate(self.schedule.buffers.items()):
            add(f"b{index} = {value.dtype}_pointer(arena + {buffer.offset})  # {value.layer or value.op}")
        add(f"steps = (count + {self.schedule.batch_size - 1}) // {self.schedule.batch_size}")
        add("arrivals = 0")
        add("done = 0")

    def _step(self) -> None:
        batch, add = self.schedule.batch_size, self.lines.add
        add(f"rows = min({batch}, count - n * {batch})")
        add("row_begin = share(rows, 8, thread, threads)")
        add("row_end = share(rows, 8, thread + 1, threads)")
        add(f"batch_order = offset(order, n * {batch})")
        self._write_scalars()
        self._gather()
        regions = self.schedule.partition.regions
        for number, region in enumerate(regions):
            add(f"# Region {number + 1} of {len(regions)}")
            for kernel in region.kernels:
                self._call(kernel, self.schedule.partition.splits[kernel])
            if number == len(regions) - 1:
                self._close_step()
            add("arrivals += threads")
            with self.lines.block("if threads > 1:"):
                add("wait_for_all(barrier, arrivals)")
        add("done = n + 1")
        # The number of the step, so that a thread that is slow to look does not stop a step early: all must agree.
        with self.lines.block("if status[0] != 0 and status[0] <= done:"):
            add("break")

    def _gather(self) -> None:
        for name, value in self.graph.leaves("input").items():
            if not value.batched:
                raise IRError(f"the cpu target takes inputs by rows, which {value!r} has not")
            target, data = self._pointer(value), f"data{self.table.data[name]}"
            width = static_size(value.shape)
            if reads_bytes(value, self.inputs):
                scale = f"float32({self.inputs[name].scale!r})"
                call = f"gather_bytes(batch_order, row_begin, row_end, {width}, {scale}, {data}, {target})"
            else:
                call = f"gather_floats(batch_order, row_begin, row_end, {width}, {data}, {target})"
            self.lines.add(call)

    def _close_step(self) -> None:
        """Hand out batched outputs, and raise the flag that stops everyone if the loss is no number."""
        for name, value in self.graph.outputs.items():
            if value.batched:
                width = static_size(value.shape)
                place = f"offset(output{self.table.outputs[name]}, n * {self.schedule.batch_size * width})"
                self.lines.add(f"copy_rows(row_begin, row_end, {width}, {self._pointer(storage(value))}, {place})")
        loss = self.table.totals.get("loss")
        if loss is not None:
            with self.lines.block(f"if thread == 0 and not math.isfinite(totals[{loss[0]}]):"):
                self.lines.add("status[0] = n + 1")

    def _call(self, kernel: Kernel, split: Split) -> None:
        if kernel.inner is not None:
            self._loop(kernel, kernel.inner)
            return
        source, name = self.sources[kernel], self.names[kernel]
        arguments = [self._argument(key) for key in source.pointers]
        for value in source.scalars:
            scalar = self._scalar(value)
            arguments.append(f"float32({scalar})" if value.dtype == "float" else scalar)
        given = "".join(f", {argument}" for argument in arguments)
        self.lines.add(f"# {kernel.label}")
        begin, end = self._bounds(split)
        if split.kind == "single":
            with self.lines.block("if thread == 0:"):
                extent = kernel.domain[0] if kernel.domain else 1
                self.lines.add(f"{name}(0, {extent}, rows{given})")
        elif source.whole:
            self.lines.add(f"{name}({begin}, {end}, rows{given})")
        else:
            with self.lines.block(f"for first in range({begin}, {end}, {split.block}):"):
                self.lines.add(f"{name}(first, min(first + {split.block}, {end}), rows{given})")

    def _loop(self, kernel: Kernel, plan: LoopPlan) -> None:
        """A scan over time, by every thread for its own rows: slices in, the body, emitted values out, carried on."""
        loop = kernel.root
        assert loop is not None
        a, add = loop.attributes, self.lines.add
        carries, sequences, length = a["carries"], a["sequences"], a["length"]
        stepwise = carries + sequences
        for parameter, operand in zip(plan.parameters[stepwise:], loop.operands[stepwise:], strict=True):
            if parameter is not None:
                self.captured[parameter] = operand
        projects = {value.attributes["position"]: value for value in kernel.stores if value.op == "project"}
        add(f"# {kernel.label}")

        def copy(source: Value, target: Value) -> None:
            rows = f"row_begin, row_end, {static_size(target.shape)}"
            add(f"copy_rows({rows}, {self._argument(buffer_of(source))}, {self._argument(buffer_of(target))})")

        for parameter, operand in zip(plan.parameters[:carries], loop.operands, strict=False):
            if parameter is not None:
                copy(operand, parameter)
        order = f"range({length - 1}, -1, -1)" if a["reverse"] else f"range({length})"
        time = f"t{len(self.captured)}"
        with self.lines.block(f"for {time} in {order}:"):
            for parameter, operand in zip(plan.parameters[carries:], loop.operands[carries:], strict=False):
                if parameter is not None and parameter not in self.captured:
                    self._move("take_step", parameter, operand, length, time)
            for inner in plan.kernels:
                self._call(inner, Split("rows"))
            for position, project in projects.items():
                if position >= carries:
                    self._move("put_step", plan.results[position], project, length, time)
            for position, parameter in enumerate(plan.parameters[:carries]):
                result = plan.results[position]
                if parameter is not None and storage(result) is not parameter:
                    copy(result, parameter)
        for position, project in projects.items():
            if position < carries:
                copy(plan.results[position], project)

    def _move(self, how: str, step: Value, sequence: Value, length: int, time: str) -> None:
        """Copy one step of a sequence from or to the value of that step."""
        sizes = f"{static_size(step.shape)}, {length}, {time}"
        places = f"{self._argument(buffer_of(sequence))}, {self._argument(buffer_of(step))}"
        self.lines.add(f"{how}(row_begin, row_end, {sizes}, {places})")

    def _bounds(self, split: Split) -> tuple[str, str]:
        if split.kind == "rows":
            return "row_begin", "row_end"
        if split.kind == "single":
            return "0", "1"
        shares = f"share({split.extent}, {split.block}, "
        return f"{shares}thread, threads)", f"{shares}thread + 1, threads)"

    def _argument(self, key: BufferKey) -> str:
        if isinstance(key, Value):
            if key in self.captured:
                return self._argument(buffer_of(self.captured[key]))
            if key.op == "constant":
                return f"k{self.table.constants.index(key)}"
            return self._pointer(key)
        if isinstance(key, LeafBuffer):
            return f"w{list(self.table.leaves).index(key.name)}"
        return f"offset(totals, {self.table.totals[key.name][0]})"

    def _pointer(self, value: Value) -> str:
        return f"b{list(self.schedule.buffers).index(value)}"

    def _write_scalars(self) -> None:
        """Scalars of hyper-parameters and counters, in double precision, by every thread for itself."""
        for source in self.sources.values():
            for value in source.scalars:
                self._scalar(value)

    def _scalar(self, value: Value) -> str:
        known = self.scalars.get(value)
        if known is not None:
            return known
        operands = [self._scalar(operand) for operand in value.operands]
        expression = scalar_expression(value, operands, self.table.hyperparameters)
        name = f"c{len(self.scalars)}"
        self.lines.add(f"{name} = {expression}")
        self.scalars[value] = name
        return name


def _with_bodies(kernels: list[Kernel], replicated: dict[Value, bool]) -> Iterator[tuple[Kernel, dict[Value, bool]]]:
    """Kernels and those of the bodies of loops, each with what is replicated where it runs."""
    for kernel in kernels:
        yield kernel, replicated
        if kernel.inner is not None:
            yield from _with_bodies(kernel.inner.kernels, kernel.inner.replicated)


def _definitions(sources: dict[Kernel, KernelSource]) -> tuple[list[str], dict[Kernel, str]]:
    """The functions of all kernels, identical ones once, and the name of each kernel's function."""
    names: dict[Kernel, str] = {}
    by_text: dict[str, str] = {}
    users: dict[str, list[str]] = {}
    for kernel, source in sources.items():
        text = source.definitions
        name = by_text.setdefault(text, f"kernel_{len(by_text)}")
        names[kernel] = name
        users.setdefault(name, []).append(kernel.label)
    definitions = []
    for text, name in by_text.items():
        comment = "; ".join(dict.fromkeys(users[name]))
        definitions.append(f"# {comment}\n{text.replace('{name}', name)}")
    return definitions, names
