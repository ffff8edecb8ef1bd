"""A method of one's own: the gradient, at a length that is chosen."""

from __future__ import annotations

from trainables.methods.base import Method, Output, registry
from trainables.methods.objective import Objective
from trainables.registry import Positive


@registry.register("my_method")
class MyMethod(Method):
    """``factor`` g / ||g||, g being the gradient: every step is as long as the learning rate says.

    A gradient of 0 stays 0.
    """

    def __init__(self, *, factor: Positive = 1.0) -> None:
        self.factor = factor

    def step(self, objective: Objective) -> Output:
        """One gradient evaluation."""
        loss, logits = objective.accumulate()
        gradients = [p.grad for p in objective.params]
        norm = sum(g.square().sum() for g in gradients).sqrt()
        for g in gradients:
            g.mul_(self.factor / norm.clamp_min(1e-12))
        return Output(loss, logits, objective=None)
