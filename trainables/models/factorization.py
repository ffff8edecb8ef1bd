"""Over-parameterised matrix factorisation, for NSO's matrix sensing (Section 5)."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from trainables.errors import UsageError
from trainables.models import Layers, registry
from trainables.registry import Count


class Factorization(nn.Module):
    """``y = <A, W W^T>``: ``(B, d, d) -> (B,)``, or ``(B, 1, d, d) -> (B,)``."""

    def __init__(self, size: int, rank: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randn(size, rank))

    def forward(self, x: Tensor) -> Tensor:
        product = self.weight @ self.weight.T
        return x.flatten(1) @ product.flatten()


@registry.register("factorization", layers=Layers(vectors=False, several_tensors=False))
def factorization(
    *, num_classes: int, input_shape: Sequence[int], rank: Count | None = None
) -> Factorization:
    """A ``d x d`` matrix W with entries ~ N(0, 1); measurement A gives ``<A, W W^T>``.

    NSO's code descends ``(1/m) sum_i (<A_i, W W^T> - y_i) A_i W``, a quarter of the gradient of
    the mean squared error for symmetric A_i: its learning rate 0.0025 is 0.000625 here.

    Args:
        rank: Columns of W; None is d, over-parameterised as in the paper.

    Raises:
        ValueError: when an input is no square matrix, or there is more than one target.
    """
    shape = tuple(input_shape)
    if len(shape) not in (2, 3) or shape[-1] != shape[-2] or (len(shape) == 3 and shape[0] != 1):
        raise UsageError(f"input_shape = {shape} must be a square matrix, (d, d) or (1, d, d)")
    if num_classes != 1:
        raise UsageError(f"num_classes = {num_classes} must be 1: a measurement is one number")
    return Factorization(shape[-1], rank or shape[-1])
