"""Batches on the training device: uint8 pixels stay there, augmentation is a few tensor operations.

The order of epoch e comes from (seed, "order", e), the augmentation of its
b-th batch from (seed, "augment", e, b): any batch of any epoch can be made
alone, so a resumed trial sees the same images.
"""

from __future__ import annotations

import copy
import itertools
from collections.abc import Iterator, Sequence

import torch
from torch import Generator, Tensor
from torch.utils.weak import WeakTensorKeyDictionary

from trainables.data.augment.moves import Augmentation, fuse
from trainables.data.augment.resized_crop import RandomResizedCrop
from trainables.data.base import DataError, Images
from trainables.data.stream import ImageFiles, decoded
from trainables.seeding import generator

_resident: WeakTensorKeyDictionary = WeakTensorKeyDictionary()
"""Of each tensor that still exists its copies, by device."""

DEVICE_FRACTION = 0.5
"""A tensor of images larger than this fraction of a GPU's free memory stays on the CPU."""


def resident(base: Tensor, device: torch.device | str) -> Tensor:
    """``base`` on ``device``: one copy per process and device, however many trials ask for it.

    A copy is dropped with the tensor that it is of. One that would fill the device
    (`DEVICE_FRACTION`), or that is streamed from files, is not made: ``base`` itself is returned.

    Args:
        base: What a data set's `Images` are rows of.
        device: Where it is wanted; ``cuda`` means the current GPU.
    """
    device = torch.device(device)
    if device.type == "cuda" and device.index is None:
        device = torch.device("cuda", torch.cuda.current_device())
    if base.device == device or isinstance(base, ImageFiles):
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
        seed: The trial's seed.
        device: Where batches (and, once for all trials, the images) live.
        drop_last: Drop an incomplete last batch.
        dtype: Floating-point type of the inputs.
        shuffle: False: in order, for evaluation.
        resize: Edge that images are resized to after augmentation (bilinear, antialiased).
        hold: Keep all images on ``device`` (see `resident`); False: move them batch by batch.

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
    ) -> None:
        self.images, self.batch_size, self.seed = images, batch_size, seed
        self.device, self.dtype, self.shuffle = torch.device(device), dtype, shuffle
        self.drop_last, self.resize = drop_last, resize
        if len(self) == 0:
            raise DataError(
                f"{len(images)} images give no batch of {batch_size}; "
                "take a smaller batch_size or set drop_last = false"
            )
        if augmentations and not images.is_pixels:
            raise DataError("augmentation needs images; this data set has feature vectors")
        self._crop: RandomResizedCrop | None = None
        if isinstance(images.base, ImageFiles) and augmentations:
            first, *rest = augmentations
            if isinstance(first, RandomResizedCrop):
                self._crop, augmentations = first, rest
        self._before, self._after = _stages(augmentations)
        self._base = resident(images.base, self.device) if hold else images.base
        self._targets = images.targets.to(self.device)
        if self._targets.is_floating_point():
            self._targets = self._targets.to(dtype)
        self._mean, self._std = self._affine(mean, std)

    def head(self, count: int | None, batch_size: int | None = None) -> BatchLoader:
        """The first ``count`` images (None: all) in batches of ``batch_size`` (None: as here)."""
        part = copy.copy(self)
        part.batch_size = batch_size or self.batch_size
        if count is not None and count < len(self.images):
            part.images = self.images.take(torch.arange(count))
            part._targets = self._targets[:count]
        return part

    def __len__(self) -> int:
        full, rest = divmod(len(self.images), self.batch_size)
        return full + (rest > 0 and not self.drop_last)

    def epoch(self, index: int, start: int = 0) -> Iterator[tuple[Tensor, Tensor]]:
        """(inputs, targets) of epoch ``index``, from its ``start``-th batch on."""
        drawing, using = itertools.tee(
            generator(self.seed, "augment", index, batch) for batch in range(start, len(self))
        )
        order = self.order(index)[start * self.batch_size :]
        rows = order if self.images.rows is None else self.images.rows[order]
        targets = self._targets[order.to(self.device)].split(self.batch_size)
        images = self._images(rows, drawing)
        for inputs, draws, labels in zip(images, using, targets, strict=False):
            yield self._finish(inputs, draws), labels

    def __iter__(self) -> Iterator[tuple[Tensor, Tensor]]:
        return self.epoch(0)

    def order(self, index: int) -> Tensor:
        """The positions of the images in the order of epoch ``index``: int64 (n,), on the CPU."""
        if not self.shuffle:
            return torch.arange(len(self.images))
        return torch.randperm(len(self.images), generator=generator(self.seed, "order", index))

    def _images(self, rows: Tensor, draws: Iterator[Generator]) -> Iterator[Tensor]:
        """The images of each batch as they are stored, on the device.

        Images in files are cropped while they are decoded, if the first augmentation is a crop; its
        random numbers are then the first of the batch's.
        """
        base, crop = self._base, self._crop
        if isinstance(base, ImageFiles):
            wanted = (
                (at, None if crop is None else crop.draw(len(at), draw))
                for at, draw in zip(rows.split(self.batch_size), draws, strict=False)
            )
            images = decoded(base, wanted, crop)
        else:
            images = (
                base.index_select(0, at)  # five times as fast as base[at] on a CPU
                for at in rows.to(base.device).split(self.batch_size)
            )
        return map(self._moved, images)

    def _moved(self, images: Tensor) -> Tensor:
        if self.device.type == "cuda" and images.device.type == "cpu":
            images = images.pin_memory()
        return images.to(self.device, non_blocking=True)

    def _finish(self, inputs: Tensor, draws: Generator) -> Tensor:
        """Augmented, normalised, resized."""
        for augmentation in self._before:
            inputs = augmentation(inputs, draws)
        inputs = self._normalize(inputs)
        for augmentation in self._after:
            inputs = augmentation(inputs, draws)
        if self.resize is not None:
            inputs = torch.nn.functional.interpolate(
                inputs, (self.resize, self.resize), mode="bilinear", antialias=True
            )
        return inputs

    def _normalize(self, inputs: Tensor) -> Tensor:
        working = torch.float32 if self.dtype == torch.bfloat16 else self.dtype
        return inputs.to(working).sub_(self._mean).div_(self._std).to(self.dtype)

    def _affine(
        self, mean: Tensor | Sequence[float] | None, std: Tensor | Sequence[float] | None
    ) -> tuple[Tensor, Tensor]:
        """Mean and std in the units of the images (grey levels 0..255 for pixels)."""
        scale = 255.0 if self.images.is_pixels else 1.0
        trailing = (1,) * (self.images.base.ndim - 2)

        def per_channel(values: Tensor | Sequence[float] | None, default: float) -> Tensor:
            values = torch.as_tensor([default] if values is None else values, dtype=torch.float64)
            working = torch.float32 if self.dtype == torch.bfloat16 else self.dtype
            return (values * scale).to(self.device, working).view(-1, *trailing)

        return per_channel(mean, 0.0), per_channel(std, 1.0)


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
