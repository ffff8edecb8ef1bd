"""Distances between two sets of weights."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn

from trainables.errors import UsageError
from trainables.measures.base import Target, registry
from trainables.measures.parameters import Which, select

Weights = nn.Module | Mapping[str, Tensor]
"""A model, or (part of) its state dictionary."""


def distance(one: nn.Module, other: Weights, parameters: Which = "all") -> dict[str, float]:
    """Euclidean distance over the parameters of ``one`` that ``parameters`` selects, in float64.

    Returns:
        The distance as ``""``; ``relative``: divided by the norm of ``other``; ``cosine``: of
        the angle between the two.

    Raises:
        ValueError: if ``other`` lacks one of the parameters or has it in another shape.
    """
    theirs = dict(other.named_parameters()) if isinstance(other, nn.Module) else other
    gap = own = norm = inner = torch.zeros((), dtype=torch.float64)
    for name, p in select(one, parameters).items():
        if name not in theirs or theirs[name].shape != p.shape:
            raise UsageError(f"the other weights have no {name!r} of shape {tuple(p.shape)}")
        a, b = (t.detach().double().reshape(-1).cpu() for t in (p, theirs[name]))
        gap, inner = gap + (a - b).square().sum(), inner + a @ b
        own, norm = own + a @ a, norm + b @ b
    return {
        "": float(gap.sqrt()),
        "relative": float((gap / norm).sqrt()),
        "cosine": float(inner / (own * norm).sqrt()),
    }


@registry.register("distance_from_initialization")
def distance_from_initialization(
    target: Target,
    *,
    parameters: Which = "all",
) -> dict[str, float]:
    """`distance` from the weights that training started from, the target's ``initial``.

    Args:
        parameters: Over which parameters; see `trainables.measures.parameters.Which`.

    Raises:
        UsageError: if it has none.
    """
    if target.initial is None:
        raise UsageError(
            "distance_from_initialization needs the initial weights: Target(..., initial=state)"
        )
    return distance(target.model, target.initial, parameters)
