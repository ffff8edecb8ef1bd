"""Networks by name: ``build("wrn_28_10", num_classes=100)``.

Every file of this package is imported, so that a new architecture is one new
file. A network's keyword-only parameters are its options; the number of
classes and the shape of one input come from the data set. Initial weights are
drawn from torch's global generator: seed it first (`trainables.seeding`).

No network has an activation that works in place or an operation without second
derivatives, so that every method and curvature measure can go through it.
Names that end in ``_tiny`` are the same architectures with a few thousand
parameters, for smoke runs; they take the options of the large ones.
"""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Sequence
from typing import Any

from torch import nn

from trainables.errors import UsageError
from trainables.registry import Registry

registry: Registry[Any] = Registry("model", given=("num_classes", "input_shape"))


def build(
    name: str,
    num_classes: int = 10,
    input_shape: Sequence[int] = (3, 32, 32),
    **options: Any,
) -> nn.Module:
    """Network ``name`` for inputs of ``input_shape``: ``(B, *input_shape) -> (B, num_classes)``.

    Raises:
        ValueError: unknown name or option, an option out of range, or a network
            that cannot take inputs of this shape. One sentence each.
    """
    shape = tuple(input_shape)
    if num_classes < 1 or not shape or min(shape) < 1:
        raise UsageError(f"num_classes = {num_classes}, input_shape = {shape}: all must be >= 1")
    options = registry.resolve(name, options)
    try:
        model = registry.build(name, num_classes=num_classes, input_shape=shape, **options)
    except ValueError as error:
        raise UsageError(f"model {name!r}: {error}") from None
    assert isinstance(model, nn.Module)
    return model


def names() -> list[str]:
    """Every registered network, sorted."""
    return registry.names()


for _module in pkgutil.iter_modules(__path__):
    importlib.import_module(f"{__name__}.{_module.name}")

__all__ = ["build", "names", "registry"]
