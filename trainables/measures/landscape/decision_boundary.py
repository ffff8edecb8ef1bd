"""Decision regions in the plane, and how far samples lie from their boundary (AMP figure 6)."""

from __future__ import annotations

import torch
from torch import Tensor

from trainables.errors import UsageError
from trainables.measures.base import Target, registry
from trainables.metric_name import place, sample_place
from trainables.registry import Count, Positive
from trainables.structures import one_tensor

SAMPLES = 300
"""Of the samples that it is measured on, how many are recorded: spirals has 200."""


@registry.register("decision_boundary")
def decision_boundary(
    target: Target,
    *,
    points: Count = 31,
    margin: Positive = 1.1,
) -> dict[str, float]:
    """Probability of the second of two classes on a grid of ``points`` x ``points`` inputs.

    The grid covers [-m, m]², m being ``margin`` times the largest |coordinate| of the inputs: AMP
    prints no axes. A result is named ``a/b`` after its position, in the units of the model's
    inputs (normalized ones). The classes of the first `SAMPLES` samples are results too, named
    ``sample/a/b``: a figure shows them on the map.

    Raises:
        ValueError: if inputs do not have two features, or there are more than two classes.
    """
    inputs = _in_the_plane(target, "decision_boundary")
    axis = _axis(inputs, points, margin)
    grid = torch.cartesian_prod(axis, axis)
    inside = _logits(target, grid, "decision_boundary").double().softmax(dim=1)[:, 1].tolist()
    found = {place(*at): value for at, value in zip(grid.tolist(), inside, strict=True)}
    classes = torch.cat([targets for _, targets in target.batches])[:SAMPLES].tolist()
    samples = zip(inputs[:SAMPLES].tolist(), classes, strict=True)
    return found | {sample_place(*at): float(label) for at, label in samples}


@registry.register("boundary_distance")
def boundary_distance(
    target: Target,
    *,
    points: Count = 201,
    margin: Positive = 1.1,
) -> dict[str, float]:
    """How far the samples lie from the decision boundary; minus so much if classified wrongly.

    The boundary is where the logits of the two classes are equal. On the grid of
    `decision_boundary` it is crossed between neighbors whose logits differ in the other order, at
    the place that linear interpolation gives. Such places are at most the diagonal of a square of
    the grid apart, so that of its step s a distance d to a line is found as at most
    sqrt(d² + s² / 2).

    Args:
        points: How many in a row of the grid.
        margin: See `decision_boundary`.

    Returns:
        The median over the samples under the measure's own name, and ``least``; in the units of
        the model's inputs. NaN if there is no boundary on the grid.

    Raises:
        ValueError: if inputs do not have two features, or there are more than two classes.
    """
    inputs = _in_the_plane(target, "boundary_distance")
    axis = _axis(inputs, points, margin)
    grid = torch.cartesian_prod(axis, axis)
    ahead = _ahead(_logits(target, grid, "boundary_distance")).view(points, points)
    at = grid.double().view(points, points, 2)
    boundary = torch.cat(
        [
            _crossings(ahead[:-1], ahead[1:], at[:-1], at[1:]),
            _crossings(ahead[:, :-1], ahead[:, 1:], at[:, :-1], at[:, 1:]),
        ]
    )
    if not len(boundary):
        return {"": torch.nan, "least": torch.nan}
    classes = torch.cat([targets for _, targets in target.batches])
    found = _ahead(_logits(target, inputs, "boundary_distance")) > 0
    signs = torch.where(found == classes.bool(), 1.0, -1.0).double()
    distances = signs * torch.cdist(inputs.double(), boundary).min(dim=1).values
    return {"": float(distances.quantile(0.5)), "least": float(distances.min())}


def _crossings(one: Tensor, other: Tensor, at: Tensor, there: Tensor) -> Tensor:
    """Where a function is 0 between neighbors, by linear interpolation; (crossings, 2).

    Args:
        one, other: Its values at neighbors, (rows, columns).
        at, there: Their places, (rows, columns, 2).
    """
    crossed = (one > 0) != (other > 0)
    one, other = one[crossed], other[crossed]
    share = (one / (one - other))[:, None]
    return at[crossed] + share * (there[crossed] - at[crossed])


def _ahead(logits: Tensor) -> Tensor:
    """By how much the second class is ahead, (samples,) float64."""
    return logits[:, 1].double() - logits[:, 0].double()


def _in_the_plane(target: Target, name: str) -> Tensor:
    """All inputs, (samples, 2)."""
    tensors = [one_tensor(inputs, f"measure {name!r}") for inputs, _ in target.batches]
    inputs = torch.cat([inputs.flatten(1) for inputs in tensors])
    if inputs.shape[1] != 2:
        raise UsageError(
            f"{name} needs inputs of two features, not {inputs.shape[1]}: "
            "measure it on the data set spirals"
        )
    return inputs


def _axis(inputs: Tensor, points: int, margin: float) -> Tensor:
    extent = float(inputs.abs().max()) * margin
    return torch.linspace(-extent, extent, points, device=inputs.device, dtype=inputs.dtype)


@torch.no_grad()
def _logits(target: Target, inputs: Tensor, name: str) -> Tensor:
    logits: Tensor = target.model(inputs)
    if logits.shape[1] != 2:
        raise UsageError(f"{name} needs two classes, not {logits.shape[1]}")
    return logits
