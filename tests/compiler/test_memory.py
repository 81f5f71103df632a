"""The memory pass: partitions in, buffers that share the arena without ever overlapping while alive out."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tests.random_graphs import RandomGraph
from trainer_cli.compiler import memory
from trainer_cli.compiler.kernels import storage
from trainer_cli.compiler.layout import ALIGNMENT, elements
from trainer_cli.compiler.schedule import make_schedule
from trainer_cli.ir import language as ir
from trainer_cli.ir.graph import BATCH, Graph
from trainer_cli.ir.primitive import IRError


def chain(links: int) -> Graph:
    """Values of the same size, each of which needs a barrier behind the one before."""
    graph = Graph()
    x = graph.weight("w", (40, 40))
    for _ in range(links):
        x = ir.tanh(ir.transpose(x, (1, 0)) * 0.5)
    graph.outputs["y"] = ir.reduce_sum(x)
    return graph


def test_a_buffer_is_used_again_when_nobody_reads_it_any_more() -> None:
    schedule = make_schedule(chain(12), 1)
    value_bytes = 40 * 40 * 4
    assert len([buffer for buffer in schedule.buffers.values() if buffer.size == value_bytes]) == 11
    assert schedule.arena == 2 * value_bytes


@pytest.mark.parametrize("seed", range(20))
def test_live_buffers_never_overlap_and_are_aligned(seed: int) -> None:
    schedule = make_schedule(RandomGraph(seed).graph, 13)
    buffers = list(schedule.buffers.values())
    for index, one in enumerate(buffers):
        assert one.offset % ALIGNMENT == 0
        assert one.size >= 4 * elements(one.value.shape, 13) or one.value.dtype == "bool"
        assert one.offset + one.size <= schedule.arena
        for other in buffers[:index]:
            apart = one.offset + one.size <= other.offset or other.offset + other.size <= one.offset
            assert apart or one.last < other.first or other.last < one.first


@pytest.mark.parametrize("seed", range(20))
def test_everything_that_is_read_was_written_and_is_alive(seed: int) -> None:
    schedule = make_schedule(RandomGraph(seed).graph, 13)
    written = set(schedule.graph.leaves("input").values())
    for number, region in enumerate(schedule.partition.regions):
        for kernel in region.kernels:
            for value in map(storage, kernel.reads):
                if value in schedule.buffers:
                    assert value in written
                    assert schedule.buffers[value].first <= number <= schedule.buffers[value].last
            written.update(kernel.stores)
    last = len(schedule.partition.regions) - 1
    for value in schedule.graph.outputs.values():
        assert not value.batched or schedule.buffers[storage(value)].last == last


def test_sizes_follow_the_batch_and_the_type() -> None:
    graph = Graph()
    x, flags = graph.input("x", (BATCH, 5)), graph.input("flags", (BATCH, 5), "bool")
    graph.outputs["y"] = ir.select(flags, x, -x)
    sizes = {buffer.value.op + buffer.value.dtype: buffer.size for buffer in make_schedule(graph, 32).buffers.values()}
    assert sizes == {"inputfloat": 640, "inputbool": 192, "selectfloat": 640}


def test_an_overlap_is_refused() -> None:
    schedule = make_schedule(chain(3), 1)
    first, second, *_ = [value for value in schedule.buffers if value.shape == (40, 40)]
    schedule.buffers[second] = replace(schedule.buffers[second], offset=schedule.buffers[first].offset)
    with pytest.raises(IRError, match="overlap"):
        memory._verify(schedule)


def test_a_buffer_beside_a_cache_line_is_refused() -> None:
    schedule = make_schedule(chain(1), 1)
    value = next(iter(schedule.buffers))
    schedule.buffers[value] = replace(schedule.buffers[value], offset=schedule.arena + 4)
    with pytest.raises(IRError, match="not aligned"):
        memory._verify(schedule)


def test_a_read_after_the_end_of_a_buffer_is_refused() -> None:
    schedule = make_schedule(chain(3), 1)
    value = next(value for value, buffer in schedule.buffers.items() if buffer.last > buffer.first)
    schedule.buffers[value] = replace(schedule.buffers[value], last=schedule.buffers[value].first)
    with pytest.raises(IRError, match="while it is not alive"):
        memory._verify(schedule)
