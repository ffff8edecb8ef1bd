"""Tr(H) and Tr(H²) of the loss Hessian, by Hutchinson's estimator."""

from __future__ import annotations

from typing import Literal, NamedTuple

import torch
from torch import Tensor

from trainables.measures.base import Estimate, Target, registry
from trainables.measures.curvature.operator import HessianOperator
from trainables.measures.parameters import Which
from trainables.methods.ops.noise import fill
from trainables.registry import Count

ProbeDistribution = Literal["rademacher", "normal"]
"""Distribution of the probes' entries: mean 0, variance 1. Var(v'Hv) is 2 ‖H‖² for ``normal``, and
2 (‖H‖² - sum H_ii²) for ``rademacher``: never more, and 0 where H is diagonal."""

BLOCK_ENTRIES = 2**27
"""Entries of the probes held at once (0.5 GiB in float32, and as much for their products)."""


class Probes(NamedTuple):
    """For each probe v: v'Hv and ‖Hv‖², float64, shape (num_samples,)."""

    forms: Tensor
    squares: Tensor


def draw_probes(
    operator: HessianOperator,
    num_samples: int,
    generator: torch.Generator | None = None,
    distribution: ProbeDistribution = "rademacher",
) -> Probes:
    """Draw ``num_samples`` probes v with E vv' = 1, so that E v'Hv = Tr(H), E ‖Hv‖² = Tr(H²)."""
    block = max(1, BLOCK_ENTRIES // operator.size)
    forms, squares = [], []
    for start in range(0, num_samples, block):
        v = operator.vector(min(block, num_samples - start))
        for row in v:
            fill(row, distribution, generator)
        hv = operator @ v
        forms.append((v * hv).sum(dim=1, dtype=torch.float64))
        squares.append(hv.square().sum(dim=1, dtype=torch.float64))
    return Probes(torch.cat(forms), torch.cat(squares))


@registry.register("hessian_trace")
def hessian_trace(
    target: Target,
    *,
    num_samples: Count = 100,
    parameters: Which = "all",
    probes: ProbeDistribution = "rademacher",
) -> Estimate:
    """Tr(H) of the mean loss over all samples: mean of v'Hv over ``num_samples`` probes.

    What NSO's tables print is another number, see `trainables.measures.curvature.nso_code`.

    Args:
        num_samples: How many probes; 100 are the most that NSO's code draws for a batch.
        parameters: Over which parameters; see `trainables.measures.parameters.Which`.
        probes: Their distribution; see `ProbeDistribution`.
    """
    operator = HessianOperator(target.model, target.loss_fn, target.batches, parameters)
    return Estimate.of(draw_probes(operator, num_samples, target.generator, probes).forms)


@registry.register("hessian_trace_of_square")
def hessian_trace_of_square(
    target: Target,
    *,
    num_samples: Count = 100,
    parameters: Which = "all",
    probes: ProbeDistribution = "rademacher",
    per_batch: bool = False,
) -> Estimate:
    """Tr(H²) = ‖H‖_F² (what FA penalises, InfoMCR's "Frobenius norm"): mean of ‖Hv‖².

    Options: those of `hessian_trace`, and

    Args:
        per_batch: Take the plain mean over the batches of Tr(H_b²), H_b the Hessian of batch b's
            mean loss, each with ``num_samples`` probes of its own, as FA's code averages it. That
            is more than Tr(H²) of all samples together, since the squares of the batches' noise do
            not cancel.
    """
    parts = [[batch] for batch in target.batches] if per_batch else [target.batches]
    operators = (HessianOperator(target.model, target.loss_fn, part, parameters) for part in parts)
    estimates = [
        Estimate.of(draw_probes(operator, num_samples, target.generator, probes).squares)
        for operator in operators
    ]
    return Estimate.mean(estimates)


@registry.register("hessian_frobenius")
def hessian_frobenius(
    target: Target,
    *,
    num_samples: Count = 100,
    parameters: Which = "all",
    probes: ProbeDistribution = "rademacher",
) -> Estimate:
    """‖H‖_F, the root of `hessian_trace_of_square`; its error to first order (delta method).

    Options: `hessian_trace`.
    """
    square = hessian_trace_of_square(
        target,
        num_samples=num_samples,
        parameters=parameters,
        probes=probes,
    )
    root = square.value**0.5
    return Estimate(root, square.std_error / (2 * root) if root else 0.0)
