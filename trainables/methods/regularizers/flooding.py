"""Flooding (Ishida et al. 2020): a baseline of AMP."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from trainables.methods.base import Regularizer, registry
from trainables.registry import Strength


@registry.register("flooding")
@dataclass(kw_only=True)
class Flooding(Regularizer):
    """Loss J ← |J - b| + b: below the level b, the loss of the batch is pushed up.

    Acts on the mean loss of each forward pass (of each sub-batch, of each worker's part).

    Args:
        level: b, in nats; 0.02 (AMP, Section 5.1). At 0: ERM.
    """

    level: Strength = 0.02

    def loss(self, value: Tensor) -> Tensor:
        return (value - self.level).abs() + self.level
