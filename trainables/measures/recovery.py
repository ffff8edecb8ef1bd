"""Distance of a factorization from the matrix that it should recover (NSO section 5, figure 6)."""

from __future__ import annotations

import torch

from trainables.errors import UsageError
from trainables.measures.base import Target, registry
from trainables.models.factorization import Factorization


@registry.register("recovery_distance")
def recovery_distance(target: Target) -> dict[str, float]:
    """``‖W W' - X‖_F``; ``relative_squared``: ``(‖W W' - X‖_F / ‖X‖_F)²``, as NSO's code plots.

    X is what the data set says the solution is: ``Target.extra["solution"]``.

    Raises:
        UsageError: if the data set has no solution, or the model is no factorization of a matrix
            of its size.
    """
    solution = target.extra.get("solution")
    if solution is None:
        raise UsageError(
            "recovery_distance needs a data set with a solution: measure it on matrix_sensing"
        )
    size = len(solution)
    if not isinstance(target.model, Factorization) or len(target.model.weight) != size:
        raise UsageError(
            f"recovery_distance needs target.model 'factorization' of a {size} x {size} matrix"
        )
    weight = target.model.weight.detach().double().cpu()
    gap = torch.linalg.norm(weight @ weight.T - solution)
    return {
        "": float(gap),
        "relative_squared": float((gap / torch.linalg.norm(solution)) ** 2),
    }
