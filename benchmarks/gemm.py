"""Matrix products of common layers come in, a table of one core's GFLOP/s beside NumPy's BLAS on one thread comes out.

`peak` is what the micro-kernel reaches with every operand in the first-level cache; `nn` is a layer's forward pass,
`tn` the gradient of its kernel, `nt` the gradient of its input. Calls are interleaved and the best of each is kept,
because other work on the machine can only slow one down.
"""

from __future__ import annotations

import argparse
import os
import time

for _variable in ("OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "VECLIB_MAXIMUM_THREADS"):
    os.environ[_variable] = "1"

import numpy as np  # noqa: E402

from trainer_cli.targets.cpu import gemm  # noqa: E402
from trainer_cli.targets.cpu.intrinsics import float_pointer  # noqa: E402
from trainer_cli.targets.cpu.linking import linked  # noqa: E402
from trainer_cli.targets.cpu.microkernel import PANEL, register_block  # noqa: E402

# rows, depth, columns
SHAPES = {
    "nn": [
        (1, 784, 128), (16, 784, 128), (32, 784, 128), (128, 784, 128), (32, 128, 10), (32, 64, 32), (31, 100, 50),
        (128, 784, 512), (256, 512, 512), (32, 1024, 1024),
    ],
    "tn": [(784, 32, 128), (392, 32, 128), (128, 32, 10), (784, 128, 512), (512, 256, 512)],
    "nt": [
        (32, 128, 784), (16, 128, 784), (32, 10, 128), (128, 512, 784), (16, 1024, 784), (64, 1024, 1024),
        (256, 512, 512),
    ],
}  # fmt: skip
OPERATIONS = 2e8


def aligned(count):
    """Random floats that begin at a cache line."""
    memory = np.random.default_rng(0).standard_normal(count + 16, np.float32)
    start = -memory.ctypes.data // 4 % 16
    return memory[start : start + count]


def strides(layout, rows, depth, columns):
    if layout == "nn":
        return {"a_row": depth, "a_depth": 1, "b_depth": columns, "b_column": 1}
    if layout == "tn":
        return {"a_row": 1, "a_depth": rows, "b_depth": columns, "b_column": 1}
    return {"a_row": depth, "a_depth": 1, "b_depth": 1, "b_column": depth}


def compiled(layout, rows, depth, columns):
    function = gemm.product(
        columns=columns,
        depth=None if layout == "tn" else depth,
        epilogue=gemm.store_epilogue(columns),
        **strides(layout, rows, depth, columns),
    )

    @linked
    def run(a, b, c, times):
        for _ in range(times):
            function(0, rows, depth, float_pointer(a), float_pointer(b), (float_pointer(c),))

    a, b, c = aligned(rows * depth), aligned(depth * columns), aligned(rows * columns)
    left = a.reshape(depth, rows).T if layout == "tn" else a.reshape(rows, depth)
    right = b.reshape(columns, depth).T if layout == "nt" else b.reshape(depth, columns)
    run(a.ctypes.data, b.ctypes.data, c.ctypes.data, 1)
    np.testing.assert_allclose(c.reshape(rows, columns), left @ right, rtol=1e-3, atol=1e-3)
    result = np.empty((rows, columns), np.float32)

    def blas(times):
        for _ in range(times):
            np.dot(left, right, out=result)

    return (lambda times: run(a.ctypes.data, b.ctypes.data, c.ctypes.data, times)), blas


def measure(contenders, operations, rounds):
    """Best GFLOP/s of each."""
    times = max(1, int(OPERATIONS / operations))
    best = [float("inf")] * len(contenders)
    for _ in range(rounds):
        for i, call in enumerate(contenders):
            start = time.perf_counter()
            call(times)
            best[i] = min(best[i], (time.perf_counter() - start) / times)
    return [operations / seconds / 1e9 for seconds in best]


def peak(rounds=15):
    """GFLOP/s of one core with every operand in the first-level cache."""
    inner = (PANEL, 64, register_block().width)
    return measure([compiled("nn", *inner)[0]], 2 * np.prod(inner), rounds)[0]


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=15)
    rounds = parser.parse_args().rounds
    block = register_block()
    best = peak(rounds)
    print(f"block {block.rows}×{block.vectors} vectors of {block.lanes}, peak {best:.1f} GFLOP/s")
    print(f"{'':3}{'rows × depth × columns':>24}{'trainer':>10}{'of peak':>9}{'BLAS':>8}{'trainer/BLAS':>14}")
    for layout, shapes in SHAPES.items():
        for shape in shapes:
            ours, blas = measure(compiled(layout, *shape), 2 * np.prod(shape), rounds)
            name = " × ".join(map(str, shape))
            print(f"{layout:3}{name:>24}{ours:10.1f}{ours / best:9.0%}{blas:8.1f}{ours / blas:14.2f}")


if __name__ == "__main__":
    main()
