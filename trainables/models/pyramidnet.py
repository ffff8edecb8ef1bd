"""PyramidNet: residual networks that widen a little with every block (Han et al. 2017)."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor, nn
from torch.nn import functional

from trainables.errors import UsageError
from trainables.models import Layers, registry
from trainables.models.blocks import GlobalPool, ZeroPadShortcut, conv, image_shape, network
from trainables.models.variants import register_variant
from trainables.registry import Count, Fraction

EXPANSION = 4


class PyramidBottleneck(nn.Module):
    """BN-conv1x1-BN-ReLU-conv3x3(stride)-BN-ReLU(-Dropout)-conv1x1(x4)-BN, plus the shortcut."""

    def __init__(self, c_in: int, width: int, stride: int, dropout: float) -> None:
        super().__init__()
        c_out = EXPANSION * width
        self.bn1 = nn.BatchNorm2d(c_in)
        self.conv1 = conv(c_in, width, 1)
        self.bn2 = nn.BatchNorm2d(width)
        self.conv2 = conv(width, width, 3, stride)
        self.bn3 = nn.BatchNorm2d(width)
        self.dropout = nn.Dropout(dropout) if dropout else nn.Identity()
        self.conv3 = conv(width, c_out, 1)
        self.bn4 = nn.BatchNorm2d(c_out)
        self.shortcut = ZeroPadShortcut(c_in, c_out, stride, "avgpool")

    def forward(self, x: Tensor) -> Tensor:
        y = self.conv1(self.bn1(x))
        y = self.conv2(functional.relu(self.bn2(y)))
        y = self.conv3(self.dropout(functional.relu(self.bn3(y))))
        return self.bn4(y) + self.shortcut(x)


@registry.register("pyramidnet_164", layers=lambda o: Layers(batchnorm=True, dropout=o.dropout > 0))
def pyramidnet_164(
    *,
    num_classes: int,
    input_shape: Sequence[int],
    depth: Count = 164,
    alpha: Count = 270,
    width: Count = 16,
    dropout: Fraction = 0.0,
    bn_momentum: Fraction = 0.1,
) -> nn.Sequential:
    """PyramidNet-164: 3 stages of 18 bottleneck blocks, ``alpha / 54`` channels wider per block.

    27,216,021 parameters on CIFAR-10 with alpha 270, AMP's (Table 2); 48 is the other value
    NRS's group uses (NRS prints none). As in AMP's code a BatchNorm follows the stem.

    Args:
        depth: ``9 n + 2`` for ``n`` blocks per stage.
        alpha: Channels gained from the stem to the last block, before the expansion of 4.
        width: Channels of the stem.
        dropout: Before each block's last convolution.
        bn_momentum: Weight of a new batch in BatchNorm's running statistics; 0.1 is torch's.

    Raises:
        ValueError: when ``depth`` is not ``9 n + 2``.
    """
    channels, *_ = image_shape(input_shape)
    if depth < 11 or depth % 9 != 2:
        raise UsageError(f"depth = {depth} must be 9 n + 2 for n = 1, 2, ... blocks per stage")
    blocks = (depth - 2) // 9
    body: list[nn.Module] = []
    c_in = width
    for index in range(3 * blocks):
        stride = 2 if index in (blocks, 2 * blocks) else 1
        block_width = round(width + alpha * (index + 1) / (3 * blocks))
        body.append(PyramidBottleneck(c_in, block_width, stride, dropout))
        c_in = EXPANSION * block_width
    stem = [conv(channels, width), nn.BatchNorm2d(width)]
    neck = [nn.BatchNorm2d(c_in), nn.ReLU(), GlobalPool()]
    return network(stem, body, neck, nn.Linear(c_in, num_classes), bn_momentum)


register_variant(
    "pyramidnet_tiny",
    pyramidnet_164,
    "`pyramidnet_164` with one block per stage, from width 4 to 10.",
    depth=11,
    alpha=6,
    width=4,
)
