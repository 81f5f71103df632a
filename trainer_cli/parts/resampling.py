"""What layers share that resample images: weights of rows and columns in, images made of weighted pixels out.

Every pixel of a result is a weighted sum of a few of the input's. Written as products with matrices of weights, most of
them 0, resampling is differentiable and runs on every target.
"""

from __future__ import annotations

import math
from typing import Literal, NamedTuple, TypeAlias

from trainer_cli.ir import language as ir
from trainer_cli.ir.graph import Value
from trainer_cli.lazy import NDArray, np

Interpolation: TypeAlias = Literal["nearest", "bilinear", "bicubic", "lanczos3", "lanczos5"]
FillMode: TypeAlias = Literal["reflect", "wrap", "constant", "nearest"]


class Filling(NamedTuple):
    """Where pixels between and beyond those of an image come from.

    Beyond the edges: `reflect` mirrors the image (d c b a | a b c d | d c b a), `wrap` repeats it, `constant` takes
    `value`, `nearest` the pixel at the edge. `smooth`: bilinear between pixels, else the nearest one.
    """

    mode: FillMode
    value: float
    smooth: bool


def resized(x: Value, height: int, width: int, interpolation: Interpolation, antialias: bool = False) -> Value:
    """Images in another size, centers of pixels being half a pixel from their edges: `(batch, height, width, channels)`
    → the same with other extents."""
    _, rows, columns, _ = x.shape
    if height != rows:
        weights = resize_weights(int(rows), height, interpolation, antialias)
        x = ir.contract("yh,bhwc->bywc", ir.constant(x.graph, weights), x)
    if width != columns:
        weights = resize_weights(int(columns), width, interpolation, antialias)
        x = ir.contract("xw,bhwc->bhxc", ir.constant(x.graph, weights), x)
    return x


def resize_weights(extent: int, wanted: int, interpolation: Interpolation, antialias: bool) -> NDArray[np.float64]:
    """`(wanted, extent)`: what each place of the result takes of each of the input; rows sum to 1.

    The kernels are those of Keras on JAX: a triangle; Keys's cubic with a = −1/2; Lanczos windows. With `antialias`
    they are as wide as the distance of the results' centers where that is more than 1.
    """
    places = (np.arange(wanted) + 0.5) * (extent / wanted)
    if interpolation == "nearest":
        return np.eye(extent)[np.floor(places).astype(int)]
    distance = np.abs((places - 0.5)[:, None] - np.arange(extent)[None, :])
    if antialias:
        distance = distance / max(extent / wanted, 1.0)
    weights = _kernel(interpolation, distance)
    return np.asarray(weights / weights.sum(1, keepdims=True))


def _kernel(interpolation: Interpolation, x: NDArray[np.float64]) -> NDArray[np.float64]:
    if interpolation == "bilinear":
        return np.maximum(0.0, 1.0 - x)
    if interpolation == "bicubic":
        near, far = ((1.5 * x - 2.5) * x) * x + 1.0, ((-0.5 * x + 2.5) * x - 4.0) * x + 2.0
        return np.where(x >= 2.0, 0.0, np.where(x >= 1.0, far, near))
    radius = {"lanczos3": 3.0, "lanczos5": 5.0}[interpolation]
    window = radius * np.sin(np.pi * x) * np.sin(np.pi * x / radius)
    inside = np.where(x > 1e-3, window / np.where(x != 0, np.pi**2 * x**2, 1.0), 1.0)
    return np.where(x > radius, 0.0, inside)


def central(extents: tuple[int, int], wanted: tuple[int, int]) -> tuple[tuple[int, int], tuple[int, int]]:
    """Where the largest rectangle with the sides' ratio of the wanted one begins in the middle, and its extents."""
    (height, width), (rows, columns) = extents, wanted
    size = max(min(height, int(width * rows / columns)), 1), max(min(width, int(height * columns / rows)), 1)
    return ((height - size[0]) // 2, (width - size[1]) // 2), size


def cut(x: Value, begin: tuple[int, int], size: tuple[int, int]) -> Value:
    """A rectangle of images: `(batch, height, width, channels)` → `(batch, *size, channels)`."""
    (top, left), (height, width) = begin, size
    return ir.slice_(x, (0, top, left, 0), (x.shape[0], top + height, left + width, x.shape[3]))


def cropped_and_resized(x: Value, height: int, width: int, interpolation: Interpolation = "bilinear") -> Value:
    """The largest central part with the ratio of the wanted sides, resized."""
    begin, size = central((int(x.shape[1]), int(x.shape[2])), (height, width))
    return resized(cut(x, begin, size), height, width, interpolation)


def pixel_weights(places: Value, extent: int, filling: Filling) -> Value:
    """What a pixel at each place takes of each of `extent` pixels: `(batch, places)` → `(batch, places, extent)`.

    Each row sums to 1, but with the mode `constant` where a place is beyond the edges.
    """
    if filling.mode == "reflect":
        turn = 2.0 * extent
        shifted = places + 0.5
        shifted = shifted - ir.floor(shifted * (1.0 / turn)) * turn
        places = ir.minimum(shifted, turn - shifted) - 0.5
    if filling.mode == "wrap":
        places = places - ir.floor(places * (1.0 / extent)) * float(extent)
    if filling.mode in ("reflect", "nearest"):
        places = ir.clip(places, 0.0, extent - 1.0)
    if not filling.smooth:
        places = ir.floor(places + 0.5)
    wide = ir.broadcast_to(ir.reshape(places, (*places.shape, 1)), (*places.shape, extent))
    distance = ir.absolute(wide - ir.cast(ir.iota(wide, -1), "float"))
    if filling.mode == "wrap":
        distance = ir.minimum(distance, float(extent) - distance)
    return ir.maximum(1.0 - distance, 0.0)


def weighted_sums(x: Value, down: Value, right: Value) -> Value:
    """Images whose pixel (y, x) is the sum of the input's, each weighted by that of its row in down[y] and that of its
    column in right[x]: `(batch, height, width, channels)` → `(batch, height′, width′, channels)`."""
    return ir.contract("bxw,bywc->byxc", right, ir.contract("byh,bhwc->bywc", down, x))


def resampled_apart(x: Value, rows: Value, columns: Value, filling: Filling) -> Value:
    """Images whose pixel (y, x) is that at (rows[y], columns[x]) of the input's: rows `(batch, height′)`, columns
    `(batch, width′)`, images `(batch, height, width, channels)` → `(batch, height′, width′, channels)`."""
    down = pixel_weights(rows, int(x.shape[1]), filling)
    right = pixel_weights(columns, int(x.shape[2]), filling)
    result = weighted_sums(x, down, right)
    if filling.mode != "constant" or filling.value == 0:
        return result
    inside = ir.contract("by,bx->byx", ir.reduce_sum(down, -1), ir.reduce_sum(right, -1))
    return result + ir.reshape((1.0 - inside) * filling.value, (*inside.shape, 1))


def resampled(x: Value, rows: Value, columns: Value, filling: Filling) -> Value:
    """Images whose pixel p is that at (rows[p], columns[p]) of the input's; rows and columns
    `(batch, height · width)`, images `(batch, height, width, channels)` → the same shape.

    It takes `height · width · width · channels` products of `height` numbers per image.
    """
    _, height, width, _ = x.shape
    down = pixel_weights(rows, int(height), filling)
    right = pixel_weights(columns, int(width), filling)
    result = ir.contract("bpw,bpwc->bpc", right, ir.contract("bph,bhwc->bpwc", down, x))
    if filling.mode == "constant" and filling.value != 0:
        inside = ir.reduce_sum(down, -1) * ir.reduce_sum(right, -1)
        result = result + ir.reshape((1.0 - inside) * filling.value, (*inside.shape, 1))
    return ir.reshape(result, x.shape)


def rotated_places(angle: Value, height: int, width: int) -> tuple[Value, Value]:
    """Rows and columns of the places that a rotation about the center brings to each pixel: `(batch, 1)` in radians →
    two of `(batch, height · width)`."""
    grid = np.indices((height, width)).reshape(2, height * width)
    middle = (height - 1) / 2.0, (width - 1) / 2.0
    down, right = (ir.constant(angle.graph, grid[axis] - middle[axis]) for axis in (0, 1))
    sine, cosine = ir.sin(angle), ir.cos(angle)
    return sine * right + cosine * down + middle[0], cosine * right - sine * down + middle[1]


def pixel_places(like: Value) -> tuple[Value, Value]:
    """Rows and columns of all pixels of images: `(batch, height, width, channels)` → two of `(height · width,)`."""
    _, height, width, _ = like.shape
    down, right = np.indices((int(height), int(width))).reshape(2, int(height) * int(width)).astype(np.float64)
    return ir.constant(like.graph, down), ir.constant(like.graph, right)


TURN = 2.0 * math.pi
