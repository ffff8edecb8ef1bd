"""Mixup (Zhang et al. 2018): a baseline of AMP."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar, Literal

import torch

from trainables.errors import UsageError
from trainables.methods.base import Regularizer, registry
from trainables.methods.objective import Mixed, Objective
from trainables.needs import SEVERAL_IMAGES
from trainables.registry import Positive, Readings
from trainables.structures import one_tensor, take


@registry.register("mixup", needs=SEVERAL_IMAGES)
@dataclass(kw_only=True)
class Mixup(Regularizer):
    """x ← m x + (1 - m) x', and the same for the targets; x' a random pairing within the batch.

    m ~ Beta(alpha, alpha). All passes of a step see the same mixed batch.

    Args:
        alpha: Both parameters of the Beta distribution; 1 (AMP, Section 5.1).
        per: One m for the ``batch`` (the original study, which AMP says it follows), or one
            for each ``sample``, as in AMP's first code; AMP's Table 1 needs ``sample``.
    """

    READINGS: ClassVar[Readings] = {
        "text": {"per": "batch"},
        "code": {"per": "sample"},
    }

    of_arrays = True

    alpha: Positive = 1.0
    per: Literal["batch", "sample"] = "batch"

    def batch(self, objective: Objective, inputs: Any, targets: Any) -> tuple[Any, Any]:
        if isinstance(targets, Mixed):
            raise UsageError("regularizer 'mixup' is given twice; once is enough")
        inputs = one_tensor(inputs, "regularizer 'mixup'")
        generator = objective.local_generator
        home = inputs.device if generator is None else generator.device
        size = inputs.shape[0]
        order = torch.randperm(size, generator=generator, device=home).to(inputs.device)
        count = size if self.per == "sample" else 1
        shape = torch.full((2, count), self.alpha, dtype=torch.float64, device=home)
        gamma = torch._standard_gamma(shape, generator=generator)
        weight = (gamma[0] / gamma.sum(0)).to(inputs.device, inputs.dtype).expand(size)
        mixed = torch.lerp(inputs[order], inputs, weight.view(-1, *[1] * (inputs.dim() - 1)))
        return mixed, Mixed(targets, take(targets, order), weight)
