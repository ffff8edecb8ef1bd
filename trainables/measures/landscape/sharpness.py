"""Rise of the loss around the weights: worst case, average case, and the gap that NSO plots.

L is the mean loss over all samples. The weights are never changed: displaced
ones are given to the network as arguments.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated, Literal

import torch
from torch import Tensor
from torch.func import functional_call

from trainables.measures.base import Estimate, Result, Target, registry
from trainables.measures.curvature.operator import HessianOperator
from trainables.measures.curvature.trace import draw_probes
from trainables.measures.parameters import Which, displaced, select, vector_to_tensors
from trainables.methods.ops.noise import fill
from trainables.metric_name import join
from trainables.needs import given
from trainables.registry import Count, NonNegative, Positive
from trainables.structures import batch_size


@torch.no_grad()
def mean_loss(target: Target, values: Mapping[str, Tensor] | None = None) -> float:
    """L, summed in float64; parameters named in ``values`` have the values given there."""
    total, samples = torch.zeros((), dtype=torch.float64), 0
    for inputs, targets in target.batches:
        outputs = functional_call(target.model, dict(values or {}), (inputs,))
        loss, size = target.loss_fn(outputs, targets), batch_size(targets)
        total = total.to(loss.device) + loss.double() * size
        samples += size
    return float(total) / samples


def mean_gradient(
    target: Target, values: Mapping[str, Tensor], chosen: Mapping[str, Tensor]
) -> Tensor:
    """Gradient of L at ``values`` in the parameters named in ``chosen``, one vector (size,)."""
    leaves = {name: values[name].detach().requires_grad_() for name in chosen}
    samples = sum(batch_size(targets) for _, targets in target.batches)
    out = torch.cat([leaf.detach().reshape(-1) for leaf in leaves.values()]).zero_()
    for inputs, targets in target.batches:
        with torch.enable_grad():
            logits = functional_call(target.model, {**values, **leaves}, (inputs,))
            loss = target.loss_fn(logits, targets)
            gradient = torch.autograd.grad(
                loss, list(leaves.values()), allow_unused=True, materialize_grads=True
            )
        for part, value in zip(vector_to_tensors(out, leaves.values()), gradient, strict=True):
            part.add_(value, alpha=batch_size(targets) / samples)
    return out


@registry.register("loss")
def loss(target: Target) -> float:
    """L itself, nats for cross-entropy."""
    return mean_loss(target)


@registry.register("worst_case_sharpness")
def worst_case_sharpness(
    target: Target,
    *,
    rule: Literal["sam", "amp"] = "sam",
    radius: Positive = 0.05,
    inner_lr: Annotated[Positive, given(rule="amp")] = 1.0,
    steps: Annotated[Count, given(rule="amp")] = 1,
    scope: Literal["global", "tensor"] = "global",
    parameters: Which = "all",
) -> Result:
    """``L(w + d) - L(w)`` for the d that the rule takes for the worst in the ball, g = grad L.

    ``sam``: d = radius g / ‖g‖, one step (Foret et al. 2021, Eq. 2; 0.05 is its rho on CIFAR).
    ``amp``: ``steps`` times d <- clip(d + inner_lr g(w + d)), clip to ‖d‖ <= radius (AMP,
    algorithm 1, with radius = epsilon and inner_lr = zeta). Both on all samples, where training
    sees a batch. ``scope="tensor"`` takes each tensor's own norm, as AMP's code does.

    Returns:
        The rise under the measure's own name, and ``distance``: ‖d‖ over all parameters.
    """
    chosen = select(target.model, parameters)
    values = {name: p.detach() for name, p in target.model.named_parameters()}
    d = torch.zeros_like(torch.cat([p.detach().reshape(-1) for p in chosen.values()]))
    for _ in range(1 if rule == "sam" else steps):
        moved = displaced(target.model, chosen, d)
        gradient = mean_gradient(target, moved, chosen)
        d.add_(gradient, alpha=1.0 if rule == "sam" else inner_lr)
        for part in [d] if scope == "global" else vector_to_tensors(d, chosen.values()):
            norm = torch.linalg.vector_norm(part)
            shrink = radius / norm.clamp_min(1e-30)
            part.mul_(shrink if rule == "sam" else shrink.clamp_max(1.0))
    before = mean_loss(target, values)
    after = mean_loss(target, displaced(target.model, chosen, d))
    return {"": after - before, "distance": float(torch.linalg.vector_norm(d))}


def _rises(
    target: Target,
    sigmas: Sequence[float],
    num_samples: int,
    parameters: Which,
    antithetic: bool,
) -> Tensor:
    """``L(w + sigma Z) - L(w)``, or its mean with that of -Z; (num_samples, sigmas), float64.

    A row is one Z ~ N(0, I), scaled by each sigma: neighbors of a row differ by sigma alone.
    """
    chosen = select(target.model, parameters)
    noise = torch.zeros_like(torch.cat([p.detach().reshape(-1) for p in chosen.values()]))
    before = mean_loss(target)
    signs = (1, -1) if antithetic else (1,)
    after = torch.empty(num_samples, len(sigmas), len(signs), dtype=torch.float64)
    for row in after:
        fill(noise, "normal", target.generator)
        for at, sigma in zip(row, sigmas, strict=True):
            for i, sign in enumerate(signs):
                moved = displaced(target.model, chosen, noise, sign * sigma)
                at[i] = mean_loss(target, moved)
    return after.mean(dim=2) - before


@registry.register("average_sharpness")
def average_sharpness(
    target: Target,
    *,
    sigma: NonNegative = 0.01,
    num_samples: Count = 20,
    parameters: Which = "all",
) -> Estimate:
    """``E L(w + U) - L(w)``, every entry of U ~ N(0, sigma²).

    Args:
        sigma: Standard deviation, in the parameters' units; 0.01 is NSO's code's.
        num_samples: Draws of U; 20 as in `perturbation_gap`.
        parameters: Over which parameters; see `trainables.measures.parameters.Which`.
    """
    rises = _rises(target, [sigma], num_samples, parameters, False)
    return Estimate.of(rises[:, 0])


@registry.register("perturbation_gap")
def perturbation_gap(
    target: Target,
    *,
    sigma: NonNegative | tuple[NonNegative, ...] = 0.01,
    num_samples: Count = 20,
    num_probes: Count = 100,
    parameters: Which = "weights",
) -> Result:
    """NSO figure 2: the measured gap beside what the Hessian predicts, at one sigma or several.

    Returns:
        ``E[(L(w + U) + L(w - U)) / 2] - L(w)`` under the measure's own name, from
        ``num_samples`` antithetic pairs of U ~ N(0, sigma²) (20, on weight matrices only:
        NSO's code), and ``hessian``: sigma² / 2 Tr(H) over the same parameters. Of several sigmas
        the parts are called ``SIGMA`` and ``SIGMA/hessian``; they share the draws U / sigma, and
        Tr(H), which is one number of the network and is estimated once, from ``num_probes``
        Rademacher probes.
    """
    sigmas = sigma if isinstance(sigma, tuple) else (sigma,)
    rises = _rises(target, sigmas, num_samples, parameters, True)
    operator = HessianOperator(target.model, target.loss_fn, target.batches, parameters)
    trace = Estimate.of(draw_probes(operator, num_probes, target.generator).forms)
    found: dict[str, Estimate] = {}
    for at, rise in zip(sigmas, rises.unbind(dim=1), strict=True):
        name = str(at) if isinstance(sigma, tuple) else ""
        half = at**2 / 2
        found[name] = Estimate.of(rise)
        found[join(name, "hessian")] = Estimate(half * trace.value, half * trace.std_error)
    return found
