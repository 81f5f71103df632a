"""Networks in, the bits of their weights out: the same whether kernels take all rows at once or chunks of them."""

from __future__ import annotations

import ctypes
from typing import Any

import numpy as np
import pytest

from trainer_cli.compiler.kernels import is_private
from trainer_cli.compiler.program import InputSpec, Program, build_program
from trainer_cli.compiler.schedule import make_schedule
from trainer_cli.config.schema import Config
from trainer_cli.data.source import Split
from trainer_cli.targets import open_target
from trainer_cli.targets.cpu import executable, plan
from trainer_cli.targets.cpu.build import load
from trainer_cli.targets.cpu.cache import symbol
from trainer_cli.targets.cpu.compilation import compile_unit
from trainer_cli.targets.cpu.plan_source import RUNTIME
from trainer_cli.targets.cpu.program import Argument, Export, Sharing, Unit
from trainer_cli.targets.cpu.program import Program as StepProgram
from trainer_cli.targets.cpu.words import Word
from trainer_cli.targets.cpu.writer import KERNEL_HEAD

ROWS, BATCH = 100, 40

NETWORKS: dict[str, tuple[list[Any], tuple[int, ...]]] = {
    "dense": (["dense", {"type": "dropout", "rate": 0.2}, "batch_normalization", "dense"], (9,)),
    "convolution": (
        [
            {"type": "conv2d", "filters": 5, "kernel_size": 3, "activation": "relu"},
            "max_pooling2d",
            {"type": "conv2d", "filters": 6, "kernel_size": 2},
            "flatten",
        ],
        (8, 8, 2),
    ),
    "normalization": (
        [
            {"type": "conv2d", "filters": 5, "kernel_size": 3},
            "batch_normalization",
            {"type": "activation", "activation": "relu"},
            {"type": "conv2d", "filters": 6, "kernel_size": 2, "strides": 2, "padding": "same"},
            "batch_normalization",
            "flatten",
        ],
        (9, 9, 2),
    ),
    "recurrence": (
        [
            {"type": "lstm", "units": 7, "return_sequences": True},
            {"type": "bidirectional", "layer": {"type": "gru", "units": 5}},
        ],
        (6, 4),
    ),
    "attention": (
        [
            {"type": "dense", "units": 8, "name": "start"},
            {"type": "multi_head_attention", "num_heads": 2, "key_dim": 4, "causal": True},
            {"type": "add", "inputs": ["start", "multi_head_attention_1"]},
            "layer_normalization",
            "global_average_pooling1d",
        ],
        (6, 4),
    ),
}


def _program(name: str) -> Program:
    layers, shape = NETWORKS[name]
    layers = [{"type": "dense", "units": 6, "activation": "tanh"} if layer == "dense" else layer for layer in layers]
    config = {
        "architecture": [*layers, {"type": "dense", "units": 3, "activation": "softmax"}],
        "optimizer": "adam",
        "loss": "sparse_categorical_crossentropy",
        "metrics": ["accuracy"],
    }
    return build_program(Config.model_validate(config), InputSpec(shape))


def _trained(program: Program, threads: int) -> dict[str, bytes]:
    native = open_target("cpu", threads=threads).compile(program, batch_size=BATCH)
    native.load(program.initial_state(3))
    generator = np.random.default_rng(0)
    shape = program.inputs["input"].shape
    x = generator.random((ROWS, *shape), dtype=np.float32)
    split = Split({"input": x}, {"target": generator.integers(0, 3, ROWS).astype(np.int32)}, ROWS)
    order = generator.permutation(ROWS).astype(np.int32)
    totals = native.train(split, order, 0, program.hyperparameters, 7).totals
    predicted = native.predict(split, 0, ROWS)
    found = {name: array.tobytes() for name, array in native.state().items()}
    found |= {f"total {name}": np.asarray(array).tobytes() for name, array in totals.items()}
    return found | {f"predicted {name}": array.tobytes() for name, array in predicted.items()}


@pytest.mark.parametrize("name", NETWORKS)
def test_chunks_change_no_bit(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    program = _program(name)

    def with_cache(size: int, threads: int) -> dict[str, bytes]:
        for module in (plan, executable):
            monkeypatch.setattr(module, "second_level_cache", lambda: size)
        return _trained(program, threads)

    whole = with_cache(0, 1)
    for cache in (1 << 12, 1 << 13, 1 << 20):
        for threads in (1, 2, 3):
            assert with_cache(cache, threads) == whole


@pytest.mark.parametrize("name", NETWORKS)
def test_chunks_have_room_in_little_memory(name: str) -> None:
    graph = _program(name).train
    assert graph is not None
    whole, divided = make_schedule(graph, BATCH), make_schedule(graph, BATCH, 1 << 13)
    assert all(map(is_private, whole.local))
    assert all(group.rows == 0 for region in whole.groups for group in region)
    assert not all(map(is_private, divided.local))
    assert divided.arena + divided.local_size < whole.arena
    rows = {group.rows for region in divided.groups for group in region}
    assert rows - {0}
    assert all(count % 4 == 0 and count < BATCH for count in rows)
    assert [kernel for region in divided.groups for group in region for kernel in group.kernels] == list(
        divided.partition.kernels
    )


def test_groups_take_turns_in_their_direction() -> None:
    graph = _program("normalization").train
    assert graph is not None
    schedule = make_schedule(graph, BATCH, 1 << 13)
    turns = [group.backward for region in schedule.groups for group in region if group.rows]
    assert turns == [number % 2 == 1 for number in range(len(turns))]
    assert len(turns) > 3


@pytest.mark.parametrize("backward", [False, True])
def test_chunks_go_through_all_rows_of_a_thread_from_either_end(backward: bool) -> None:
    """Kernels that write the number of their call tell in which order the rows were taken."""
    text = KERNEL_HEAD + (
        "@linked\ndef entry(begin, end, rows, count, place):\n    kernel_attributes()\n    count[0] += float32(1.0)\n"
        "    for i in range(begin, end):\n        place[i] = count[0]\n"
    )
    unit = Unit(text, (Export(parameters=("float*", "float*")),))
    program = StepProgram()
    with program.chunks(8, backward=backward):
        program.call(unit, "entry", [Argument(Word.ARENA), Argument(Word.ARENA, 64)], Sharing.ROWS, block=0)
    for rows in (1, 7, 8, 9, 24, 29):
        found = _numbers(program, unit, rows)
        chunks = -(-rows // 8)
        expected = [float(n // 8 + 1) for n in range(rows)]
        assert found == ([chunks + 1 - number for number in expected] if backward else expected)


def _numbers(program: StepProgram, unit: Unit, rows: int) -> list[float]:
    """What is written for each row when a program runs on one thread."""
    units = {"runtime": RUNTIME, "kernel": unit}
    code = {digest: compile_unit(each, digest) for digest, each in units.items()}
    engine = load(code.values())
    words = np.array(program.words, dtype=np.int64)
    for place, _, name in program.functions:
        words[place] = engine.get_function_address(symbol(name, "kernel"))
    memory = np.zeros(64 + rows, dtype=np.float32)
    slots, table = np.zeros(256, dtype=np.int64), np.zeros(len(Word), dtype=np.int64)
    flags = np.zeros(16, dtype=np.int64)
    known = {
        Word.ARENA: memory.ctypes.data,
        Word.COUNT: rows,
        Word.BATCH: rows,
        Word.PROGRAM: words.ctypes.data,
        Word.PROGRAM_END: len(words),
        Word.BARRIER: flags.ctypes.data,
        Word.STATUS: flags[8:].ctypes.data,
        Word.MEMORY: slots.ctypes.data,
        Word.TABLE_SIZE: len(Word),
        Word.FRAME: len(Word) + 1,
    }
    for word, number in known.items():
        table[word] = number
    kinds = (ctypes.c_int64, ctypes.c_int64, ctypes.c_int64, ctypes.c_void_p)
    run = ctypes.CFUNCTYPE(None, *kinds)(engine.get_function_address(symbol("run", "runtime")))
    run(0, 1, 0, table.ctypes.data)
    return [float(number) for number in memory[16 : 16 + rows]]
