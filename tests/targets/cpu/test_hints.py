"""Bodies of loops in; whether LLVM is advised to make vectors of them, out, and that it never complains."""

from __future__ import annotations

import ast

import numpy as np
import pytest

from tests.native import NativeGraph
from trainer_cli.ir import language as ir
from trainer_cli.ir.graph import BATCH, Graph
from trainer_cli.targets.cpu.hints import advised, stands_alone


@pytest.mark.parametrize(
    ("body", "alone"),
    [
        ("v = p[i] * 2\nq[i] = v", True),
        ("t = add_up(t, p[i])\nb = b | (p[i] != p[i])\nm = larger(m, p[i])", True),
        ("t += p[i]", False),
        ("t = p[i] if p[i] > t else t", False),
        ("t = add_up(t, p[i])\nq[i] = t", False),
        ("q[i] = last\nlast = p[i]", False),
        ("for j in range(3):\n    q[j] = p[i]", False),
        ("entry_product(0, rows, offset(p, i * 8))", False),
    ],
)
def test_turns_that_stand_alone(body: str, alone: bool) -> None:
    assert stands_alone(ast.parse(body).body) is alone


def test_advice_stands_at_the_branch_behind_its_mark() -> None:
    text = """
declare void @trainer.advise.28()
define void @f() {
  br label %loop
loop:
  call void @trainer.advise.28()
  store i64 0, ptr null
  br label %loop
}
!0 = !{}
"""
    found = advised(text)
    assert "trainer.advise" not in found
    assert found.count("!llvm.loop") == 1
    assert "  store i64 0, ptr null\n  br label %loop, !llvm.loop !" in found
    assert '"llvm.loop.unroll.disable"' in found
    own = next(line for line in found.splitlines() if "distinct" in line)
    assert own.split(" = ")[0] == own.split("{")[1].split(",")[0], "a loop's node names itself first"
    assert advised("define void @g() {\n}\n") == "define void @g() {\n}\n"


def test_llvm_has_nothing_to_say(tmp_path, monkeypatch, capfd) -> None:
    monkeypatch.setenv("TRAINER_CACHE_DIR", str(tmp_path / "cache"))
    graph = Graph()
    x = graph.input("x", (BATCH, 11))
    shares = ir.exp(x - ir.broadcast_to(ir.reshape(ir.reduce_max(x, 1), (BATCH, 1)), x.shape))
    graph.outputs = {"shares": shares, "total": ir.reduce_sum(shares, 1), "best": ir.argmax(x, 1)}
    graph.outputs["sum"] = ir.reduce_sum(x, (0, 1))
    NativeGraph(graph, 8).run({"x": np.ones((8, 11), np.float32)}, 8)
    said = capfd.readouterr()
    assert "vectorized" not in said.out + said.err
