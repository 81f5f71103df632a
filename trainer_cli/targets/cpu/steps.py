"""Steps of a loop in memory: a loop's kernel in, how far apart the rows of its body's values lie out.

A step of a sequence `(rows, time, ...)` is read and written where it lies in the sequence: its rows are a whole
sequence apart. Only kernels that find every element by its coordinates can do so; values that others touch are copied.
"""

from __future__ import annotations

from trainer_cli.compiler.kernels import Kernel, storage
from trainer_cli.ir.graph import Value
from trainer_cli.ir.ops.structure import static_size
from trainer_cli.targets.cpu.contraction import matrix_product


def rows_apart(kernel: Kernel) -> dict[Value, tuple[int, ...]]:
    """Of the values that a loop's body leaves in the memory of sequences, the elements between two rows."""
    loop, plan = kernel.root, kernel.inner
    if loop is None or plan is None:
        return {}
    a = loop.attributes
    carries, length = a["carries"], a["length"]
    computed = {value for inner in plan.kernels for value in inner.stores}
    found: dict[Value, tuple[int, ...]] = {}
    for parameter in plan.parameters[carries : carries + a["sequences"]]:
        if parameter is not None and parameter.batched:
            found[parameter] = (length * static_size(parameter.shape),)
    for project in kernel.stores:
        if project.op == "project" and project.attributes["position"] >= carries:
            base = storage(plan.results[project.attributes["position"]])
            if base in computed:
                found[base] = (length * static_size(base.shape),)
    for inner in plan.kernels:
        if not _goes_by_coordinates(inner, found):
            for value in (*inner.reads, *inner.stores):
                found.pop(storage(value), None)
    return found


def _goes_by_coordinates(kernel: Kernel, apart: dict[Value, tuple[int, ...]]) -> bool:
    if kernel.root is None:
        return True
    return kernel.root.op == "contract" and matrix_product(kernel.root, apart) is not None
