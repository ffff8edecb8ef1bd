"""Flatness-aware regularization: penalize the trace of the squared Hessian (FA, eq. 1)."""

from __future__ import annotations

from typing import Annotated, Literal

import torch
from torch import Tensor

from trainables.methods.base import Method, Output, registry
from trainables.methods.objective import Objective
from trainables.methods.ops import noise
from trainables.methods.ops.full_precision import full_precision
from trainables.methods.ops.parameters import global_norm
from trainables.methods.ops.third_order import exact_norms, require_smooth, require_third_order
from trainables.methods.rules.sam import PerturbationScope
from trainables.needs import Searched, given
from trainables.parallel.division import Division
from trainables.registry import Count, Positive, Strength
from trainables.structures import detached


@registry.register("fa", added={"estimator": "squared_norm"})
class FA(Method):
    """g = ∇[L + lam C / B], C = (1/P) Σ_j ‖H v_j‖², whose mean over the probes is Tr(H²).

    H is the Hessian of the (regularized) mean loss of the batch over all parameters, B the
    batch size, v_j a probe with independent entries of mean 0 and variance 1. The gradient
    goes through the products H v_j, in third derivatives of the loss:

        ∇‖H v‖² = 2 T[v, H v, ·],   T the tensor of third derivatives.

    ``exact``: reverse mode three times, the normalization layers made of primitive operations
    (torch's fused ones are wrong or missing at third order; `third_order`). What cannot be
    right is refused. ReLU networks are exact wherever they are differentiable.

    ``difference``, for smooth activations only: with g(·) = ∇L, a = step/‖v‖, b = step/‖h‖,

        h = [g(w + a v) - g(w)] / a
        T[v, h, ·] ≈ [g(w + a v + b h) - g(w + a v) - g(w + b h) + g(w)] / (a b)

    4 gradient evaluations for the first probe, with an error of order ``step`` (measured in
    the benchmark: a few per cent); refused where the graph has kinks (ReLU, max-pooling, ...),
    at which second differences diverge.

    Either is in full precision, whatever the trial's is: no autocast, no TF32.

    Args:
        lam: Weight λ; 0.01, called best in the text (figure 1; grid 0.001 to 1). At 0: ERM.
        num_probes: P; 3, as in the authors' code.
        distribution: Probes are standard ``normal`` (the code) or ``rademacher`` (a longer
            version of the paper).
        estimator: What of a probe is squared: ``squared_norm``, ‖H v‖² = v'H²v (the text's
            identity, and the code), or ``squared_form``, (v'H v)²: the text's "quadratic forms"
            at the word, whose mean over normal probes is 2 Tr(H²) + Tr(H)².
        every: The penalty is added every k-th step; 1 (the code; the longer version: 10).
        form: See above.
        step: Displacement of ``difference`` in the parameters' units.
        perturbation: Workers sharing a batch penalize the Hessian of the whole batch
            (``global``: H v_j is averaged over them, with the same v_j) or each its own.
    """

    # Not a dataclass: its option `step` would be taken for the method of that name.
    def __init__(
        self,
        *,
        lam: Annotated[Strength, Searched((0.001, 0.01, 0.1, 1.0), "FA, the authors' code")] = 0.01,
        num_probes: Annotated[Count, Searched((3, 5), "FA, code and listing", between=False)] = 3,
        distribution: Literal["normal", "rademacher"] = "normal",
        estimator: Annotated[
            Literal["squared_norm", "squared_form"], given(form="exact")
        ] = "squared_norm",
        every: Count = 1,
        form: Literal["exact", "difference"] = "exact",
        step: Annotated[Positive, given(form="difference")] = 0.02,
        perturbation: PerturbationScope = "global",
    ) -> None:
        self.lam = lam
        self.num_probes = num_probes
        self.distribution = distribution
        self.estimator = estimator
        self.every = every
        self.form = form
        self.length = step
        self.perturbation = perturbation

    @property
    def active(self) -> bool:
        """Whether the coming step has the penalty; true where `advance` was never called."""
        if self.lam == 0:
            return False
        return self.progress is None or self.progress.step % self.every == 0

    @property
    def evaluations(self) -> float:
        """Exact: reverse mode costs twice what it differentiates.

        A gradient is 3 forward passes' work, H v 6 more, and differentiating both twice
        that again: 3 · (3 + 6 P) forward passes = 3 + 6 P gradients.
        """
        if not self.active:
            return 1.0
        return 3.0 + 6 * self.num_probes if self.form == "exact" else 1.0 + 3 * self.num_probes

    @property
    def passes(self) -> float:
        if not self.active or self.form == "exact":
            return 1.0
        return 1.0 + 3 * self.num_probes

    @property
    def clean_first(self) -> bool:
        return True

    def same_over_workers(self, division: Division) -> bool:
        return self.perturbation == "global" and division.even

    def step(self, objective: Objective) -> Output:
        if not self.active:
            loss, logits = objective.accumulate()
            return Output(loss, logits, objective=loss)
        with full_precision(objective):
            if self.form == "difference":
                return self.by_differences(objective)
            return self.by_autograd(objective)

    def by_autograd(self, objective: Objective) -> Output:
        """The step in the form ``exact``: reverse mode three times."""
        with exact_norms(objective.model) as model:
            objective.model = model
            loss, logits = objective.evaluate()
        require_third_order(loss)
        slope = torch.autograd.grad(
            loss, objective.params, create_graph=True, allow_unused=True, materialize_grads=True
        )
        curved = [i for i, g in enumerate(slope) if g.requires_grad]  # the others have H v = 0
        outputs, seeds = [loss], [torch.ones_like(loss)]
        penalized = loss.detach()
        weight = self.weight(objective)
        for _ in range(self.num_probes if curved else 0):
            flat, probe = self.scratch("noise", objective.params)
            noise.fill(flat, self.distribution, objective.generator)
            v = torch._foreach_clone([probe[i] for i in curved])
            products = torch.autograd.grad(
                [slope[i] for i in curved], objective.params, v,
                create_graph=True, allow_unused=True, materialize_grads=True,
            )  # fmt: skip
            held = list(torch._foreach_clone([h.detach() for h in products]))
            self.average(objective, held)
            # The gradient of ‖h‖² is that of <h, 2 h>, of (v'h)² that of <h, 2 (v'h) v>, with h
            # and v'h held constant on the right.
            if self.estimator == "squared_norm":
                squared, constant = global_norm(held).square(), held
            else:
                constant = list(torch._foreach_clone(probe))
                form = torch.stack([(a * b).sum() for a, b in zip(probe, held, strict=True)]).sum()
                torch._foreach_mul_(constant, form)
                squared = form.square()
            penalized = penalized + weight * squared
            torch._foreach_mul_(constant, 2 * weight)
            for h, seed in zip(products, constant, strict=True):
                if h.requires_grad:
                    outputs.append(h)
                    seeds.append(seed)
        gradient = torch.autograd.grad(
            outputs, objective.params, seeds, allow_unused=True, materialize_grads=True
        )
        objective.set_gradient(list(gradient))
        return Output(loss.detach(), detached(logits), objective=penalized)

    def by_differences(self, objective: Objective) -> Output:
        """The step in the form ``difference``: gradients at displaced weights alone."""
        loss, logits = objective.evaluate()
        require_smooth(loss)
        clean = objective.gradient(loss)
        total = list(torch._foreach_clone(clean))
        weight = self.weight(objective)
        flat, v = self.scratch("noise", objective.params)
        with objective.displaced() as at:

            def slope() -> list[Tensor]:
                return objective.gradient(objective.evaluate()[0])

            for _ in range(self.num_probes):
                noise.fill(flat, self.distribution, objective.generator)
                size_v = torch.linalg.vector_norm(flat)
                flat.mul_(self.length / size_v)  # a v
                at.perturb(v)
                along_v = slope()
                h = list(torch._foreach_sub(along_v, clean))  # a h
                self.average(objective, h)
                size_h = global_norm(h).clamp(min=1e-30)
                torch._foreach_mul_(h, self.length / size_h)  # b h
                at.perturb(h)
                along_h = slope()
                torch._foreach_add_(h, v)
                at.perturb(h)
                third = slope()
                torch._foreach_sub_(third, along_v)
                torch._foreach_sub_(third, along_h)
                torch._foreach_add_(third, clean)
                # 2 T / (a b): 1/a = ‖v‖ / step, and ‖a h‖ = size_h, so 1/b = size_h ‖v‖ / step²
                scale = 2 * weight * size_v.square() * size_h / self.length**3
                torch._foreach_mul_(third, scale)
                torch._foreach_add_(total, third)
        objective.set_gradient(total)
        return Output(loss.detach(), detached(logits), objective=None)

    def weight(self, objective: Objective) -> float:
        """lam / (B P), with B the size of the batch whose Hessian is penalized."""
        workers = objective.workers if self.perturbation == "global" else 1
        return self.lam / (objective.size * workers * self.num_probes)

    def average(self, objective: Objective, product: list[Tensor]) -> None:
        """H v ← its mean over the workers, in place, where the Hessian is of the whole batch."""
        if self.perturbation == "global":
            objective.mean_over_workers(product)
