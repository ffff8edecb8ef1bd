"""The loss along a line and on a plane through the weights (AMP figure 2; Li et al. 2018)."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from trainables.measures.base import Target, registry
from trainables.measures.landscape.sharpness import mean_loss
from trainables.measures.parameters import displaced, select, vector_to_tensors
from trainables.methods.ops.noise import fill
from trainables.metric_name import place
from trainables.registry import Count, Positive


def random_direction(
    model: nn.Module, generator: torch.Generator | None = None, one_dimensional: bool = False
) -> Tensor:
    """A Gaussian direction, filter-normalised, flat over the trainable parameters.

    Each filter (slice along the first dimension) of a parameter with two or more dimensions is
    rescaled to the norm of the model's own: d_f <- d_f / ‖d_f‖ ‖w_f‖ (Li et al. 2018, section
    4). Biases and normalisation parameters do not move, as in Li et al.'s figures, unless
    ``one_dimensional``: then each such tensor is rescaled as a whole.
    """
    chosen = select(model)
    direction = torch.cat([p.detach().reshape(-1) for p in chosen.values()])
    fill(direction, "normal", generator)
    for part, p in zip(vector_to_tensors(direction, chosen.values()), chosen.values(), strict=True):
        if p.ndim > 1 or one_dimensional:
            rows = part.view(len(p), -1) if p.ndim > 1 else part.view(1, -1)
            own = torch.linalg.vector_norm(p.detach().reshape(rows.shape), dim=1, keepdim=True)
            rows.mul_(own / torch.linalg.vector_norm(rows, dim=1, keepdim=True))
        else:
            part.zero_()
    return direction


def line(target: Target, direction: Tensor, positions: Sequence[float]) -> Tensor:
    """L(w + a d) for each a of ``positions``, float64."""
    chosen = select(target.model)
    losses = [mean_loss(target, displaced(target.model, chosen, direction, a)) for a in positions]
    return torch.tensor(losses, dtype=torch.float64)


def plane(target: Target, directions: tuple[Tensor, Tensor], positions: Sequence[float]) -> Tensor:
    """L(w + a d_1 + b d_2), row by row in a, column by column in b; (points, points), float64."""
    first, second = directions
    chosen = select(target.model)
    losses = [
        [
            mean_loss(target, displaced(target.model, chosen, a * first + b * second))
            for b in positions
        ]
        for a in positions
    ]
    return torch.tensor(losses, dtype=torch.float64)


def positions(extent: float, points: int) -> list[float]:
    """``points`` equally spaced numbers from -extent to extent; their middle is exactly 0."""
    half = (points - 1) / 2
    return [extent * (i - half) / half if half else 0.0 for i in range(points)]


@registry.register("landscape_1d")
def landscape_1d(
    target: Target,
    *,
    extent: Positive = 1.0,
    points: Count = 21,
    one_dimensional: bool = False,
) -> dict[str, float]:
    """L(w + a d) for positions a on a random line; each result is named after a (``-1.000``, ...).

    AMP prints neither range nor step; its poster has -1.5 to 1.5 for the plane.

    Args:
        extent: The largest |a|.
        points: How many positions, equally spaced.
        one_dimensional: See `random_direction`.
    """
    at = positions(extent, points)
    direction = random_direction(target.model, target.generator, one_dimensional)
    losses = line(target, direction, at).tolist()
    return {place(a): value for a, value in zip(at, losses, strict=True)}


@registry.register("landscape_2d")
def landscape_2d(
    target: Target,
    *,
    extent: Positive = 1.0,
    points: Count = 11,
    one_dimensional: bool = False,
) -> dict[str, float]:
    """L(w + a d_1 + b d_2) on a random plane; each result is named ``a/b`` after its position.

    ``extent`` is the largest |a| and |b|; there are ``points`` x ``points`` positions. Both
    directions are made by `random_direction`, which has ``one_dimensional``.
    """
    at = positions(extent, points)
    first = random_direction(target.model, target.generator, one_dimensional)
    second = random_direction(target.model, target.generator, one_dimensional)
    losses = plane(target, (first, second), at).tolist()
    return {
        place(a, b): value
        for a, row in zip(at, losses, strict=True)
        for b, value in zip(at, row, strict=True)
    }
