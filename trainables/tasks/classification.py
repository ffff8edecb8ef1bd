"""Classes: of images, features, graphs, sentence pairs."""

from __future__ import annotations

from typing import Any

from torch import Tensor
from torch.nn import functional

from trainables.tasks.base import Task, registry


@registry.register("cross_entropy")
class Classification(Task):
    """-log softmax(logits)[target], nats; targets are class indices or probabilities."""

    plain_targets = True
    counts_errors = True
    records = ("error", "error_top5", "nll", "ece", "brier")
    selected = "error"

    def __call__(self, outputs: Any, targets: Any) -> Tensor:
        return functional.cross_entropy(outputs, targets)

    def errors(self, outputs: Any, targets: Any) -> Tensor | None:
        if isinstance(targets, Tensor) and targets.ndim == 1 and outputs.ndim == 2:
            return outputs.argmax(1) != targets
        return None

    def summary(self, judged: Any) -> dict[str, float]:
        """`trainables.measures.predictions.classification.summary`."""
        from trainables.measures.predictions.classification import summary

        return summary(*judged)
