"""Parts that several networks share: convolutions, shortcuts, pooling, initialisation."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable, Sequence
from typing import Literal

from torch import Tensor, nn
from torch.nn import functional

from trainables.errors import UsageError

Shortcut = Literal["conv", "zero_pad"]
"""How a shortcut changes shape: by a 1x1 convolution, or without parameters, by zero channels."""


def conv(c_in: int, c_out: int, kernel: int = 3, stride: int = 1, bias: bool = False) -> nn.Conv2d:
    """A convolution that keeps the image's size at stride 1 (odd ``kernel``)."""
    return nn.Conv2d(c_in, c_out, kernel, stride, padding=kernel // 2, bias=bias)


class ZeroPadShortcut(nn.Module):
    """Shortcut without parameters: shrink the image by ``stride``, append channels of zeros.

    ``(B, c_in, H, W) -> (B, c_out, ceil(H / stride), ceil(W / stride))``. "subsample" keeps every
    second pixel (option A of He et al. 2016, Section 3.3); "avgpool" means 2x2 pixels
    (PyramidNet, Han et al. 2017).
    """

    def __init__(
        self, c_in: int, c_out: int, stride: int, shrink: Literal["subsample", "avgpool"]
    ) -> None:
        super().__init__()
        self.extra, self.stride, self.shrink = c_out - c_in, stride, shrink

    def forward(self, x: Tensor) -> Tensor:
        if self.stride > 1 and self.shrink == "avgpool":
            x = functional.avg_pool2d(x, self.stride, ceil_mode=True)
        elif self.stride > 1:
            x = x[:, :, :: self.stride, :: self.stride]
        return functional.pad(x, (0, 0, 0, 0, 0, self.extra)) if self.extra else x


class GlobalPool(nn.Module):
    """Mean over the image: ``(B, C, H, W) -> (B, C)``."""

    def forward(self, x: Tensor) -> Tensor:
        return x.mean((2, 3))


def network(
    stem: Iterable[nn.Module],
    body: Iterable[nn.Module],
    neck: Iterable[nn.Module],
    head: nn.Module,
    bn_momentum: float,
) -> nn.Sequential:
    """Image -> ``stem`` -> ``body`` -> ``neck`` -> ``head`` (the linear classifier), initialised.

    As AMP's code does, and torchvision's ResNets but for the bias: convolution weights are
    N(0, 2 / fan_out) (He et al. 2015), every bias 0, linear weights torch's default, BatchNorm
    starts at scale 1 and shift 0. ``bn_momentum`` is torch's: the weight of the *new* batch.
    """
    model = nn.Sequential(
        OrderedDict(
            stem=nn.Sequential(*stem),
            body=nn.Sequential(*body),
            neck=nn.Sequential(*neck),
            head=head,
        )
    )
    for module in model.modules():
        if isinstance(module, nn.Conv2d):
            nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")
        if isinstance(module, nn.Conv2d | nn.Linear) and module.bias is not None:
            nn.init.zeros_(module.bias)
        if isinstance(module, nn.BatchNorm2d):
            module.momentum = bn_momentum
    return model


def image_shape(input_shape: Sequence[int], smallest: int = 1) -> tuple[int, int, int]:
    """``input_shape`` as (channels, height, width).

    Raises:
        ValueError: when it is no image, or has fewer than ``smallest`` pixels per side.
    """
    shape = tuple(input_shape)
    if len(shape) != 3 or min(shape[1:]) < smallest:
        raise UsageError(
            f"input_shape = {shape} must be (channels, height, width) "
            f"of at least {smallest}x{smallest} pixels"
        )
    return shape


def num_parameters(model: nn.Module) -> int:
    """How many trainable numbers ``model`` has."""
    return sum(p.numel() for p in model.parameters() if p.requires_grad)
