"""Whether what is normalized has statistics: one value per channel has no variance.

torch says so in the step at which it happens, an epoch into the training for a last batch of one
image. Here it is said before the first, of the smallest batch there will be.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from math import prod
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm
from torch.nn.modules.instancenorm import _InstanceNorm

from trainables.config import TrialConfig
from trainables.data.base import DataError
from trainables.methods.base import Method
from trainables.methods.objective import normalized_together
from trainables.structures import portions, tensors


def check(
    model: nn.Module, method: Method, config: TrialConfig, image: Any, images: int, workers: int
) -> None:
    """Raise `DataError` where a layer of ``model`` would normalize single values.

    That is a BatchNorm of which each channel has one value in the smallest part of a batch that it
    normalizes, or a layer that normalizes each image by itself and finds one value to do it by.

    Args:
        image: One input, (1, ...), on the model's device; or a structure of such tensors.
        images: How many are trained on.
        workers: How many processes share a batch.
    """
    sizes = batch_sizes(images, config)
    joined = workers > 1 and config.workers.batchnorm == "sync"
    least = [min(sizes) if joined else smallest_part(size, method, workers) for size in sizes]
    kinds: tuple[type[nn.Module], ...] = (_InstanceNorm, nn.GroupNorm)
    if min(least) == 1:
        kinds = (_BatchNorm, *kinds)
    starved = _first_of_one_value(model, image, kinds)
    if starved is None:
        return
    name, layer = starved
    what = f"layer {name!r} ({type(layer).__name__}) of model {config.model.name!r}"
    if not isinstance(layer, _BatchNorm):
        raise DataError(
            f"{what} would normalize single values of images of shape {_shape(image)}: "
            "take larger images, or another model"
        )
    last = least[0] > 1
    batch = f"the last batch of {sizes[-1]}" if last else f"a batch of {sizes[0]}"
    remedy = (
        "set drop_last = true, or take another batch_size"
        if last
        else "take a larger batch_size, or fewer parts or workers"
    )
    raise DataError(
        f"{what} would normalize single values: of {images} training images in batches of "
        f"{config.batch_size}, {batch} has a part of 1 image with 1 value per channel; {remedy}"
    )


def _shape(image: Any) -> str:
    return " and ".join(str(tuple(tensor.shape[1:])) for tensor in tensors(image))


def batch_sizes(images: int, config: TrialConfig) -> list[int]:
    """How many of ``images`` the first batch of an epoch has, and the last if that has fewer."""
    full, rest = divmod(images, config.batch_size)
    sizes = [config.batch_size] if full else []
    return sizes + ([rest] if rest and not config.drop_last else [])


def smallest_part(batch: int, method: Method, workers: int) -> int:
    """Samples of the smallest part of a batch that BatchNorm normalizes at once, in any pass."""
    return min(
        piece.stop - piece.start
        for own in {max(1, part.stop - part.start) for part in portions(batch, workers)}
        for samples in (own, *_parts_of_passes(own, method, workers))
        for piece in normalized_together(
            samples, own, method.composition.batchnorm_parts // workers
        )
    )


def _parts_of_passes(samples: int, method: Method, workers: int) -> Iterator[int]:
    """Samples in each of the passes that the method makes over a worker's ``samples``."""
    for part in portions(samples, min(max(1, method.most_parts // workers), samples)):
        yield part.stop - part.start


class _OneValueError(Exception):
    """Ends the pass that looks for such a layer, at the first."""


def _first_of_one_value(
    model: nn.Module, image: Any, kinds: tuple[type[nn.Module], ...]
) -> tuple[str, nn.Module] | None:
    """The first layer of these kinds that has one value per channel, or per group, of ``image``.

    Found by a pass in evaluation mode, which moves no statistics and drops nothing.
    """
    layers = {m: name for name, m in model.named_modules() if isinstance(m, kinds)}
    if not layers:
        return None
    found: list[nn.Module] = []

    def look(layer: nn.Module, inputs: tuple[Tensor, ...]) -> None:
        shape = inputs[0].shape
        together = shape[1] // layer.num_groups if isinstance(layer, nn.GroupNorm) else 1
        if together * prod(shape[2:]) == 1:
            found.append(layer)
            raise _OneValueError

    was_training = model.training
    with ExitStack() as hooks, torch.no_grad():
        for layer in layers:
            hooks.callback(layer.register_forward_pre_hook(look).remove)
        model.eval()
        try:
            model(image)
        except _OneValueError:
            pass
        finally:
            model.train(was_training)
    return (layers[found[0]], found[0]) if found else None


__all__ = ["batch_sizes", "check", "smallest_part"]
