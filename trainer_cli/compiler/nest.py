"""The nest pass: fused kernels in, the same with the bodies of loops compiled to kernels of their own out.

A body is simplified, fused and partitioned like a graph. It must do without a barrier: every thread runs all steps of
the loop for its own rows. What a body computes from weights alone belongs in front of the loop.
"""

from __future__ import annotations

from trainer_cli.compiler.expand import expand
from trainer_cli.compiler.fuse import Fusion, fuse
from trainer_cli.compiler.kernels import Kernel, LoopPlan, reads_of, same_element, storage
from trainer_cli.compiler.partition import Partition, partition
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
    replaced = _replaced(inner, parameters[:carries], found)
    last_kernels = _last_kernels(inner.kernels, {storage(found[position]) for position in used})
    return LoopPlan(inner.kernels, inner.replicated, parameters, found, replaced, last_kernels)


def _last_kernels(kernels: list[Kernel], read_behind: set[Value]) -> int:
    """How many kernels there are up to the last one that computes what is read behind the loop."""
    needed = [number for number, kernel in enumerate(kernels, 1) if read_behind & set(kernel.stores)]
    return max(needed, default=0)


def _replaced(inner: Partition, carried: list[Value | None], results: dict[int, Value]) -> dict[Value, Value]:
    """Results that may be written over the carried values that they follow, and these.

    No kernel behind the one that computes such a result reads the old value, and that one reads it element by element.
    What is emitted too lies in a sequence.
    """
    emitted = {storage(result) for position, result in results.items() if position >= len(carried)}
    replaced: dict[Value, Value] = {}
    for position, parameter in enumerate(carried):
        result = storage(results[position])
        if parameter is None or result in emitted or result in replaced:
            continue
        number = next((number for number, kernel in enumerate(inner.kernels) if result in kernel.stores), None)
        if number is None or inner.kernels[number].inner is not None:
            continue
        home, *behind = inner.kernels[number:]
        read_later = any(parameter in map(storage, kernel.reads) for kernel in behind)
        if not read_later and _reads_in_place(home, parameter, inner.replicated):
            replaced[result] = parameter
    return replaced


def _reads_in_place(kernel: Kernel, parameter: Value, replicated: dict[Value, bool]) -> bool:
    """Whether a kernel reads a value only at the element that it computes, if at all."""
    found = [access for value in kernel.computed for access in reads_of(value, replicated)]
    own = [access for access in found if storage(access.value) is parameter]
    plain = kernel.outer is None and parameter.shape == kernel.domain
    return not own or (plain and all(same_element(access) for access in own))
