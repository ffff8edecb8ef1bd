"""GPT-2 (Radford et al. 2019), which continues a text token by token."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated

from torch import nn

from trainables.models import Layers, registry
from trainables.models.transformers_network import HubName, build, check_heads, check_length
from trainables.models.variants import register_variant
from trainables.models.weights import NAMED_FILE
from trainables.registry import Count, Fraction


@registry.register(
    "gpt2",
    inputs="tokens",
    losses=("token_cross_entropy",),
    layers=lambda o: Layers(dropout=o.dropout > 0),
)
def gpt2(
    *,
    spec: Mapping[str, int],
    depth: Count = 12,
    width: Count = 768,
    heads: Count = 12,
    positions: Count = 1024,
    dropout: Fraction = 0.1,
    weights: str | None = None,
    weights_sha256: Annotated[str | None, NAMED_FILE] = None,
    hub: HubName | None = None,
) -> nn.Module:
    """GPT-2 small, 124,439,808 parameters with its own tokenizer's 50,257 tokens (NSO, table 5).

    Logits (B, L, V) of the token after each place, which sees no token after that place. The output
    layer is the embedding of tokens. NSO fine-tunes it from the published weights, here with
    ``weights="gpt2"``.

    Args:
        spec: ``vocabulary``, V, and ``length``, the most tokens in a row of the data.
        depth, width, heads: Number of layers, their width, and their attention heads; a layer's
            perceptron is four times as wide.
        positions: The most tokens that it can take.
        dropout: After embeddings, attention, and each half of a layer (GPT-2's 0.1).
        weights: Name of a folder with a published network, as ``config.json`` and
            ``model.safetensors`` or ``pytorch_model.bin``, in the folder of weights
            (`trainables.models.weights`). None: they are drawn, as GPT-2's were.
        weights_sha256: The SHA-256 of the file of weights, or at least its first 8 digits.
        hub: A network that `transformers` is to fetch from its hub, with its version:
            ``openai-community/gpt2@COMMIT``.

    Raises:
        UsageError: ``heads`` does not divide ``width``; the data's texts are longer than
            ``positions``; the package or the weights are not there, or do not fit.
    """
    check_heads(heads, width)
    check_length(spec["length"], positions)
    return build(
        "GPT2LMHeadModel",
        "GPT2Config",
        causal=True,
        weights=weights,
        weights_sha256=weights_sha256,
        hub=hub,
        vocab_size=spec["vocabulary"],
        n_positions=positions,
        n_embd=width,
        n_layer=depth,
        n_head=heads,
        resid_pdrop=dropout,
        embd_pdrop=dropout,
        attn_pdrop=dropout,
        use_cache=False,
        bos_token_id=None,
        eos_token_id=None,
    )


register_variant(
    "gpt2_tiny",
    gpt2,
    "`gpt2` with 2 layers of width 64, 4 heads and 256 positions, without dropout.",
    depth=2,
    width=64,
    heads=4,
    positions=256,
    dropout=0.0,
)
