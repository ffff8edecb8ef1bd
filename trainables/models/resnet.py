"""Residual networks of basic blocks with the activation after the sum (He et al. 2016)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

from torch import Tensor, nn
from torch.nn import functional

from trainables.models import Layers, registry
from trainables.models.blocks import (
    GlobalPool,
    Shortcut,
    ZeroPadShortcut,
    conv,
    image_shape,
    network,
)
from trainables.models.variants import register_variant
from trainables.needs import Needs
from trainables.registry import Count, Fraction

OTHER_WIDTH = Needs("another value than width", lambda o: o.stem_width != o.width)


class BasicBlock(nn.Module):
    """``relu(shortcut(x) + BN(conv(relu(BN(conv(x))))))``, the first convolution strided."""

    def __init__(
        self, c_in: int, c_out: int, stride: int, shortcut: Shortcut, bias: bool = False
    ) -> None:
        super().__init__()
        self.conv1 = conv(c_in, c_out, stride=stride, bias=bias)
        self.bn1 = nn.BatchNorm2d(c_out)
        self.conv2 = conv(c_out, c_out, bias=bias)
        self.bn2 = nn.BatchNorm2d(c_out)
        self.shortcut: nn.Module = nn.Identity()
        if (stride != 1 or c_in != c_out) and shortcut == "conv":
            self.shortcut = nn.Sequential(conv(c_in, c_out, 1, stride), nn.BatchNorm2d(c_out))
        elif stride != 1 or c_in != c_out:
            self.shortcut = ZeroPadShortcut(c_in, c_out, stride, "subsample")

    def forward(self, x: Tensor) -> Tensor:
        y = functional.relu(self.bn1(self.conv1(x)))
        y = self.bn2(self.conv2(y))
        return functional.relu(y + self.shortcut(x))


def _resnet(
    stem: Sequence[nn.Module],
    c_in: int,
    widths: Sequence[int],
    blocks: int,
    num_classes: int,
    shortcut: Shortcut,
    conv_bias: bool,
    bn_momentum: float,
) -> nn.Sequential:
    """``stem``, then ``blocks`` blocks of each of ``widths``; stride 2 from the second stage on."""
    body: list[nn.Module] = []
    for stage, width in enumerate(widths):
        for block in range(blocks):
            stride = 2 if stage > 0 and block == 0 else 1
            body.append(BasicBlock(c_in, width, stride, shortcut, conv_bias))
            c_in = width
    return network(stem, body, [GlobalPool()], nn.Linear(c_in, num_classes), bn_momentum)


@registry.register("resnet18", layers=Layers(batchnorm=True))
def resnet18(
    *,
    num_classes: int,
    input_shape: Sequence[int],
    width: Count = 64,
    blocks: Count = 2,
    stem_width: Annotated[Count | None, OTHER_WIDTH] = None,
    stem_relu: bool = True,
    conv_bias: bool = False,
    bn_momentum: Fraction = 0.1,
) -> nn.Sequential:
    """ResNet-18 for 32x32 images: 2 blocks each at widths 64, 128, 256, 512; 3x3 stem, no pooling.

    11,173,962 parameters on CIFAR-10 (NRS, Table 1; its stem is not in the paper). The public
    code of NRS's group differs: ``stem_width=16, stem_relu=False, conv_bias=True``.

    Args:
        width: Of the first stage; the others are 2, 4 and 8 times as wide.
        blocks: Per stage.
        stem_width: Channels of the stem; None is ``width``.
        stem_relu: Whether a ReLU follows the stem's BatchNorm.
        conv_bias: Whether the blocks' 3x3 convolutions have biases.
        bn_momentum: Weight of a new batch in BatchNorm's running statistics; 0.1 is torch's.
    """
    channels, *_ = image_shape(input_shape)
    c_in = stem_width or width
    stem = [conv(channels, c_in), nn.BatchNorm2d(c_in), *([nn.ReLU()] if stem_relu else [])]
    widths = [width, 2 * width, 4 * width, 8 * width]
    return _resnet(stem, c_in, widths, blocks, num_classes, "conv", conv_bias, bn_momentum)


@registry.register("resnet20", layers=Layers(batchnorm=True))
def resnet20(
    *,
    num_classes: int,
    input_shape: Sequence[int],
    width: Count = 16,
    blocks: Count = 3,
    shortcut: Shortcut = "zero_pad",
    bn_momentum: Fraction = 0.1,
) -> nn.Sequential:
    """ResNet-20 of He et al. (2016, Section 4.2), InfoMCR's: 3 blocks each at widths 16, 32, 64.

    269,722 parameters on CIFAR-10. Depth is ``6 blocks + 2``.

    Args:
        width: Of the first stage; the others are 2 and 4 times as wide.
        blocks: Per stage.
        shortcut: Without parameters (the original's option A), or a 1x1 convolution.
        bn_momentum: Weight of a new batch in BatchNorm's running statistics; 0.1 is torch's.
    """
    channels, *_ = image_shape(input_shape)
    stem = [conv(channels, width), nn.BatchNorm2d(width), nn.ReLU()]
    widths = [width, 2 * width, 4 * width]
    return _resnet(stem, width, widths, blocks, num_classes, shortcut, False, bn_momentum)


@registry.register("wrn_18_1_5", layers=Layers(batchnorm=True))
def wrn_18_1_5(
    *,
    num_classes: int,
    input_shape: Sequence[int],
    width: Count = 96,
    blocks: Count = 2,
    stem_width: Count = 64,
    bn_momentum: Fraction = 0.1,
) -> nn.Sequential:
    """WRN-18-1.5: ResNet-18 with stages 1.5 times as wide, for ImageNet at 128x128.

    25,875,816 parameters at 1000 classes. InfoMCR (Table 2) says neither how wide the stem is
    nor where the activation sits; this is the reading with ImageNet's stem of 64 channels (7x7,
    stride 2, max-pooling) and blocks as in ResNet-18.

    Args:
        width: Of the first stage; the others are 2, 4 and 8 times as wide.
        blocks: Per stage.
        stem_width: Channels of the stem.
        bn_momentum: Weight of a new batch in BatchNorm's running statistics; 0.1 is torch's.
    """
    channels, *_ = image_shape(input_shape)
    stem = [
        conv(channels, stem_width, 7, 2),
        nn.BatchNorm2d(stem_width),
        nn.ReLU(),
        nn.MaxPool2d(3, 2, 1),
    ]
    widths = [width, 2 * width, 4 * width, 8 * width]
    return _resnet(stem, stem_width, widths, blocks, num_classes, "conv", False, bn_momentum)


register_variant("resnet8", resnet20, "`resnet20` with one block per stage.", blocks=1)
register_variant("resnet_tiny", resnet20, "`resnet8` of width 4.", blocks=1, width=4)
register_variant(
    "resnet18_tiny", resnet18, "`resnet18`, one block per stage, width 2.", blocks=1, width=2
)
register_variant(
    "wrn_18_1_5_tiny",
    wrn_18_1_5,
    "`wrn_18_1_5`, one block per stage, width 3.",
    blocks=1,
    width=3,
    stem_width=2,
)
