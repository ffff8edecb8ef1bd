"""Parts that several networks share: convolutions, shortcuts, the stem, initialisation."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Literal

from torch import Tensor, nn
from torch.nn import functional

Downsample = Literal["conv", "subsample", "avgpool"]
"""How a shortcut changes shape: 1x1 convolution, or no parameters at all: every second pixel
or the mean of 2x2 pixels, and channels of zeros."""


def conv(c_in: int, c_out: int, kernel: int = 3, stride: int = 1, bias: bool = False) -> nn.Conv2d:
    """A convolution that keeps the image's size at stride 1 (odd ``kernel``)."""
    return nn.Conv2d(c_in, c_out, kernel, stride, padding=kernel // 2, bias=bias)


class ZeroPadShortcut(nn.Module):
    """Shortcut without parameters: shrink the image by ``stride``, append channels of zeros.

    ``(B, c_in, H, W) -> (B, c_out, ceil(H / stride), ceil(W / stride))``. "subsample" is option A
    of He et al. (2016, Section 3.3); "avgpool" is PyramidNet's (Han et al. 2017).
    """

    def __init__(
        self, c_in: int, c_out: int, stride: int, how: Literal["subsample", "avgpool"]
    ) -> None:
        super().__init__()
        self.extra, self.stride, self.how = c_out - c_in, stride, how

    def forward(self, x: Tensor) -> Tensor:
        if self.stride > 1 and self.how == "avgpool":
            x = functional.avg_pool2d(x, self.stride, ceil_mode=True)
        elif self.stride > 1:
            x = x[:, :, :: self.stride, :: self.stride]
        return functional.pad(x, (0, 0, 0, 0, 0, self.extra)) if self.extra else x


class GlobalPool(nn.Module):
    """Mean over the image: ``(B, C, H, W) -> (B, C)``."""

    def forward(self, x: Tensor) -> Tensor:
        return x.mean((2, 3))


def init_convs(model: nn.Module) -> None:
    """He et al. (2015): convolution weights ~ N(0, 2 / fan_out), their biases 0.

    Normalisation starts at scale 1, shift 0 and linear layers at torch's
    default, as in torchvision's ResNets.
    """
    for module in model.modules():
        if isinstance(module, nn.Conv2d):
            nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")
            if module.bias is not None:
                nn.init.zeros_(module.bias)


def set_batchnorm(model: nn.Module, momentum: float) -> None:
    """Give every BatchNorm layer torch's ``momentum`` (the weight of the *new* batch)."""
    for module in model.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.momentum = momentum


def image_shape(name: str, input_shape: Sequence[int], smallest: int = 1) -> tuple[int, int, int]:
    """``input_shape`` as (channels, height, width).

    Raises:
        ValueError: when it is no image, or smaller than ``smallest`` pixels a side.
    """
    shape = tuple(input_shape)
    if len(shape) != 3 or min(shape[1:]) < smallest:
        raise ValueError(
            f"model {name!r}: input_shape = {shape} must be (channels, height, width) "
            f"of at least {smallest} x {smallest} pixels"
        )
    return shape


def count_features(input_shape: Sequence[int]) -> int:
    """Numbers in one input."""
    return math.prod(input_shape)


def num_parameters(model: nn.Module) -> int:
    """Trainable numbers in ``model``."""
    return sum(p.numel() for p in model.parameters() if p.requires_grad)


__all__ = [
    "Downsample",
    "GlobalPool",
    "ZeroPadShortcut",
    "conv",
    "count_features",
    "image_shape",
    "init_convs",
    "num_parameters",
    "set_batchnorm",
]
