"""Hints for LLVM: the number of turns of an innermost loop in, advice in LLVM's text on how to vectorise it out.

Left to itself, LLVM writes the turns of a short loop one after another before it looks for vectors; it makes vectors
of 4 for a row of 28 numbers and computes what is left of it one by one. A processor that can mask lanes computes 28 as
two vectors of 16 with 4 lanes idle.
"""

from __future__ import annotations

import ast
import re
from typing import Any

from llvmlite import ir

from trainer_cli.targets.cpu.intrinsics import call
from trainer_cli.targets.cpu.machine_types import constant_intrinsic
from trainer_cli.targets.cpu.processor import features

LANES = 16
LONGEST = 8 * LANES
"""Turns from which on the rest of a loop weighs little."""

SHORTEST = LANES // 2
"""Turns below which a loop is better written out."""

WRITTEN_OUT = 4
"""Vectors up to which a loop of them is written out, with masks that are constants."""

_MARK = "trainer.advise"


def is_worth(turns: int) -> bool:
    """Whether a loop of so many turns is long enough for advice."""
    return turns >= SHORTEST


@constant_intrinsic()
def advise(builder: Any, turns: int) -> None:
    """Advise on the loop whose body ends here; `turns` is a constant of the compilation."""
    call(builder, f"{_MARK}.{turns}", ir.VoidType(), [])


def advised(text: str) -> str:
    """A module's text with every call of `advise` turned into advice at the branch that follows it."""
    if _MARK not in text:
        return text
    masks = "avx512f" in features()
    lines: list[str] = []
    metadata: list[str] = []
    first = 1 + max((int(number) for number in re.findall(r"^!(\d+) = ", text, re.MULTILINE)), default=-1)
    turns: int | None = None

    def node(content: str, distinct: str = "") -> str:
        metadata.append(f"!{first + len(metadata)} = {distinct}!{{{content}}}")
        return f"!{first + len(metadata) - 1}"

    for line in text.splitlines():
        if _MARK in line:
            found = re.search(rf"call void @\"?{_MARK}\.(\d+)", line)
            turns = int(found[1]) if found else None
            continue
        if turns is not None and line.startswith("  br "):
            advice = [node('!"llvm.loop.unroll.disable"')]
            if masks and turns % LANES and turns < LONGEST:
                # Without `vectorize.enable`: what LLVM cannot follow, it would complain of on the user's terminal.
                advice += [
                    node('!"llvm.loop.vectorize.predicate.enable", i1 true'),
                    node(f'!"llvm.loop.vectorize.width", i32 {LANES}'),
                    node('!"llvm.loop.interleave.count", i32 1'),
                ]
            if masks and turns <= WRITTEN_OUT * LANES:
                out = node('!"llvm.loop.unroll.full"')
                advice.append(node(f'!"llvm.loop.vectorize.followup_vectorized", {out}'))
            own = f"!{first + len(metadata)}"
            line = f"{line}, !llvm.loop {node(', '.join([own, *advice]), 'distinct ')}"
            turns = None
        lines.append(line)
    return "\n".join([*lines, *metadata, ""])


def stands_alone(body: list[ast.stmt]) -> bool:
    """Whether the turns of a loop can be the lanes of a vector: it holds no other loop, calls nothing for what it does
    (such as a product), and no turn reads what the turn before it has left in a variable, unless that is a sum or an
    extreme whose order is free (`add_up`, `larger`, `|`).

    Other loops are left to LLVM: advised to make vectors of what it cannot, it complains on the user's terminal.
    """
    nodes = [node for statement in body for node in ast.walk(statement)]
    if any(isinstance(node, (ast.For, ast.While, ast.Expr)) for node in nodes):
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
