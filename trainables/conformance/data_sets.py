"""What every data set promises."""

from __future__ import annotations

from trainables import data
from trainables.conformance.cases import global_seed
from trainables.data.base import Dataset, MissingDataError, content
from trainables.data.loader import BatchLoader
from trainables.data.splits import split
from trainables.data_folder import data_directory
from trainables.fields import Data
from trainables.structures import batch_size, tensors


def build(name: str, seed: int = 0) -> Dataset | None:
    """With its defaults, read anew; None: its originals are not here."""
    options = data.registry.resolve(name, {})
    with global_seed(seed):
        try:
            found = data.registry.build(name, directory=data_directory(), **options)
        except MissingDataError:
            return None
    if not isinstance(found, Dataset):
        raise TypeError(f"it gives a {type(found).__name__}, not a trainables.data.base.Dataset")
    return found


def examples(name: str) -> str:
    """Its examples."""
    dataset = build(name)
    if dataset is None:
        return ""
    if dataset.name != name:
        return f"it calls itself {dataset.name!r}"
    for what in ("train", "validation", "test"):
        images = getattr(dataset, what)
        if images is None:
            continue
        if len(images) == 0:
            return f"{what} has no examples"
        if images.is_array and not (images.is_pixels or images.base.is_floating_point()):
            return f"{what} is {images.base.dtype}: images are uint8, features floating-point"
        if not all(tensor.isfinite().all() for tensor in tensors(images.inputs)):
            return f"{what} has numbers that are not finite"
        labels = images.labels if dataset.num_classes else None
        if labels is not None and not (
            0 <= int(labels.min()) <= int(labels.max()) < dataset.num_classes
        ):
            return f"{what} has labels outside 0 ... {dataset.num_classes - 1} (num_classes - 1)"
    return ""


def statistics(name: str) -> str:
    """Its mean and standard deviation."""
    dataset = build(name)
    if dataset is None:
        return ""
    if dataset.class_names and len(dataset.class_names) != dataset.num_classes:
        return f"it has {len(dataset.class_names)} class_names and {dataset.num_classes} classes"
    if not dataset.train.is_array:
        return ""
    channels = dataset.train.base.shape[1]
    if len(dataset.mean) != len(dataset.std) or len(dataset.mean) not in (1, channels):
        return (
            f"mean and std have {len(dataset.mean)} and {len(dataset.std)} of {channels} channels"
        )
    return ""


def same_again(name: str) -> str:
    """Two readings."""
    found = [build(name, seed) for seed in (1, 2)]
    digests = {content(dataset) for dataset in found if dataset is not None}
    if len(digests) < 2:
        return ""
    return "two readings differ: draw what is random from a generator with a seed of its own"


def batches(name: str) -> str:
    """A batch of it."""
    dataset = build(name)
    if dataset is None:
        return ""
    parts = split(dataset, Data(validation=0.2), 0)
    loader = BatchLoader(parts.train, 2, (), parts.mean, parts.std, resize=dataset.resize)
    inputs, _ = next(loader.epoch(0))
    if parts.train.is_array and inputs.shape != (2, *dataset.input_shape):
        return f"a batch of 2 has shape {tuple(inputs.shape)}"
    if batch_size(inputs) != 2:
        return f"a batch of 2 has {batch_size(inputs)} rows"
    finite = all(tensor.isfinite().all() for tensor in tensors(inputs))
    return "" if finite else "a normalized batch is not finite: see mean and std"


CHECKS = (examples, statistics, same_again, batches)

__all__ = ["CHECKS", "build"]
