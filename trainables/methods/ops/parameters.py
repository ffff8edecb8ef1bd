"""The weights as one vector: copies, norms, in-place displacement and its exact undoing.

Everything is a fused operation on the list of tensors (``torch._foreach_*``);
nothing waits for the device; the storage of the weights never moves.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Literal, TypeVar

import torch
from torch import Tensor, nn

from trainables.errors import UsageError
from trainables.needs import VECTORS

NORM_EPSILON = 1e-12
"""Added to a norm before dividing by it: Foret et al.'s SAM, the code of NSO and that of AMP."""


Perturbed = Annotated[Literal["all", "weights"], VECTORS]
"""``all`` parameters, or ``weights``: tensors with two or more dimensions (no biases, no
normalization)."""

Some = TypeVar("Some", bound=Tensor)


def perturbed(tensors: Sequence[Some], which: str) -> list[Some]:
    """Those of ``tensors``, one for each parameter, whose parameter is perturbed.

    Args:
        which: `Perturbed`.

    Raises:
        UsageError: there is none.
    """
    chosen = [t for t in tensors if which == "all" or t.dim() > 1]
    if not chosen:
        raise UsageError(f"perturb = {which!r}: the model has no tensor of two or more dimensions")
    return chosen


def trainable(model: nn.Module) -> list[nn.Parameter]:
    """The parameters that require a gradient, in the model's order."""
    return [p for p in model.parameters() if p.requires_grad]


def global_norm(tensors: list[Tensor]) -> Tensor:
    """Euclidean norm of all entries together, 0-d."""
    return torch.linalg.vector_norm(torch.stack(torch._foreach_norm(tensors)))


def clip(tensors: list[Tensor], limit: float | None) -> None:
    """Scale in place to global norm at most ``limit`` (None: not), as torch's clip_grad_norm_."""
    if limit is not None:
        factor = (limit / (global_norm(tensors) + 1e-6)).clamp(max=1.0)
        torch._foreach_mul_(tensors, factor)


class Scratch:
    """Parameter-sized buffers that are made once and kept, so that no step allocates them anew.

    A buffer is one flat tensor, so that noise is one draw over the whole parameter vector,
    and views of it in the parameters' shapes and memory formats, so that fused operations
    with the parameters stay fused.
    """

    def __init__(self) -> None:
        self._buffers: dict[str, tuple[Tensor, list[Tensor]]] = {}

    def __call__(self, name: str, like: Sequence[Tensor]) -> tuple[Tensor, list[Tensor]]:
        """(flat, views) of buffer ``name``, one view per tensor of ``like``; the content is old."""
        held = self._buffers.get(name)
        if held is None or not _alike(held[1], like):
            flat = like[0].new_empty(sum(t.numel() for t in like)).detach()
            held = self._buffers[name] = (flat, _views(flat, like))
        return held


def _alike(parts: Sequence[Tensor], like: Sequence[Tensor]) -> bool:
    return len(parts) == len(like) and all(
        a.shape == b.shape and a.dtype == b.dtype and a.device == b.device
        for a, b in zip(parts, like, strict=True)
    )


def _views(flat: Tensor, like: Sequence[Tensor]) -> list[Tensor]:
    views, offset = [], 0
    for tensor in like:
        dense = torch.empty_like(tensor, device="meta")  # same memory format, no memory
        views.append(flat.as_strided(tensor.shape, dense.stride(), offset))
        offset += tensor.numel()
    return views


class Displacement:
    """``with Displacement(params, scratch) as at:`` the weights can be perturbed, then restored.

    Attributes:
        weights: The weights where they now are, one tensor per parameter.
        start: A copy of where they were when the block began.
        perturbed: Whether they are elsewhere now.

    The weights are written through ``p.data``: a graph made at the clean weights may then be
    differentiated after they are restored, as in NRS. (Autograd's version counter would
    refuse it, although every backward pass here runs while its own weights are in place.)
    """

    def __init__(self, params: Sequence[nn.Parameter], scratch: Scratch) -> None:
        self.weights = [p.data for p in params]
        self.start = scratch("start", self.weights)[1]
        self.perturbed = False

    def __enter__(self) -> Displacement:
        torch._foreach_copy_(self.start, self.weights)
        return self

    def perturb(self, direction: list[Tensor], factor: float = 1.0) -> None:
        """weights ← start + factor · direction (one tensor per parameter), in place."""
        self.restore()
        self.perturbed = True
        torch._foreach_add_(self.weights, direction, alpha=factor)
        torch.clear_autocast_cache()  # autocast keeps low-precision copies of the weights

    def restore(self) -> None:
        """weights ← start, bit for bit."""
        if self.perturbed:
            torch._foreach_copy_(self.weights, self.start)
            torch.clear_autocast_cache()
            self.perturbed = False

    def __exit__(self, *error: object) -> None:
        self.restore()
