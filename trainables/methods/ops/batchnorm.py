"""When the running statistics of batch normalization move."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm, _NormBase


def tracked_layers(model: nn.Module) -> list[_NormBase]:
    """Layers in training mode that would move running statistics with a forward pass."""
    return [
        m
        for m in model.modules()
        if isinstance(m, _NormBase) and m.training and m.track_running_stats
    ]


@contextmanager
def moving(layers: Sequence[_NormBase], microbatch: tuple[int, int] | None) -> Iterator[None]:
    """Within the block ``layers`` leave their statistics alone (None), or move them by their part.

    ``microbatch = (i, M)``: the i-th of M passes after which the statistics are
    ``(1 - m) r + m · mean of the M passes' batch statistics``, m the layer's momentum: what
    one pass on each of M devices and an average over the devices gives. Sequential passes
    reach that with the momenta ``a_i = (m/M) / (1 - (M-1-i) m/M)``, i from 0. The pass counter
    moves once. (With ``momentum = None``, a cumulative average, the first pass counts alone.)
    """
    if microbatch is None:
        with _frozen(layers):
            yield
        return
    index, count = microbatch
    if count == 1:
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
def _frozen(layers: Sequence[_NormBase]) -> Iterator[None]:
    """Batch statistics are used and the running ones neither read nor written."""
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
