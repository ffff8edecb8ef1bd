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

import math
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

TABLE = 2**22
"""So many numbers a table of moves may have: 32 MB."""


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

    A coordinate outside the image means ``fill``. It draws one of finitely many moves.
    """

    numbers = 1
    fill: int | None = None

    @property
    def choices(self) -> int:
        """How many moves there are, which `draw` counts from 0."""
        raise NotImplementedError

    def trace(
        self, choice: Tensor, rows: Tensor, columns: Tensor, size: tuple[int, int]
    ) -> tuple[Tensor, Tensor]:
        """From coordinates of output pixels, rows (N, H) and columns (N, W), to those of inputs.

        Args:
            choice: Which move each of the N is, int64 (N, 1).
        """
        raise NotImplementedError

    def apply(self, images: Tensor, drawn: Tensor) -> Tensor:
        return Moves([self]).apply(images, drawn)


class Moves(Drawn):
    """Several moves, one after the other, as one gather.

    A table has for each choice of moves the places that its pixels come from, in images that lie in
    a frame of ``fill``. Table and frame are made once; a batch is copied into the frame, its
    places are looked up, and gathered.
    """

    numbers = 1

    def __init__(self, moves: Sequence[Move]) -> None:
        self.moves = tuple(moves)
        self.after_normalization = any(move.after_normalization for move in moves)
        self._tables: dict[Any, tuple[int, list[Tensor]]] = {}
        self._frame: Tensor | None = None

    def draw(self, batch: int, size: tuple[int, int], generator: Generator) -> Tensor:
        """The moves' choices, as the digits of one number."""
        number = torch.zeros((1, batch), dtype=torch.int64)
        for move in self.moves:
            number = number * move.choices + move.draw(batch, size, generator)
        return number

    def apply(self, images: Tensor, drawn: Tensor) -> Tensor:
        batch, channels, height, width = images.shape
        key = (height, width, images.device)
        if key not in self._tables:
            margin, tables = self._sources((height, width))
            self._tables[key] = margin, [sent(table, images.device) for table in tables]
        margin, tables = self._tables[key]
        first, *others = (table.index_select(0, drawn[0]) for table in tables)
        places = (first + others[0] if others else first).view(batch, 1, -1)
        framed = self._framed(images, margin).flatten(2)
        return framed.gather(2, places.expand(-1, channels, -1)).view(images.shape)

    def _sources(self, size: tuple[int, int]) -> tuple[int, list[Tensor]]:
        """How wide the frame is, and the places in it: one table (choices, H W), or where that has
        more than `TABLE` entries two whose sum it is, (choices, H, 1) and (choices, 1, W)."""
        height, width = size
        number = torch.arange(math.prod(move.choices for move in self.moves))[:, None]
        rows, columns = (torch.arange(edge).expand(len(number), -1) for edge in size)
        for move in reversed(self.moves):
            rows, columns = move.trace(number % move.choices, rows, columns, size)
            number = number // move.choices
        outside = (-rows.min(), rows.max() + 1 - height, -columns.min(), columns.max() + 1 - width)
        margin = max(0, *map(int, outside))
        down = ((rows + margin) * (width + 2 * margin))[:, :, None]
        across = (columns + margin)[:, None]
        if len(rows) * height * width > TABLE:
            return margin, [down, across]
        return margin, [(down + across).flatten(1)]

    def _framed(self, images: Tensor, margin: int) -> Tensor:
        """``images`` within ``margin`` pixels of ``fill`` on every side, until the next call."""
        if not margin:
            return images
        batch, channels, height, width = images.shape
        level = next(move.fill for move in self.moves if move.fill is not None)
        shape = (channels, height + 2 * margin, width + 2 * margin)
        frame = self._frame
        if frame is None or len(frame) < batch or not _alike(frame, images, shape):
            frame = self._frame = images.new_full((batch, *shape), level)
        frame = frame[:batch]
        frame[:, :, margin : margin + height, margin : margin + width].copy_(images)
        return frame


def _alike(frame: Tensor, images: Tensor, shape: tuple[int, ...]) -> bool:
    kinds = (frame.dtype, frame.device) == (images.dtype, images.device)
    return kinds and frame.shape[1:] == shape


def _blank(images: Tensor, keep: Tensor, level: int) -> Tensor:
    """``images`` (B, C, H, W) with the pixels where ``keep`` (uint8, B or 1, 1, H, W) is 0, not 1,
    at ``level``; multiplying bytes is ten times as fast as masking them."""
    if images.is_floating_point():
        return images.masked_fill(keep == 0, level)
    blanked = images * keep
    return blanked.add_((1 - keep) * level) if level else blanked


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
        count, offsets = 1 if self.shared else batch, 2 * self.padding + 1
        down, right = torch.randint(offsets, (2, count), generator=generator)
        return (down * offsets + right).expand(1, batch)

    @property
    def choices(self) -> int:
        return (2 * self.padding + 1) ** 2

    def trace(
        self, choice: Tensor, rows: Tensor, columns: Tensor, size: tuple[int, int]
    ) -> tuple[Tensor, Tensor]:
        offsets = 2 * self.padding + 1
        rows = rows + choice // offsets - self.padding
        columns = columns + choice % offsets - self.padding
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
        mirrored = torch.rand((batch, 1), generator=generator) < self.probability
        return mirrored.long().T

    @property
    def choices(self) -> int:
        return 2

    def trace(
        self, choice: Tensor, rows: Tensor, columns: Tensor, size: tuple[int, int]
    ) -> tuple[Tensor, Tensor]:
        return rows, torch.where(choice == 1, size[1] - 1 - columns, columns)


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
        self._outside: dict[Any, Tensor] = {}

    def draw(self, batch: int, size: tuple[int, int], generator: Generator) -> Tensor:
        count = 1 if self.shared else batch
        center = [torch.randint(edge, (count, 1), generator=generator)[:, 0] for edge in size]
        return torch.stack(center).expand(2, batch)

    def apply(self, images: Tensor, drawn: Tensor) -> Tensor:
        rows, columns = (
            self._table(edge, images.device).index_select(0, center)
            for edge, center in zip(images.shape[2:], drawn, strict=True)
        )
        return _blank(images, rows[:, None, :, None] | columns[:, None, None, :], self.level)

    def _table(self, edge: int, device: torch.device) -> Tensor:
        """uint8 (edge, edge): of each centre the positions outside of the square, on ``device``."""
        if (edge, device) not in self._outside:
            position = torch.arange(edge)
            start = position[:, None] - self.size // 2
            outside = (position < start) | (position >= start + self.size)
            self._outside[edge, device] = sent(outside.to(torch.uint8), device)
        return self._outside[edge, device]


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
