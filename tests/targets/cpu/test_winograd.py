"""Geometries and vector widths in, convolutions from transformed squares out: values, bits, no byte out of bounds."""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np
import pytest

from tests.targets.cpu.test_gemm import Fenced
from trainer_cli.compiler.geometry import Geometry
from trainer_cli.targets.cpu.convolution import convolution, kernel_gradient
from trainer_cli.targets.cpu.gemm import store_epilogue
from trainer_cli.targets.cpu.intrinsics import float_pointer
from trainer_cli.targets.cpu.linking import linked
from trainer_cli.targets.cpu.microkernel import host_lanes
from trainer_cli.targets.cpu.winograd import winograd, winograd_gradient

# Space of the padded input, channels and filters of a group, groups, images; what of the space is padding.
Case = tuple[Any, ...]
CASES: dict[str, Case] = {
    "whole vectors": ((10, 10), 16, 32, 1, 3),
    "odd extents": ((9, 13), 20, 24, 1, 2),
    "groups": ((8, 7), 9, 40, 2, 2),
    "several runs of a row": ((4, 139), 8, 10, 1, 2),
    "few squares": ((6, 6), 12, 8, 1, 37),
    "three rows": ((5, 8), 33, 17, 1, 5),
    "part of the filters after part": ((6, 5), 80, 288, 1, 2),
    "many channels": ((5, 8), 256, 64, 1, 1),
    "padding": ((10, 12), 16, 32, 1, 3, ((1, 1), (1, 1))),
    "padding on some sides": ((9, 11), 20, 24, 1, 2, ((2, 0), (0, 1))),
    "padding of groups": ((8, 7), 9, 40, 2, 2, ((0, 3), (3, 1))),
    "more padding than places": ((7, 6), 12, 16, 1, 4, ((3, 3), (2, 3))),
    "padding around several runs": ((4, 139), 8, 10, 1, 2, ((1, 1), (1, 1))),
}
WIDTHS = [lanes for lanes in (4, 8, 16) if lanes <= host_lanes()]


def geometry(case: Case) -> Geometry:
    space, channels, filters, groups = case[:4]
    return Geometry(space, (3, 3), (1, 1), (1, 1), channels, filters, groups).with_padding(padding_of(case))


def padding_of(case: Case) -> Any:
    return case[5] if len(case) > 5 else ((0, 0), (0, 0))


def padded(case: Case, x: Any) -> Any:
    return np.pad(x, [(0, 0), *padding_of(case), (0, 0)])


@cache
def forward(case: Case, lanes: int | None) -> Any:
    space, channels, filters, groups = case[:4]
    epilogue = store_epilogue(filters * groups)
    if lanes is None:
        function = convolution(space, (3, 3), (1, 1), (1, 1), channels, filters, groups, epilogue=epilogue)
    else:
        padding = geometry(case).padding
        function = winograd(space, channels, filters, groups, padding=padding, epilogue=epilogue, lanes=lanes)

    @linked
    def run(begin: int, end: int, group: int, x: int, kernel: int, y: int) -> None:
        function(begin, end, group, float_pointer(x), float_pointer(kernel), (float_pointer(y),))

    return run


@cache
def backward(case: Case, lanes: int | None) -> Any:
    space, channels, filters, groups = case[:4]
    if lanes is None:
        function = kernel_gradient(space, (3, 3), (1, 1), (1, 1), channels, filters, groups)
    else:
        padding = geometry(case).padding
        function = winograd_gradient(space, channels, filters, groups, padding=padding, lanes=lanes)

    @linked
    def run(end: int, rows: int, group: int, x: int, adjoint: int, result: int) -> None:
        function(0, end, rows, group, float_pointer(x), float_pointer(adjoint), float_pointer(result))

    return run


def fenced(values: Any, at_end: bool) -> Any:
    memory = Fenced(values.size, at_end).values
    memory[:] = values.ravel()
    return memory


def operands(case: Case) -> tuple[Any, Any, Any]:
    channels, filters, groups, images = case[1:5]
    random = np.random.default_rng(filters)
    x = random.normal(size=(images, *geometry(case).held, channels * groups)).astype(np.float32)
    kernel = random.normal(size=(3, 3, channels, filters * groups)).astype(np.float32)
    adjoint = random.normal(size=(images, *geometry(case).positions, filters * groups)).astype(np.float32)
    return x, kernel, adjoint


def convolved(case: Case, lanes: int | None, x: Any, kernel: Any, at_end: bool = False) -> Any:
    filters, groups, images = case[2:5]
    shape = (images, *geometry(case).positions, filters * groups)
    x, kernel = fenced(x if lanes else padded(case, x), at_end), fenced(kernel, at_end)
    y = fenced(np.full(shape, np.nan, np.float32), at_end)
    for group in range(groups):
        # The pieces of a batch, as threads take them.
        for begin, end in ((0, images // 2), (images // 2, images)):
            shifted = y[group * filters :].ctypes.data
            forward(case, lanes)(begin, end, group, x.ctypes.data, kernel.ctypes.data, shifted)
    return y.reshape(shape).copy()


def gradient(case: Case, lanes: int | None, x: Any, adjoint: Any, at_end: bool = False) -> Any:
    channels, filters, groups, images = case[1:5]
    shape = (3, 3, channels, filters * groups)
    x, adjoint = fenced(x if lanes else padded(case, x), at_end), fenced(adjoint, at_end)
    result = fenced(np.full(shape, np.nan, np.float32), at_end)
    for group in range(groups):
        backward(case, lanes)(9 * channels, images, group, x.ctypes.data, adjoint.ctypes.data, result.ctypes.data)
    return result.reshape(shape).copy()


def exact(case: Case, x: Any, kernel: Any, adjoint: Any) -> tuple[Any, Any]:
    """A convolution and the gradient of its kernel in float64."""
    channels, filters, groups, images = case[1:5]
    windows = np.lib.stride_tricks.sliding_window_view(padded(case, x).astype(np.float64), (3, 3), (1, 2))
    y = np.empty((images, *geometry(case).positions, filters * groups))
    by_kernel = np.empty((3, 3, channels, filters * groups))
    for group in range(groups):
        read, written = (slice(group * n, (group + 1) * n) for n in (channels, filters))
        y[..., written] = np.einsum("nyxcij,ijck->nyxk", windows[:, :, :, read], kernel[..., written])
        by_kernel[..., written] = np.einsum("nyxcij,nyxk->ijck", windows[:, :, :, read], adjoint[..., written])
    return y, by_kernel


@pytest.mark.parametrize("case", CASES.values(), ids=list(CASES))
def test_values_are_as_exact_as_those_of_nine_taps(case: Case) -> None:
    """Within two units of float32 of the largest sum, and hardly further off than one multiply-add after another."""
    assert geometry(case).winograd_filters() > 0
    x, kernel, adjoint = operands(case)
    for at_end in (False, True):
        ours = (
            convolved(case, WIDTHS[-1], x, kernel, at_end),
            gradient(case, WIDTHS[-1], x, adjoint, at_end),
        )
        plain = convolved(case, None, x, kernel), gradient(case, None, x, adjoint)
        for found, direct, wanted in zip(ours, plain, exact(case, x, kernel, adjoint), strict=True):
            scale = np.abs(wanted).max()
            error, usual = (np.abs(values - wanted).max() / scale for values in (found, direct))
            assert error < 2e-6
            assert error < 4 * usual


@pytest.mark.parametrize("case", CASES.values(), ids=list(CASES))
def test_no_bit_depends_on_the_width_of_vectors(case: Case) -> None:
    x, kernel, adjoint = operands(case)
    found = [(convolved(case, lanes, x, kernel), gradient(case, lanes, x, adjoint)) for lanes in WIDTHS]
    for y, by_kernel in found[1:]:
        assert y.tobytes() == found[0][0].tobytes()
        assert by_kernel.tobytes() == found[0][1].tobytes()


def test_no_image_depends_on_the_others() -> None:
    case = CASES["few squares"]
    x, kernel, _ = operands(case)
    many = convolved(case, WIDTHS[-1], x, kernel)
    one = np.full((1, 4, 4, 8), np.nan, np.float32)
    last, kernel = fenced(x[-1:], False), fenced(kernel, False)
    forward(case, WIDTHS[-1])(0, 1, 0, last.ctypes.data, kernel.ctypes.data, one.ctypes.data)
    assert one.tobytes() == many[-1:].tobytes()


@pytest.mark.parametrize(
    ("space", "window", "strides", "dilation", "channels", "filters"),
    [
        ((10, 10), (5, 5), (1, 1), (1, 1), 16, 16),
        ((10, 10), (3, 3), (2, 1), (1, 1), 16, 16),
        ((10, 10), (3, 3), (1, 1), (1, 2), 16, 16),
        ((10, 10), (3, 3), (1, 1), (1, 1), 3, 16),
        ((10, 10), (3, 3), (1, 1), (1, 1), 16, 4),
        ((10, 10), (3, 3), (1, 1), (1, 1), 512, 16),
        ((4, 5), (3, 3), (1, 1), (1, 1), 16, 16),  # two squares of an image
        ((3, 10), (3, 3), (1, 1), (1, 1), 16, 16),  # a single row
        ((5, 5), (3, 3), (1, 1), (1, 1), 16, 16),  # 4 squares for 9 positions: 64 multiplications instead of 81
        ((10, 10, 10), (3, 3, 3), (1, 1, 1), (1, 1, 1), 16, 16),
    ],
)
def test_other_convolutions_go_tap_by_tap(
    space: Any, window: Any, strides: Any, dilation: Any, channels: int, filters: int
) -> None:
    assert Geometry(space, window, strides, dilation, channels, filters).winograd_filters() == 0


@pytest.mark.parametrize("channels", [8, 64, 80, 256])
@pytest.mark.parametrize("filters", [8, 100, 256, 288, 1024])
def test_parts_of_the_filters_are_whole_vectors_or_all(channels: int, filters: int) -> None:
    part = Geometry((8, 8), (3, 3), (1, 1), (1, 1), channels, filters).winograd_filters()
    assert part == 0 or filters % part == 0
    assert part in (0, filters) or part % 16 == 0
    assert 16 * part * channels <= 1 << 17
