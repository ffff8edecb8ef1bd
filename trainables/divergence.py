"""How far two predictions are apart."""

from __future__ import annotations

from torch import Tensor
from torch.nn import functional


def kl_divergence(p: Tensor, q: Tensor) -> Tensor:
    """Mean over the batch of KL(softmax p ‖ softmax q), over the last dimension; 0-d, nats.

    Args:
        p, q: Logits, (batch, ..., classes); other dimensions are summed over.
    """
    return functional.kl_div(
        q.log_softmax(-1), p.log_softmax(-1), reduction="batchmean", log_target=True
    )


__all__ = ["kl_divergence"]
