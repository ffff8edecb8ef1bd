"""A random part of an image, resized: ImageNet's augmentation."""

from __future__ import annotations

import math

import torch
from torch import Generator, Tensor

from trainables.data.augment.moves import Augmentation, registry
from trainables.errors import UsageError
from trainables.registry import Fraction, Positive

_TRIES = 10


@registry.register("random_resized_crop")
class RandomResizedCrop(Augmentation):
    """Crop a part of random area and aspect at a random place and resize it to the full size.

    Draws as ``torchvision.transforms.RandomResizedCrop``: up to ten tries of area uniform on
    [min_area, 1] of the image and log aspect uniform on [-log max_aspect, log max_aspect];
    if none fits, the largest central part of allowed aspect. Bilinear, antialiased.

    On streamed sets (``imagenet``) it comes first and cuts the stored photograph; on others it
    cuts the prepared image.

    Args:
        min_area: Smallest part (0.08: NRS's code base, and torchvision).
        max_aspect: Largest aspect, its inverse the smallest (4/3: likewise).
    """

    needs_pixels = True
    on_host = True

    def __init__(self, *, min_area: Fraction = 0.08, max_aspect: Positive = 4 / 3) -> None:
        if max_aspect < 1:
            raise UsageError(f"random_resized_crop: max_aspect = {max_aspect} must be at least 1")
        self.min_area, self.max_aspect = min_area, max_aspect

    def draw(self, batch: int, generator: Generator) -> Tensor:
        """Uniform numbers (B, tries, 4) for area, aspect, top and left."""
        return torch.rand((batch, _TRIES, 4), generator=generator, dtype=torch.float64)

    def box(self, drawn: Tensor, height: int, width: int) -> tuple[int, int, int, int]:
        """Top, left, height and width of the part, from one image's numbers (tries, 4)."""
        bound = math.log(self.max_aspect)
        for area, aspect, top, left in drawn.tolist():
            target = height * width * (self.min_area + (1 - self.min_area) * area)
            ratio = math.exp(bound * (2 * aspect - 1))
            w, h = round(math.sqrt(target * ratio)), round(math.sqrt(target / ratio))
            if 0 < w <= width and 0 < h <= height:
                return int(top * (height - h + 1)), int(left * (width - w + 1)), h, w
        w = min(width, round(height * self.max_aspect))
        h = min(height, round(width * self.max_aspect))
        return (height - h) // 2, (width - w) // 2, h, w

    def __call__(self, images: Tensor, generator: Generator) -> Tensor:
        drawn = self.draw(len(images), generator)
        height, width = images.shape[2:]
        from torchvision.transforms.v2 import functional

        return torch.stack(
            [
                functional.resized_crop(image, *self.box(numbers, height, width), [height, width])
                for image, numbers in zip(images, drawn, strict=True)
            ]
        )


def center_box(height: int, width: int, fraction: float = 224 / 256) -> tuple[int, int, int, int]:
    """The central square with ``fraction`` of the short side (NRS's code base, for evaluation)."""
    edge = max(1, round(min(height, width) * fraction))
    return (height - edge) // 2, (width - edge) // 2, edge, edge
