"""Real numbers."""

from __future__ import annotations

from typing import Any

from torch import Tensor
from torch.nn import functional

from trainables.tasks.base import Task, registry


@registry.register("mse")
class Regression(Task):
    """(output - target)², the mean over samples and target values."""

    plain_targets = True
    class_labels = False
    records = ("loss",)
    watched = selected = "loss"

    def __call__(self, outputs: Any, targets: Any) -> Tensor:
        return functional.mse_loss(outputs, targets)

    def divergence(self, p: Any, q: Any, targets: Any) -> Tensor:
        """(p - q)², the mean over samples and target values: KL(N(p, ½) ‖ N(q, ½)), for the squared
        error is the negative logarithm of that density, up to a constant."""
        return functional.mse_loss(p, q)

    def summary(self, judged: Any) -> dict[str, float]:
        """Its mean over the split, ``loss``, in float64."""
        outputs, targets = judged
        return {"loss": float(functional.mse_loss(outputs.double(), targets.double()))}
