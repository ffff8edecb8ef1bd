"""Decision regions in the plane (AMP figure 6)."""

from __future__ import annotations

import torch

from trainables.errors import UsageError
from trainables.measures.base import Target, registry
from trainables.metric_name import place, sample_place
from trainables.registry import Count, Positive

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
    inputs = torch.cat([inputs.flatten(1) for inputs, _ in target.batches])
    if inputs.shape[1] != 2:
        raise UsageError(
            f"decision_boundary needs inputs of two features, not {inputs.shape[1]}: "
            "measure it on the data set spirals"
        )
    extent = float(inputs.abs().max()) * margin
    axis = torch.linspace(-extent, extent, points, device=inputs.device, dtype=inputs.dtype)
    grid = torch.cartesian_prod(axis, axis)
    with torch.no_grad():
        logits = target.model(grid)
    if logits.shape[1] != 2:
        raise UsageError(f"decision_boundary needs two classes, not {logits.shape[1]}")
    inside = logits.double().softmax(dim=1)[:, 1].tolist()
    found = {place(*at): value for at, value in zip(grid.tolist(), inside, strict=True)}
    classes = torch.cat([targets for _, targets in target.batches])[:SAMPLES].tolist()
    samples = zip(inputs[:SAMPLES].tolist(), classes, strict=True)
    return found | {sample_place(*at): float(label) for at, label in samples}
