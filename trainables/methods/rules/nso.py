"""Noise stability optimization (Zhang, Li and Ju, TMLR 2024) and weight-perturbed SGD."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Annotated, Literal

from torch import Tensor

from trainables.methods.base import Method, Output, registry
from trainables.methods.objective import Objective
from trainables.methods.ops import noise
from trainables.methods.ops.noise import Distribution
from trainables.methods.ops.parameters import Perturbed, perturbed
from trainables.needs import Searched
from trainables.parallel.division import Division
from trainables.registry import Count, Fraction, Strength

SigmaSchedule = Literal["none", "linear", "exp"]


@dataclass(kw_only=True)
class NoiseInjection(Method):
    """The mean gradient of the loss at randomly displaced weights.

    Every draw U_j is one vector over the perturbed parameters with independent entries, and both
    points w ± U_j see the same batch. Two extra parameter-sized buffers: the copy of the weights
    and U.
    """

    two_point = False

    sigma: Annotated[Strength, Searched((0.008, 0.01, 0.012, 0.014), "NSO's authors' scripts")] = (
        0.01
    )
    num_perturbations: Annotated[
        Count, Searched((1, 2, 3, 4), "NSO's authors' scripts", between=False)
    ] = 1
    distribution: Distribution = "normal"
    lam: Fraction = 0.0
    sigma_schedule: SigmaSchedule = "none"
    perturb: Perturbed = "all"

    @property
    def noisy_passes(self) -> int:
        """Gradients at displaced weights in a step; 0 where the clean one has all the weight."""
        return (2 if self.two_point else 1) * self.num_perturbations if self.lam < 1 else 0

    @property
    def evaluations(self) -> float:
        return float(self.noisy_passes + (self.lam > 0))

    @property
    def clean_first(self) -> bool:
        return self.lam > 0

    @property
    def current_sigma(self) -> float:
        """σ of this epoch: constant, or a ramp from the first epoch to the last."""
        if self.progress is None or self.sigma_schedule == "none" or self.sigma == 0:
            return self.sigma
        part = self.progress.epoch / max(1, self.progress.epochs - 1)
        if self.sigma_schedule == "linear":
            return self.sigma * part
        return math.exp((1 - part) * math.log(1e-5) + part * math.log(self.sigma))

    def same_over_workers(self, division: Division) -> bool:
        return True

    def step(self, objective: Objective) -> Output:
        first: tuple[Tensor, Tensor] | None = None
        total: Tensor | float = 0.0
        if self.lam > 0:
            first = objective.accumulate(self.lam)
            total = self.lam * first[0]
        if self.lam < 1:
            weight = (1 - self.lam) / self.noisy_passes
            moved = perturbed(objective.params, self.perturb)
            flat, shift = self.scratch("noise", moved)
            with objective.displaced(moved) as at:
                for _ in range(self.num_perturbations):
                    noise.fill(flat, self.distribution, objective.generator)
                    for sign in (1.0, -1.0) if self.two_point else (1.0,):
                        at.perturb(shift, sign * self.current_sigma)
                        value, logits = objective.accumulate(weight)
                        total = total + weight * value
                        first = first or (value, logits)
        assert first is not None
        assert isinstance(total, Tensor)
        return Output(*first, objective=total)


@registry.register("nso", added={"perturb": "all"})
@dataclass(kw_only=True)
class NSO(NoiseInjection):
    """Two-point noise injection: Algorithm 1.

    g = (1/k) Σ_j ½ [∇L(w + U_j) + ∇L(w - U_j)], U_j with independent entries of mean 0 and
    standard deviation sigma. The two points cancel the first-order term, so that g is, to
    second order, the gradient of L + (σ²/2) Tr(∇²L); on a quadratic it is ∇L exactly.
    2k gradient evaluations. (The authors' code makes 2k + 1: a clean pass of weight ``lam``
    that it also makes at weight 0. Here a clean pass is made only where it counts.)

    Args:
        sigma: Standard deviation σ, in the parameters' units; 0.01, the authors' value for
            CIFAR (their grid: 0.008, 0.01, 0.012; the paper's numbers are lost in our text).
            At 0: ERM.
        num_perturbations: Draws k; 1 in the main comparison (Table 3), 1 to 3 in the ablation.
        two_point: False drops the second point (then it is `WPSGD`).
        distribution: Law of the entries (Table 2), all of unit variance times σ. The authors'
            binomial is not centered: Table 2's Binomial rows need ``binomial_uncentered``. (The
            default is neither of the two, so no ``reading`` chooses between them.)
        lam: Weight of the clean gradient: g ← lam ∇L(w) + (1 - lam) g; 0 in the authors' main
            scripts. (Some of their ablation scripts pass 1: plain training.)
        sigma_schedule: σ over the epochs (Remark 3.1; the ramps of the authors' code):
            ``none``, ``linear`` from 0 to σ, ``exp`` from 1e-5 to σ.
        perturb: ``all`` parameters, as in the authors' code, or ``weights``: tensors with two or
            more dimensions (the paper speaks of weight matrices).

    Dropout masks are drawn anew for every pass, as in the authors' code. Without a clean pass
    BatchNorm's running statistics move with the first noisy one; the authors' code takes them,
    and its training error, from a clean pass: ``batchnorm: separate``.
    """

    two_point: bool = True


@registry.register("wp_sgd", added={"perturb": "all"})
class WPSGD(NoiseInjection):
    """Weight-perturbed SGD (randomized smoothing): g = (1/k) Σ_j ∇L(w + U_j).

    The baseline of NSO's Table 2 and Figures 3 and 4; k gradient evaluations.

    Args:
        sigma: Standard deviation σ; see `NSO`. At 0: ERM.
        num_perturbations: Draws k; 1, and 2k for the comparison at NSO's cost (Section 3).
        distribution: See `NSO`.
        lam: Weight of the clean gradient; see `NSO`.
        sigma_schedule, perturb: See `NSO`.
    """
