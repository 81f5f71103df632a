"""Kernel source: one kernel in, the text of the linked functions that compute a range of its blocks out."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from trainer_cli.compiler.kernels import Kernel
from trainer_cli.ir.graph import Value
from trainer_cli.ir.primitive import IRError
from trainer_cli.targets.cpu.convolution_source import write_convolution, write_kernel_gradient
from trainer_cli.targets.cpu.expressions import Steps
from trainer_cli.targets.cpu.loops_source import write_loops
from trainer_cli.targets.cpu.product_source import write_contraction
from trainer_cli.targets.cpu.reduction_source import write_reduction, write_scatter
from trainer_cli.targets.cpu.subtotal_source import write_subtotals
from trainer_cli.targets.cpu.window_source import write_window, write_window_gradient
from trainer_cli.targets.cpu.writer import KernelSource, KernelWriter

__all__ = ["KernelSource", "write_kernel"]

_ROOTS: Mapping[str, Callable[[KernelWriter, Value], KernelSource]] = {
    "contract": write_contraction,
    "reduce_sum": write_reduction,
    "reduce_max": write_reduction,
    "scatter_add": write_scatter,
    "convolve": write_convolution,
    "convolve_input_gradient": write_convolution,
    "convolve_kernel_gradient": write_kernel_gradient,
    "window_sum": write_window,
    "window_max": write_window,
    "window_max_gradient": write_window_gradient,
}


def write_kernel(
    kernel: Kernel,
    replicated: dict[Value, bool],
    apart: Steps,
    *,
    undivided: bool = False,
    replaced: Mapping[Value, Value] | None = None,
) -> KernelSource:
    """Write a kernel's source. `apart` has the steps of values whose rows do not follow each other.

    With `undivided`, every call is for all of the result. `replaced` has values that are written over others.
    Raises IRError for a root that this target does not know.
    """
    if kernel.root is not None and kernel.root.op == "subtotals":
        return write_subtotals(kernel.root, replicated, write_kernel)
    writer = KernelWriter(kernel, replicated, apart=apart, undivided=undivided, replaced=replaced or {})
    writer.declare()
    if kernel.root is None:
        return write_loops(writer)
    write = _ROOTS.get(kernel.root.op)
    if write is None:
        raise IRError(f"the cpu target cannot emit {kernel.root!r}")
    return write(writer, kernel.root)
