"""Empirical risk minimization: the baseline of every paper."""

from __future__ import annotations

from trainables.methods.base import Method, Output, registry
from trainables.methods.objective import Objective
from trainables.parallel.division import Division


@registry.register("erm")
class ERM(Method):
    """g = ∇L(w), L the mean loss of the batch. One gradient evaluation."""

    @property
    def clean_first(self) -> bool:
        return True

    def same_over_workers(self, division: Division) -> bool:
        return True

    def step(self, objective: Objective) -> Output:
        loss, logits = objective.accumulate()
        return Output(loss, logits, objective=loss)
