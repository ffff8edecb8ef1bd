"""BERT (Devlin et al. 2019) with a classifier on its first token."""

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
    "bert",
    inputs="tokens",
    losses=("cross_entropy",),
    layers=lambda o: Layers(dropout=o.dropout > 0),
)
def bert(
    *,
    num_classes: int,
    spec: Mapping[str, int],
    depth: Count = 12,
    width: Count = 768,
    heads: Count = 12,
    positions: Count = 512,
    dropout: Fraction = 0.1,
    weights: str | None = None,
    weights_sha256: Annotated[str | None, NAMED_FILE] = None,
    hub: HubName | None = None,
) -> nn.Module:
    """BERT-Base, 109,483,778 parameters with bert-base-uncased's 30,522 tokens and two classes.

    Logits (B, classes): a linear classifier on the pooled first token. NSO (figure 2) fine-tunes it
    from the published weights, here with ``weights="bert-base-uncased"``; the classifier is new.

    Args:
        spec: ``vocabulary``, and ``length``, the most tokens in a row of the data.
        depth, width, heads: Number of layers, their width, and their attention heads; a layer's
            perceptron is four times as wide.
        positions: The most tokens that it can take.
        dropout: After embeddings, attention, each half of a layer, and the pooled token (BERT's
            0.1).
        weights, weights_sha256, hub: As of `trainables.models.gpt2.gpt2`.

    Raises:
        UsageError: as `trainables.models.gpt2.gpt2`.
    """
    check_heads(heads, width)
    check_length(spec["length"], positions)
    return build(
        "BertForSequenceClassification",
        "BertConfig",
        weights=weights,
        weights_sha256=weights_sha256,
        hub=hub,
        new=("classifier.",),
        unused=("cls.",),
        vocab_size=spec["vocabulary"],
        num_labels=num_classes,
        hidden_size=width,
        num_hidden_layers=depth,
        num_attention_heads=heads,
        intermediate_size=4 * width,
        max_position_embeddings=positions,
        hidden_dropout_prob=dropout,
        attention_probs_dropout_prob=dropout,
        pad_token_id=None,  # else the gradient of token 0's embedding is left out, used or not
        use_cache=False,
    )


register_variant(
    "bert_tiny",
    bert,
    "`bert` with 2 layers of width 64, 4 heads and 256 positions, without dropout.",
    depth=2,
    width=64,
    heads=4,
    positions=256,
    dropout=0.0,
)
