"""The causal pass: attention in, the same numbers from products that leave out what lies ahead out."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from tests.native import assert_agree
from trainer_cli.compiler.causal import causal, share_of
from trainer_cli.compiler.cost import operations_of
from trainer_cli.compiler.gradient import gradients
from trainer_cli.ir import language as ir
from trainer_cli.ir.graph import BATCH, Graph, Value, reachable

HEADS, WIDTH, ROWS = 2, 5, 3
FORBIDDEN = -1e9


def looking_back(scores: Value) -> Value:
    return ir.greater_equal(ir.iota(scores, -2), ir.iota(scores, -1))


def hidden(scores: Value) -> Value:
    return ir.select(looking_back(scores), scores, FORBIDDEN)


def attention(time: int, mask: Any = hidden, dropped: Any = lambda shares: shares, width: int = WIDTH) -> Graph:
    """Attention over `time` places, and the gradients of query, key and value."""
    graph = Graph()
    query, key, value = (ir.tanh(graph.input(name, (BATCH, time, HEADS, width))) for name in ("q", "k", "v"))
    shares = dropped(ir.softmax(mask(ir.contract("bqhd,bkhd->bhqk", query, key))))
    found = ir.contract("bhqk,bkhd->bqhd", shares, value)
    seen = ir.reduce_sum(ir.sin(found) * found)
    graph.outputs = {"found": found, "seen": seen}
    graph.outputs |= dict(zip(("dq", "dk", "dv"), gradients(seen, [query, key, value]), strict=True))
    return graph


def given(time: int, width: int = WIDTH) -> dict[str, Any]:
    random = np.random.default_rng(time)
    return {name: random.normal(size=(ROWS, time, HEADS, width)).astype(np.float32) * 2 for name in "qkv"}


def marks(graph: Graph) -> list[tuple[str, str]]:
    products = [value for value in causal(graph).values if value.op == "contract"]
    return [value.attributes["triangle"] for value in products if "triangle" in value.attributes]


@pytest.mark.parametrize("time", [1, 2, 7, 8, 17, 33, 64, 140])
def test_marked_products_give_the_same_numbers(time: int) -> None:
    graph = attention(time)
    assert marks(graph) == [("q", "k")] * 6
    assert_agree(graph, given(time), ROWS)


@pytest.mark.parametrize("width", [1, 16, 48, 80])
def test_heads_of_any_width(width: int) -> None:
    assert_agree(attention(20, width=width), given(20, width), ROWS)


def test_the_choice_between_zeros_and_zeros_goes() -> None:
    graph = attention(8)
    assert [value.op for value in reachable(graph.roots())].count("select") == 2
    assert [value.op for value in causal(graph).values].count("select") == 1


def test_what_lies_ahead_is_not_read() -> None:
    """Infinity, which times 0 is no number, in values: places before them do not meet it."""
    graph = Graph()
    key, value = (graph.input(name, (BATCH, 20, 16)) for name in "kv")
    shares = ir.softmax(hidden(ir.contract("bqd,bkd->bqk", key, key)))
    graph.outputs = {"found": ir.contract("bqk,bkd->bqd", shares, value)}
    random = np.random.default_rng(0)
    rows = {name: random.normal(size=(ROWS, 20, 16)).astype(np.float32) for name in "kv"}
    native = assert_agree(graph, rows, ROWS)
    before = native.run(rows, ROWS)["found"]
    rows["v"][:, 16:] = np.inf
    after = native.run(rows, ROWS)["found"]
    assert (after[:, :16] == before[:, :16]).all()
    assert not np.isfinite(after[:, 16:]).any()


@pytest.mark.parametrize(
    "mask",
    [
        lambda scores: scores,
        lambda scores: ir.select(looking_back(scores), scores, -5.0),
        lambda scores: ir.select(looking_back(scores), FORBIDDEN, scores),
        lambda scores: ir.select(ir.greater_equal(ir.iota(scores, -1), ir.iota(scores, -2)), scores, FORBIDDEN),
        lambda scores: ir.select(ir.greater(ir.iota(scores, -2), ir.iota(scores, -1)), scores, FORBIDDEN),
        # All that a query may see can be forbidden: its shares are alike then, ahead of it too.
        lambda scores: ir.select(ir.less(ir.iota(scores, -1), 3), hidden(scores), FORBIDDEN),
        lambda scores: ir.select(ir.greater(ir.iota(scores, -1), 3), hidden(scores), FORBIDDEN),
    ],
    ids=["all", "low", "turned", "ahead", "strictly before", "few keys", "late keys"],
)
def test_other_masks_are_left_alone(mask: Any) -> None:
    graph = attention(9, mask)
    assert marks(graph) == []
    assert_agree(graph, given(9), ROWS)


@pytest.mark.parametrize(
    "dropped",
    [
        lambda shares: shares * 2.0,
        lambda shares: ir.select(ir.greater(ir.iota(shares, -1), 2), shares / 0.5, 0.0),
        lambda shares: ir.cast(ir.less(ir.iota(shares, -2), 6), "float") * shares,
    ],
    ids=["scaled", "chosen", "times zero or one"],
)
def test_shares_that_are_dropped_stay_marked(dropped: Any) -> None:
    graph = attention(9, dropped=dropped)
    assert marks(graph) == [("q", "k")] * 6
    assert_agree(graph, given(9), ROWS)


@pytest.mark.parametrize(
    ("last", "count"),
    [
        (lambda scores, shares: ir.reduce_sum(scores), 1),
        (lambda scores, shares: scores, 1),
        (lambda scores, shares: ir.reduce_max(scores * shares, 3), 2),
        (lambda scores, shares: ir.reduce_sum(shares / scores, 3), 1),
    ],
    ids=["summed up", "result", "beside zeros", "divided by"],
)
def test_scores_that_others_read_are_made_whole(last: Any, count: int) -> None:
    graph = Graph()
    key, value = (graph.input(name, (BATCH, 12, HEADS, WIDTH)) for name in "kv")
    scores = ir.contract("bqhd,bkhd->bhqk", key, key)
    shares = ir.softmax(hidden(scores))
    graph.outputs = {"found": ir.contract("bhqk,bkhd->bqhd", shares, value), "other": last(scores, shares)}
    assert len(marks(graph)) == count
    random = np.random.default_rng(0)
    rows = {name: random.normal(size=(ROWS, 12, HEADS, WIDTH)).astype(np.float32) for name in "kv"}
    assert_agree(graph, rows, ROWS)


def test_the_work_that_is_left() -> None:
    graph = attention(64)
    whole, marked = ([value for value in each.values if value.op == "contract"] for each in (graph, causal(graph)))
    assert [share_of(value) for value in whole] == [1.0] * 6
    assert [share_of(value) for value in marked] == [65 / 128] * 6
    pairs = zip(whole, marked, strict=True)
    assert all(operations_of(half, 7) == operations_of(full, 7) * 65 // 128 for full, half in pairs)
