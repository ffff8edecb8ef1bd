"""The PAC-Bayes bound of the NSO paper's Theorem 2.1, with what can be measured put in."""

from __future__ import annotations

import math

import torch

from trainables.errors import UsageError
from trainables.measures.base import Result, Target, registry
from trainables.measures.curvature.trace import hessian_trace
from trainables.measures.distances import distance_from_initialization
from trainables.measures.parameters import Which
from trainables.registry import Count
from trainables.structures import batch_size, take


@registry.register("pac_bayes_bound")
def pac_bayes_bound(
    target: Target,
    *,
    num_samples: Count = 100,
    parameters: Which = "weights",
    num_data: Count | None = None,
) -> Result:
    """How far the expected loss may lie above the training loss, to leading order in n:

        √(C α r² / (2 n))

    with n training images, α a bound on Tr(H), r on the distance from the initial weights, and C
    on the loss. The formula (6) of the theorem is lost in our text. Its proof is not: Theorem A.1
    (McAllester 2013, Theorem 2) with a posterior N(w, σ²) and a prior N(w⁰, σ²) gives, for β in
    (0, 1), up to terms of order n^(-3/4) log(1/δ),

        L ≤ L_train / β + (1 - β) σ² α / (2 β) + C r² / (4 β (1 - β) σ² n)

    whose least value over σ² is L_train / β + √(C α r² / (2 n)) / β; β → 1 is taken here. The
    theorem's α, r and C bound a whole space of weights and the unseen data. Here they are those of
    the final weights on the images that it is measured on, so the number estimates the bound and
    certifies nothing.

    Args:
        num_samples: Probes of Tr(H), the trace for the mean loss of these images.
        parameters: Of H and of the distance; the paper speaks of weight matrices. See
            `trainables.measures.parameters.Which`.
        num_data: n; None: the number of training images, or, where the target does not know it,
            of the images that it is measured on.

    Returns:
        The bound; ``code``: C √(α r² / n), as the authors' code has it (there α is the sum over
        layers of the largest trace in any batch, and C the largest loss of a batch); and the
        ``trace``, the ``distance`` r and the ``largest_loss`` C of a single image. A trace below 0
        counts as 0.

    Raises:
        UsageError: the target lacks the initial weights, or the loss is more than a mean over
            samples.
    """
    trace = hessian_trace(target, num_samples=num_samples, parameters=parameters)
    radius = distance_from_initialization(target, parameters=parameters)[""]
    largest, seen = _largest_loss(target)
    n = num_data or target.num_training or seen
    alpha = max(trace.value, 0.0)
    return {
        "": radius * math.sqrt(largest * alpha / (2 * n)),
        "code": largest * radius * math.sqrt(alpha / n),
        "trace": trace,
        "distance": radius,
        "largest_loss": largest,
    }


def _largest_loss(target: Target) -> tuple[float, int]:
    """The largest loss of a single image, and how many images there are."""
    if getattr(target.loss_fn, "whole_batch", False):
        raise UsageError("a loss that is of the whole batch has none of single samples to bound")
    largest, seen = 0.0, 0
    with torch.no_grad():
        for inputs, targets in target.batches:
            batch = target.model(inputs), targets
            each = (take(batch, slice(i, i + 1)) for i in range(batch_size(targets)))
            losses = torch.stack([target.loss_fn(*one) for one in each])
            largest, seen = max(largest, float(losses.max())), seen + len(losses)
    return largest, seen


__all__ = ["pac_bayes_bound"]
