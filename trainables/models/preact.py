"""Residual networks with the activation before the convolution (He et al. 2016b)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Literal

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

DROPPING = Needs("dropout above 0", lambda o: o.dropout > 0)

SharedActivation = Literal["none", "first", "reshape", "all"]
"""In which blocks the shortcut starts after the first BN-ReLU instead of before it: in none,
in the network's first, in those that change the shape (He et al. 2016b), or in all."""

DropoutAfter = Literal["second_relu", "every_relu"]
"""Which of a network's ReLUs dropout follows."""


class PreActBlock(nn.Module):
    """``shortcut(z) + conv(drop(relu(BN(conv(relu(BN(x)))))))``.

    ``z`` is ``relu(BN(x))`` when ``shared``, else ``x``. ``stride_on`` says which convolution
    (1 or 2) is the strided one. With ``drop_first`` the first ReLU is followed by dropout too, and
    the shortcut starts after it where it is ``shared``.
    """

    def __init__(
        self,
        c_in: int,
        c_out: int,
        stride: int,
        *,
        shared: bool,
        shortcut: Shortcut = "conv",
        stride_on: int = 1,
        bias: bool = False,
        dropout: float = 0.0,
        drop_first: bool = False,
    ) -> None:
        super().__init__()
        self.shared = shared
        self.bn1 = nn.BatchNorm2d(c_in)
        self.drop_first = nn.Dropout(dropout) if dropout and drop_first else nn.Identity()
        self.conv1 = conv(c_in, c_out, stride=stride if stride_on == 1 else 1, bias=bias)
        self.bn2 = nn.BatchNorm2d(c_out)
        self.dropout = nn.Dropout(dropout) if dropout else nn.Identity()
        self.conv2 = conv(c_out, c_out, stride=stride if stride_on == 2 else 1, bias=bias)
        self.shortcut: nn.Module = nn.Identity()
        if (stride != 1 or c_in != c_out) and shortcut == "conv":
            self.shortcut = conv(c_in, c_out, 1, stride, bias=bias)
        elif stride != 1 or c_in != c_out:
            self.shortcut = ZeroPadShortcut(c_in, c_out, stride, "avgpool")

    def forward(self, x: Tensor) -> Tensor:
        active = self.drop_first(functional.relu(self.bn1(x)))
        y = self.conv1(active)
        y = self.conv2(self.dropout(functional.relu(self.bn2(y))))
        return y + self.shortcut(active if self.shared else x)


def preact_network(
    channels: int,
    stem_width: int,
    widths: Sequence[int],
    blocks: int,
    num_classes: int,
    *,
    shared_activation: SharedActivation,
    shortcut: Shortcut,
    stride_on: Literal[1, 2],
    conv_bias: bool,
    dropout: float,
    head_dropout: float,
    bn_momentum: float,
    drop_every: bool = False,
) -> nn.Sequential:
    """3x3 stem, ``blocks`` blocks of each of ``widths`` (stride 2 from the second on), BN-ReLU."""
    body: list[nn.Module] = []
    c_in = stem_width
    for stage, width in enumerate(widths):
        for block in range(blocks):
            stride = 2 if stage > 0 and block == 0 else 1
            shared = {
                "none": False,
                "first": not body,
                "reshape": stride != 1 or c_in != width,
                "all": True,
            }[shared_activation]
            body.append(
                PreActBlock(
                    c_in,
                    width,
                    stride,
                    shared=shared,
                    shortcut=shortcut,
                    stride_on=stride_on,
                    bias=conv_bias,
                    dropout=dropout,
                    drop_first=drop_every,
                )
            )
            c_in = width
    neck = [nn.BatchNorm2d(c_in), nn.ReLU(), GlobalPool()]
    if head_dropout:
        neck.insert(2 if drop_every else 3, nn.Dropout(head_dropout))
    stem = [conv(channels, stem_width)]
    return network(stem, body, neck, nn.Linear(c_in, num_classes), bn_momentum)


@registry.register(
    "preact_resnet18",
    added={"dropout_after": "second_relu"},
    layers=lambda o: Layers(batchnorm=True, dropout=o.dropout > 0),
)
def preact_resnet18(
    *,
    num_classes: int,
    input_shape: Sequence[int],
    width: Count = 64,
    blocks: Count = 2,
    conv_bias: bool = True,
    shared_activation: SharedActivation = "all",
    dropout: Fraction = 0.0,
    dropout_after: Annotated[DropoutAfter, DROPPING] = "second_relu",
    bn_momentum: Fraction = 0.1,
) -> nn.Sequential:
    """Pre-activation ResNet-18 for 32x32 images: 2 blocks each at widths 64, 128, 256, 512.

    11,176,906 parameters on CIFAR-10. The defaults are the network AMP's authors trained
    (Table 1): its paper gives the name only, its code has biases and takes every shortcut after
    BN-ReLU. That of He et al. (2016b) has ``conv_bias=False, shared_activation="reshape"``.

    Args:
        width: Of the first stage; the others are 2, 4 and 8 times as wide.
        blocks: Per stage.
        conv_bias: Whether the blocks' convolutions have biases.
        shared_activation: In which blocks the shortcut starts after BN-ReLU (`SharedActivation`).
        dropout: Share of the units that are dropped.
        dropout_after: Which units: those before each block's second convolution and before the
            classifier (``second_relu``, AMP's code), or those after ``every_relu`` (AMP, Section
            5.1), in the last case before the mean over the image.
        bn_momentum: Weight of a new batch in BatchNorm's running statistics; 0.1 is torch's.
    """
    channels, *_ = image_shape(input_shape)
    return preact_network(
        channels,
        width,
        [width, 2 * width, 4 * width, 8 * width],
        blocks,
        num_classes,
        shared_activation=shared_activation,
        shortcut="conv",
        stride_on=1,
        conv_bias=conv_bias,
        dropout=dropout,
        head_dropout=dropout,
        bn_momentum=bn_momentum,
        drop_every=dropout_after == "every_relu",
    )


register_variant(
    "preact_tiny",
    preact_resnet18,
    "`preact_resnet18`, one block per stage, width 2.",
    blocks=1,
    width=2,
)
