"""Machine operations in, what they must do out: pointers, atomics, float state, stack buffers, bit casts."""

from __future__ import annotations

import math
import threading
from typing import Any

import numpy as np
import pytest

from trainer_cli.targets.cpu import intrinsics as machine
from trainer_cli.targets.cpu.linking import linked


def test_pointers_reach_the_elements_of_every_type() -> None:
    makers = {
        np.float32: machine.float_pointer,
        np.float64: machine.double_pointer,
        np.int32: machine.int_pointer,
        np.uint8: machine.byte_pointer,
        np.intp: machine.word_pointer,
    }

    def copier(maker: Any) -> Any:
        @linked
        def copy(source: int, target: int, count: int) -> None:
            p = maker(source)
            q = machine.offset(maker(target), 1)
            for i in range(count):
                q[i] = p[i]

        return copy

    for dtype, maker in makers.items():
        copy = copier(maker)
        source = np.arange(5).astype(dtype)
        target = np.zeros(6, dtype)
        copy(source.ctypes.data, target.ctypes.data, 5)
        assert target.tolist() == [0, 0, 1, 2, 3, 4]


def test_stack_buffer_is_aligned_and_reserved_once() -> None:
    size = 1 << 14

    @linked
    def touch(buffer: Any) -> None:
        machine.kernel_attributes()
        buffer[0] = buffer[size - 1] = 1.0

    @linked
    def fill(rounds: int) -> float:
        total = 0.0
        for _ in range(rounds):
            buffer = machine.stack_floats(size)
            touch(buffer)
            total += buffer[size - 1]
        return total

    # 10^5 rounds of 64 KiB would overrun any stack.
    assert fill(100_000) == 100_000
    assert "align 64" in fill.llvm()


def test_kernel_attributes_mark_the_function() -> None:
    @linked
    def scale(x: Any, y: Any) -> None:
        machine.kernel_attributes()
        for i in range(100):
            y[i] = x[i] * np.float32(2)

    @linked
    def run(x: int, y: int) -> None:
        scale(machine.float_pointer(x), machine.float_pointer(y))

    x, y = np.arange(100, dtype=np.float32), np.zeros(100, np.float32)
    run(x.ctypes.data, y.ctypes.data)
    assert np.array_equal(y, 2 * x)
    text = run.llvm()
    definition = next(line for line in text.splitlines() if line.startswith("define") and "scale" in line)
    marked = [argument for argument in definition.split(", ") if "%arg." in argument]
    assert len(marked) == 2
    assert all("noalias" in argument for argument in marked)
    assert "noinline" in text


def test_inline_attributes_leave_no_call() -> None:
    @linked
    def sweep(x: Any) -> None:
        machine.inline_attributes()
        for i in range(100):
            for j in range(100):
                x[i] = math.sin(x[i]) * np.float32(j)

    @linked
    def run(x: int) -> None:
        for k in range(3):
            sweep(machine.offset(machine.float_pointer(x), k))
        sweep(machine.float_pointer(x))

    run(np.zeros(200, np.float32).ctypes.data)
    body = run.llvm()
    assert not any("= call" in line and "sweep" in line for line in body.splitlines())


def test_atomic_add_loses_no_count() -> None:
    @linked
    def count(address: int, rounds: int) -> None:
        word = machine.word_pointer(address)
        for _ in range(rounds):
            machine.atomic_add(word, 3)
            machine.pause()

    word = np.zeros(1, np.intp)
    count(word.ctypes.data, 0)
    threads = [threading.Thread(target=count, args=(word.ctypes.data, 50_000)) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert word[0] == 4 * 50_000 * 3


def test_store_publishes_what_was_written_before() -> None:
    @linked
    def send(flag: int, message: int) -> None:
        machine.float_pointer(message)[0] = 42.0
        machine.atomic_store(machine.word_pointer(flag), 1)

    @linked
    def receive(flag: int, message: int) -> float:
        while machine.atomic_load(machine.word_pointer(flag)) == 0:
            machine.yield_processor()
        return machine.float_pointer(message)[0]

    flag, message = np.ones(1, np.intp), np.zeros(1, np.float32)
    receive(flag.ctypes.data, message.ctypes.data)
    flag[0] = 0
    got: list[float] = []
    thread = threading.Thread(target=lambda: got.append(receive(flag.ctypes.data, message.ctypes.data)))
    thread.start()
    send(flag.ctypes.data, message.ctypes.data)
    thread.join(timeout=60)
    assert got == [42.0]


def test_atomic_add_gives_the_old_value() -> None:
    @linked
    def add(address: int) -> int:
        return machine.atomic_add(machine.word_pointer(address), 5)

    word = np.array([7], np.intp)
    assert (add(word.ctypes.data), word[0]) == (7, 12)


@pytest.mark.skipif(not (machine.is_x86() or machine.is_arm()), reason="no flush mode known for this processor")
def test_subnormals_flush_and_come_back() -> None:
    @linked
    def halve(x: Any) -> None:
        machine.kernel_attributes()
        x[0] = x[0] * np.float32(0.5)

    @linked
    def run(address: int) -> int:
        x = machine.float_pointer(address)
        old = machine.flush_subnormals()
        halve(x)
        machine.restore_float_state(old)
        halve(machine.offset(x, 1))
        again = machine.flush_subnormals()
        machine.restore_float_state(again)
        return old - again

    x = np.full(2, np.finfo(np.float32).tiny)
    assert run(x.ctypes.data) == 0
    assert x[0] == 0
    assert x[1] == np.finfo(np.float32).tiny / 2


def test_bit_casts() -> None:
    @linked
    def single(x: float) -> int:
        return machine.float_bits(x)

    @linked
    def back(bits: int) -> float:
        return machine.bits_float(bits)

    @linked
    def double(x: float) -> int:
        return machine.double_bits(x)

    @linked
    def double_back(bits: int) -> float:
        return machine.bits_double(bits)

    assert single(np.float32(1.0)) == 0x3F800000
    assert back(np.int32(0x3F800001)) == np.nextafter(np.float32(1), np.float32(2))
    assert double(1.0) == 0x3FF0000000000000
    assert double_back(0x4000000000000000) == 2.0


@pytest.mark.skipif(not machine.has_fused_multiply_add(), reason="the processor rounds twice")
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_fma_rounds_once(dtype: Any) -> None:
    @linked
    def run(a: float, b: float, c: float) -> float:
        return machine.fma(a, b, c)

    tiny = np.finfo(dtype).eps
    a = dtype(1 + tiny)
    assert run(a, dtype(1 - tiny), dtype(-1)) == -(dtype(tiny) ** 2)
