"""When the running statistics of batch normalization move."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import torch
from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm, _NormBase


def tracked_layers(model: nn.Module) -> list[_NormBase]:
    """The layers whose running statistics a forward pass would now move."""
    return [
        m
        for m in model.modules()
        if isinstance(m, _NormBase) and m.training and m.track_running_stats
    ]


@contextmanager
def moving(layers: Sequence[_NormBase], microbatch: tuple[int, int] | None) -> Iterator[None]:
    """Within the block a forward pass moves the running statistics r of ``layers`` as one of M.

    After M passes, ``microbatch = (i, M)`` with i from 0 to M - 1, they are
    ``(1 - m) r + m · mean of the M passes' batch statistics``, m the layer's momentum: the same as
    after one pass on each of M devices and an average over the devices. Passes one after another
    reach that with the momenta ``a_i = (m/M) / (1 - (M-1-i) m/M)``. The layers' counter of passes
    grows by one. (With ``momentum = None``, a cumulative average, only the first pass counts.)

    Args:
        microbatch: (i, M); None: the pass leaves the running statistics as they are.
    """
    if microbatch is None:
        with _frozen(layers):
            yield
        return
    index, count = microbatch
    if count == 1:
        with _counted_together(layers):
            yield
        return
    momenta = [layer.momentum for layer in layers]
    counters = [layer.num_batches_tracked for layer in layers]
    cumulative = [layer for layer, momentum in zip(layers, momenta, strict=True) if not momentum]
    with _frozen(cumulative if index else ()):
        for layer, momentum in zip(layers, momenta, strict=True):
            if momentum:
                part = momentum / count
                layer.momentum = part / (1 - (count - 1 - index) * part)
        try:
            yield
        finally:
            for layer, momentum, counter in zip(layers, momenta, counters, strict=True):
                layer.momentum = momentum
                if index and momentum and counter is not None and isinstance(layer, _BatchNorm):
                    counter.sub_(1)


@contextmanager
def _counted_together(layers: Sequence[_NormBase]) -> Iterator[None]:
    """Within the block layers do not count their passes; after it all have counted one, at once.

    Torch's own layers, that is, but for a cumulative average, which divides by the count.
    """
    counting = [m for m in layers if _counts(m)]
    counters = [c for layer in counting if (c := layer.num_batches_tracked) is not None]
    for layer in counting:
        layer.num_batches_tracked = None
    try:
        yield
    finally:
        for layer, counter in zip(counting, counters, strict=True):
            layer.num_batches_tracked = counter
    if counters:
        torch._foreach_add_(counters, 1)


def _counts(layer: _NormBase) -> bool:
    torchs = type(layer).forward is _BatchNorm.forward
    return torchs and layer.momentum is not None and layer.num_batches_tracked is not None


@contextmanager
def _frozen(layers: Sequence[_NormBase]) -> Iterator[None]:
    """Within the block batch statistics are used and the running ones neither read nor written."""
    momenta = [layer.momentum for layer in layers]
    for layer in layers:
        if isinstance(layer, _BatchNorm):
            layer.track_running_stats = False
        else:  # instance normalization would write them all the same
            layer.momentum = 0.0
    try:
        yield
    finally:
        for layer, momentum in zip(layers, momenta, strict=True):
            layer.track_running_stats = True
            layer.momentum = momentum
