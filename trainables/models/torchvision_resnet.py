"""torchvision's ResNets for ImageNet-sized images, pretrained from a local file if one is named."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Annotated

from torch import nn

from trainables.models import Layers
from trainables.models.blocks import image_shape
from trainables.models.variants import register_variant
from trainables.models.weights import NAMED_FILE, load_weights
from trainables.registry import Fraction


def torchvision_resnet(
    make: Callable[..., nn.Module],
    *,
    num_classes: int,
    input_shape: Sequence[int],
    weights: str | None = None,
    weights_sha256: Annotated[str | None, NAMED_FILE] = None,
    bn_momentum: Fraction = 0.1,
) -> nn.Module:
    """``make``'s network without in-place operations, for any number of input channels.

    Args:
        make: ``make(num_classes=...)`` gives a network with torchvision's names.
        weights: Name of a local file of weights (`trainables.models.weights`); all are taken from
            it but the classifier's, which is new.
        weights_sha256: The file's SHA-256 or at least its first 8 digits. Not needed when the name
            carries them, as torchvision's do.
        bn_momentum: Weight of a new batch in BatchNorm's running statistics; 0.1 is torch's.

    Raises:
        ValueError: when the file is missing, is another one, or does not fit this network.
    """
    channels, *_ = image_shape(input_shape)
    model = make(num_classes=num_classes)
    if channels != 3:
        model.conv1 = nn.Conv2d(channels, 64, 7, stride=2, padding=3, bias=False)
        nn.init.kaiming_normal_(model.conv1.weight, mode="fan_out", nonlinearity="relu")
    for module in model.modules():
        if isinstance(module, nn.ReLU):
            module.inplace = False
        elif isinstance(module, nn.BatchNorm2d):
            module.momentum = bn_momentum
    if weights is not None:
        load_weights(model, weights, weights_sha256, new=("fc.weight", "fc.bias"))
    return model


def _torchvision(name: str) -> Callable[..., nn.Module]:
    """torchvision's network ``name``; importing torchvision takes seconds, so only when built."""

    def make(num_classes: int) -> nn.Module:
        from torchvision import models

        model = models.get_model(name, weights=None, num_classes=num_classes)
        assert isinstance(model, nn.Module)
        return model

    return make


_OPTIONS = "Options: `torchvision_resnet`."

register_variant(
    "resnet34",
    torchvision_resnet,
    f"""ResNet-34, NSO's for fine-tuning: 21,284,672 parameters below the classifier.

    NSO starts from ``weights="resnet34-b627a593.pth"`` (torchvision's IMAGENET1K_V1) with a new
    linear classifier; its log-softmax changes nothing under cross-entropy and is left out.
    {_OPTIONS}
    """,
    layers=Layers(batchnorm=True),
    make=_torchvision("resnet34"),
)
register_variant(
    "resnet50",
    torchvision_resnet,
    f"""ResNet-50 (stride on the 3x3): 25,557,032 parameters at 1000 classes (NRS, Table 2).

    {_OPTIONS}
    """,
    layers=Layers(batchnorm=True),
    make=_torchvision("resnet50"),
)
register_variant(
    "resnet101",
    torchvision_resnet,
    f"""ResNet-101 (stride on the 3x3): 44,549,160 parameters at 1000 classes (NRS, Table 2).

    {_OPTIONS}
    """,
    layers=Layers(batchnorm=True),
    make=_torchvision("resnet101"),
)
