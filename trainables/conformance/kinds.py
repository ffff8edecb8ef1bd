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


WORDS, PLACES = 11, 6


def tokens(size: int, dtype: torch.dtype) -> dict[str, torch.Tensor]:
    """Texts of 1 to `PLACES` tokens."""
    drawn = torch.randint(WORDS, (size, PLACES), generator=generator(1))
    lengths = torch.arange(size)[:, None] % PLACES
    return {"tokens": drawn, "mask": torch.arange(PLACES) <= lengths}


KINDS = {"tokens": Kind({"vocabulary": WORDS, "length": PLACES}, tokens)}

__all__ = ["KINDS", "Kind"]
