"""Which parameters a measure is taken over, and the one vector that they form."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import torch
from torch import Tensor, nn

from trainables.errors import UsageError, unknown

Which = str | tuple[str, ...]
"""``all`` trainable parameters; ``weights``: those with two or more dimensions (no biases, no
normalisation); ``last``: of the last linear layer; otherwise names of modules or parameters."""


def select(model: nn.Module, which: str | Sequence[str] = "all") -> dict[str, nn.Parameter]:
    """The parameters that ``which`` names, by name, in the model's order.

    Raises:
        UsageError: if a name is neither a parameter nor a module that has any.
    """
    parameters = dict(model.named_parameters())
    if which == "all":
        return {name: p for name, p in parameters.items() if p.requires_grad}
    if which == "weights":
        return {name: p for name, p in parameters.items() if p.requires_grad and p.ndim > 1}
    if which == "last":
        which = last_linear(model)[0]
    chosen: set[str] = set()
    for name in [which] if isinstance(which, str) else which:
        found = [p for p in parameters if p == name or p.startswith(f"{name}.") or not name]
        if not found:
            layers = {p.rpartition(".")[0] for p in parameters} - {""}
            raise UsageError(unknown("layer", name, sorted(layers | {"all", "weights", "last"})))
        chosen.update(found)
    return {name: p for name, p in parameters.items() if name in chosen}


def last_linear(model: nn.Module) -> tuple[str, nn.Linear]:
    """(name, layer) of the model's last `nn.Linear`, by order of registration.

    Raises:
        UsageError: if there is none.
    """
    linear = [(n, m) for n, m in model.named_modules() if isinstance(m, nn.Linear)]
    if not linear:
        raise UsageError(f"{type(model).__name__} has no linear layer to take as its last layer")
    return linear[-1]


def vector_to_tensors(vector: Tensor, like: Iterable[Tensor]) -> list[Tensor]:
    """Views of ``vector`` (size,), one in the shape of each tensor of ``like``."""
    tensors = list(like)
    parts = vector.split([tensor.numel() for tensor in tensors])
    return [part.view(tensor.shape) for part, tensor in zip(parts, tensors, strict=True)]


def displaced(
    model: nn.Module, at: Mapping[str, Tensor], direction: Tensor, scale: float = 1.0
) -> dict[str, Tensor]:
    """All parameters of ``model`` by name, those in ``at`` with ``scale * direction`` added.

    Args:
        at: Parameters to displace, by name.
        direction: (size,), over the parameters in ``at``.
    """
    moved = {name: p.detach() for name, p in model.named_parameters()}
    for (name, tensor), part in zip(
        at.items(), vector_to_tensors(direction, at.values()), strict=True
    ):
        moved[name] = torch.add(tensor.detach(), part, alpha=scale)
    return moved
