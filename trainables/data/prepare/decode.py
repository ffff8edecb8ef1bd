"""Decoding images (JPEG, PNG, ...) to uint8 arrays, in parallel; errors name the image."""

from __future__ import annotations

import io
import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np

from trainables.data.base import DataError

CHUNK = 512
"""Images decoded at a time: bounds the memory of a preparation."""

Resize = Callable[[Any], Any]
"""From a PIL image to one of the wanted size."""


def decode_images(
    encoded: Sequence[bytes | Path],
    describe: Callable[[int], str],
    shape: tuple[int, int, int],
    resize: Resize | None = None,
) -> Iterator[np.ndarray]:
    """Chunks (n, C, H, W) uint8 of the images in ``encoded``, in order.

    Args:
        encoded: Files' contents or paths.
        describe: Names the i-th image in messages (``"row 7 of train.parquet"``).
        shape: (C, H, W) that every image must have, after ``resize``.
        resize: Applied to each PIL image first.

    Raises:
        DataError: naming the first image that cannot be decoded or has another size.
    """

    def one(index: int) -> np.ndarray:
        return _decode(encoded[index], lambda: describe(index), shape, resize)

    with ThreadPoolExecutor(os.cpu_count()) as pool:
        for start in range(0, len(encoded), CHUNK):
            yield np.stack(list(pool.map(one, range(start, min(start + CHUNK, len(encoded))))))


def peek_shape(encoded: bytes | Path, describe: str) -> tuple[int, int, int]:
    """(C, H, W) of an image, from its header: C is 1 if it is gray, else 3."""
    image = _open(encoded, describe)
    channels = 1 if image.mode in ("1", "L", "I;16") else 3
    return channels, image.height, image.width


def _open(encoded: bytes | Path, describe: str) -> Any:
    from PIL import Image

    try:
        return Image.open(io.BytesIO(encoded) if isinstance(encoded, bytes) else encoded)
    except (OSError, ValueError, SyntaxError, TypeError, Image.DecompressionBombError):
        raise corrupt(describe) from None


def _decode(
    encoded: bytes | Path,
    describe: Callable[[], str],
    shape: tuple[int, int, int],
    resize: Resize | None,
) -> np.ndarray:
    image = _open(encoded, describe())
    try:
        image = image.convert("L" if shape[0] == 1 else "RGB")
    except (OSError, ValueError, SyntaxError):
        raise corrupt(describe()) from None
    if resize is not None:
        image = resize(image)
    if (image.height, image.width) != shape[1:]:
        raise DataError(
            f"{describe()} has {image.height}x{image.width} pixels where others have "
            f"{shape[1]}x{shape[2]}: give the data set's option size to resize all"
        )
    array = np.asarray(image)
    return array[None] if array.ndim == 2 else np.moveaxis(array, 2, 0)


def rgb(encoded: bytes | Path, describe: str) -> Any:
    """One image as a PIL image in RGB. Raises DataError naming it by ``describe``."""
    try:
        return _open(encoded, describe).convert("RGB")
    except (OSError, ValueError, SyntaxError):
        raise corrupt(describe) from None


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
    "Resize",
    "corrupt",
    "decode_images",
    "letterbox",
    "peek_shape",
    "rgb",
    "square",
]
