"""Attention that can be differentiated more than once."""

from __future__ import annotations

from contextlib import AbstractContextManager
from typing import Any

from torch.nn.attention import SDPBackend, sdpa_kernel


def plain_attention() -> AbstractContextManager[Any]:
    """Within the block torch's attention is written out, in products and a softmax.

    Its fused kernels, which it takes by itself, have no second derivatives: torch says so in an
    error of the second backward pass. A graph that is built within has them.
    """
    return sdpa_kernel(SDPBackend.MATH)


__all__ = ["plain_attention"]
