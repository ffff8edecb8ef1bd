"""Vision transformers on small patches (Dosovitskiy et al. 2021), torchvision's."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor, nn

from trainables.errors import UsageError
from trainables.methods.ops.attention import plain_attention
from trainables.models import Layers, registry
from trainables.models.blocks import image_shape
from trainables.models.variants import register_variant
from trainables.registry import Count, Fraction


class PlainAttention(nn.Module):
    """``network`` with attention written out: the fused kernels have no second derivative."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, x: Tensor) -> Tensor:
        with plain_attention():
            return self.network(x)


@registry.register(
    "vit_b", layers=lambda o: Layers(dropout=o.dropout > 0 or o.attention_dropout > 0)
)
def vit_b(
    *,
    num_classes: int,
    input_shape: Sequence[int],
    patch: Count = 4,
    depth: Count = 12,
    heads: Count = 12,
    width: Count = 768,
    mlp_width: Count = 3072,
    dropout: Fraction = 0.0,
    attention_dropout: Fraction = 0.0,
) -> nn.Module:
    """ViT-Base on 4x4 patches: 12 pre-norm layers of width 768, class token, learned positions.

    85,152,010 parameters on CIFAR-10, 85,221,220 on CIFAR-100 (NRS's "ViT-B16", Table 1). The
    head starts at zero. NRS does not say whether there is dropout; the public code of its group
    has 0.1 for both ``dropout`` (embeddings, MLP) and ``attention_dropout``.

    Args:
        patch: Edge of a patch in pixels.
        depth, heads, width, mlp_width: Number of layers, attention heads, width of a layer, and of
            its perceptron.
        dropout, attention_dropout: See above.

    Raises:
        UsageError: when the image is not square and whole patches, or ``heads`` does not divide
            ``width``.
    """
    channels, height, image_width = image_shape(input_shape, smallest=patch)
    if height != image_width or height % patch:
        raise UsageError(
            f"input_shape = {tuple(input_shape)} must be a square of whole {patch}x{patch} patches"
        )
    if width % heads:
        raise UsageError(f"heads = {heads} must divide width = {width}")
    from torchvision.models import VisionTransformer  # seconds: not before it is needed

    model = VisionTransformer(
        image_size=height,
        patch_size=patch,
        num_layers=depth,
        num_heads=heads,
        hidden_dim=width,
        mlp_dim=mlp_width,
        dropout=dropout,
        attention_dropout=attention_dropout,
        num_classes=num_classes,
    )
    if channels != 3:
        std = (channels * patch * patch) ** -0.5  # torchvision's initialisation for 3 channels
        model.conv_proj = nn.Conv2d(channels, width, patch, patch)
        nn.init.trunc_normal_(model.conv_proj.weight, std=std)
        nn.init.zeros_(model.conv_proj.bias)
    return PlainAttention(model)


register_variant(
    "vit_tiny",
    vit_b,
    "`vit_b` with 2 layers of width 16.",
    depth=2,
    heads=2,
    width=16,
    mlp_width=32,
)
