"""AutoAugment (Cubuk et al. 2019), torchvision's policies and operations, on a whole batch."""

from __future__ import annotations

from collections import defaultdict
from typing import Literal

import torch
from torch import Generator, Tensor

from trainables.data.augment.moves import Augmentation, registry
from trainables.registry import Index

_BINS = 10


@registry.register("autoaugment")
class AutoAugment(Augmentation):
    """Each image gets one of the policy's 25 sub-policies: two operations, each with its chance.

    Same bits as ``torchvision.transforms.AutoAugment`` on each image with the same draws;
    images that get the same operation with the same magnitude are done together.

    Args:
        policy: ``cifar10`` (also for CIFAR-100), ``svhn`` or ``imagenet``.
        fill: Grey level of what moves in from outside (128: AMP's code).
    """

    needs_pixels = True
    on_host = True

    def __init__(
        self, *, policy: Literal["cifar10", "svhn", "imagenet"] = "cifar10", fill: Index = 128
    ) -> None:
        from torchvision.transforms import AutoAugment as Reference
        from torchvision.transforms import AutoAugmentPolicy

        self.fill = fill
        self._reference = Reference(AutoAugmentPolicy(policy), fill=[float(fill)])

    def __call__(self, images: Tensor, generator: Generator) -> Tensor:
        policies = self._reference.policies
        batch, channels, height, width = images.shape
        chosen = torch.randint(len(policies), (batch,), generator=generator).tolist()
        chances = torch.rand((batch, 2), generator=generator).tolist()
        signs = torch.randint(2, (batch, 2), generator=generator).tolist()
        space = self._reference._augmentation_space(_BINS, (height, width))
        images = images.clone()
        for step in range(2):
            groups: dict[tuple[str, float], list[int]] = defaultdict(list)
            for image in range(batch):
                name, probability, level = policies[chosen[image]][step]
                # torchvision compares single-precision draws with the probability
                if chances[image][step] <= probability:
                    magnitudes, signed = space[name]
                    magnitude = 0.0 if level is None else float(magnitudes[level])
                    if signed and signs[image][step] == 0:
                        magnitude = -magnitude
                    groups[name, magnitude].append(image)
            for (name, magnitude), members in groups.items():
                index = torch.tensor(members).to(images.device)
                images[index] = _operate(images[index], name, magnitude, self.fill, channels)
        return images


def _operate(images: Tensor, name: str, magnitude: float, fill: int, channels: int) -> Tensor:
    from torchvision.transforms import InterpolationMode, autoaugment

    return autoaugment._apply_op(
        images, name, magnitude, InterpolationMode.NEAREST, [float(fill)] * channels
    )
