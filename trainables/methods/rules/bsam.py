"""Bayesian SAM: the rule of the NSO paper's code, and the one that was published."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, ClassVar, Literal

import torch
from torch import Tensor

from trainables.errors import UsageError
from trainables.methods.base import Output, registry
from trainables.methods.objective import Objective
from trainables.methods.ops.parameters import NORM_EPSILON, global_norm, perturbed
from trainables.methods.rules.sam import Noisy
from trainables.needs import given
from trainables.registry import Fraction, NonNegative, Positive, Readings

PUBLISHED = given(posterior="adaptive")


@registry.register("bsam", added={"perturb": "all"})
@dataclass(kw_only=True)
class BSAM(Noisy):
    """Bayesian SAM: g = ∇L(w + U), then ∇L(w + e), the noise and e scaled by a posterior.

    posterior = ``fixed``: U ~ N(0, σ²), e = rho · g / ‖g‖₂: the simplified rule of the NSO
    paper's code, with the optimizer (their runs: Adam) outside. The code's slip, an ascent that
    is never undone, is kept by ``code_faithful``; the BSAM rows of its tables have it.

    posterior = ``adaptive``: bSAM as published (Möllenhoff and Khan, ICLR 2023, Algorithm 1,
    in the order of their released code). Every weight has a posterior precision s, at first
    1/(N σ²), and a momentum m, at first 0:

        U ~ N(0, 1/(N s)),  e = rho · g / s
        m ← β₁ m + (1 - β₁)(∇L(w + e) + δ w)
        p.grad = m / s, so SGD without momentum and weight decay makes the step
        s ← β₂ s + (1 - β₂)(√s |g| + δ + γ)

    Args:
        rho: Radius ρ; 0.05, the NSO authors' default (their scripts: 0.01, 0.02, 0.05).
        sigma: Noise standard deviation σ; 0.01 (scripts: 0.01, 0.012, 0.014).
        posterior: See above.
        code_faithful: Keep the slip (``fixed`` only).
        num_data: N, number of training images (``adaptive`` only; CIFAR: 50,000).
        beta1, beta2: β₁ and β₂ (``adaptive`` only); 0.9 and 0.999, as for Adam.
        delta: Prior precision δ over N (``adaptive`` only): their weight decay.
        damping: γ, keeps s away from 0 (``adaptive`` only).
        perturbation: See `SAM`. With ``local``, each worker's g moves s, by their mean.
        perturb: See `SAM`. Every weight has its s, perturbed or not.
    """

    READINGS: ClassVar[Readings] = {
        "text": {"posterior": "adaptive", "code_faithful": False},
        "code": {"posterior": "fixed", "code_faithful": True},
    }

    posterior: Literal["fixed", "adaptive"] = "fixed"
    num_data: Annotated[Positive, PUBLISHED] = 50_000.0
    beta1: Annotated[Fraction, PUBLISHED] = 0.9
    beta2: Annotated[Fraction, PUBLISHED] = 0.999
    delta: Annotated[NonNegative, PUBLISHED] = 5e-4
    damping: Annotated[NonNegative, PUBLISHED] = 0.0

    def __post_init__(self) -> None:
        if self.posterior == "adaptive" and (self.code_faithful or self.sigma == 0):
            raise UsageError(
                "method 'bsam': posterior = 'adaptive' needs sigma > 0 and code_faithful = False"
            )
        self.precision: list[Tensor] = []
        self.momentum: list[Tensor] = []

    @property
    def leaves_a_trace(self) -> bool:
        return self.code_faithful or self.posterior == "adaptive"

    def step(self, objective: Objective) -> Output:
        if self.posterior == "fixed":
            return super().step(objective)
        if not self.precision:
            start = 1.0 / (self.num_data * self.sigma**2)
            self.precision = [torch.full_like(p, start).detach() for p in objective.params]
            self.momentum = [torch.zeros_like(p).detach() for p in objective.params]
        output = super().step(objective)
        objective.complete_gradient()  # the momentum is of the whole batch, the same everywhere
        gradient = objective.held_gradient()
        torch._foreach_add_(gradient, [p.detach() for p in objective.params], alpha=self.delta)
        torch._foreach_lerp_(self.momentum, gradient, 1 - self.beta1)
        torch._foreach_copy_(gradient, self.momentum)
        torch._foreach_div_(gradient, self.precision)
        torch._foreach_lerp_(self.precision, self.growth, 1 - self.beta2)
        del self.growth
        return output

    def ascent(self, objective: Objective) -> list[Tensor]:
        gradient = super().ascent(objective)
        if self.posterior == "adaptive":
            self.growth = list(torch._foreach_sqrt(self.precision))  # where s is going
            torch._foreach_mul_(self.growth, torch._foreach_abs(gradient))
            torch._foreach_add_(self.growth, self.delta + self.damping)
            if self.perturbation == "local":
                objective.mean_over_workers(self.growth)
        return gradient

    def scale_noise(self, flat: Tensor, shift: list[Tensor], weights: list[Tensor]) -> None:
        if self.posterior == "fixed":
            super().scale_noise(flat, shift, weights)
            return
        deviation = torch._foreach_mul(perturbed(self.precision, self.perturb), self.num_data)
        torch._foreach_sqrt_(deviation)
        torch._foreach_div_(shift, deviation)

    def ascent_direction(self, gradient: list[Tensor], shift: list[Tensor]) -> None:
        if self.posterior == "fixed":
            torch._foreach_mul_(gradient, self.rho / (global_norm(gradient) + NORM_EPSILON))
            return
        torch._foreach_div_(gradient, perturbed(self.precision, self.perturb))
        torch._foreach_mul_(gradient, self.rho)

    def state_dict(self) -> dict[str, Tensor]:
        """The posterior precision s and the momentum m, tensor by tensor."""
        own = {
            f"{kind}.{i}": tensor
            for kind in ("precision", "momentum")
            for i, tensor in enumerate(getattr(self, kind))
        }
        return super().state_dict() | own

    def load_state_dict(self, state: dict[str, Tensor]) -> None:
        super().load_state_dict(state)
        count = sum(key.startswith("precision.") for key in state)
        self.precision = [state[f"precision.{i}"].clone() for i in range(count)]
        self.momentum = [state[f"momentum.{i}"].clone() for i in range(count)]
