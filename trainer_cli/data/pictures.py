"""An image file in, its size or its pixels as bytes out; needs Pillow, which comes with the extra `images`."""

from __future__ import annotations

import struct
import warnings
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from trainer_cli.data.files import reading
from trainer_cli.errors import DataError, ResourceError
from trainer_cli.lazy import np

if TYPE_CHECKING:
    from PIL import Image

SUFFIXES = (".png", ".jpg", ".jpeg")
_FORMATS = ("PNG", "JPEG")
_MOST_PIXELS = 1 << 26
"""An image of more pixels than this is an attack on the memory, or at least nothing to train on."""

Size = tuple[int, int]
"""Height and width, in the order of the axes."""
Color = Literal["rgb", "grayscale"]
Resizing = Literal["stretch", "crop", "pad"]
Interpolation = Literal["nearest", "bilinear", "bicubic", "lanczos"]


def check_pillow() -> None:
    """Raise a ResourceError if Pillow is not there."""
    _pillow()


def pillow_versions() -> list[str | None]:
    """What the pixels of a file depend on beside the file: Pillow, and what it reads JPEG files by."""
    pillow = _pillow()
    from PIL import features

    return [pillow.__version__, features.version("jpg"), features.version("libjpeg_turbo")]


def _pillow() -> Any:
    try:
        from PIL import Image
    except ImportError:
        raise ResourceError(
            "images are read by Pillow, which is not installed", hint="pip install 'trainer-cli[images]'"
        ) from None
    return Image


def size_of(path: Path) -> Size:
    """Height and width, from the file's header. Raises DataError."""
    with _opened(path) as image:
        return image.height, image.width


def pixels(path: Path, color: Color, size: Size | None, resizing: Resizing, interpolation: Interpolation) -> np.ndarray:
    """The image as `(height, width, channels)` uint8, brought to `size` if one is given. Raises DataError."""
    with _opened(path) as image:
        found = _in_color(image, "RGB" if color == "rgb" else "L")
        if size is not None and (found.height, found.width) != size:
            found = _resized(found, size, resizing, interpolation)
        array = np.asarray(found, np.uint8)
    return array if array.ndim == 3 else array[:, :, np.newaxis]


@contextmanager
def _opened(path: Path) -> Iterator[Image.Image]:
    pillow = _pillow()
    with reading(path), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        with path.open("rb") as file:
            try:
                image = pillow.open(file, formats=_FORMATS)
                if image.width * image.height > _MOST_PIXELS:
                    raise DataError(f"{path}: is {image.height:,} × {image.width:,} pixels large, more than is read")
                yield image
            except pillow.UnidentifiedImageError:
                raise DataError(f"{path}: is neither a PNG nor a JPEG image") from None
            except pillow.DecompressionBombError:
                raise DataError(f"{path}: has more pixels than is read") from None
            # What Pillow raises for damaged files depends on the format and on the place of the damage.
            except (OSError, SyntaxError, ValueError, EOFError, IndexError, struct.error, zlib.error) as error:
                raise DataError(f"{path}: is a damaged image: {error}") from None


def _in_color(image: Image.Image, mode: Literal["RGB", "L"]) -> Image.Image:
    if image.mode.startswith("I"):
        # 16 bits of grey: Pillow's own conversion would cut off what is above 255, not scale it.
        image = _pillow().fromarray((np.asarray(image, np.int64) >> 8).clip(0, 255).astype(np.uint8))
    if image.mode == "P" and "transparency" in image.info:
        image = image.convert("RGBA")
    return image.convert(mode)


def _resized(image: Image.Image, size: Size, resizing: Resizing, interpolation: Interpolation) -> Image.Image:
    """The image stretched to the size; or cut in its middle, or framed in black, so that it keeps its proportions."""
    resampling = _pillow().Resampling[interpolation.upper()]
    height, width = size
    if resizing == "stretch":
        return image.resize((width, height), resampling)
    ratios = (width / image.width, height / image.height)
    if resizing == "crop":
        scale = max(ratios)
        wide, high = width / scale, height / scale
        left, top = (image.width - wide) / 2, (image.height - high) / 2
        return image.resize((width, height), resampling, box=(left, top, left + wide, top + high))
    scale = min(ratios)
    inner = (max(1, round(image.width * scale)), max(1, round(image.height * scale)))
    framed = _pillow().new(image.mode, (width, height))
    framed.paste(image.resize(inner, resampling), ((width - inner[0]) // 2, (height - inner[1]) // 2))
    return framed
