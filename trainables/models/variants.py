"""One architecture under several names that differ in their defaults only."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from typing import Any

from torch import nn

from trainables.models import Layers, registry


def register_variant(
    name: str,
    network: Callable[..., nn.Module],
    doc: str,
    layers: Layers | None = None,
    **defaults: Any,
) -> Callable[..., nn.Module]:
    """Enrol ``network`` as ``name`` too: same options, other ``defaults``, its own ``doc``.

    Its ``layers`` are those that ``network`` was registered with, unless they are given; so are its
    ``inputs`` and ``losses``.

    Parameters of ``network`` that are not keyword-only are no options: their values are fixed here.
    Options that ``network`` got later (`Registry.register`) came to its variants as late.

    Raises:
        TypeError: when ``defaults`` names something ``network`` does not take.
    """
    signature = inspect.signature(network)
    if unknown := defaults.keys() - signature.parameters.keys():
        raise TypeError(f"{network.__name__} takes no {', '.join(sorted(unknown))}")

    @functools.wraps(network)
    def build(**options: Any) -> nn.Module:
        return network(**{**defaults, **options})

    changed = [
        parameter.replace(default=defaults.get(key, parameter.default))
        for key, parameter in signature.parameters.items()
        if parameter.kind is parameter.KEYWORD_ONLY
    ]
    build.__signature__ = signature.replace(parameters=changed)  # type: ignore[attr-defined]
    build.__name__ = build.__qualname__ = name
    build.__doc__ = doc
    declared, fit = layers or registry.declaration(network), registry.fit_of(network)
    return registry.register(
        name,
        registry.added(network),
        inputs=fit.inputs,
        losses=fit.losses,
        layers=declared,
    )(build)
