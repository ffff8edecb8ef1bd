"""Adversarial model perturbation (Zheng, Zhang and Mao, CVPR 2021) and its random rival, RMP."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, ClassVar, Literal

import torch
from torch import Tensor

from trainables.methods.base import Method, Output, registry
from trainables.methods.objective import Objective
from trainables.methods.ops import noise
from trainables.methods.ops.parameters import (
    NORM_EPSILON,
    Perturbed,
    clip,
    global_norm,
    perturbed,
)
from trainables.methods.rules.sam import PerturbationScope
from trainables.needs import SEVERAL_TENSORS, Searched
from trainables.parallel.division import Division
from trainables.registry import Count, Positive, Readings, Strength


@registry.register("amp", added={"perturb": "all"})
@dataclass(kw_only=True)
class AMP(Method):
    """Descend from the worst weights within a ball: Algorithm 1.

    delta ← 0; ``inner_steps`` times: delta ← delta + zeta ∇L(w + delta), and where
    ‖delta‖₂ > epsilon: delta ← epsilon · delta / ‖delta‖₂. The gradient is ∇L(w + delta).
    The same batch serves all ``inner_steps + 1`` gradient evaluations. Extra parameter-sized
    buffers: 1 for one inner step, else 2.

    Args:
        epsilon: Radius ε of the ball, in the parameters' units; 0.5 (Section 5.1,
            PreActResNet18; Table 2 without Cutout or AutoAugment). VGG16: 0.1, Cutout: 0.3,
            AutoAugment: 0.1. At 0: ERM.
        inner_lr: Ascent step ζ (printed as gamma in Section 5.1); 1 (PreActResNet18), 0.2
            (VGG16), 0.5 (Cutout), 0.1 (AutoAugment).
        inner_steps: N; 1 in all tables, 2 (with inner_lr 2) in the figure on epsilon.
        norm: ``global``: one norm over all parameters (Algorithm 1). ``per_tensor``: each
            tensor is clipped to epsilon by itself, as the authors' code does; the published
            values of epsilon belong to it, so Tables 1 and 2 need it.
        clip: Both the inner and the outer gradients are scaled to at most this global norm.
            None as in the paper; the authors' code uses 50, so Tables 1 and 2 need that.
        perturbation: Workers sharing a batch climb along their mean gradient (``global``:
            Algorithm 1 for the whole batch) or each along its own (``local``).
        perturb: ``all`` parameters, or ``weights``: tensors with two or more dimensions; delta
            and its norm have these alone, ``clip`` is of all.

    The authors' code moves BatchNorm statistics with every pass: that is the trial's, not the
    method's, so beside ``reading = "code"`` stands ``batchnorm = "all"``.
    """

    READINGS: ClassVar[Readings] = {
        "text": {"norm": "global", "clip": None},
        "code": {"norm": "per_tensor", "clip": 50.0},
    }

    epsilon: Annotated[Strength, Searched((0.1, 0.3, 0.5), "values of AMP, Section 5.1")] = 0.5
    inner_lr: Annotated[Strength, Searched((0.1, 0.2, 0.5, 1.0), "values of AMP, Section 5.1")] = (
        1.0
    )
    inner_steps: Annotated[Count, Searched((1, 2), "AMP, Figure 8", between=False)] = 1
    norm: Annotated[Literal["global", "per_tensor"], SEVERAL_TENSORS] = "global"
    clip: Positive | None = None
    perturbation: PerturbationScope = "global"
    perturb: Perturbed = "all"

    @property
    def evaluations(self) -> float:
        return self.inner_steps + 1.0

    @property
    def clean_first(self) -> bool:
        return True

    def same_over_workers(self, division: Division) -> bool:
        return self.perturbation == "global"

    def step(self, objective: Objective) -> Output:
        loss, logits = objective.accumulate()
        delta = self.inner_gradient(objective)
        self.project(delta, self.inner_lr)
        with objective.displaced(perturbed(objective.params, self.perturb)) as at:
            at.perturb(delta)
            for _ in range(self.inner_steps - 1):
                objective.accumulate()
                torch._foreach_add_(delta, self.inner_gradient(objective), alpha=self.inner_lr)
                self.project(delta)
                at.perturb(delta)
            del delta
            objective.accumulate()
        if self.clip is not None and self.perturbation == "global":  # the whole batch's is clipped
            objective.complete_gradient()
        clip(objective.held_gradient(), self.clip)
        return Output(loss, logits, objective=None)

    def inner_gradient(self, objective: Objective) -> list[Tensor]:
        """The gradient to ascend along, of the perturbed parameters, taken from ``p.grad``."""
        gradient = objective.take_gradient()
        if self.perturbation == "global":
            objective.mean_over_workers(gradient)
        clip(gradient, self.clip)
        return perturbed(gradient, self.perturb)

    def project(self, delta: list[Tensor], scale: float = 1.0) -> None:
        """delta ← ``scale`` · delta · min(1, epsilon / norm of ``scale`` · delta), in place."""
        if self.norm == "global":
            torch._foreach_mul_(delta, self.shrinking(scale * global_norm(delta)) * scale)
            return
        norms = scale * torch.stack(torch._foreach_norm(delta))
        torch._foreach_mul_(delta, list((self.shrinking(norms) * scale).unbind()))

    def shrinking(self, norm: Tensor) -> Tensor:
        """min(1, epsilon / norm): the factor that pulls a vector of this norm into the ball."""
        return (self.epsilon / (norm + NORM_EPSILON)).clamp(max=1)


@registry.register("rmp", added={"perturb": "all"})
@dataclass(kw_only=True)
class RMP(Method):
    """Random model perturbation, the baseline of AMP's Table 1: ∇L(w + delta), delta random.

    One gradient evaluation, at perturbed weights alone.

    Args:
        epsilon: Radius ε; 0.1 (Section 5.1). At 0: ERM.
        reading: ``paper``: delta uniform in the L2 ball of radius ε over all parameters
            together. ``code`` (authors' first release; Table 1 is of it): each tensor's entries
            are U(-c, c) with c = √(ε / n), n its number of entries, so its norm is about
            √(ε/3) (0.18 at 0.1), not at most ε.
        perturb: See `AMP`.
    """

    READINGS: ClassVar[Readings] = {
        "text": {"reading": "paper"},
        "code": {"reading": "code"},
    }

    epsilon: Strength = 0.1
    reading: Literal["paper", "code"] = "paper"
    perturb: Perturbed = "all"

    def same_over_workers(self, division: Division) -> bool:
        return True

    def step(self, objective: Objective) -> Output:
        moved = perturbed(objective.params, self.perturb)
        flat, delta = self.scratch("noise", moved)
        if self.reading == "paper":
            noise.ball(flat, objective.generator)
            flat.mul_(self.epsilon)
        else:
            noise.fill(flat, "symmetric", objective.generator)
            torch._foreach_mul_(delta, [(self.epsilon / d.numel()) ** 0.5 for d in delta])
        with objective.displaced(moved) as at:
            at.perturb(delta)
            loss, logits = objective.accumulate()
        return Output(loss, logits, objective=loss)
