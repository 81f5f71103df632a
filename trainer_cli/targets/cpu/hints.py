"""Hints for LLVM: the number of turns of an innermost loop in, advice on how to vectorise it out.

Left to itself, LLVM writes the turns of a short loop one after another before it looks for vectors; it makes vectors
of 4 for a row of 28 numbers and computes what is left of it one by one. A processor that can mask lanes computes 28 as
two vectors of 16 with 4 lanes idle.
"""

from __future__ import annotations

import ast
import re
from typing import Any

from llvmlite import ir

from trainer_cli.targets.cpu.intrinsics import host_features

LANES = 16
LONGEST = 8 * LANES
"""Turns from which on the rest of a loop weighs little."""

SHORTEST = LANES // 2
"""Turns below which a loop is better written out."""

_MARK = "a loop of its own: "


def innermost(module: ir.Module, branch: Any, turns: int) -> None:
    """Advise on the loop that a branch closes."""
    if turns < SHORTEST:
        return
    yes, one = ir.Constant(ir.IntType(1), 1), ir.Constant(ir.IntType(32), 1)
    advice = [module.add_metadata(["llvm.loop.unroll.disable"])]
    if "avx512f" in host_features() and turns % LANES and turns < LONGEST:
        # Without `vectorize.enable`: what LLVM cannot follow, it would complain of on the user's terminal.
        advice += [
            module.add_metadata(["llvm.loop.vectorize.predicate.enable", yes]),
            module.add_metadata(["llvm.loop.vectorize.width", ir.Constant(ir.IntType(32), LANES)]),
            module.add_metadata(["llvm.loop.interleave.count", one]),
        ]
    name = f"{_MARK}{len(module.metadata)}"
    branch.set_metadata("llvm.loop", module.add_metadata([name, *advice]))


def stands_alone(body: list[ast.stmt]) -> bool:
    """Whether the turns of a loop can be the lanes of a vector: it holds no other loop, and no turn reads what the turn
    before it has left in a variable, unless that is a sum or an extreme whose order is free (`add_up`, `larger`, `|`).

    Other loops are left to LLVM: advised to make vectors of what it cannot, it complains on the user's terminal.
    """
    nodes = [node for statement in body for node in ast.walk(statement)]
    if any(isinstance(node, (ast.For, ast.While)) for node in nodes):
        return False
    written: set[str] = set()
    early: set[str] = set()
    for statement in body:
        if _goes_on(statement):
            continue
        names = [node for node in ast.walk(statement) if isinstance(node, ast.Name)]
        added = {
            node.target.id
            for node in ast.walk(statement)
            if isinstance(node, ast.AugAssign) and isinstance(node.target, ast.Name)
        }
        early |= ({node.id for node in names if isinstance(node.ctx, ast.Load)} | added) - written
        written |= {node.id for node in names if isinstance(node.ctx, ast.Store)}
    running = {ast.unparse(statement.targets[0]) for statement in body if _goes_on(statement)}  # type: ignore[attr-defined]
    return not early & (written | running)


def _goes_on(statement: ast.stmt) -> bool:
    """Whether a statement is `x = add_up(x, …)`, `x = larger(x, …)` or `x = x | …`."""
    if not isinstance(statement, ast.Assign):
        return False
    value = statement.value
    if isinstance(value, ast.Call) and ast.unparse(value.func) in ("add_up", "larger"):
        first = value.args[0]
    elif isinstance(value, ast.BinOp) and isinstance(value.op, ast.BitOr):
        first = value.left
    else:
        return False
    return ast.unparse(first) == ast.unparse(statement.targets[0])


def distinct(text: str) -> str:
    """A module's text in which the advice for a loop stands under a node that names itself, as LLVM wants it."""
    return re.sub(rf'!(\d+) = !{{ !"{_MARK}\d+"', r"!\1 = distinct !{ !\1", text)
