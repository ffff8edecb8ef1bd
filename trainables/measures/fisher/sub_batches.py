"""How alike the gradients of a batch's parts are, which InfoMCR's regulariser raises (Figure 1)."""

from __future__ import annotations

from typing import Annotated, Any

import torch
from pydantic import Field
from torch import Tensor

from trainables.errors import UsageError
from trainables.measures.base import Estimate, Target, registry
from trainables.structures import batch_size, portions, take

Several = Annotated[int, Field(ge=2)]


@registry.register("sub_batch_gradients")
def sub_batch_gradients(target: Target, *, num_splits: Several = 8) -> dict[str, Estimate]:
    """Of the gradients g_1 ... g_M of the M parts of each batch, in order; means over the batches.

    A gradient of norm 0 has cosine 0 with every other.

    Args:
        num_splits: M; 8 (InfoMCR, section 7.2). Batches of fewer samples are left out.

    Returns:
        ``cosine``: the mean of cos(g_i, g_j) over the pairs i < j; ``norm_variation``: sample
        standard deviation (n - 1) of the ‖g_i‖ over their mean; ``mean_square``: the mean of
        ‖g_i‖², which the regulariser descends.

    Raises:
        UsageError: no batch has ``num_splits`` samples.
    """
    rows = [
        torch.stack(_alike(_gradients(target, inputs, targets, num_splits)))
        for inputs, targets in target.batches
        if batch_size(targets) >= num_splits
    ]
    if not rows:
        raise UsageError(f"no batch has num_splits = {num_splits} samples")
    columns = torch.stack(rows).unbind(dim=1)
    names = ("cosine", "norm_variation", "mean_square")
    return {name: Estimate.of(column) for name, column in zip(names, columns, strict=True)}


def _gradients(target: Target, inputs: Any, targets: Any, count: int) -> Tensor:
    """One row per part: the gradient of its mean loss, float64, (count, parameters)."""
    weights = [p for p in target.model.parameters() if p.requires_grad]
    rows = []
    for part in portions(batch_size(targets), count):
        with torch.enable_grad():
            loss = target.loss_fn(target.model(take(inputs, part)), take(targets, part))
        gradient = torch.autograd.grad(loss, weights, allow_unused=True, materialize_grads=True)
        rows.append(torch.cat([g.reshape(-1) for g in gradient]).double())
    return torch.stack(rows)


def _alike(gradients: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    norms = torch.linalg.vector_norm(gradients, dim=1)
    unit = gradients / norms.clamp_min(torch.finfo(norms.dtype).tiny)[:, None]
    pairs = len(norms) * (len(norms) - 1) / 2
    cosine = (unit @ unit.T).triu(diagonal=1).sum() / pairs
    return cosine, norms.std(correction=1) / norms.mean(), norms.square().mean()
