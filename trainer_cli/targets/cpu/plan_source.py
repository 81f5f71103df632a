"""Plan source: a schedule in, the text of its kernels and the program of a step that every thread runs out.

Each kernel is a unit of its own: equal ones are one, in this plan and in others.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import nullcontext
from dataclasses import dataclass

from trainer_cli.compiler.chunk import row_bytes
from trainer_cli.compiler.kernels import Kernel, LoopPlan, storage
from trainer_cli.compiler.layout import ITEM_SIZE
from trainer_cli.compiler.memory import Schedule
from trainer_cli.compiler.partition import BufferKey, LeafBuffer, Split, TotalBuffer, buffer_of
from trainer_cli.compiler.trace import InputSpec
from trainer_cli.ir.graph import Value
from trainer_cli.ir.ops.structure import static_size
from trainer_cli.ir.primitive import IRError
from trainer_cli.targets.cpu.expressions import Steps
from trainer_cli.targets.cpu.kernel_source import KernelSource, write_kernel
from trainer_cli.targets.cpu.parts import steps_of_parts
from trainer_cli.targets.cpu.program import Argument, Export, Move, Program, Sharing, Unit, double_word
from trainer_cli.targets.cpu.scalar_source import write_scalars
from trainer_cli.targets.cpu.steps import rows_apart
from trainer_cli.targets.cpu.table import Table
from trainer_cli.targets.cpu.words import Word
from trainer_cli.targets.cpu.writer import KERNEL_HEAD

_ROWS = ("int*", "byte*")

RUNTIME = Unit(
    "from trainer_cli.targets.cpu.runtime import (\n"
    "    copy_rows, gather_parts, gather_scaled, gather_scaled_parts, gather_words, run,\n)\n",
    (
        Export("run"),
        Export("gather_words", (*_ROWS, "byte*", "int")),
        Export("gather_scaled", (*_ROWS, "float*", "int", "float")),
        Export("gather_parts", (*_ROWS, "byte*", *["int"] * 4)),
        Export("gather_scaled_parts", (*_ROWS, "float*", *["int"] * 4, "float")),
        Export("copy_rows", ("byte*", "byte*", "int", "int", "int")),
    ),
)
"""What every plan calls."""

_GATHER = {
    (False, False): "gather_words",
    (False, True): "gather_parts",
    (True, False): "gather_scaled",
    (True, True): "gather_scaled_parts",
}
"""The functions that gather rows, by whether they scale bytes and whether threads share the parts of rows."""


_SHARING = {
    "rows": Sharing.ROWS,
    "slices": Sharing.SLICES,
    "parts": Sharing.SLICES,
    "private": Sharing.PRIVATE,
}
"""How the runtime calls kernels of a split, except those of thread 0 alone."""


@dataclass
class PlanSource:
    """The kernels of a plan by their units, its program, the layout of its table, and the words of a thread's memory.

    `scalars` and `frame` are the first slots of the scalars and of the arguments of a call.
    """

    units: dict[Unit, list[str]]
    program: Program
    table: Table
    slots: int
    scalars: int

    @property
    def frame(self) -> int:
        return self.slots - self.program.longest

    @property
    def text(self) -> str:
        """The source of all kernels, each under the names of what it works for."""
        kernels = (f"# {'; '.join(labels)}\n{unit.text[len(KERNEL_HEAD) :]}" for unit, labels in self.units.items())
        return KERNEL_HEAD + "\n\n".join(kernels)


_CONVERSION = """@linked
def entry(begin, end, rows, source, target):
    kernel_attributes()
    for i in range(begin * {size}, end * {size}):
        target[i] = float32(source[i])
"""


def reads_bytes(value: Value, inputs: Mapping[str, InputSpec]) -> bool:
    """Whether an input is stored as bytes that become scaled floats when they are gathered."""
    return value.dtype == "float" and value.name in inputs and inputs[value.name].dtype == "uint8"


def write_plan(schedule: Schedule, inputs: Mapping[str, InputSpec], what: str = "") -> PlanSource:
    """Write the kernels and the program of a schedule; `inputs` go by their leaves' names.

    Raises IRError for what cannot be emitted.
    """
    return _PlanWriter(schedule, inputs).write()


class _PlanWriter:
    def __init__(self, schedule: Schedule, inputs: Mapping[str, InputSpec]) -> None:
        self.schedule = schedule
        self.inputs = inputs
        self.graph = schedule.graph
        self.table = Table()
        self.program = Program()
        self.units: dict[Unit, list[str]] = {}
        self.sources: dict[Kernel, KernelSource] = {}
        # What the parameters of a loop's body stand for, where they are no buffers of their own.
        self.captured: dict[Value, Value] = {}
        # Of the body of each loop, the values that lie in sequences; of each of them, the slot that follows the time.
        self.apart: dict[Kernel, Steps] = {}
        # Of the values that lie part by part, the elements between rows and between parts.
        self.in_parts: Steps = steps_of_parts(schedule)
        self.placed: dict[Value, Argument] = {}
        # Slots behind those of the table.
        self.slots = 0
        self.scalars: dict[Value, int] = {}

    def write(self) -> PlanSource:
        self._write_kernels(self.schedule.partition.kernels, self.schedule.partition.replicated, self.in_parts, {})
        self._lay_out()
        # One slot behind the table is always 0: an argument that is a number of its own stands there.
        self.slots = self.table.size + 1
        first_scalar = self.slots
        self._write_scalars()
        splits = self.schedule.partition.splits
        last = len(self.schedule.groups) - 1
        for number, groups in enumerate(self.schedule.groups):
            first = next(group for group in groups if not group.private)
            for group in groups:
                begins = number == 0 and group is first
                if begins:
                    self._gather(parts=True)
                with self.program.chunks(group.rows, backward=group.backward) if group.rows else nullcontext():
                    if begins:
                        self._gather(parts=False)
                    for kernel in group.kernels:
                        self._call(kernel, splits[kernel])
            if number == last:
                self._close_step()
            self.program.wait()
        return PlanSource(self.units, self.program, self.table, self.slots + self.program.longest, first_scalar)

    def _write_kernels(
        self, kernels: list[Kernel], replicated: dict[Value, bool], apart: Steps, replaced: Mapping[Value, Value]
    ) -> None:
        """Kernels, and those of the bodies of loops, each with what is known where it runs."""
        for kernel in kernels:
            plan = kernel.inner
            if plan is None:
                self.sources[kernel] = write_kernel(kernel, replicated, apart, replaced=replaced)
            else:
                self.apart[kernel] = rows_apart(kernel)
                self._write_kernels(plan.kernels, plan.replicated, self.apart[kernel], plan.replaced)

    def _lay_out(self) -> None:
        table = self.table
        place = len(Word)
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
        constants: dict[Value, None] = {}
        for source in self.sources.values():
            for key in source.pointers:
                if isinstance(key, Value) and key.op == "constant":
                    constants[key] = None
        table.constants = list(constants)
        for number, name in enumerate(self.graph.leaves("hyperparameter")):
            table.hyperparameters[name] = number
        start = 0
        for name, value in self.graph.outputs.items():
            if not value.batched:
                size = max(1, static_size(value.shape))
                table.totals[name] = (start, size)
                start += size

    def _slot(self) -> int:
        self.slots += 1
        return self.slots - 1

    def _number(self, number: int) -> Argument:
        return Argument(self.table.size, number)

    def _labelled(self, unit: Unit, label: str) -> Unit:
        labels = self.units.setdefault(unit, [])
        if label not in labels:
            labels.append(label)
        return unit

    def _write_scalars(self) -> None:
        """Scalars of hyper-parameters and counters, in double precision, by every thread for itself."""
        wanted = dict.fromkeys(value for source in self.sources.values() for value in source.scalars)
        if wanted:
            text, self.scalars = write_scalars(list(wanted), self.table.hyperparameters)
            self.scalars = {value: self.slots + place for value, place in self.scalars.items()}
            self.slots += len(self.scalars)
            self.program.compute(self._labelled(Unit(KERNEL_HEAD + text), "scalars"))

    def _gather(self, *, parts: bool) -> None:
        """Gather the rows of the inputs that threads share by parts of rows, or of the others."""
        gathers = self.schedule.partition.gathers
        chosen = {name: value for name, value in self.graph.leaves("input").items() if (value in gathers) == parts}
        if not chosen:
            return
        order = self._slot()
        self.program.move(Move(order, Argument(Word.ORDER), self.schedule.batch_size * ITEM_SIZE["int"]))
        for name, value in chosen.items():
            if not value.batched:
                raise IRError(f"the cpu target takes inputs by rows, which {value!r} has not")
            scaled = reads_bytes(value, self.inputs)
            width = static_size(value.shape) * (1 if scaled else ITEM_SIZE[value.dtype])
            arguments = [Argument(order), Argument(self.table.data[name]), self._pointer(value), self._number(width)]
            if parts:
                part = width // gathers[value].extent
                size = 1 if scaled else ITEM_SIZE[value.dtype]
                row_step, part_step = (size * step for step in self.in_parts.get(value, (width // size, part // size)))
                arguments += map(self._number, (part, row_step, part_step))
            if scaled:
                arguments.append(self._number(double_word(self.inputs[name].scale)))
            how = _GATHER[scaled, parts]
            label = f"{name}: gather"
            if parts:
                split = gathers[value]
                extent, share = split.extent, split.block
                self.program.call(RUNTIME, how, arguments, Sharing.SLICES, extent=extent, share=share, label=label)
            else:
                self.program.call(RUNTIME, how, arguments, Sharing.ROWS, label=label)

    def _close_step(self) -> None:
        """Hand out batched outputs, and raise the flag that stops everyone if the loss is no number."""
        for name, value in self.graph.outputs.items():
            if value.batched:
                size, target = static_size(value.shape), self._slot()
                row = size * ITEM_SIZE["float"]
                self.program.move(Move(target, Argument(self.table.outputs[name]), self.schedule.batch_size * row))
                places, label = (self._pointer(storage(value)), Argument(target)), f"{name}: hand out"
                if value.dtype == "float":
                    self._copy(*places, row, label=label)
                else:
                    # Outputs are arrays of floats, whatever the value is.
                    kind = "byte*" if value.dtype == "bool" else "int*"
                    text = KERNEL_HEAD + _CONVERSION.format(size=size)
                    unit = self._labelled(Unit(text, (Export(parameters=(kind, "float*")),)), label)
                    self.program.call(unit, "entry", places, Sharing.ROWS, label=label)
        loss = self.table.totals.get("loss")
        if loss is not None:
            self.program.check(self._total("loss"))

    def _copy(
        self,
        source: Argument,
        target: Argument,
        width: int,
        source_step: int = 0,
        target_step: int = 0,
        label: str = "",
    ) -> None:
        """Copy rows of `width` bytes, which lie further apart where steps are given."""
        sizes = [self._number(size) for size in (width, source_step or width, target_step or width)]
        self.program.call(RUNTIME, "copy_rows", [source, target, *sizes], Sharing.ROWS, label=label or "copy")

    def _call(self, kernel: Kernel, split: Split) -> None:
        if kernel.inner is not None:
            self._loop(kernel, kernel.inner)
            return
        source = self.sources[kernel]
        unit = self._labelled(source.unit, kernel.label)
        arguments = [self._argument(key) for key in source.pointers]
        arguments += [Argument(self.scalars[value]) for value in source.scalars]
        label = kernel.label
        if split.kind == "single":
            extent = int(kernel.domain[0]) if kernel.domain else 1  # type: ignore[call-overload]
            self.program.call(unit, "entry", arguments, Sharing.SINGLE, extent=extent, label=label)
        else:
            sharing = _SHARING[split.kind]
            block = 0 if source.whole or split.kind == "private" else split.block
            self.program.call(
                unit, "entry", arguments, sharing, extent=split.extent, share=split.block, block=block, label=label
            )

    def _loop(self, kernel: Kernel, plan: LoopPlan) -> None:
        """A scan over time, by every thread for its own rows: slices in, the body, emitted values out, carried on."""
        loop = kernel.root
        assert loop is not None
        a = loop.attributes
        carries, sequences, length = a["carries"], a["sequences"], a["length"]
        stepwise = carries + sequences
        for parameter, operand in zip(plan.parameters[stepwise:], loop.operands[stepwise:], strict=True):
            if parameter is not None:
                self.captured[parameter] = operand
        projects = {value.attributes["position"]: value for value in kernel.stores if value.op == "project"}

        apart = self.apart[kernel]

        def row_step(value: Value) -> int:
            return row_bytes(value) * (length if storage(value) in apart else 1)

        def place(value: Value) -> Argument:
            base = storage(value)
            return self._argument(buffer_of(plan.replaced.get(base, base)))

        def copy(source: Value, target: Value) -> None:
            places = (place(source), self._argument(buffer_of(target)))
            self._copy(*places, row_bytes(target), row_step(source), label=f"{kernel.label}, carry")

        def put(targets: list[tuple[Argument, Value]]) -> None:
            for target, result in targets:
                width = row_bytes(result)
                self._copy(place(result), target, width, row_step(result), width * length, f"{kernel.label}, put")

        for parameter, operand in zip(plan.parameters[:carries], loop.operands, strict=False):
            if parameter is not None:
                copy(operand, parameter)
        moves, incoming, outgoing = [], [], []
        for parameter, operand in zip(plan.parameters[carries:], loop.operands[carries:], strict=False):
            if parameter is not None and parameter not in self.captured:
                whole = self._argument(buffer_of(operand))
                moves.append(Move(self._slot(), whole, row_bytes(parameter)))
                if parameter in apart:
                    self.placed[parameter] = Argument(moves[-1].target, 0, whole.row)
                else:
                    incoming.append((Argument(moves[-1].target, 0, whole.row), parameter))
        for position, project in projects.items():
            if position >= carries:
                result = plan.results[position]
                whole = self._argument(buffer_of(project))
                moves.append(Move(self._slot(), whole, row_bytes(result)))
                base = storage(result)
                if base in apart and base not in self.placed:
                    self.placed[base] = Argument(moves[-1].target, 0, whole.row)
                else:
                    outgoing.append((Argument(moves[-1].target, 0, whole.row), result))
        with self.program.loop(self._slot(), length, a["reverse"], moves):
            for source, parameter in incoming:
                width, target = row_bytes(parameter), self._argument(buffer_of(parameter))
                self._copy(source, target, width, width * length, width, f"{kernel.label}, take")
            # What a step begins with, before it is replaced.
            put([each for each in outgoing if storage(each[1]).op == "parameter"])
            for inner in plan.kernels[: plan.last_kernels]:
                self._call(inner, Split("rows"))
            put([each for each in outgoing if storage(each[1]).op != "parameter"])
            self.program.leave()
            for inner in plan.kernels[plan.last_kernels :]:
                self._call(inner, Split("rows"))
            for position, parameter in enumerate(plan.parameters[:carries]):
                base = storage(plan.results[position])
                if parameter is not None and parameter not in (base, plan.replaced.get(base)):
                    copy(base, parameter)
        for position, project in projects.items():
            if position < carries:
                copy(plan.results[position], project)

    def _argument(self, key: BufferKey) -> Argument:
        if isinstance(key, LeafBuffer):
            return Argument(self.table.leaves[key.name])
        if isinstance(key, TotalBuffer):
            return self._total(key.name)
        if key in self.placed:
            return self.placed[key]
        if key in self.captured:
            return self._argument(buffer_of(self.captured[key]))
        if key.op == "constant":
            return Argument(self.table.constant_place(key))
        return self._pointer(key)

    def _total(self, name: str) -> Argument:
        return Argument(Word.TOTALS, self.table.totals[name][0] * 8)

    def _pointer(self, value: Value) -> Argument:
        place = self.schedule.local.get(value)
        if place is not None:
            return Argument(Word.LOCAL, place.offset, row_bytes(value) if value.batched else 0)
        return Argument(Word.ARENA, self.schedule.buffers[value].offset)
