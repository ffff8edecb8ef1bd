"""Sharpness-aware minimization and its relatives: climb within a small ball, descend from there.

All are rivals in the NSO paper (Tables 3, 4 and 6); g = ∇L(w), e the ascent
step, and the gradient handed to the optimizer is ∇L(w + e), e held constant.
One batch serves both gradients. With ``perturb = "weights"`` e, its norm and the
noise have the tensors of two or more dimensions alone. Defaults of rho: 0.05 is Foret et al.'s; the
grids of the NSO paper's tables are in its search space.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any, ClassVar, Literal

import torch
from torch import Tensor

from trainables.errors import UsageError
from trainables.methods.base import Method, Output, registry
from trainables.methods.objective import Objective
from trainables.methods.ops import noise
from trainables.methods.ops.parameters import NORM_EPSILON, Perturbed, global_norm, perturbed
from trainables.needs import SEVERAL_WORKERS, Searched, given
from trainables.parallel.division import Division
from trainables.registry import NonNegative, Readings, Strength

PerturbationScope = Annotated[Literal["global", "local"], SEVERAL_WORKERS]
"""Over several workers: ascend along the mean of their gradients, or each along its own."""


@dataclass(kw_only=True)
class Ascent(Method):
    """∇L(w + e), where e comes from a first gradient. Subclasses define e.

    Two gradient evaluations; one extra parameter-sized buffer (the copy of the weights): the
    first gradient becomes e in place and is freed once it is added.
    """

    rho: Strength
    perturbation: PerturbationScope = "global"
    perturb: Perturbed = "all"

    @property
    def evaluations(self) -> float:
        return 2.0

    @property
    def clean_first(self) -> bool:
        return True

    def same_over_workers(self, division: Division) -> bool:
        return self.perturbation == "global"

    def step(self, objective: Objective) -> Output:
        loss, logits = objective.accumulate()
        ascent = perturbed(self.ascent(objective), self.perturb)
        with objective.displaced(perturbed(objective.params, self.perturb)) as at:
            self.scale(ascent, at.weights)
            at.perturb(ascent)
            del ascent
            objective.accumulate()
        return Output(loss, logits, objective=None)

    def ascent(self, objective: Objective) -> list[Tensor]:
        """The gradient to ascend along, taken from ``p.grad``."""
        gradient = objective.take_gradient()
        if self.perturbation == "global":
            objective.mean_over_workers(gradient)
        return gradient

    def scale(self, gradient: list[Tensor], weights: list[Tensor]) -> None:
        """Turn ``gradient``, of the perturbed parameters, into the ascent step e, in place."""
        raise NotImplementedError


@registry.register("sam", added={"perturb": "all"})
@dataclass(kw_only=True)
class SAM(Ascent):
    """e = rho · g / ‖g‖₂, one norm over all parameters (Foret et al. 2021, eq. 2).

    Args:
        rho: Radius ρ in the parameters' units; 0.05 as in Foret et al. At 0: ERM.
        perturbation: Workers sharing a batch climb along their mean gradient (``global``, one
            batch of the sum of their sizes, as in the single-GPU runs of the NSO paper) or each
            along its own (``local``, m-sharpness).
        perturb: ``all`` parameters, or ``weights``: tensors with two or more dimensions.
    """

    rho: Annotated[Strength, Searched((0.01, 0.02, 0.05), "NSO's authors' scripts")] = 0.05

    def scale(self, gradient: list[Tensor], weights: list[Tensor]) -> None:
        torch._foreach_mul_(gradient, self.rho / (global_norm(gradient) + NORM_EPSILON))


@registry.register("usam", added={"perturb": "all"})
@dataclass(kw_only=True)
class USAM(Ascent):
    """e = rho · g: SAM without the norm (Agarwala and Dauphin 2023).

    Args:
        rho: Step ρ; NSO paper, Table 4 (the authors' sweep 0.001 to 0.05 on Indoor; 0.01 for
            CIFAR in their scripts).
        perturbation, perturb: See `SAM`.
    """

    rho: Annotated[
        Strength, Searched((0.001, 0.002, 0.005, 0.01, 0.02, 0.05), "NSO's authors' scripts")
    ] = 0.01

    def scale(self, gradient: list[Tensor], weights: list[Tensor]) -> None:
        torch._foreach_mul_(gradient, self.rho)


@registry.register("asam", added={"scaled": "all", "perturb": "all"})
@dataclass(kw_only=True)
class ASAM(Ascent):
    """e = rho · T² g / ‖T g‖₂, T diagonal with |w| + eta (Kwon et al. 2021, eq. 8).

    Two readings differ in T. The NSO authors' code, whose rows are in their tables, scales every
    parameter and has no offset: the defaults. Kwon et al.'s own (github.com/SamsungLabs/ASAM,
    asam.py) is ``scaled = "weight", eta = 0.01, rho = 0.5``: T is 1 for every tensor without
    ``weight`` in its name, such as a bias.

    Args:
        rho: Adaptive radius ρ. The NSO authors use 0.1 for all but one data set.
        eta: Offset η of T; 0 as in the NSO authors' code.
        scaled: Tensors that T scales: ``all``, or those with ``weight`` in their name
            (biases are then climbed along g itself, as in SAM).
        perturbation, perturb: See `SAM`.
    """

    READINGS: ClassVar[Readings] = {
        "text": {"scaled": "weight", "eta": 0.01},
        "code": {"scaled": "all", "eta": 0.0},
    }

    rho: Annotated[Strength, Searched((0.1, 0.2, 0.5), "NSO's authors' scripts")] = 0.1
    eta: NonNegative = 0.0
    scaled: Literal["all", "weight"] = "all"

    def step(self, objective: Objective) -> Output:
        named = objective.model.named_parameters()
        names = {p: name for name, p in named if p.requires_grad}
        moved = perturbed(objective.params, self.perturb)
        self.named = ["weight" in names[p] for p in moved]
        return super().step(objective)

    def scale(self, gradient: list[Tensor], weights: list[Tensor]) -> None:
        size = weights  # T is squared wherever it matters, so without eta its sign does not
        if self.eta:
            size = list(torch._foreach_abs(weights))
            torch._foreach_add_(size, self.eta)
        if self.scaled == "weight":
            one = weights[0].new_ones(())
            size = [part if named else one for part, named in zip(size, self.named, strict=True)]
        torch._foreach_mul_(gradient, size)
        factor = self.rho / (global_norm(gradient) + NORM_EPSILON)
        torch._foreach_mul_(gradient, size)
        torch._foreach_mul_(gradient, factor)


@dataclass(kw_only=True)
class Noisy(Ascent):
    """An ascent direction taken at noisy weights: g = ∇L(w + U), then ∇L(w + e).

    Both passes are displaced; running statistics move with the first, as in the NSO authors'
    code. `code_faithful` keeps their slip: the "restored" weights are w + e, because the
    stored tensor is changed in place (checked by running their code with learning rate 0).
    Then, and only then, a step leaves other weights than it found.
    """

    rho: Annotated[Strength, Searched((0.01, 0.02, 0.05), "NSO's authors' scripts")] = 0.05
    sigma: Annotated[Strength, Searched((0.01, 0.012, 0.014), "NSO's authors' scripts")] = 0.01
    code_faithful: bool = False

    @property
    def clean_first(self) -> bool:
        return False

    @property
    def leaves_a_trace(self) -> bool:
        """Whether a step's perturbation outlives it, in the weights or in a state."""
        return self.code_faithful

    def over_workers(self, division: Division) -> dict[str, Any]:
        if self.leaves_a_trace and self.perturbation == "local":
            raise UsageError(
                "method.perturbation = 'local' with code_faithful or an adaptive posterior: what "
                "outlives a step must be equal on all workers; use 'global'"
            )
        return {}

    def step(self, objective: Objective) -> Output:
        moved = perturbed(objective.params, self.perturb)
        flat, shift = self.scratch("noise", moved)
        noise.fill(flat, "normal", objective.generator)
        with objective.displaced(moved) as at:
            self.scale_noise(flat, shift, at.weights)
            at.perturb(shift)
            loss, logits = objective.accumulate()
            ascent = perturbed(self.ascent(objective), self.perturb)
            self.ascent_direction(ascent, shift)
            at.perturb(ascent)
            objective.accumulate()
        if self.code_faithful:
            torch._foreach_add_(at.weights, ascent)
        return Output(loss, logits, objective=None)

    def scale_noise(self, flat: Tensor, shift: list[Tensor], weights: list[Tensor]) -> None:
        """Scale the standard normal noise, in place.

        Args:
            flat: The noise as one vector.
            shift: The same memory, as one view per perturbed parameter.
            weights: These parameters' values.
        """
        flat.mul_(self.sigma)

    def ascent_direction(self, gradient: list[Tensor], shift: list[Tensor]) -> None:
        """Turn ``gradient``, taken at the noisy weights, into the ascent step e, in place.

        Args:
            gradient, shift: The gradient and the noise U, one tensor per perturbed parameter.
        """
        raise NotImplementedError


@registry.register("rsam", added={"perturb": "all"})
@dataclass(kw_only=True)
class RSAM(Noisy):
    """Random SAM (Liu et al. 2022): g = ∇L(w + U), U ~ N(0, σ²); e = rho · g / ‖g‖₂.

    As the NSO authors run it (``code_faithful``): e = rho · g / s,
    s = ‖[lam ‖g_p‖ + ‖U_p‖]_p‖₂ over the tensors p; noise of tensors with two dimensions is
    scaled by ‖w_row‖ of each row (their filter scaling, which by a second slip leaves
    convolutions unscaled); and the ascent is never undone (see `Noisy`). The RSAM rows of the
    NSO paper's tables are of that code.

    Args:
        rho: Radius ρ; 0.05, the authors' default (their scripts: 0.01, 0.02, 0.05).
        sigma: Standard deviation σ of the noise; 0.01 (scripts: 0.01, 0.012, 0.014).
        lam: Weight of ‖g_p‖ in s, used by ``code_faithful`` alone; 1 in all their scripts.
        code_faithful: The authors' code instead of the published rule.
        perturbation, perturb: See `SAM`.
    """

    READINGS: ClassVar[Readings] = {
        "text": {"code_faithful": False},
        "code": {"code_faithful": True},
    }

    lam: Annotated[NonNegative, given(code_faithful=True)] = 1.0

    def scale_noise(self, flat: Tensor, shift: list[Tensor], weights: list[Tensor]) -> None:
        flat.mul_(self.sigma)
        if self.code_faithful:
            for part, weight in zip(shift, weights, strict=True):
                if weight.dim() == 2:
                    part.mul_(torch.linalg.vector_norm(weight, dim=1, keepdim=True))

    def ascent_direction(self, gradient: list[Tensor], shift: list[Tensor]) -> None:
        if self.code_faithful:
            steep = torch.stack(torch._foreach_norm(gradient))
            loud = torch.stack(torch._foreach_norm(shift))
            size = torch.linalg.vector_norm(self.lam * steep + loud)
        else:
            size = global_norm(gradient)
        torch._foreach_mul_(gradient, self.rho / (size + NORM_EPSILON))
