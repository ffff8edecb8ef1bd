"""Distance of a factorization from the matrix that it should recover (NSO section 5, figure 6)."""

from __future__ import annotations

import torch

from trainables.errors import UsageError
from trainables.measures.base import Target, registry
from trainables.models.factorization import Factorization
from trainables.registry import Count, Index


@registry.register("recovery_distance")
def recovery_distance(
    target: Target,
    *,
    size: Count = 100,
    rank: Count = 5,
    measurements: Count = 2500,
    draw: Index = 0,
) -> dict[str, float]:
    """``‖W W' - X‖_F``; ``relative_squared``: ``(‖W W' - X‖_F / ‖X‖_F)²``, as NSO's code plots.

    ``size``, ``rank``, ``measurements`` and ``draw`` are those of data set ``matrix_sensing`` and
    determine X.

    Raises:
        ValueError: if ``model`` is no factorization of a ``size`` x ``size`` matrix.
    """
    from trainables import data

    if not isinstance(target.model, Factorization) or len(target.model.weight) != size:
        raise UsageError(
            f"recovery_distance needs target.model 'factorization' of a {size} x {size} matrix"
        )
    source = data.load("matrix_sensing", size=size, rank=rank, measurements=measurements, draw=draw)
    solution = source.extra["solution"]
    weight = target.model.weight.detach().double().cpu()
    gap = torch.linalg.norm(weight @ weight.T - solution)
    return {
        "": float(gap),
        "relative_squared": float((gap / torch.linalg.norm(solution)) ** 2),
    }
