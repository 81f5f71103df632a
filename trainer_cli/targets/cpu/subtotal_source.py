"""Subtotals: sums over every few rows in, the source that takes a thread's rows block by block out.

The sum itself is written as for all rows; it is called for the rows of each subtotal, as if there were no others.
"""

from __future__ import annotations

from typing import Protocol

from trainer_cli.compiler.kernels import Kernel, storage
from trainer_cli.compiler.partition import BufferKey
from trainer_cli.ir.graph import Value
from trainer_cli.ir.ops.structure import static_size
from trainer_cli.ir.ops.subtotals import summed
from trainer_cli.targets.cpu.expressions import Lines, Steps
from trainer_cli.targets.cpu.writer import KernelSource


class Write(Protocol):
    """Writes a kernel."""

    def __call__(
        self, kernel: Kernel, replicated: dict[Value, bool], apart: Steps, *, undivided: bool = False
    ) -> KernelSource: ...


def write_subtotals(root: Value, replicated: dict[Value, bool], write: Write) -> KernelSource:
    """A kernel of nothing but subtotals; `write` writes that of a sum."""
    whole = summed(root)
    inner = Kernel(whole.shape, root=whole, stores=[whole], reads=[*whole.operands])
    source = write(inner, replicated, {}, undivided=True)
    rows, count, size = root.attributes["rows"], root.attributes["count"], static_size(whole.shape)
    strides: dict[BufferKey, int] = {storage(operand): static_size(operand.shape) for operand in root.operands}
    places = {key: f"p{number}" for number, key in enumerate(source.pointers)}
    moved = [
        f"offset({place}, part * {size})" if key is whole else f"offset({place}, first * {strides[key]})"
        for key, place in places.items()
    ]
    lines = Lines(1)
    with lines.block(f"for part in range(begin // {rows}, (end + {rows - 1}) // {rows}):"):
        lines.add(f"first = part * {rows}")
        lines.add(f"{{name}}_sum(0, {whole.shape[0]}, min({rows}, end - first), {', '.join(moved)})")
    # Whoever has the last rows of a short batch sets to zero what no row belongs to.
    with (
        lines.block("if end == rows:"),
        lines.block(f"for i in range((rows + {rows - 1}) // {rows} * {size}, {count * size}):"),
    ):
        lines.add(f"{places[whole]}[i] = float32(0.0)")
    text = [
        "@linked",
        f"def {{name}}(begin, end, rows, {', '.join(places.values())}):",
        "    kernel_attributes()",
        *lines.lines,
        "",
    ]
    definitions = source.definitions.replace("{name}", "{name}_sum") + "\n\n" + "\n".join(text)
    return KernelSource(definitions, [root if key is whole else key for key in source.pointers], [], True)
