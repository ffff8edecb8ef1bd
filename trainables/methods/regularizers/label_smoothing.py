"""Label smoothing (Szegedy et al. 2016): a baseline of AMP and NSO."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Literal

from trainables.methods.base import Regularizer, registry
from trainables.methods.objective import probabilities
from trainables.needs import OffAtZero
from trainables.parallel.division import Division
from trainables.registry import Fraction


@registry.register("label_smoothing")
@dataclass(kw_only=True)
class LabelSmoothing(Regularizer):
    """Targets q ← (1 - s) q + s r, r a uniform distribution over the K classes or the others.

    Args:
        smoothing: s; 0.2 (AMP, Section 5.1). NSO's scripts: 0.2, 0.4; NRS on ImageNet: 0.1.
            At 0: ERM.
        convention: ``uniform``: r = 1/K for every class (Szegedy et al., torch, NSO).
            ``others``: r = (1 - q)/(K - 1), nothing for the true class, as in AMP's first
            code; AMP's Table 1 needs it.

    Targets are class indices or probabilities (mixed targets), in language modelling those of
    every place, over the vocabulary; it has no meaning for regression.
    """

    of_labels = True

    smoothing: Annotated[Fraction, OffAtZero()] = 0.2
    convention: Literal["uniform", "others"] = "uniform"

    def same_over_workers(self, division: Division) -> bool:
        return True

    def targets(self, logits: Any, targets: Any) -> Any:
        if isinstance(targets, Mapping):
            return {**targets, "tokens": self.targets(logits, targets["tokens"])}
        classes = logits.shape[-1]
        q = probabilities(targets, classes, logits.dtype)
        if self.convention == "uniform":
            return (1 - self.smoothing) * q + self.smoothing / classes
        return (1 - self.smoothing) * q + self.smoothing * (1 - q) / (classes - 1)
