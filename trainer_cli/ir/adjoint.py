"""Reverse-mode differentiation: values with their adjoints in, the adjoints of other values out, all as IR."""

from __future__ import annotations

from collections.abc import Sequence

from trainer_cli.ir.graph import Value, reachable


def adjoints(seeds: Sequence[tuple[Value, Value]], wanted: Sequence[Value]) -> list[Value | None]:
    """The sum over the seeds `(value, adjoint)` of adjoint·∂value/∂w, for each wanted w; None where nothing flows.

    Only values on a path from a wanted value to a seed are visited. Raises IRError if such a path goes through a
    primitive of floats without a gradient rule that does not stop the gradient by definition.
    """
    from trainer_cli.ir.ops.loops import loop_adjoint

    on_path = _depends_on(seeds, wanted)
    adjoint: dict[Value, Value] = {}
    for value, seed in seeds:
        _accumulate(adjoint, value, seed)
    loops: dict[Value, dict[int, Value]] = {}
    for value in reversed(reachable([value for value, _ in seeds])):
        if value not in on_path:
            continue
        if value.op == "loop":
            taken = loops.pop(value, None)
            if taken is None:
                continue
            with value.graph.layer(value.layer):
                contributions: Sequence[Value | None] = loop_adjoint(value, taken)
        else:
            own = adjoint.get(value)
            if own is None:
                continue
            if value.op == "project":
                # The adjoints of a loop's results are gathered and taken together when the loop is reached.
                by_position = loops.setdefault(value.operands[0], {})
                position = value.attributes["position"]
                by_position[position] = by_position[position] + own if position in by_position else own
                continue
            rule = value.primitive.gradient
            if rule is None:
                continue
            with value.graph.layer(value.layer):
                contributions = rule(value, own)
        for operand, contribution in zip(value.operands, contributions, strict=True):
            if contribution is not None and operand in on_path:
                _accumulate(adjoint, operand, contribution)
    return [adjoint.get(value) for value in wanted]


def _accumulate(adjoint: dict[Value, Value], value: Value, contribution: Value) -> None:
    known = adjoint.get(value)
    adjoint[value] = contribution if known is None else known + contribution


def _depends_on(seeds: Sequence[tuple[Value, Value]], wanted: Sequence[Value]) -> set[Value]:
    """The values below the seeds that depend on a wanted value (the wanted ones included)."""
    depends: set[Value] = set(wanted)
    for value in reachable([value for value, _ in seeds]):
        if any(operand in depends for operand in value.operands):
            depends.add(value)
    return depends
