"""Decoding images (JPEG, PNG, ...) to uint8 arrays, in parallel; errors name the image.

Every image is read as a viewer shows it: turned as its EXIF orientation says, what is transparent
on white, 16 bits a pixel cut to the upper 8, and of several frames the first.
"""

from __future__ import annotations

import io
import os
import struct
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np

from trainables.data.base import DataError

CHUNK = 512
"""Images decoded at a time: bounds the memory of a preparation."""

FORMATS = (
    *("AVIF", "BMP", "DIB", "GIF", "JPEG", "JPEG2000", "PNG", "PPM"),
    *("TIFF", "WEBP"),
)
"""What is opened, whatever a file is called. Pillow would start other programs for some others."""

Encoded = bytes | Path | np.ndarray
"""An image: a file's content, its path, or its pixels (H, W) or (H, W, 3) uint8."""

Resize = Callable[[Any], Any]
"""From a PIL image to one of the wanted size."""

DECODE_THREADS = "FLATSWEEP_DECODE_THREADS"


def threads() -> int:
    """How many threads decode: $FLATSWEEP_DECODE_THREADS, or one for each processor that this
    process was given: by Ray (which sets OMP_NUM_THREADS for a trial), else by the system.

    Raises:
        DataError: the variable is no whole number above 0.
    """
    if chosen := os.environ.get(DECODE_THREADS, "").strip():
        if not (chosen.isascii() and chosen.isdigit() and int(chosen) > 0):
            raise DataError(f"{DECODE_THREADS} = {chosen!r}: allowed is a whole number above 0")
        return int(chosen)
    available = len(os.sched_getaffinity(0))
    given = os.environ.get("OMP_NUM_THREADS", "")
    return min(available, int(given)) if given.isdecimal() and int(given) > 0 else available


def decode_images(
    encoded: Iterable[Encoded],
    describe: Callable[[int], str],
    shape: tuple[int, int, int],
    resize: Resize | None = None,
) -> Iterator[np.ndarray]:
    """Chunks (n, C, H, W) uint8 of the images in ``encoded``, in order.

    Args:
        encoded: The images, taken `CHUNK` at a time.
        describe: Names the i-th image in messages (``"row 7 of train.parquet"``).
        shape: (C, H, W) that every image must have, after ``resize``.
        resize: Applied to each PIL image first.

    Raises:
        DataError: naming the first image that cannot be decoded or has another size.
    """

    def one(numbered: tuple[int, Encoded]) -> np.ndarray:
        index, image = numbered
        return _decode(image, lambda: describe(index), shape, resize)

    remaining = enumerate(encoded)
    with ThreadPoolExecutor(threads()) as pool:
        while chunk := list(islice(remaining, CHUNK)):
            yield np.stack(list(pool.map(one, chunk)))


def peek_shape(encoded: Encoded, describe: str) -> tuple[int, int, int]:
    """(C, H, W) of an image as it is decoded, from its header: C is 1 if it is gray, else 3."""
    with _reading(lambda: describe):
        image = _opened(encoded)
    on_its_side = _orientation(image) >= 5
    height, width = (image.width, image.height) if on_its_side else (image.height, image.width)
    return (1 if image.mode in _GRAY else 3), height, width


def rgb(encoded: Encoded, describe: str) -> Any:
    """One image as a PIL image in RGB. Raises DataError naming it by ``describe``."""
    return _shown(encoded, lambda: describe, "RGB")


_TURNS = {
    2: "FLIP_LEFT_RIGHT",
    3: "ROTATE_180",
    4: "FLIP_TOP_BOTTOM",
    5: "TRANSPOSE",
    6: "ROTATE_270",
    7: "TRANSVERSE",
    8: "ROTATE_90",
}
"""By EXIF's orientation: Pillow's name of what makes an image upright."""

_GRAY = ("1", "L", "LA", "La", "I", "I;16", "I;16L", "I;16B", "I;16N", "F")
_WIDE = {"PNG", "PPM"}
"""Formats whose white is 65535 where Pillow has 32 bits a pixel."""


class _UnknownLookError(DataError):
    """An image that is whole, but of which nobody knows how it looks; the text says why."""


class _reading:  # noqa: N801
    """Within it, what Pillow says of a broken image is a DataError that names the image."""

    def __init__(self, describe: Callable[[], str]) -> None:
        self._describe = describe

    def __enter__(self) -> None: ...

    def __exit__(self, kind: object, error: BaseException | None, _: object) -> None:
        from PIL import Image

        if isinstance(error, _UnknownLookError):
            raise DataError(f"{self._describe()} {error}") from None
        if isinstance(error, Image.DecompressionBombError):
            raise DataError(
                f"{self._describe()} has more than {2 * (Image.MAX_IMAGE_PIXELS or 0):,} pixels: "
                "make it smaller, or remove it, and prepare again"
            ) from None
        if isinstance(error, _BROKEN):
            raise corrupt(self._describe()) from None


_BROKEN: tuple[type[Exception], ...] = (
    *(OSError, ValueError, SyntaxError, TypeError, LookupError, EOFError),
    *(OverflowError, RuntimeError, struct.error),
)
"""What Pillow raises of images that are none."""


def _opened(encoded: Encoded) -> Any:
    from PIL import Image

    if isinstance(encoded, np.ndarray):
        return Image.fromarray(encoded)
    return Image.open(io.BytesIO(encoded) if isinstance(encoded, bytes) else encoded, "r", FORMATS)


def _shown(encoded: Encoded, describe: Callable[[], str], mode: str) -> Any:
    """The image as a viewer shows it, in ``mode`` (L or RGB)."""
    from PIL import Image

    with _reading(describe):
        image = _opened(encoded)
        turn, image = _TURNS.get(_orientation(image)), _eight_bits(image)
        if turn is not None:
            image = image.transpose(Image.Transpose[turn])
        if image.has_transparency_data:
            image = image.convert("RGBA")
            image = Image.alpha_composite(Image.new("RGBA", image.size, "white"), image)
        return image.convert(mode)


def _orientation(image: Any) -> int:
    """EXIF's orientation; 1 (upright) where there is none that can be read."""
    try:
        found = image.getexif().get(0x0112, 1)
    except _BROKEN:
        return 1
    return found if found in _TURNS else 1


def _eight_bits(image: Any) -> Any:
    """Pillow itself cuts brighter values off: all but 0.4 % of 16 bits would be white."""
    from PIL import Image

    if image.mode.startswith("I;16") or (image.mode == "I" and image.format in _WIDE):
        return Image.fromarray((np.asarray(image) >> 8).clip(0, 255).astype(np.uint8))
    if image.mode in ("I", "F"):
        numbers = "floating-point numbers" if image.mode == "F" else "32 bits a pixel"
        raise _UnknownLookError(f"has {numbers}, and no white: save it with 8 or 16 bits a pixel")
    return image


def _decode(
    encoded: Encoded,
    describe: Callable[[], str],
    shape: tuple[int, int, int],
    resize: Resize | None,
) -> np.ndarray:
    image = _shown(encoded, describe, "L" if shape[0] == 1 else "RGB")
    if resize is not None:
        image = resize(image)
    if (image.height, image.width) != shape[1:]:
        raise DataError(
            f"{describe()} has {image.height}x{image.width} pixels where others have "
            f"{shape[1]}x{shape[2]}: give the data set's option size to resize all"
        )
    array = np.asarray(image)
    return array[None] if array.ndim == 2 else np.moveaxis(array, 2, 0)


def corrupt(describe: str) -> DataError:
    """The error that an image cannot be read; ``describe`` names it, as its path does."""
    return DataError(
        f"{describe} is not a readable image: replace that file, or remove it, and prepare again"
    )


def square(size: int) -> Resize:
    """Resizing to ``size`` x ``size`` (bilinear, antialiased), whatever the aspect."""
    from PIL import Image

    return lambda image: image.resize((size, size), Image.Resampling.BILINEAR)


def letterbox(size: int) -> Resize:
    """Resizing the longest side to ``size``, keeping the aspect, and padding with black."""
    from PIL import Image, ImageOps

    def resize(image: Any) -> Any:
        return ImageOps.pad(image, (size, size), Image.Resampling.BILINEAR, color=0)

    return resize


__all__ = [
    "CHUNK",
    "FORMATS",
    "Encoded",
    "Resize",
    "corrupt",
    "decode_images",
    "letterbox",
    "peek_shape",
    "rgb",
    "square",
    "threads",
]
