"""Augmentations as tensor operations on a whole batch, with random numbers of its own per image.

Each class is called as ``images = augmentation(images, generator)`` with images
(B, C, H, W). Random numbers are drawn on the CPU and then moved, so that a
trial sees the same images on every device. A `Drawn` one draws before its images are there, so that
the numbers of a whole epoch are moved together.

Cropping and flipping only move pixels. Where several such follow one another, `fuse` joins them
into one gather (`Moves`), which gives the same bits as one after the other.

``fill`` of pad_crop and cutout: ``zero`` (black), ``gray`` (128), ``reflect``
(pad_crop only), ``mean``: zero *after* normalisation, that is the mean color;
such an augmentation runs on normalised images (`after_normalization`).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any, Literal

import torch
from torch import Generator, Tensor

from trainables.data.transfer import sent
from trainables.errors import UsageError
from trainables.needs import SEVERAL_IMAGES
from trainables.registry import Count, Fraction, Registry

registry: Registry[Any] = Registry("augmentation")

_LEVEL = {"zero": 0, "gray": 128, "mean": 0}


class Augmentation:
    """Base class: one random change of a batch."""

    after_normalization = False
    """True if it must see normalised (floating-point) images."""

    needs_pixels = False
    """True if it must see uint8 images."""

    on_host = False
    """True if it must see images on the CPU, since other devices round differently."""

    def __call__(self, images: Tensor, generator: Generator) -> Tensor:
        raise NotImplementedError


class Drawn(Augmentation):
    """An augmentation whose random numbers do not depend on the images."""

    numbers = 2
    """How many integers it draws for each image."""

    def draw(self, batch: int, size: tuple[int, int], generator: Generator) -> Tensor:
        """Its integers for ``batch`` images of ``size`` (H, W): int64 (`numbers`, B), on a CPU."""
        raise NotImplementedError

    def apply(self, images: Tensor, drawn: Tensor) -> Tensor:
        """``images`` changed as `draw` said; ``drawn`` is on their device."""
        raise NotImplementedError

    def __call__(self, images: Tensor, generator: Generator) -> Tensor:
        batch, _, height, width = images.shape
        drawn = self.draw(batch, (height, width), generator)
        return self.apply(images, sent(drawn, images.device))


class Move(Drawn):
    """An augmentation that only moves pixels: output pixel (i, j) is input pixel (row_i, column_j).

    A coordinate outside the image means ``fill``.
    """

    fill: int | None = None

    def trace(
        self, drawn: Tensor, rows: Tensor, columns: Tensor, size: tuple[int, int]
    ) -> tuple[Tensor, Tensor]:
        """From coordinates of output pixels, rows (B, H) and columns (B, W), to those of inputs.

        Args:
            drawn: What `draw` returned, on the images' device.
        """
        raise NotImplementedError

    def apply(self, images: Tensor, drawn: Tensor) -> Tensor:
        return Moves([self]).apply(images, drawn)


class Moves(Drawn):
    """Several moves, one after the other, as one gather."""

    def __init__(self, moves: Sequence[Move]) -> None:
        self.moves = tuple(moves)
        self.numbers = sum(move.numbers for move in moves)
        self.after_normalization = any(move.after_normalization for move in moves)

    def draw(self, batch: int, size: tuple[int, int], generator: Generator) -> Tensor:
        return torch.cat([move.draw(batch, size, generator) for move in self.moves])

    def apply(self, images: Tensor, drawn: Tensor) -> Tensor:
        batch, channels, *size = images.shape
        height, width = size
        rows = torch.arange(height, device=images.device).expand(batch, -1)
        columns = torch.arange(width, device=images.device).expand(batch, -1)
        parts = drawn.split([move.numbers for move in self.moves])
        for move, numbers in zip(reversed(self.moves), reversed(parts), strict=True):
            rows, columns = move.trace(numbers, rows, columns, (height, width))
        fills = [move.fill for move in self.moves if move.fill is not None]
        if fills:
            inside = _both(_within(rows, height), _within(columns, width))
            rows, columns = rows.clamp(0, height - 1), columns.clamp(0, width - 1)
        index = (rows[:, :, None] * width + columns[:, None, :]).view(batch, 1, -1)
        moved = images.flatten(2).gather(2, index.expand(-1, channels, -1)).view_as(images)
        if fills:
            moved = _blank(moved, inside, fills[0])
        return moved


def _within(position: Tensor, size: int) -> Tensor:
    return (position >= 0) & (position < size)


def _both(rows: Tensor, columns: Tensor) -> Tensor:
    """bool (B, H), (B, W) to bool (B, 1, H, W); multiplying bytes is faster than ``&``."""
    product = rows.view(torch.uint8)[:, :, None] * columns.view(torch.uint8)[:, None, :]
    return product.view(torch.bool)[:, None]


def _blank(images: Tensor, keep: Tensor, level: int) -> Tensor:
    """``images`` (B, C, H, W) with the pixels that ``keep`` (B or 1, 1, H, W) leaves out at
    ``level``; multiplying bytes is ten times as fast as masking them."""
    if images.is_floating_point():
        return images.masked_fill(~keep, level)
    blanked = images * keep.view(torch.uint8)
    return blanked.add_((~keep).view(torch.uint8) * level) if level else blanked


@registry.register("pad_crop")
class PadCrop(Move):
    """Pad by ``padding`` pixels on every side, then crop the old size at a random offset.

    Offsets are uniform on {0, ..., 2 padding} in both directions.

    Args:
        padding: Pixels (4: AMP, NRS and InfoMCR on CIFAR; 2: AMP's code on SVHN).
        fill: ``zero``; ``reflect`` (NRS's code base); ``gray`` (128, AMP's code);
            ``mean`` (InfoMCR's code pads zeros after normalisation).
        shared: One offset for the whole batch (InfoMCR's code) instead of one per image.
    """

    def __init__(
        self,
        *,
        padding: Count = 4,
        fill: Literal["zero", "gray", "reflect", "mean"] = "zero",
        shared: Annotated[bool, SEVERAL_IMAGES] = False,
    ) -> None:
        self.padding, self.mode, self.shared = padding, fill, shared
        self.fill = _LEVEL.get(fill)
        self.after_normalization = fill == "mean"
        self.needs_pixels = fill in ("zero", "gray")

    def draw(self, batch: int, size: tuple[int, int], generator: Generator) -> Tensor:
        if self.mode == "reflect" and self.padding >= min(size):
            raise UsageError(
                f"pad_crop: padding = {self.padding} must be below the image edge "
                f"{min(size)} when fill = 'reflect'"
            )
        count = 1 if self.shared else batch
        offset = torch.randint(2 * self.padding + 1, (2, count), generator=generator)
        return offset.expand(2, batch) - self.padding

    def trace(
        self, drawn: Tensor, rows: Tensor, columns: Tensor, size: tuple[int, int]
    ) -> tuple[Tensor, Tensor]:
        rows, columns = rows + drawn[0, :, None], columns + drawn[1, :, None]
        if self.mode == "reflect":
            rows, columns = _reflect(rows, size[0]), _reflect(columns, size[1])
        return rows, columns


def _reflect(position: Tensor, size: int) -> Tensor:
    position = position.abs()
    return torch.where(position < size, position, 2 * (size - 1) - position)


@registry.register("flip")
class Flip(Move):
    """Mirror left-right, each image with its own draw.

    Args:
        probability: Chance that an image is mirrored; 0.5, as torchvision's RandomHorizontalFlip.
    """

    def __init__(self, *, probability: Fraction = 0.5) -> None:
        self.probability = probability

    def draw(self, batch: int, size: tuple[int, int], generator: Generator) -> Tensor:
        mirrored = torch.rand((batch, 1), generator=generator)[:, 0] < self.probability
        # Column j is taken from a + b j.
        return torch.stack([mirrored * (size[1] - 1), 1 - 2 * mirrored.long()])

    def trace(
        self, drawn: Tensor, rows: Tensor, columns: Tensor, size: tuple[int, int]
    ) -> tuple[Tensor, Tensor]:
        return rows, torch.addcmul(drawn[0, :, None], drawn[1, :, None], columns)


@registry.register("cutout")
class Cutout(Drawn):
    """Blank a square (DeVries & Taylor 2017): centre uniform over pixels, clipped at the border.

    Rows c - size // 2 to c - size // 2 + size - 1 around centre c, columns likewise.

    Args:
        size: Edge of the square in pixels (16: CIFAR-10; 8: CIFAR-100; 20: SVHN).
        fill: ``zero`` (black; AMP's code blanks before normalisation), ``gray``, or ``mean``
            (NRS's code base and the original blank after normalisation).
        shared: One position for the whole batch (NRS's code base) instead of one per image.
    """

    def __init__(
        self,
        *,
        size: Count = 16,
        fill: Literal["zero", "gray", "mean"] = "zero",
        shared: Annotated[bool, SEVERAL_IMAGES] = False,
    ) -> None:
        self.size, self.level, self.shared = size, _LEVEL[fill], shared
        self.after_normalization = fill == "mean"
        self.needs_pixels = fill != "mean"

    def draw(self, batch: int, size: tuple[int, int], generator: Generator) -> Tensor:
        count = 1 if self.shared else batch
        center = [torch.randint(edge, (count, 1), generator=generator)[:, 0] for edge in size]
        return torch.stack(center).expand(2, batch) - self.size // 2

    def apply(self, images: Tensor, drawn: Tensor) -> Tensor:
        in_rows, in_columns = (
            (position >= start) & (position < start + self.size)
            for position, start in (
                (torch.arange(images.shape[2], device=images.device), drawn[0, :, None]),
                (torch.arange(images.shape[3], device=images.device), drawn[1, :, None]),
            )
        )
        return _blank(images, ~_both(in_rows, in_columns), self.level)


def fuse(augmentations: Sequence[Augmentation]) -> list[Augmentation]:
    """The same augmentations, with neighbouring moves joined into one gather.

    Joined are runs with at most one padding, all at the same stage of normalisation.
    """
    fused: list[Augmentation] = []
    run: list[Move] = []

    def close() -> None:
        if run:
            fused.append(Moves(run))
            run.clear()

    for augmentation in augmentations:
        if not isinstance(augmentation, Move):
            close()
            fused.append(augmentation)
            continue
        if isinstance(augmentation, PadCrop) and any(isinstance(m, PadCrop) for m in run):
            close()
        run.append(augmentation)
    close()
    return fused


def build(name: str, **options: Any) -> Augmentation:
    """Augmentation ``name`` with these options. Raises UsageError for unknown names and values."""
    return registry.build(name, **options)


def names() -> list[str]:
    """The registered augmentations, sorted."""
    return registry.names()


__all__ = [
    "Augmentation",
    "Cutout",
    "Drawn",
    "Flip",
    "Move",
    "Moves",
    "PadCrop",
    "build",
    "fuse",
    "names",
]
