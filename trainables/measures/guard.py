"""Checks before a measurement, and the model as it was after it."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn
from torch.nn.modules.dropout import _DropoutNd

from trainables.errors import UsageError
from trainables.structures import detached, tensors

if TYPE_CHECKING:
    from trainables.measures.base import Batches


@contextlib.contextmanager
def guarded(model: nn.Module, batches: Batches, checked: bool = False) -> Iterator[None]:
    """Check that two passes agree; after the block the model is bit for bit as before it.

    Parameters, buffers, ``requires_grad`` flags and ``grad`` fields are put
    back after the block, whatever happened in it.

    Args:
        checked: Two passes were seen to agree already, and nothing has changed since.

    Raises:
        ValueError: if the model is in training mode or drops units at random,
            or if two passes over ``batches`` differ. The message says what to do.
    """
    require_evaluation_mode(model)
    if not checked:
        check(model, batches)
    tensors = [*model.parameters(), *model.buffers()]
    kept = [tensor.detach().clone() for tensor in tensors]
    flags = [(p, p.requires_grad, p.grad) for p in model.parameters()]
    try:
        yield
    finally:
        with torch.no_grad():
            for tensor, value in zip(tensors, kept, strict=True):
                tensor.copy_(value)
        for parameter, needed, grad in flags:
            parameter.requires_grad_(needed)
            parameter.grad = grad


def check(model: nn.Module, batches: Batches) -> None:
    """The checks of `guarded`, without its block."""
    require_evaluation_mode(model)
    first = _fingerprint(model, batches)
    second = _fingerprint(model, batches)
    if not first:
        raise UsageError("there are no batches to measure on: give at least one")
    for index, (one, two) in enumerate(zip(first, second, strict=False)):
        for what, a, b in zip(("inputs", "targets", "logits"), one, two, strict=True):
            if not _equal(a, b, exact=what != "logits"):
                where = f"{what} of batch {index} differ"
                raise UsageError(f"two passes disagree: {where}; {_REMEDY[what]}")
    if len(first) != len(second):
        raise UsageError(
            f"two passes disagree: {len(first)} batches, then {len(second)}; "
            "give a list of batches, not an iterator"
        )


def require_evaluation_mode(model: nn.Module) -> None:
    """Raise UsageError where a module of ``model`` is in training mode, naming it."""
    for name, module in model.named_modules():
        if module.training:
            if isinstance(module, _DropoutNd):
                raise UsageError(
                    f"dropout {name!r} is active, so no two passes agree: call model.eval() first"
                )
            raise UsageError(
                f"the model is in training mode (module {name or type(model).__name__!r}): "
                "call model.eval() first"
            )


_REMEDY = {
    "inputs": "turn random augmentation and shuffling off, or collect the batches in a list once",
    "targets": "turn shuffling and label noise off, or collect the batches in a list once",
    "logits": "the model is random in eval mode; make its forward pass deterministic",
}


@torch.no_grad()
def _fingerprint(model: nn.Module, batches: Batches) -> list[tuple[list[Tensor], ...]]:
    """Per batch: position-weighted checksums of the inputs and targets, and the outputs."""
    return [(_checksums(x), _checksums(y), tensors(detached(model(x)))) for x, y in batches]


def _checksums(batch: Any) -> list[Tensor]:
    flat = (tensor.detach().reshape(-1).double() for tensor in tensors(batch))
    return [f @ torch.linspace(1, 2, len(f), dtype=torch.float64, device=f.device) for f in flat]


def _equal(one: list[Tensor], two: list[Tensor], exact: bool) -> bool:
    pairs = zip(one, two, strict=False)
    return len(one) == len(two) and all(_same(a, b, exact) for a, b in pairs)


def _same(a: Tensor, b: Tensor, exact: bool) -> bool:
    if a.shape != b.shape:
        return False
    if exact:
        return torch.equal(a, b)
    # Some kernels on a GPU add in an order of their own: rounding of one forward pass is allowed.
    scale = float(a.abs().amax()) if a.numel() else 0.0
    return torch.allclose(a, b, rtol=0, atol=1e-4 * scale, equal_nan=True)
