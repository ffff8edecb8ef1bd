"""A batch of each kind of inputs that are no arrays, on which networks are tried."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import torch

from trainables.conformance.cases import generator


@dataclass(frozen=True)
class Kind:
    """A kind of inputs (`trainables.compatibility.Fit`).

    Attributes:
        spec: What a data set would declare of them.
        batch: ``batch(size, dtype)``: inputs of so many samples, real numbers in ``dtype``.
    """

    spec: Mapping[str, int]
    batch: Callable[[int, torch.dtype], Any]


WORDS, PLACES, EDGE, NODES, FEATURES = 11, 6, 16, 5, 4


def tokens(size: int, dtype: torch.dtype) -> dict[str, torch.Tensor]:
    """Texts of 1 to `PLACES` tokens."""
    drawn = torch.randint(WORDS, (size, PLACES), generator=generator(1))
    lengths = torch.arange(size)[:, None] % PLACES
    return {"tokens": drawn, "mask": torch.arange(PLACES) <= lengths}


def pairs(size: int, dtype: torch.dtype) -> dict[str, torch.Tensor]:
    """Images with texts."""
    image = torch.randn(size, 1, EDGE, EDGE, generator=generator(2), dtype=dtype)
    return {"image": image, **tokens(size, dtype)}


def graphs(size: int, dtype: torch.dtype) -> dict[str, torch.Tensor]:
    """Graphs of 2 to `NODES` nodes, filled up to as many."""
    draws = generator(1)
    mask = torch.arange(NODES) < 2 + torch.arange(size)[:, None] % (NODES - 1)
    joined = torch.rand(size, NODES, NODES, generator=draws) < 0.7
    edges = (joined.triu(1) & mask[:, :, None] & mask[:, None]).to(dtype)
    nodes = torch.randn(size, NODES, FEATURES, generator=draws, dtype=dtype)
    return {"nodes": nodes * mask[..., None], "adjacency": edges + edges.mT, "mask": mask}


TEXTS = {"vocabulary": WORDS, "length": PLACES}
KINDS = {
    "tokens": Kind(TEXTS, tokens),
    "pairs": Kind({"channels": 1, "size": EDGE, **TEXTS}, pairs),
    "graphs": Kind({"features": FEATURES}, graphs),
}

__all__ = ["KINDS", "Kind"]
