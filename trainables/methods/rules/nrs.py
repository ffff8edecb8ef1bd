"""Neighborhood region smoothing (Zhao and Zhang, arXiv 2201.06064) and RPR, its random rival."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Literal

import torch
from torch import Tensor

from trainables.methods.base import Method, Output, registry
from trainables.methods.objective import Objective
from trainables.methods.ops import noise
from trainables.methods.ops.parameters import Perturbed, global_norm
from trainables.needs import (
    DROPOUT,
    SEVERAL_IMAGES,
    SEVERAL_TENSORS,
    Needs,
    OfTrial,
    Searched,
)
from trainables.parallel.division import Division
from trainables.registry import Count, Strength
from trainables.structures import detached, join, leaves, portions, tensors

Scale = Annotated[
    Literal["relative", "relative_per_tensor", "unit_then_scale", "literal", "gaussian_literal"],
    OfTrial(
        SEVERAL_TENSORS.words,
        lambda o, trial: o.scale != "relative_per_tensor" or SEVERAL_TENSORS.met(o, trial),
    ),
]
Ball = Annotated[
    Literal["uniform_in_ball", "on_sphere", "gaussian", "per_coordinate_uniform"],
    Needs(
        "scale = 'literal', or 'per_coordinate_uniform' and a scale that divides by the draw's "
        "norm, which leaves its direction alone",
        lambda o: (
            o.scale == "literal"
            or (o.ball == "per_coordinate_uniform" and o.scale != "gaussian_literal")
        ),
    ),
]
Devices = Annotated[Count, SEVERAL_IMAGES]

_EXACT = ("unit_then_scale",)  # the only scale at which delta does not depend on the weights


@dataclass(kw_only=True)
class Neighborhood(Method):
    """A random point near the weights for each of M devices, each with its part of the batch.

    ``scale`` reads step 8 of Algorithm 1 ("delta ← delta / ‖θ‖"), ``ball`` reads "within area
    B(0, ε)"; u is a draw over all parameters together:

    =======================  =================================================================
    ``relative`` (default)   δ = ε ‖θ‖ u/‖u‖: scale invariant; the reading whose size can act
    ``relative_per_tensor``  the same with each tensor's own norms
    ``unit_then_scale``      δ = ε u/‖u‖: θ is not involved
    ``literal``              δ = ε u/‖θ‖ as printed, u from the unit ``ball``; it shrinks δ
    ``gaussian_literal``     the same, u standard normal whatever ``ball`` says
    =======================  =================================================================

    ``ball``: u uniform in the unit ball, on its sphere, standard normal, or U(-1, 1) for every
    coordinate; where u is divided by its norm, only the distribution of its direction matters.
    ``perturb = "weights"`` leaves tensors with fewer than two dimensions alone (biases and
    normalization).

    δ is constant in the gradient, ‖θ‖ included, so an objective (see `Output`) exists only
    where δ does not depend on θ. Each device has its own batch statistics, and running
    statistics move by the mean over the devices. Over W workers each takes M / W of the devices,
    and of one stream of draws those that one process would make for them.
    """

    epsilon: Annotated[Strength, Searched((0.05, 0.1, 0.5), "NRS, Section 4")] = 0.1
    scale: Scale = "relative"
    ball: Ball = "uniform_in_ball"
    perturb: Perturbed = "all"
    num_devices: Devices = 1

    @property
    def passes(self) -> float:
        return self.evaluations * self.num_devices

    @property
    def own_parts(self) -> int:
        return self.num_devices

    def own_devices(self, objective: Objective) -> int:
        """How many of the M devices this worker stands for."""
        return max(1, self.num_devices // objective.workers)

    def over_workers(self, division: Division) -> dict[str, Any]:
        """W workers stand for at least W devices (Algorithm 1 of NRS)."""
        devices = max(self.num_devices, division.workers)
        division.check_whole("num_devices", devices)
        return {"num_devices": devices}

    def same_over_workers(self, division: Division) -> bool:
        return division.whole(self.num_devices)

    def devices(
        self, objective: Objective
    ) -> Iterator[tuple[slice | None, tuple[int, int] | None, float]]:
        """For each device of this worker: (samples, microbatch, weight).

        The first two are for `Objective.forward`; the weight is the device's fraction of the batch.
        """
        own = self.own_devices(objective)
        self.skip(objective, own)
        devices = min(own, objective.size)
        if devices == 1:
            yield None, None, 1.0
            return
        for i, samples in enumerate(portions(objective.size, devices)):
            yield samples, (i, devices), (samples.stop - samples.start) / objective.size

    def skip(self, objective: Objective, own: int) -> None:
        """Draw and drop what the devices of the workers before this one take from the stream."""
        for _ in range(objective.rank * own):
            self.draw(objective)

    def draw(self, objective: Objective) -> list[Tensor]:
        """Draw δ: one tensor per parameter, in a buffer that the next draw overwrites."""
        return self.perturbation(objective.params, objective.generator)

    def perturbation(
        self, params: Sequence[Tensor], generator: torch.Generator | None
    ) -> list[Tensor]:
        """δ at ``params``, in a buffer that the next draw overwrites."""
        flat, delta = self.scratch("noise", params)
        weights = [p.data for p in params]
        ball = "gaussian" if self.scale == "gaussian_literal" else self.ball
        if self.scale in ("literal", "gaussian_literal") and ball in (
            "uniform_in_ball",
            "on_sphere",
        ):
            noise.ball(flat, generator, surface=ball == "on_sphere")
        else:  # what is normalized below needs the direction alone
            distribution = "symmetric" if ball == "per_coordinate_uniform" else "normal"
            noise.fill(flat, distribution, generator)
        if self.perturb == "weights":
            for vector in (d for d in delta if d.dim() < 2):
                vector.zero_()
        if self.scale == "relative_per_tensor":
            sizes = torch.stack(torch._foreach_norm(weights))
            factors = (
                self.epsilon * sizes / torch.stack(torch._foreach_norm(delta)).clamp(min=1e-30)
            )
            torch._foreach_mul_(delta, list(factors.unbind()))
        elif self.scale in ("literal", "gaussian_literal"):
            flat.mul_(self.epsilon / global_norm(weights))
        else:
            size = global_norm(weights) if self.scale == "relative" else 1.0
            flat.mul_(self.epsilon * size / torch.linalg.vector_norm(flat))
        return delta


@registry.register("rpr")
class RPR(Neighborhood):
    """Loss of the randomly perturbed network alone: g = mean over devices of ∇L_i(θ + δ_i).

    The random baseline of NRS's Tables 1 and 3 (the paper writes "random permutation"). One
    gradient evaluation; its only pass moves the running statistics.

    Args:
        epsilon: Size ε of the neighborhood; 0.1, the best on CIFAR-10 for NRS (Section 5.1;
            grid of Section 4: 0.05, 0.1, 0.5). At 0: ERM.
        scale, ball, perturb: See `Neighborhood`.
        num_devices: M virtual devices, each with its own δ and its own part of the batch. The
            paper's machine has 4; Table 1 needs 4.
    """

    def step(self, objective: Objective) -> Output:
        losses, logits = [], []
        for samples, microbatch, weight in self.devices(objective):
            with objective.displaced() as at:
                at.perturb(self.draw(objective))
                value, scores = objective.evaluate(samples, microbatch)
                objective.add_gradient([weight * value])
            losses.append(weight * value.detach())
            logits.append(detached(scores))
        loss = torch.stack(losses).sum()
        return Output(loss, join(logits), loss if self.scale in _EXACT else None)


@registry.register("nrs")
@dataclass(kw_only=True)
class NRS(Neighborhood):
    """Neighborhood region smoothing: Algorithm 1 with eq. 3.

    On each of M devices, p = softmax f(x; θ), q = softmax f(x; θ + δ_i):

        L_i = CE(p, y) + alpha · mean KL(p ‖ q) + CE(q, y),   g = mean over devices of ∇L_i

    δ_i constant, the gradient flows through p and q. Two gradient evaluations: the clean
    graph is kept while the displaced network runs forward and backward, then the weights
    return and the clean graph runs backward (each with the logits' gradient of L_i).

    Args:
        epsilon: Size ε of the neighborhood; 0.1, best on CIFAR-10 (Section 5.1, which names
            0.2 for CIFAR-100) and fixed on ImageNet (Section 4, as the grid 0.05, 0.1, 0.5). At
            0, L_i is twice the plain loss.
        alpha: Weight α of the KL divergence; 1 (the same places; grid 0.5, 1, 2).
        scale, ball, perturb: See `Neighborhood`.
        num_devices: M virtual devices, each with its own δ and its own part of the batch. The
            paper's machine has 4; Table 1 needs 4.
        loss: ``as_printed``: eq. 3. ``averaged``: both CE terms have weight ½.
            ``detached_target``: no gradient through p in the KL.
        dropout: The two passes draw the ``same`` masks, or ``independent`` ones (then the KL
            also penalizes dropout noise). The paper is silent.
    """

    alpha: Annotated[Strength, Searched((0.5, 1.0, 2.0), "NRS, Section 4")] = 1.0
    loss: Literal["as_printed", "averaged", "detached_target"] = "as_printed"
    dropout: Annotated[Literal["same", "independent"], DROPOUT] = "same"

    @property
    def clean_first(self) -> bool:
        return self.num_devices == 1

    @property
    def evaluations(self) -> float:
        return 2.0

    def step(self, objective: Objective) -> Output:
        losses, logits, totals = [], [], []
        for samples, microbatch, weight in self.devices(objective):
            loss, scores, total = self.device(objective, samples, microbatch, weight)
            losses.append(loss)
            logits.append(scores)
            totals.append(total)
        exact = self.scale in _EXACT and self.loss != "detached_target"
        summed = torch.stack(totals).sum() if exact else None
        return Output(torch.stack(losses).sum(), join(logits), objective=summed)

    def device(
        self,
        objective: Objective,
        samples: slice | None,
        microbatch: tuple[int, int] | None,
        weight: float,
    ) -> tuple[Tensor, Any, Tensor]:
        """Add one device's gradient to ``p.grad``, with its weight.

        Returns:
            The clean loss times the weight, the clean logits, and L_i times the weight.
        """
        delta = self.draw(objective)
        masks = objective.dropout_state()
        clean = objective.forward(samples, microbatch)
        clean_penalty = objective.penalty()
        with objective.displaced() as at:
            at.perturb(delta)
            if self.dropout == "same":
                objective.rewind_dropout(masks)
            noisy = objective.forward(samples)
            noisy_penalty = objective.penalty()

            p, q = leaves(clean), leaves(noisy)
            loss, other = objective.data_loss(p, samples), objective.data_loss(q, samples)
            ce_weight = 0.5 if self.loss == "averaged" else 1.0
            apart = self.divergence(objective, p, q, samples)
            total = ce_weight * (loss + other) + self.alpha * apart
            slopes = torch.autograd.grad(weight * total, [*tensors(p), *tensors(q)])
            slope_p, slope_q = slopes[: len(slopes) // 2], slopes[len(slopes) // 2 :]
            penalty_weight = weight * ce_weight
            _backward(objective, noisy, slope_q, noisy_penalty, penalty_weight)
        _backward(objective, clean, slope_p, clean_penalty, penalty_weight)
        for penalty in (clean_penalty, noisy_penalty):
            total = total if penalty is None else total + ce_weight * penalty
        loss = loss if clean_penalty is None else loss + clean_penalty
        return weight * loss.detach(), detached(clean), weight * total.detach()

    def divergence(self, objective: Objective, p: Any, q: Any, samples: slice | None) -> Tensor:
        """mean over the samples of KL(p ‖ q), logits given."""
        target = detached(p) if self.loss == "detached_target" else p
        return objective.divergence(target, q, samples)


def _backward(
    objective: Objective,
    outputs: Any,
    slopes: Sequence[Tensor],
    penalty: Tensor | None,
    weight: float,
) -> None:
    """Add to ``p.grad`` what outputs with these slopes, and a penalty of this weight, give."""
    pairs = [(z, d) for z, d in zip(tensors(outputs), slopes, strict=True) if z.requires_grad]
    if penalty is not None:
        pairs.append((penalty, torch.full_like(penalty, weight)))
    objective.add_gradient([z for z, _ in pairs], [d for _, d in pairs])
