"""How far the outputs of a network and of its random neighbours are apart (NRS, section 3)."""

from __future__ import annotations

from typing import Annotated, Any

import torch
from torch import Tensor
from torch.func import functional_call

from trainables.errors import UsageError
from trainables.measures.base import Estimate, Target, registry
from trainables.measures.landscape.sharpness import mean_loss
from trainables.methods.objective import divergence
from trainables.methods.ops.parameters import global_norm
from trainables.methods.rules.nrs import RPR, Neighborhood, Scale
from trainables.needs import given
from trainables.registry import Count, Strength
from trainables.structures import batch_size, in_float64

GIVEN = given(own=False)


@registry.register("model_divergence")
@torch.no_grad()
def model_divergence(
    target: Target,
    *,
    epsilon: Annotated[Strength, GIVEN] = 0.1,
    scale: Annotated[Scale, GIVEN] = "relative",
    own: bool = False,
    num_samples: Count = 20,
) -> dict[str, Estimate]:
    """d_p(θ, θ + δ), the mean over the samples of KL(softmax f(x; θ) ‖ softmax f(x; θ + δ)), nats.

    Where the model's outputs are no logits of classes, it is as the task defines it. δ is drawn
    ``num_samples`` times as `Neighborhood` draws it.

    Args:
        epsilon, scale: Of the neighborhood; the defaults are NRS's own.
        own: Take the neighborhood of the method that the trial was trained by instead, with all
            its options.
        num_samples: Draws of δ.

    Returns:
        The divergence under the measure's own name, ``rise``: L(θ + δ) - L(θ), and ``size``:
        ‖δ‖ / ‖θ‖; means over the draws.

    Raises:
        UsageError: the trial's own method has no neighborhood.
    """
    rule = target.method if own else RPR(epsilon=epsilon, scale=scale)
    if not isinstance(rule, Neighborhood):
        raise UsageError("own = True needs a trial of NRS or RPR, whose method has a neighborhood")
    params = {n: p for n, p in target.model.named_parameters() if p.requires_grad}
    weights: list[Tensor] = [*params.values()]
    clean = [in_float64(target.model(inputs)) for inputs, _ in target.batches]
    before, size = mean_loss(target), global_norm(weights)
    rows = []
    for _ in range(num_samples):
        delta = rule.perturbation(weights, target.generator)
        moved = {n: p + d for (n, p), d in zip(params.items(), delta, strict=True)}
        rise = mean_loss(target, moved) - before
        apart = _divergence(target, clean, moved)
        rows.append([apart, rise, float(global_norm(delta) / size)])
    columns = torch.tensor(rows, dtype=torch.float64).unbind(dim=1)
    return dict(zip(("", "rise", "size"), map(Estimate.of, columns), strict=True))


def _divergence(target: Target, clean: list[Any], moved: dict[str, Tensor]) -> float:
    """Mean over all samples, summed in float64."""
    total, samples = 0.0, 0
    for (inputs, targets), p in zip(target.batches, clean, strict=True):
        q = in_float64(functional_call(target.model, moved, (inputs,)))
        total += float(divergence(target.loss_fn, p, q, targets)) * batch_size(targets)
        samples += batch_size(targets)
    return total / samples
