"""Distance to the starting point (L2-SP, Li et al. 2018): combined with NSO in its paper."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Literal

import torch
from torch import Tensor, nn

from trainables.methods.base import Regularizer, registry
from trainables.methods.objective import Objective
from trainables.methods.ops.parameters import trainable
from trainables.needs import SEVERAL_TENSORS, VECTORS
from trainables.parallel.division import Division
from trainables.registry import NonNegative, Strength


@registry.register("l2_sp")
@dataclass(kw_only=True)
class L2SP(Regularizer):
    """Loss ← loss + lam · ‖w - w⁰‖² over the body + head_lam · ‖w_head‖² over the head.

    w⁰ are the weights when training began (or at the first step, if `begin` was not
    called); they are part of `state_dict`. Like every regularizer it is part of the loss a
    rule sees, so it is evaluated at displaced weights, as in the NSO authors' code. (Their
    released command leaves the penalty off by a slip: it computes plain NSO.)

    Args:
        lam: λ, in loss per squared parameter unit; 1e-4 (the authors' script on Indoor).
            At 0, with ``head_lam`` None: ERM.
        head_lam: λ of the last linear layer's weights, drawn to 0 instead of w⁰ as in the
            authors' code (a new head has no meaningful start). None: the head is like the rest.
        scope: ``all`` parameters, or ``weights``: tensors with two or more dimensions.
    """

    lam: Strength = 1e-4
    head_lam: Annotated[NonNegative | None, SEVERAL_TENSORS] = None
    scope: Annotated[Literal["all", "weights"], VECTORS] = "all"

    def __post_init__(self) -> None:
        self.start: list[Tensor] | None = None
        self._chosen: tuple[list[int], list[int]] | None = None

    def same_over_workers(self, division: Division) -> bool:
        return True

    def begin(self, model: nn.Module) -> None:
        self.start = [p.detach().clone() for p in trainable(model)]

    def batch(self, objective: Objective, inputs: Any, targets: Any) -> tuple[Any, Any]:
        if self.start is None:
            self.begin(objective.model)
        if self._chosen is None:
            self._chosen = self._choose(objective.model)
        return inputs, targets

    def penalty(self, params: Sequence[Tensor]) -> Tensor | None:
        assert self.start is not None
        assert self._chosen is not None
        body, head = self._chosen
        total = params[0].new_zeros(())
        if body:
            near = [params[i] for i in body]
            total = total + self.lam * squared_distance(near, [self.start[i] for i in body])
        if head and self.head_lam is not None:
            last = [params[i] for i in head]
            total = total + self.head_lam * squared_distance(last, torch._foreach_mul(last, 0))
        return total

    def _choose(self, model: nn.Module) -> tuple[list[int], list[int]]:
        """Indices of the body's and of the head's parameters."""
        params = trainable(model)
        chosen = [i for i, p in enumerate(params) if self.scope == "all" or p.dim() > 1]
        linear = [m for m in model.modules() if isinstance(m, nn.Linear)]
        if self.head_lam is None or not linear:
            return chosen, []
        last = {id(p) for p in linear[-1].parameters()}
        head = [i for i, p in enumerate(params) if id(p) in last]
        return [i for i in chosen if i not in head], [i for i in head if params[i].dim() > 1]

    def state_dict(self) -> dict[str, Tensor]:
        """The starting point w⁰, tensor by tensor."""
        return {f"start.{i}": t for i, t in enumerate(self.start or [])}

    def load_state_dict(self, state: dict[str, Tensor]) -> None:
        self.start = [state[f"start.{i}"].clone() for i in range(len(state))] or None


class _SquaredDistance(torch.autograd.Function):
    """‖w - w⁰‖² with fused operations, differentiable any number of times."""

    @staticmethod
    def forward(ctx: Any, count: int, *tensors: Tensor) -> Tensor:
        ctx.save_for_backward(*tensors)
        ctx.count = count
        gap = torch._foreach_sub(tensors[:count], tensors[count:])
        return torch.stack(torch._foreach_norm(gap)).square().sum()

    @staticmethod
    def backward(ctx: Any, slope: Tensor) -> tuple[Tensor | None, ...]:
        tensors = ctx.saved_tensors
        gap = torch._foreach_sub(tensors[: ctx.count], tensors[ctx.count :])
        return (None, *torch._foreach_mul(gap, 2 * slope), *[None] * ctx.count)


def squared_distance(weights: Sequence[Tensor], start: Sequence[Tensor]) -> Tensor:
    """‖w - w⁰‖² over all tensors, 0-d; differentiable in ``weights`` any number of times."""
    return _SquaredDistance.apply(len(weights), *weights, *(t.detach() for t in start))
