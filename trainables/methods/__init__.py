"""Training methods: rules that turn a batch into a gradient.

    method = methods.build("amp", epsilon=0.5, inner_lr=1.0)
    out = method.gradient(model, loss_fn, inputs, targets, generator=g)

afterwards every trainable parameter holds the method's gradient in ``p.grad``
and is itself bit for bit what it was. Importing the package imports every file
in it, so that adding a method is adding a file.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, get_args

from trainables.errors import UsageError
from trainables.methods.base import BatchNorm, Method, Output, Progress, Regularizer, registry
from trainables.registry import import_all

import_all(__name__)


def names() -> list[str]:
    """Every registered name: update rules and regularizers."""
    return registry.names()


def regularizers() -> list[str]:
    """The names that can be composed with a rule; as a method each means ERM with it."""
    return [name for name in names() if issubclass(registry.get(name), Regularizer)]


def build(
    name: str,
    *,
    regularizers: Iterable[str | tuple[str, Mapping[str, Any]] | Mapping[str, Any]] = (),
    batchnorm: BatchNorm = "clean",
    batchnorm_parts: int = 1,
    **hyper: Any,
) -> Method:
    """The method ``name``, composed with ``regularizers``.

    Args:
        name: One of `names`. A regularizer's name gives ERM with that regularizer.
        regularizers: Names, ``(name, options)`` pairs or ``{"name": ..., **options}``, in the
            order in which they change the batch, its targets and its loss. A rule sees the
            regularized loss wherever its formula says loss.
        batchnorm: ``clean``: running statistics move once per step, with the clean pass where
            the method has one and with its first pass otherwise. ``all``: with every pass, as
            the authors of AMP do in every table. ``separate``: with a forward pass at w of its
            own before the step (a third of a gradient evaluation), as the authors of NSO do.
        batchnorm_parts: BatchNorm takes its statistics over each of this many parts of a batch, as
            if each part were on a device of its own.
        hyper: The method's own hyper-parameters.

    Raises:
        ValueError: unknown name, unknown hyper-parameter, or a value out of range; it names
            what is allowed.
    """
    if batchnorm not in get_args(BatchNorm):
        allowed = ", ".join(map(repr, get_args(BatchNorm)))
        raise UsageError(f"batchnorm = {batchnorm!r}: allowed are {allowed}")
    if batchnorm_parts < 1:
        raise UsageError(f"batchnorm_parts = {batchnorm_parts}: it is at least 1")
    part = registry.build(name, **hyper)
    extra = [_regularizer(given) for given in regularizers]
    if isinstance(part, Regularizer):
        part, extra = registry.build("erm"), [part, *extra]
    return part.compose(
        regularizers=tuple(extra), batchnorm=batchnorm, batchnorm_parts=batchnorm_parts
    )


def _regularizer(given: str | tuple[str, Mapping[str, Any]] | Mapping[str, Any]) -> Regularizer:
    if isinstance(given, str):
        name, options = given, {}
    elif isinstance(given, Mapping):
        options = dict(given)
        name = options.pop("name", "")
    else:
        name, options = given[0], dict(given[1])
    require_regularizer(name)
    return registry.build(name, **options)


def require_regularizer(name: str) -> None:
    """Raise ValueError where ``name`` is unknown or an update rule."""
    if not issubclass(registry.get(name), Regularizer):
        raise UsageError(
            f"method {name!r} is an update rule, not a regularizer; "
            f"regularizers: {', '.join(regularizers())}"
        )


__all__ = [
    "Method",
    "Output",
    "Progress",
    "Regularizer",
    "build",
    "names",
    "registry",
    "regularizers",
    "require_regularizer",
]
