"""Wide residual networks for 32x32 images (Zagoruyko and Komodakis 2016)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Literal

from torch import nn

from trainables.errors import UsageError
from trainables.models import Layers, registry
from trainables.models.blocks import Shortcut, image_shape
from trainables.models.preact import SharedActivation, preact_network
from trainables.models.variants import register_variant
from trainables.needs import Needs
from trainables.registry import Count, Fraction

OTHER_MOMENTUM = Needs(
    "another value than bn_momentum", lambda o: o.final_bn_momentum != o.bn_momentum
)


@registry.register("wrn_28_10", layers=lambda o: Layers(batchnorm=True, dropout=o.dropout > 0))
def wrn_28_10(
    *,
    num_classes: int,
    input_shape: Sequence[int],
    depth: Count = 28,
    widen: Count = 10,
    width: Count = 16,
    shortcut: Shortcut = "conv",
    shared_activation: SharedActivation = "reshape",
    stride_on: Literal[1, 2] = 1,
    dropout: Fraction = 0.0,
    bn_momentum: Fraction = 0.1,
    final_bn_momentum: Annotated[Fraction | None, OTHER_MOMENTUM] = None,
) -> nn.Sequential:
    """WRN-28-10: a stem of 16, then 4 pre-activation blocks each at widths 160, 320, 640.

    36,479,194 parameters on CIFAR-10; 36,220,634 with ``shortcut="zero_pad"``. The defaults are
    the original's. The code of AMP's authors (Table 2) has ``shared_activation="none",
    stride_on=2, final_bn_momentum=0.9``, that of InfoMCR's ``shared_activation="none"``, the
    public code of NRS's group ``shortcut="zero_pad", shared_activation="first"``.

    Args:
        depth: ``6 n + 4`` for ``n`` blocks per group.
        widen: How many times wider than ``width`` the first group is.
        width: Channels of the stem.
        shortcut: 1x1 convolution, or 2x2 means and channels of zeros.
        shared_activation: In which blocks the shortcut starts after BN-ReLU (`SharedActivation`).
        stride_on: Which of a block's two convolutions has the stride.
        dropout: Before each block's second convolution.
        bn_momentum: Weight of a new batch in BatchNorm's running statistics; 0.1 is torch's.
        final_bn_momentum: Of the last BatchNorm; None is ``bn_momentum``.

    Raises:
        ValueError: when ``depth`` is not ``6 n + 4``.
    """
    channels, *_ = image_shape(input_shape)
    if depth < 10 or depth % 6 != 4:
        raise UsageError(f"depth = {depth} must be 6 n + 4 for n = 1, 2, ... blocks per group")
    first = width * widen
    model = preact_network(
        channels,
        width,
        [first, 2 * first, 4 * first],
        (depth - 4) // 6,
        num_classes,
        shared_activation=shared_activation,
        shortcut=shortcut,
        stride_on=stride_on,
        conv_bias=False,
        dropout=dropout,
        head_dropout=0.0,
        bn_momentum=bn_momentum,
    )
    if final_bn_momentum is not None:
        last = [m for m in model.modules() if isinstance(m, nn.BatchNorm2d)][-1]
        last.momentum = final_bn_momentum
    return model


register_variant(
    "wrn_28_2",
    wrn_28_10,
    """WRN-28-2: `wrn_28_10` at widths 32, 64, 128; 1,467,610 parameters on CIFAR-10.

    InfoMCR's WRN-28-2-B(3,3) (Table 1); its code has ``shared_activation="none"``.
    """,
    widen=2,
)
register_variant(
    "wrn_tiny",
    wrn_28_10,
    "`wrn_28_10`, 1 block per group, stem 4.",
    depth=10,
    widen=1,
    width=4,
)
