"""Batches on the training device: uint8 pixels stay there, augmentation is a few tensor operations.

The order of epoch e comes from (seed, "order", e), the augmentation of its
b-th batch from (seed, "augment", e, b): any batch of any epoch can be made
alone, so a resumed trial sees the same images.
"""

from __future__ import annotations

import copy
import itertools
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from typing import Any

import torch
from torch import Generator, Tensor
from torch.utils import _pytree as pytree
from torch.utils.weak import WeakTensorKeyDictionary

from trainables.data import structured
from trainables.data.augment.moves import Augmentation, Drawn, fuse
from trainables.data.augment.resized_crop import RandomResizedCrop
from trainables.data.base import DataError, Images
from trainables.data.stream import ImageFiles, decoded
from trainables.data.transfer import sent
from trainables.seeding import generator
from trainables.structures import take

Call = Callable[[Tensor], Tensor]
"""One augmentation of one batch."""

_resident: WeakTensorKeyDictionary = WeakTensorKeyDictionary()
"""Of each tensor that still exists its copies, by device."""

DEVICE_FRACTION = 0.5
"""A tensor of images larger than this fraction of a GPU's free memory stays on the CPU."""


def resident(base: Any, device: torch.device | str) -> Any:
    """``base`` on ``device``: one copy per process and device, however many trials ask for it.

    A copy is dropped with the tensor that it is of. One that would fill the device
    (`DEVICE_FRACTION`), or that is streamed from files, is not made: ``base`` itself is returned.

    Args:
        base: What a data set's `Images` are rows of; of a structure each of its tensors.
        device: Where it is wanted; ``cuda`` means the current GPU.
    """
    device = torch.device(device)
    if device.type == "cuda" and device.index is None:
        device = torch.device("cuda", torch.cuda.current_device())
    if not isinstance(base, Tensor):
        return pytree.tree_map_only(Tensor, partial(resident, device=device), base)
    if base.device == device:
        return base
    copies: dict[torch.device, Tensor] = _resident.setdefault(base, {})
    if device not in copies:
        if device.type == "cuda" and _would_fill(base, device):
            return base
        copies[device] = base.to(device)
    return copies[device]


def _would_fill(base: Tensor, device: torch.device) -> bool:
    return base.nbytes > DEVICE_FRACTION * torch.cuda.mem_get_info(device)[0]


class BatchLoader:
    """The batches of a set of images, epoch by epoch.

    Args:
        images: What to iterate over.
        batch_size: Images per batch.
        augmentations: Applied in this order to uint8 images, then they are normalised; those
            with ``after_normalization``, and all after the first such, see normalised ones.
        mean, std: (C,) as fractions of full intensity, or per feature; None: inputs / 255 only.
            Of a structure they are of its uint8 tensors.
        seed: The trial's seed.
        device: Where batches (and, once for all trials, the images) live.
        drop_last: Drop an incomplete last batch.
        dtype: Floating-point type of the inputs.
        shuffle: False: in order, for evaluation.
        resize: Edge that images are resized to after augmentation (bilinear, antialiased).
        hold: Keep all images on ``device`` (see `resident`), unless an augmentation must see them
            on the CPU; False: move them batch by batch.
        memory_format: How the images of a batch lie in memory. Augmentations see contiguous ones.

    Raises:
        DataError: if there is not a single batch.
    """

    def __init__(
        self,
        images: Images,
        batch_size: int,
        augmentations: Sequence[Augmentation] = (),
        mean: Tensor | Sequence[float] | None = None,
        std: Tensor | Sequence[float] | None = None,
        seed: int = 0,
        device: torch.device | str = "cpu",
        drop_last: bool = False,
        dtype: torch.dtype = torch.float32,
        shuffle: bool = True,
        resize: int | None = None,
        hold: bool = True,
        memory_format: torch.memory_format = torch.contiguous_format,
    ) -> None:
        self.images, self.batch_size, self.seed = images, batch_size, seed
        self.device, self.dtype, self.shuffle = torch.device(device), dtype, shuffle
        self.drop_last, self.resize, self.memory_format = drop_last, resize, memory_format
        if len(self) == 0:
            raise DataError(
                f"{len(images)} images give no batch of {batch_size}; "
                "take a smaller batch_size or set drop_last = false"
            )
        if augmentations and not images.is_pixels:
            found = "feature vectors" if images.is_array else "other examples"
            raise DataError(f"augmentation needs images; this data set has {found}")
        self._crop: RandomResizedCrop | None = None
        if isinstance(images.base, ImageFiles) and augmentations:
            first, *rest = augmentations
            if isinstance(first, RandomResizedCrop):
                self._crop, augmentations = first, rest
        self._before, self._after = _stages(augmentations)
        known = self._crop is None and len(self._parts) > 0
        self._all_drawn = known and all(isinstance(part, Drawn) for part in self._parts)
        self._on_host = max(
            (i + 1 for i, part in enumerate(self._before) if part.on_host), default=0
        )
        hold = hold and not self._on_host
        self._base = resident(images.base, self.device) if hold else images.base
        self._targets = structured.on_device(images.targets, self.device, dtype)
        self._mean, self._shift, self._std = self._affine(mean, std)

    def head(self, count: int | None, batch_size: int | None = None) -> BatchLoader:
        """The first ``count`` images (None: all) in batches of ``batch_size`` (None: as here)."""
        part = self if count is None or count >= len(self.images) else self._part(0, count)
        part = copy.copy(part)
        part.batch_size = batch_size or self.batch_size
        return part

    def batch(self, index: int) -> tuple[Any, Any]:
        """(inputs, targets) of the ``index``-th batch in the order of the images, made alone."""
        start = index * self.batch_size
        return next(iter(self._part(start, min(start + self.batch_size, len(self.images)))))

    def _part(self, start: int, stop: int) -> BatchLoader:
        part = copy.copy(self)
        part.images = self.images.take(torch.arange(start, stop))
        part._targets = take(self._targets, slice(start, stop))
        return part

    def __len__(self) -> int:
        full, rest = divmod(len(self.images), self.batch_size)
        return full + (rest > 0 and not self.drop_last)

    def epoch(self, index: int, start: int = 0) -> Iterator[tuple[Any, Any]]:
        """(inputs, targets) of epoch ``index``, from its ``start``-th batch on; tensors, or
        structures of them where the data set's are."""
        if start >= len(self):
            return
        order = self.order(index)[start * self.batch_size : len(self) * self.batch_size]
        rows = order if self.images.rows is None else self.images.rows[order]
        draws = (generator(self.seed, "augment", index, at) for at in range(start, len(self)))
        drawn = self._drawn([len(part) for part in order.split(self.batch_size)], draws)
        drawing, using = itertools.tee(draws) if self._crop else (draws, draws)
        # One copy, for which nobody waits, of all that an epoch on a device needs of the host.
        there = sent(torch.cat([rows[None], order[None], drawn]), self.device)
        images = self._images(rows, there[0], drawing)
        targets = self._split_targets(there[1])
        if self._all_drawn:
            numbers = there[2:].split(self.batch_size, dim=1)
            calls = map(self._applied, numbers)
        else:
            calls = map(self._called, using)
        for inputs, augmentations, labels in zip(images, calls, targets, strict=True):
            yield self._finish(inputs, augmentations), labels

    def __iter__(self) -> Iterator[tuple[Any, Any]]:
        return self.epoch(0)

    def _split_targets(self, order: Tensor) -> Iterable[Any]:
        """The targets of each batch, of the positions ``order``."""
        if isinstance(self._targets, Tensor):
            return self._targets[order].split(self.batch_size)
        return (take(self._targets, at) for at in order.split(self.batch_size))

    def order(self, index: int) -> Tensor:
        """The positions of the images in the order of epoch ``index``: int64 (n,), on the CPU."""
        if not self.shuffle:
            return torch.arange(len(self.images))
        return torch.randperm(len(self.images), generator=generator(self.seed, "order", index))

    def _drawn(self, sizes: Sequence[int], draws: Iterator[Generator]) -> Tensor:
        """What the augmentations draw for batches of these sizes, int64 (numbers, images), if that
        can be known before the images are: else nothing."""
        if not self._all_drawn:
            return torch.empty((0, sum(sizes)), dtype=torch.int64)
        edges = self.images.base.shape[2:]
        return torch.cat(
            [
                torch.cat([part.draw(size, edges, draw) for part in self._parts])
                for size, draw in zip(sizes, draws, strict=True)
            ],
            dim=1,
        )

    @property
    def _parts(self) -> list[Any]:
        return [*self._before, *self._after]

    def _applied(self, drawn: Tensor) -> list[Call]:
        """The augmentations of a batch for which these integers were drawn."""
        numbers = drawn.split([part.numbers for part in self._parts])
        return [
            partial(part.apply, drawn=own) for part, own in zip(self._parts, numbers, strict=True)
        ]

    def _called(self, draws: Generator) -> list[Call]:
        """The augmentations of a batch that draw when they see it."""
        return [partial(part, generator=draws) for part in self._parts]

    def _images(self, rows: Tensor, there: Tensor, draws: Iterator[Generator]) -> Iterator[Any]:
        """The images of each batch as they are stored.

        Images in files are cropped while they are decoded, if the first augmentation is a crop; its
        random numbers are then the first of the batch's.

        Args:
            rows, there: Which they are, on the host and on the device.
        """
        base, crop = self._base, self._crop
        if isinstance(base, ImageFiles):
            wanted = (
                (at, None if crop is None else crop.draw(len(at), next(draws)))
                for at in rows.split(self.batch_size)
            )
            return decoded(base, wanted, crop)
        if not isinstance(base, Tensor):
            both = zip(rows.split(self.batch_size), there.split(self.batch_size), strict=True)
            return (structured.rows_of(base, *at) for at in both)
        here = there if base.device == there.device else rows
        # five times as fast as base[at] on a CPU
        return (base.index_select(0, at) for at in here.split(self.batch_size))

    def _finish(self, inputs: Any, augmentations: Sequence[Call]) -> Any:
        """Augmented, on the device, normalised, resized."""
        if not self.images.is_array:
            normalize = partial(self._normalize, memory_format=self.memory_format)
            return structured.finished(inputs, self.device, self.dtype, normalize)
        for augmentation in augmentations[: self._on_host]:
            inputs = augmentation(inputs)
        inputs = sent(inputs, self.device)
        for augmentation in augmentations[self._on_host : len(self._before)]:
            inputs = augmentation(inputs)
        done = not self._after and self.resize is None
        inputs = self._normalize(inputs, self.memory_format if done else torch.contiguous_format)
        for augmentation in augmentations[len(self._before) :]:
            inputs = augmentation(inputs)
        if self.resize is not None:
            inputs = torch.nn.functional.interpolate(
                inputs, (self.resize, self.resize), mode="bilinear", antialias=True
            )
        return inputs.contiguous(memory_format=self.memory_format)

    def _normalize(self, inputs: Tensor, memory_format: torch.memory_format) -> Tensor:
        """Pixels: x / std - mean / std in one operation, which rounds the quotient and then the
        difference, on any device. Features, which can be far from 0: (x - mean) / std."""
        working = self._std.dtype
        if self.images.is_array and not self.images.is_pixels:
            return inputs.to(working).sub_(self._mean).div_(self._std).to(self.dtype)
        normalized = torch.empty_like(inputs, dtype=working, memory_format=memory_format)
        return torch.addcdiv(self._shift, inputs, self._std, out=normalized).to(self.dtype)

    def _affine(
        self, mean: Tensor | Sequence[float] | None, std: Tensor | Sequence[float] | None
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Mean, - mean / std, and std, in units of the images (grey levels 0..255 for pixels)."""
        array = self.images.is_array
        scale = 255.0 if self.images.is_pixels or not array else 1.0
        trailing = (1,) * ((self.images.base.ndim if array else 4) - 2)

        def per_channel(values: Tensor | Sequence[float] | None, default: float) -> Tensor:
            given = [default] if values is None or len(values) == 0 else values
            return (torch.as_tensor(given, dtype=torch.float64) * scale).view(-1, *trailing)

        working = torch.float32 if self.dtype == torch.bfloat16 else self.dtype
        means, stds = per_channel(mean, 0.0), per_channel(std, 1.0)
        one, two, three = (v.to(self.device, working) for v in (means, -means / stds, stds))
        return one, two, three


def _stages(
    augmentations: Sequence[Augmentation],
) -> tuple[list[Augmentation], list[Augmentation]]:
    """Those that run before normalisation, and those from the first `after_normalization` on."""
    late = [augmentation.after_normalization for augmentation in augmentations]
    first = late.index(True) if True in late else len(late)
    for augmentation in augmentations[first:]:
        if augmentation.needs_pixels:
            raise DataError(
                f"augmentation {type(augmentation).__name__} works on pixels and cannot follow "
                "one with fill = 'mean', which works on normalised images: put it first"
            )
    return fuse(augmentations[:first]), fuse(augmentations[first:])


__all__ = ["BatchLoader", "resident"]
