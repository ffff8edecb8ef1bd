"""InfoMCR's two Hessian metrics from the true Hessian, averaged over random subsets."""

from __future__ import annotations

import torch

from trainables.measures.base import Estimate, Target, registry
from trainables.measures.curvature.operator import HessianOperator
from trainables.measures.curvature.spectrum import TOLERANCE, extreme_eigenvalues
from trainables.measures.curvature.trace import draw_probes
from trainables.measures.fisher.log_det import Subsets, _subsets
from trainables.methods.ops.noise import fill
from trainables.registry import Count, Positive


@registry.register("subset_hessian")
def subset_hessian(
    target: Target,
    *,
    num_samples: Count = 100,
    num_trials: Count = 10,
    num_probes: Count = 10,
    subsets: Subsets = "random",
    tolerance: Positive = TOLERANCE,
) -> dict[str, Estimate]:
    """Means over ``num_trials`` subsets of ``num_samples`` samples, H the subset's own Hessian.

    Args:
        num_samples: Samples in a subset; 100 as in `fisher_spectrum`.
        num_trials: How many subsets.
        num_probes: Hutchinson probes per subset.
        subsets: See `trainables.measures.fisher.log_det.Subsets`.
        tolerance: Relative error at which Lanczos stops.

    Returns:
        ``frobenius_squared``: ‖H‖_F², by ``num_probes`` Hutchinson probes per subset (unbiased);
        ``spectral_radius``: the largest |eigenvalue|, by Lanczos.
    """
    squares, radii = [], []
    for batch in _subsets(target, num_samples, num_trials, subsets):
        operator = HessianOperator(target.model, target.loss_fn, [batch])
        squares.append(draw_probes(operator, num_probes, target.generator).squares.mean())
        start = operator.vector()
        fill(start, "normal", target.generator)
        ends = extreme_eigenvalues(
            operator.__matmul__, start, 1, 1, tolerance, generator=target.generator
        )
        radii.append(max(abs(ends.largest[0]), abs(ends.smallest[0])))
    return {
        "frobenius_squared": Estimate.of(torch.stack(squares)),
        "spectral_radius": Estimate.of(torch.tensor(radii, dtype=torch.float64)),
    }
