"""Images and texts embedded in one space (CLIP, Radford et al. 2021): transformers' two towers."""

from __future__ import annotations

import math
from collections.abc import Mapping

import torch
from torch import Tensor, nn

from trainables.errors import UsageError
from trainables.extras import library
from trainables.models import Layers, registry
from trainables.models.transformers_network import check_heads
from trainables.models.variants import register_variant
from trainables.registry import Count

LOWEST_TEMPERATURE = 0.01
"""Cosines are multiplied by 100 at most (Radford et al. 2021, Section 2.5)."""


class ImageText(nn.Module):
    """Pairs of an image and a text: ``{"image", "tokens", "mask"} -> (images, texts, t)``.

    ``images`` and ``texts`` (B, D) are the embeddings, of any length; ``t`` (B,) is the learned
    log temperature, at least that of `LOWEST_TEMPERATURE`, the same number for each pair. A text's
    embedding is that of its last token, which sees all before it and none of the padding behind.

    Inputs: ``image`` (B, C, H, W) float, ``tokens`` (B, L) int64, ``mask`` (B, L), which is true,
    or 1, where there is a token: in front.

    Args:
        size: Edge of an image in pixels.
        vocabulary: Number of different tokens.
        context: The most tokens that a text may have.
        embedding: D.
    """

    def __init__(
        self,
        *,
        channels: int,
        size: int,
        vocabulary: int,
        patch: int,
        depth: int,
        heads: int,
        width: int,
        context: int,
        embedding: int,
    ) -> None:
        super().__init__()
        clip = library("transformers.models.clip", "text")
        shared = {
            "hidden_size": width,
            "intermediate_size": 4 * width,
            "num_hidden_layers": depth,
            "num_attention_heads": heads,
            "hidden_act": "gelu",
            "attn_implementation": "sdpa",
        }
        self.image = clip.CLIPVisionModel(
            clip.CLIPVisionConfig(
                num_channels=channels, image_size=size, patch_size=patch, **shared
            )
        )
        self.text = clip.CLIPTextModel(
            clip.CLIPTextConfig(
                vocab_size=vocabulary,
                max_position_embeddings=context,
                bos_token_id=None,  # no number means anything here
                eos_token_id=0,
                pad_token_id=None,
                **shared,
            )
        )
        self.image_projection = nn.Linear(width, embedding, bias=False)
        self.text_projection = nn.Linear(width, embedding, bias=False)
        for projection in (self.image_projection, self.text_projection):
            nn.init.normal_(projection.weight, std=width**-0.5)
        self.log_temperature = nn.Parameter(torch.tensor(math.log(0.07)))

    def forward(self, pairs: Mapping[str, Tensor]) -> tuple[Tensor, Tensor, Tensor]:
        images = self.image(pixel_values=pairs["image"]).pooler_output
        states = self.text(input_ids=pairs["tokens"]).last_hidden_state
        rows = torch.arange(len(states), device=states.device)
        texts = states[rows, pairs["mask"].long().sum(1) - 1]
        temperature = self.log_temperature.clamp(min=math.log(LOWEST_TEMPERATURE))
        return (
            self.image_projection(images),
            self.text_projection(texts),
            temperature.expand(len(states)),
        )


@registry.register("clip", inputs="pairs", losses=("contrastive",), layers=Layers())
def clip(
    *,
    spec: Mapping[str, int],
    patch: Count = 16,
    depth: Count = 12,
    heads: Count = 6,
    width: Count = 384,
    context: Count = 77,
    embedding: Count = 384,
) -> ImageText:
    """CLIP with a ViT-S/16 and a text tower as large (NSO, table 5): 62,257,537 parameters.

    Two times 12 pre-norm layers of width 384, GELU; images of 224 x 224 pixels with a class token,
    49,408 tokens, the text's causal as GPT-2's. The paper names the 12 layers, its code's
    configuration ("ViT-S-16") all else. Initial weights are drawn as transformers draws CLIP's.

    Args:
        patch: Edge of a patch in pixels.
        depth, heads, width: Number of layers, attention heads, and width of a layer, whose
            perceptron is four times as wide; the same in both towers.
        context: The most tokens of a text.
        embedding: Width of the common space.

    Raises:
        UsageError: images are not whole patches, texts are longer than ``context``, ``heads`` does
            not divide ``width``, or transformers is not installed.
    """
    size, length = spec["size"], spec["length"]
    if size % patch:
        raise UsageError(f"images of {size}x{size} pixels are not whole {patch}x{patch} patches")
    if length > context:
        raise UsageError(f"context = {context}, but texts have up to {length} tokens")
    check_heads(heads, width)
    return ImageText(
        channels=spec["channels"],
        size=size,
        vocabulary=spec["vocabulary"],
        patch=patch,
        depth=depth,
        heads=heads,
        width=width,
        context=context,
        embedding=embedding,
    )


register_variant(
    "clip_tiny",
    clip,
    "`clip` with 2 layers of width 32 in each tower, on patches of 4x4.",
    patch=4,
    depth=2,
    heads=2,
    width=32,
    embedding=32,
)
