"""Residual networks of basic blocks with activation after the sum (He et al. 2016)."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor, nn
from torch.nn import functional

from trainables.models import registry
from trainables.models.blocks import (
    Downsample,
    GlobalPool,
    ZeroPadShortcut,
    conv,
    image_shape,
    init_convs,
    set_batchnorm,
)
from trainables.registry import Count, Fraction


class BasicBlock(nn.Module):
    """``relu(shortcut(x) + BN(conv(relu(BN(conv(x))))))``, the first convolution strided."""

    def __init__(self, c_in: int, c_out: int, stride: int, how: Downsample, bias: bool) -> None:
        super().__init__()
        self.conv1 = conv(c_in, c_out, stride=stride, bias=bias)
        self.bn1 = nn.BatchNorm2d(c_out)
        self.conv2 = conv(c_out, c_out, bias=bias)
        self.bn2 = nn.BatchNorm2d(c_out)
        self.shortcut: nn.Module = nn.Identity()
        if stride != 1 or c_in != c_out:
            self.shortcut = (
                nn.Sequential(conv(c_in, c_out, 1, stride), nn.BatchNorm2d(c_out))
                if how == "conv"
                else ZeroPadShortcut(c_in, c_out, stride, how)
            )

    def forward(self, x: Tensor) -> Tensor:
        y = functional.relu(self.bn1(self.conv1(x)))
        y = self.bn2(self.conv2(y))
        return functional.relu(y + self.shortcut(x))


def basic_resnet(
    stem: Sequence[nn.Module],
    stem_width: int,
    widths: Sequence[int],
    blocks: int,
    num_classes: int,
    *,
    shortcut: Downsample,
    conv_bias: bool,
    bn_momentum: float,
) -> nn.Sequential:
    """``stem``, then ``blocks`` blocks of each of ``widths``; stride 2 from the second stage on."""
    stages: list[nn.Module] = []
    c_in = stem_width
    for stage, width in enumerate(widths):
        for block in range(blocks):
            stride = 2 if stage > 0 and block == 0 else 1
            stages.append(BasicBlock(c_in, width, stride, shortcut, conv_bias))
            c_in = width
    model = nn.Sequential(*stem, *stages, GlobalPool(), nn.Linear(c_in, num_classes))
    init_convs(model)
    set_batchnorm(model, bn_momentum)
    return model


def cifar_stem(channels: int, width: int, relu: bool = True) -> list[nn.Module]:
    """3x3 convolution at stride 1 and BatchNorm (and ReLU): no pooling."""
    return [conv(channels, width), nn.BatchNorm2d(width), *([nn.ReLU()] if relu else [])]


@registry.register("resnet18")
def resnet18(
    *,
    num_classes: int,
    input_shape: Sequence[int],
    width: Count = 64,
    stem_width: Count | None = None,
    stem_relu: bool = True,
    conv_bias: bool = False,
    bn_momentum: Fraction = 0.1,
) -> nn.Sequential:
    """ResNet-18 for 32x32 images: stages [2, 2, 2, 2] of widths 64, 128, 256, 512; 3x3 stem.

    11,173,962 parameters on CIFAR-10 (NRS, Table 1; the stem is not in the paper). The code of
    NRS's group differs: ``stem_width=16, stem_relu=False, conv_bias=True``.

    Args:
        width: Of the first stage; the others are 2, 4 and 8 times as wide.
        stem_width: Channels of the stem; None is ``width``.
    """
    channels, *_ = image_shape("resnet18", input_shape)
    stem_width = stem_width or width
    return basic_resnet(
        cifar_stem(channels, stem_width, stem_relu),
        stem_width,
        [width, 2 * width, 4 * width, 8 * width],
        2,
        num_classes,
        shortcut="conv",
        conv_bias=conv_bias,
        bn_momentum=bn_momentum,
    )


@registry.register("resnet20")
def resnet20(
    *,
    num_classes: int,
    input_shape: Sequence[int],
    width: Count = 16,
    blocks: Count = 3,
    shortcut: Downsample = "subsample",
    bn_momentum: Fraction = 0.1,
) -> nn.Sequential:
    """ResNet-20 of He et al. (2016, Section 4.2), InfoMCR's: 3 stages of widths 16, 32, 64.

    269,722 parameters on CIFAR-10. Depth is ``6 blocks + 2``. The original's shortcut has no
    parameters (option A).
    """
    channels, *_ = image_shape("resnet20", input_shape)
    return basic_resnet(
        cifar_stem(channels, width),
        width,
        [width, 2 * width, 4 * width],
        blocks,
        num_classes,
        shortcut=shortcut,
        conv_bias=False,
        bn_momentum=bn_momentum,
    )


@registry.register("resnet8")
def resnet8(
    *,
    num_classes: int,
    input_shape: Sequence[int],
    width: Count = 16,
    shortcut: Downsample = "subsample",
    bn_momentum: Fraction = 0.1,
) -> nn.Sequential:
    """`resnet20` with one block a stage: a small network with BatchNorm and shortcuts."""
    return resnet20(
        num_classes=num_classes,
        input_shape=image_shape("resnet8", input_shape),
        width=width,
        blocks=1,
        shortcut=shortcut,
        bn_momentum=bn_momentum,
    )


@registry.register("resnet_tiny")
def resnet_tiny(*, num_classes: int, input_shape: Sequence[int], width: Count = 4) -> nn.Sequential:
    """`resnet8` of width 4, for smoke runs."""
    return resnet8(
        num_classes=num_classes,
        input_shape=image_shape("resnet_tiny", input_shape),
        width=width,
    )


@registry.register("wrn_18_1_5")
def wrn_18_1_5(
    *,
    num_classes: int,
    input_shape: Sequence[int],
    width: Count = 96,
    stem_width: Count = 64,
    bn_momentum: Fraction = 0.1,
) -> nn.Sequential:
    """WRN-18-1.5: torchvision's ResNet-18 with stages 1.5 times as wide, for 128x128 ImageNet.

    InfoMCR (Table 2) says neither how wide the stem is nor where the activation sits; this is
    the reading with a stem of 64 (7x7, stride 2, max-pooling) and blocks as in ResNet-18.
    """
    channels, *_ = image_shape("wrn_18_1_5", input_shape)
    stem = [
        conv(channels, stem_width, 7, 2),
        nn.BatchNorm2d(stem_width),
        nn.ReLU(),
        nn.MaxPool2d(3, 2, 1),
    ]
    return basic_resnet(
        stem,
        stem_width,
        [width, 2 * width, 4 * width, 8 * width],
        2,
        num_classes,
        shortcut="conv",
        conv_bias=False,
        bn_momentum=bn_momentum,
    )
