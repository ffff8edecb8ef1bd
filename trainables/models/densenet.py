"""DenseNet-BC for 32x32 images (Huang et al. 2017), from torchvision's layers."""

from __future__ import annotations

from collections.abc import Sequence

from torch import nn

from trainables.errors import UsageError
from trainables.models import Layers, registry
from trainables.models.blocks import GlobalPool, conv, image_shape, network
from trainables.models.variants import register_variant
from trainables.registry import Count, Fraction


@registry.register(
    "densenet_bc_k12", layers=lambda o: Layers(batchnorm=True, dropout=o.dropout > 0)
)
def densenet_bc_k12(
    *,
    num_classes: int,
    input_shape: Sequence[int],
    depth: Count = 100,
    growth: Count = 12,
    dropout: Fraction = 0.0,
    bn_momentum: Fraction = 0.1,
) -> nn.Sequential:
    """DenseNet-BC, growth 12, depth 100: 3 blocks of 16 bottleneck layers, compression 0.5.

    769,162 parameters on CIFAR-10. The stem is a 3x3 convolution to ``2 growth`` channels. InfoMCR
    (Table 1) does not print the depth; 100 is the only one with this growth in Huang et al.

    Args:
        depth: ``6 n + 4`` for ``n`` layers per block.
        growth: Channels that each layer adds.
        dropout: After each layer's second convolution.
        bn_momentum: Weight of a new batch in BatchNorm's running statistics; 0.1 is torch's.

    Raises:
        ValueError: when ``depth`` is not ``6 n + 4``.
    """
    channels, *_ = image_shape(input_shape, smallest=4)
    if depth < 10 or depth % 6 != 4:
        raise UsageError(f"depth = {depth} must be 6 n + 4 for n = 1, 2, ... layers per block")
    from torchvision.models import DenseNet  # seconds: not before it is needed

    layers = (depth - 4) // 6
    dense = DenseNet(
        growth_rate=growth,
        block_config=(layers, layers, layers),
        num_init_features=2 * growth,
        bn_size=4,
        drop_rate=dropout,
        num_classes=num_classes,
    )
    body = [
        module
        for name, module in dense.features.named_children()
        if name not in ("conv0", "norm0", "relu0", "pool0")  # ImageNet's stem
    ]
    for module in dense.modules():
        if isinstance(module, nn.ReLU):
            module.inplace = False
    stem = [conv(channels, 2 * growth)]
    return network(stem, body, [nn.ReLU(), GlobalPool()], dense.classifier, bn_momentum)


register_variant(
    "densenet_tiny",
    densenet_bc_k12,
    "`densenet_bc_k12` with one layer per block, growth 4.",
    depth=10,
    growth=4,
)
