"""Matrix products of common layers come in; one core's GFLOP/s beside the kernel's peak and NumPy's BLAS come out.

    python benchmarks/gemm.py [--turns N] [--shape LAYOUT:ROWSxDEPTHxCOLUMNS …] [--json]

The peak is what the micro-kernel reaches with every operand in the first-level cache. `nn` is a layer's forward pass,
`tn` the gradient of its kernel, `nt` the gradient of its input. Peak, product and BLAS take short turns one behind the
other, and a ratio is the median of those within a turn: a moment in which the machine is slow, or fast, is one for all
three, where the best of each could come from different moments. BLAS is called through NumPy, as programs do.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import time

# Before NumPy is imported: this is about one core.
for _variable in ("OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "VECLIB_MAXIMUM_THREADS"):
    os.environ[_variable] = "1"

import numpy as np  # noqa: E402

from trainer_cli.targets.cpu import gemm  # noqa: E402
from trainer_cli.targets.cpu.intrinsics import float_pointer  # noqa: E402
from trainer_cli.targets.cpu.linking import linked  # noqa: E402
from trainer_cli.targets.cpu.microkernel import PANEL, register_block  # noqa: E402
from trainer_cli.targets.cpu.tiles import DEPTH_BLOCK  # noqa: E402

# rows, depth, columns
SHAPES = {
    "nn": [
        (1, 784, 128), (1, 1024, 1024), (2, 256, 256), (3, 1024, 1024), (7, 784, 128), (16, 784, 128), (32, 784, 128),
        (128, 784, 128), (17, 100, 37), (31, 100, 50), (32, 128, 10), (32, 64, 32), (64, 16, 16), (64, 64, 64),
        (128, 256, 256), (128, 784, 512), (256, 512, 512), (64, 4096, 128), (32, 1024, 1024), (128, 1024, 1024),
    ],
    "tn": [
        (784, 32, 128), (392, 32, 128), (128, 32, 10), (100, 31, 50), (64, 4096, 128), (784, 128, 512), (512, 256, 512),
        (1024, 64, 1024),
    ],
    "nt": [
        (1, 128, 784), (16, 128, 784), (32, 128, 784), (32, 10, 128), (31, 50, 100), (128, 512, 784), (16, 1024, 784),
        (64, 1024, 1024), (256, 512, 512),
    ],
}  # fmt: skip
TURNS = 99
TURN = 0.5e-3
"""Seconds that a contender's part of a turn lasts at least: longer than the clock's error, shorter than a mood."""


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
    """Our product and BLAS's of the same operands, as calls that repeat it; both give the same."""
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


def seconds(call, times):
    """Seconds of one of so many repetitions."""
    began = time.perf_counter()
    call(times)
    return (time.perf_counter() - began) / times


def repetitions(call):
    """The power of two that fills a contender's part of a turn."""
    times = 1
    while seconds(call, times) * times < TURN:
        times *= 2
    return times


def peak_call():
    """What reaches the peak, and its operations: a panel times a tile, which together fill half of a small cache."""
    inner = (PANEL, DEPTH_BLOCK, register_block().width)
    return compiled("nn", *inner)[0], operations(*inner)


def operations(rows, depth, columns):
    return 2 * rows * depth * columns


def measure(layout, shape, peak, turns):
    """A shape as a record: medians of GFLOP/s, and of the ratios within each turn."""
    calls = [peak[0], *compiled(layout, *shape)]
    work = [peak[1], operations(*shape), operations(*shape)]
    times = [repetitions(call) for call in calls]
    speeds = np.empty((turns, len(calls)))
    for turn in range(turns):
        for step in range(len(calls)):
            i = (turn + step) % len(calls)  # none is always behind the same other
            speeds[turn, i] = work[i] / seconds(calls[i], times[i]) / 1e9
    best, ours, blas = speeds.T
    return {
        **dict(zip(("rows", "depth", "columns"), shape, strict=True)),
        "layout": layout,
        "ours": statistics.median(ours),
        "blas": statistics.median(blas),
        "peak": statistics.median(best),
        "ours_of_peak": statistics.median(ours / best),
        "blas_of_peak": statistics.median(blas / best),
        "ours_of_blas": statistics.median(ours / blas),
    }


def named_shape(text):
    """The layout and the shape that `nn:32x784x128` stands for."""
    layout, _, shape = text.partition(":")
    rows, depth, columns = map(int, shape.split("x"))
    if layout not in SHAPES:
        raise ValueError(f"there is no layout {layout}")
    return layout, (rows, depth, columns)


def line(own):
    """A record as a line of the table."""
    name = " × ".join(str(own[key]) for key in ("rows", "depth", "columns"))
    speeds = f"{own['ours']:10.1f}{own['blas']:8.1f}{own['peak']:8.1f}"
    return f"{own['layout']:3}{name:>22}{speeds}{own['ours_of_peak']:14.0%}{own['ours_of_blas']:15.2f}"


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--turns", type=int, default=TURNS)
    parser.add_argument("--shape", type=named_shape, action="append", metavar="LAYOUT:ROWSxDEPTHxCOLUMNS")
    parser.add_argument("--json", action="store_true", help="a record per line instead of the table")
    options = parser.parse_args()
    chosen = options.shape or [(layout, shape) for layout, shapes in SHAPES.items() for shape in shapes]
    if not options.json:
        block = register_block()
        print(f"block {block.rows}×{block.vectors} vectors of {block.lanes}; GFLOP/s of one core")
        names = f"{'trainer':>10}{'BLAS':>8}{'peak':>8}{'trainer/peak':>14}{'trainer/BLAS':>15}"
        print(f"{'rows × depth × columns':>25}{names}")
    peak = peak_call()
    for layout, shape in chosen:
        own = measure(layout, shape, peak, options.turns)
        print(json.dumps(own) if options.json else line(own), flush=True)


if __name__ == "__main__":
    main()
