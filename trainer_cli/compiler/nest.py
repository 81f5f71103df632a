"""The nest pass: fused kernels in, the same with the bodies of loops compiled to kernels of their own out.

A body is simplified, fused and partitioned like a graph. It must do without a barrier: every thread runs all steps of
the loop for its own rows. What a body computes from weights alone belongs in front of the loop.
"""

from __future__ import annotations

from trainer_cli.compiler.expand import expand
from trainer_cli.compiler.fuse import Fusion, fuse
from trainer_cli.compiler.kernels import Kernel, LoopPlan, storage
from trainer_cli.compiler.partition import partition
from trainer_cli.compiler.simplify import simplify
from trainer_cli.ir.graph import Graph, Value, copy_into, reachable
from trainer_cli.ir.primitive import IRError


def nest(fusion: Fusion) -> Fusion:
    """Give every loop's kernel the plan of its body. Raises IRError for a body that would need a barrier."""
    for kernel in fusion.kernels:
        if kernel.root is not None and kernel.root.op == "loop":
            kernel.inner = _plan(kernel.root, kernel)
    return fusion


def _plan(loop: Value, kernel: Kernel) -> LoopPlan:
    carries = loop.attributes["carries"]
    used = {value.attributes["position"] for value in kernel.stores if value.op == "project"}
    positions = [*range(carries), *sorted(used - set(range(carries)))]
    body = Graph()
    results = [loop.attributes["results"][position] for position in positions]
    copied = copy_into(body, reachable(results), {})
    body.outputs = {str(position): copied[result] for position, result in zip(positions, results, strict=True)}
    for value in body.outputs.values():
        if not value.batched:
            raise IRError(f"{loop.layer}: a loop must carry and emit values of the rows, not {value!r}")
    simple = simplify(expand(body))
    inner = partition(nest(fuse(simple)))
    barriers = len(inner.regions) > 1 or any(split.kind != "rows" for split in inner.splits.values())
    if barriers:
        raise IRError(f"{loop.layer}: the body of a loop computes what does not depend on the rows")
    leaves = simple.leaves("parameter")
    parameters = [leaves.get(parameter.name) for parameter in loop.attributes["parameters"]]
    found = {position: simple.outputs[str(position)] for position in positions}
    for position in range(carries):
        base = storage(found[position])
        if base.op == "parameter" and base is not parameters[position]:
            raise IRError(f"{loop.layer}: a loop exchanges what it carries")
    return LoopPlan(inner.kernels, inner.replicated, parameters, found)
