"""Networks without shortcuts: VGG (Simonyan and Zisserman 2015) and InfoMCR's plain CNN."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

from torch import nn

from trainables.models import Layers, registry
from trainables.models.blocks import GlobalPool, conv, image_shape, network
from trainables.models.variants import register_variant
from trainables.needs import Needs, given
from trainables.registry import Count, Fraction

Stages = tuple[tuple[Count, ...], ...]
"""Widths of the convolutions between one max-pooling and the next."""

HIDDEN_LAYER = Needs("a hidden layer (hidden)", lambda o: bool(o.hidden))


def _conv_stages(
    channels: int, stages: Stages, *, bias: bool, batchnorm: bool, dropout: float
) -> list[nn.Module]:
    """conv3x3(-BN)-ReLU(-Dropout) of each width, max-pooling 2x2 after each stage."""
    layers: list[nn.Module] = []
    for stage in stages:
        for width in stage:
            layers.append(conv(channels, width, bias=bias))
            if batchnorm:
                layers.append(nn.BatchNorm2d(width))
            layers.append(nn.ReLU())
            if dropout:
                layers.append(nn.Dropout(dropout))
            channels = width
        layers.append(nn.MaxPool2d(2))
    return layers


@registry.register(
    "vgg16",
    layers=lambda o: Layers(batchnorm=o.batchnorm, dropout=o.dropout > 0 or o.conv_dropout > 0),
)
def vgg16(
    *,
    num_classes: int,
    input_shape: Sequence[int],
    stages: Stages = ((64,) * 2, (128,) * 2, (256,) * 3, (512,) * 3, (512,) * 3),
    hidden: tuple[Count, ...] = (4096, 4096),
    batchnorm: bool = True,
    dropout: Annotated[Fraction, HIDDEN_LAYER] = 0.0,
    conv_dropout: Fraction = 0.0,
    bn_momentum: Annotated[Fraction, given(batchnorm=True)] = 0.1,
) -> nn.Sequential:
    """VGG16: 13 convolutions in 5 stages, flatten, linear layers 4096 and 4096, classifier.

    On CIFAR-10 33,646,666 parameters with BatchNorm (AMP Table 1; recommended for NRS Table 1)
    and 33,638,218 without; at 224x224 and 1000 classes 138,365,992, as torchvision's.

    Args:
        stages: Widths of the convolutions before each 2x2 max-pooling.
        hidden: Widths of the linear layers.
        batchnorm: Whether a BatchNorm follows each convolution.
        dropout: After each hidden linear layer: 0.5 in the public code of NRS's group and in the
            original, 0 in AMP's.
        conv_dropout: After each convolution's ReLU; AMP's "Dropout" row has it at 0.1, as
            ``dropout``.
        bn_momentum: Weight of a new batch in BatchNorm's running statistics; 0.1 is torch's.

    Raises:
        ValueError: when the image is too small for one 2x2 max-pooling per stage.
    """
    channels, height, width = image_shape(input_shape, smallest=2 ** len(stages))
    body = _conv_stages(channels, stages, bias=True, batchnorm=batchnorm, dropout=conv_dropout)
    c_last = next((stage[-1] for stage in reversed(stages) if stage), channels)
    features = c_last * (height >> len(stages)) * (width >> len(stages))
    neck: list[nn.Module] = [nn.Flatten()]
    for size in hidden:
        neck += [nn.Linear(features, size), nn.ReLU()]
        if dropout:
            neck.append(nn.Dropout(dropout))
        features = size
    return network([], body, neck, nn.Linear(features, num_classes), bn_momentum)


@registry.register("cnn", layers=Layers(batchnorm=True))
def cnn(
    *,
    num_classes: int,
    input_shape: Sequence[int],
    stages: Stages = ((64,) * 2, (128,) * 2, (256,) * 2),
    bn_momentum: Fraction = 0.1,
) -> nn.Sequential:
    """A stand-in for InfoMCR's plain CNN, whose architecture is in a lost appendix.

    conv3x3-BN-ReLU twice each at widths 64, 128, 256 with 2x2 max-pooling after each, mean over
    the image, classifier. 1,148,874 parameters on CIFAR-10. Tables must call it a stand-in.

    Args:
        stages: Widths of the convolutions before each 2x2 max-pooling.
        bn_momentum: Weight of a new batch in BatchNorm's running statistics; 0.1 is torch's.

    Raises:
        ValueError: when the image is too small for one 2x2 max-pooling per stage.
    """
    channels, *_ = image_shape(input_shape, smallest=2 ** len(stages))
    body = _conv_stages(channels, stages, bias=False, batchnorm=True, dropout=0.0)
    c_last = next((stage[-1] for stage in reversed(stages) if stage), channels)
    return network([], body, [GlobalPool()], nn.Linear(c_last, num_classes), bn_momentum)


register_variant(
    "vgg_tiny",
    vgg16,
    "`vgg16` with one convolution in each of 3 stages and one hidden layer.",
    stages=((4,), (8,), (8,)),
    hidden=(16,),
)
register_variant(
    "cnn_tiny", cnn, "`cnn` at widths 4, 8, 16.", stages=((4,) * 2, (8,) * 2, (16,) * 2)
)
