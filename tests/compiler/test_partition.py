"""The partition pass: kernels in, regions between barriers out, and no hazard left between threads."""

from __future__ import annotations

import pytest

from tests.programs import program
from tests.random_graphs import RandomGraph
from trainer_cli.compiler import partition as module
from trainer_cli.compiler.fuse import fuse
from trainer_cli.compiler.kernels import Kernel
from trainer_cli.compiler.partition import FLAT_BLOCK, ROW_BLOCK, LeafBuffer, Partition, Split, partition, split_of
from trainer_cli.compiler.simplify import simplify
from trainer_cli.ir import language as ir
from trainer_cli.ir.graph import BATCH, Graph, Value
from trainer_cli.ir.primitive import IRError


def parts(graph: Graph) -> Partition:
    return partition(fuse(simplify(graph)))


def region_of(result: Partition, op: str) -> list[int]:
    return [
        number
        for number, region in enumerate(result.regions)
        for kernel in region.kernels
        if op in [value.op for value in kernel.computed]
    ]


def test_what_is_split_how() -> None:
    assert split_of((BATCH, 3)) == Split("rows")
    assert split_of(()).kind == "single"
    assert split_of((3, 4)).kind == "single"
    assert split_of((100, 30)) == Split("slices", 100, ROW_BLOCK)
    assert split_of((100, 3)) == Split("slices", 100, FLAT_BLOCK)
    assert split_of((1, 500)) == Split("slices", 1, ROW_BLOCK)


def test_rows_need_no_barrier() -> None:
    graph = Graph()
    x = graph.input("x", (BATCH, 6))
    for name in "abcd":
        x = ir.tanh(ir.contract("bi,ij->bj", x, graph.weight(name, (6, 6))))
    graph.outputs["y"] = x
    assert len(parts(graph).regions) == 1


def test_a_sum_over_the_rows_waits_for_all_rows() -> None:
    graph = Graph()
    x = graph.input("x", (BATCH, 6))
    graph.outputs |= {
        "kept": x * 2.0,
        "y": ir.reduce_sum(ir.exp(ir.contract("bi,ij->bj", x, graph.weight("w", (6, 6)))), 0),
    }
    result = parts(graph)
    assert region_of(result, "exp") == [0]
    assert region_of(result, "reduce_sum") == [1]


def test_a_sum_over_the_rows_of_an_input_waits_for_them_to_be_gathered() -> None:
    graph = Graph()
    graph.outputs["y"] = ir.reduce_sum(graph.input("x", (BATCH, 6)), 0)
    result = parts(graph)
    assert [len(region.kernels) for region in result.regions] == [0, 1]


def test_reading_another_threads_slice_waits() -> None:
    # Read after write: the transpose reads columns, which other threads own.
    graph = Graph()
    w = graph.weight("w", (40, 40))
    graph.updates["w"] = ir.transpose(ir.exp(w), (1, 0)) + 1.0
    assert region_of(parts(graph), "exp") < region_of(parts(graph), "transpose")


def test_staying_in_its_own_slices_needs_no_barrier() -> None:
    graph = Graph()
    w = graph.weight("w", (40, 40))
    graph.outputs["norm"] = ir.reduce_sum(ir.square(w), 1)
    graph.updates["w"] = w * 0.5
    result = parts(graph)
    assert len(result.regions) == 1
    norm, update = result.regions[0].kernels
    assert [name for _, name in update.updates] == ["w"]
    assert norm is not update


def test_a_write_waits_for_readers_of_the_old_value_in_other_slices() -> None:
    graph = Graph()
    w = graph.weight("w", (40, 40))
    graph.outputs["columns"] = ir.reduce_sum(w, 0)
    graph.updates["w"] = w * 0.5
    result = parts(graph)
    (reader,) = region_of(result, "reduce_sum")
    (writer,) = region_of(result, "multiply")
    assert reader < writer


def test_splits_of_different_blocks_do_not_share_slices() -> None:
    graph = Graph()
    w = graph.weight("w", (200, 3))
    rows = ir.reduce_sum(ir.reshape(w, (200, 3)) * 2.0, 1)
    graph.updates["v"] = ir.contract("i,j->ij", ir.exp(rows), graph.weight("u", (30,)))
    result = parts(graph)
    splits = [result.splits[kernel] for kernel in result.kernels]
    assert len({split.block for split in splits}) == 2
    assert len(result.regions) == 2


def broken(result: Partition, move: Kernel, to: int) -> Partition:
    for region in result.regions:
        if move in region.kernels:
            region.kernels.remove(move)
    result.regions[to].kernels.append(move)
    return result


def hazards() -> dict[str, Graph]:
    after_write, after_read, inputs = Graph(), Graph(), Graph()
    w = after_write.weight("w", (40, 40))
    after_write.outputs["y"] = ir.reduce_sum(ir.transpose(ir.exp(w), (1, 0)) * 2.0, 1)
    w = after_read.weight("w", (40, 40))
    after_read.outputs["columns"] = ir.reduce_sum(w, 0)
    after_read.updates["w"] = w * 0.5
    inputs.outputs["y"] = ir.reduce_sum(inputs.input("x", (BATCH, 6)), 0)
    return {"read after write": after_write, "write after read": after_read, "inputs": inputs}


@pytest.mark.parametrize("name", hazards())
def test_a_schedule_without_the_barrier_is_refused(name: str) -> None:
    fusion = fuse(simplify(hazards()[name]))
    result = partition(fusion)
    last = result.regions[-1].kernels[-1]
    assert len(result.regions) > 1
    broken(result, last, 0)
    numbers = {kernel: number for number, region in enumerate(result.regions) for kernel in region.kernels}
    with pytest.raises(IRError, match="no barrier"):
        module._verify(result, fusion, numbers)


def test_a_read_behind_the_update_is_refused() -> None:
    fusion = fuse(simplify(hazards()["write after read"]))
    for kernel in fusion.after:
        fusion.after[kernel] = set()
    fusion.kernels.reverse()
    with pytest.raises(IRError, match="comes after the update of w"):
        partition(fusion)


def test_a_forgotten_kernel_is_refused() -> None:
    fusion = fuse(simplify(hazards()["write after read"]))
    result = partition(fusion)
    result.regions[0].kernels.clear()
    with pytest.raises(IRError, match="every kernel belongs in one region"):
        module._verify(result, fusion, dict.fromkeys(fusion.kernels, 1))


def test_a_kernel_before_what_it_reads_is_refused() -> None:
    fusion = fuse(simplify(hazards()["read after write"]))
    result = partition(fusion)
    result.regions.reverse()
    numbers = {kernel: number for number, region in enumerate(result.regions) for kernel in region.kernels}
    with pytest.raises(IRError, match="runs before what it reads"):
        module._verify(result, fusion, numbers)


def test_two_writers_of_a_total_never_race() -> None:
    made = program([{"type": "dense", "units": 3}], "mse", "sgd", inputs=(4,), metrics=["mae", "mse"])
    assert made.train is not None
    result = parts(made.train)
    totals = [name for kernel in result.kernels for _, name in kernel.totals]
    assert len(totals) == len(set(totals))
    assert all(result.splits[kernel].kind != "rows" for kernel in result.kernels if kernel.totals)


@pytest.mark.parametrize("seed", range(30))
def test_no_hazard_is_left_in_any_graph(seed: int) -> None:
    """Every pair of touches on one buffer, one of them a write, by the definition and not by the pass's own words."""
    result = parts(RandomGraph(seed, steps=50).graph)
    where = {kernel: number for number, region in enumerate(result.regions) for kernel in region.kernels}
    for kernel in result.kernels:
        for other in result.kernels:
            if kernel is other or where[kernel] != where[other]:
                continue
            for mine in result.touches[kernel]:
                for theirs in result.touches[other]:
                    if mine.buffer == theirs.buffer and mine.writes:
                        together = result.splits[kernel] == result.splits[other]
                        assert together
                        assert (mine.own and theirs.own) or result.splits[kernel].kind == "single"


def test_touches_know_whether_a_read_stays_in_its_rows() -> None:
    graph = Graph()
    x, w = graph.input("x", (BATCH, 4)), graph.weight("w", (4, 4))
    graph.outputs["y"] = ir.contract("bi,ij->bj", x, w)
    result = parts(graph)
    (kernel,) = result.kernels
    own = {
        touch.buffer.op if isinstance(touch.buffer, Value) else touch.buffer: touch.own
        for touch in result.touches[kernel]
    }
    assert own == {"input": True, LeafBuffer("w"): False, "contract": True}
