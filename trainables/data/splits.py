"""Train, validation and test parts, drawn from a seed; subsets and confusion sets.

Every draw has a generator of its own, so that asking for a validation set does
not change which images the subset holds.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from trainables.data.base import DataError, Dataset, Images, channel_statistics
from trainables.seeding import generator

if TYPE_CHECKING:
    from trainables.config import Data

TEST_FRACTION = 0.2
"""Fraction of a data set without a published test set that is held out as one."""


@dataclass(frozen=True, eq=False)
class Splits:
    """The parts of a data set that one trial uses.

    Attributes:
        train: What is trained on, random labels included.
        validation: Held out of the training images; None if none was asked for.
        test: The published test set, or a stratified fifth drawn from the seed.
        clean: The training images with true labels only (InfoMCR measures on these).
        mean, std: What inputs are normalised with: per channel, or per feature. No test image
            enters them: where no test set is published, they are computed after one is drawn (for
            features from what is trained on; for pixels from that and the validation images, so
            that holding some out does not change how the others look).
    """

    train: Images
    validation: Images | None
    test: Images
    clean: Images
    mean: Tensor
    std: Tensor


def split(dataset: Dataset, config: Data, seed: int) -> Splits:
    """Cut ``dataset`` as ``config`` says, from ``config.split_seed`` or else the trial's ``seed``.

    In this order: the subset (uniform, without replacement), the test set where none is
    published (20 %, stratified unless the data set says otherwise), the validation set
    (stratified; the published one where there is one and ``config.validation`` > 0), the
    confusion set (images outside the subset, uniform labels).

    Raises:
        DataError: if a part asked for is larger than what there is, or a class is empty.
    """
    seed = seed if config.split_seed is None else config.split_seed
    everything = dataset.train
    order = torch.randperm(len(everything), generator=generator(seed, "split", 0))
    if config.subset is not None and config.subset > len(everything):
        raise DataError(
            f"data.subset = {config.subset}: {dataset.name!r} has only {len(everything)} "
            "training images; ask for at most that many"
        )
    size = len(everything) if config.subset is None else config.subset
    kept = order[:size].sort().values
    test = dataset.test
    if test is None:
        kept, held = _hold_out(
            everything, kept, TEST_FRACTION, seed, 1, dataset, dataset.stratified
        )
        test = everything.take(held)
    seen = everything.take(kept)
    validation = None
    if config.validation > 0:
        if dataset.validation is not None:
            validation = dataset.validation
        else:
            kept, held = _hold_out(everything, kept, config.validation, seed, 2, dataset)
            validation = everything.take(held)
    clean = everything.take(kept)
    train = clean
    if dataset.confusion:
        train = _confused(dataset, clean, order[size:], seed)
    mean, std = _statistics(dataset, seen, clean)
    return Splits(train, validation, test, clean, mean, std)


def _hold_out(
    images: Images,
    kept: Tensor,
    part: float,
    seed: int,
    purpose: int,
    dataset: Dataset,
    stratified: bool = True,
) -> tuple[Tensor, Tensor]:
    """Cut ``part`` (a fraction below 1, else a count) of the positions ``kept`` off.

    Each class in proportion where ``stratified`` and the targets are classes, else uniformly.
    """
    count = round(part * len(kept)) if part < 1 else int(part)
    if not 0 < count < len(kept):
        raise DataError(
            f"cannot hold {count} of {len(kept)} images of {dataset.name!r} out: "
            "ask for at least one, and leave at least one to train on"
        )
    shuffled = kept[torch.randperm(len(kept), generator=generator(seed, "split", purpose))]
    held = torch.arange(len(shuffled)) < count
    if stratified and dataset.num_classes and images.labels is not None:
        held = _stratified(images.labels[shuffled], count)
    return shuffled[~held].sort().values, shuffled[held].sort().values


def _stratified(targets: Tensor, count: int) -> Tensor:
    """The first images of each class, in proportion, ``count`` in all; bool (n,).

    Proportions are rounded by largest remainder (of equal ones, the first class's), so that
    each class is within one image of its exact share.
    """
    sizes = torch.bincount(targets)
    quotas, remainders = (sizes * count) // len(targets), (sizes * count) % len(targets)
    short = count - int(quotas.sum())
    quotas[torch.argsort(remainders, descending=True, stable=True)[:short]] += 1
    by_class = torch.argsort(targets, stable=True)
    within = torch.arange(len(targets)) - (sizes.cumsum(0) - sizes)[targets[by_class]]
    held = torch.empty(len(targets), dtype=torch.bool)
    held[by_class] = within < quotas[targets[by_class]]
    return held


def _confused(dataset: Dataset, clean: Images, outside: Tensor, seed: int) -> Images:
    """``clean`` and after it ``dataset.confusion`` other training images with random labels."""
    if dataset.confusion > len(outside):
        raise DataError(
            f"confusion = {dataset.confusion}: only {len(outside)} training images of "
            f"{dataset.name!r} are outside the subset; ask for fewer or take a smaller subset"
        )
    added = outside[: dataset.confusion].sort().values
    labels = torch.randint(
        dataset.num_classes, (len(added),), generator=generator(seed, "split", 3)
    )
    rows = dataset.train.take(added)
    return Images(
        clean.base,
        torch.cat([clean.targets, labels]),
        torch.cat([_rows(clean), _rows(rows)]),
    )


def _rows(images: Images) -> Tensor:
    return torch.arange(len(images)) if images.rows is None else images.rows


def _statistics(dataset: Dataset, seen: Images, train: Images) -> tuple[Tensor, Tensor]:
    if not dataset.standardize:
        known = dataset.mean, dataset.std
        if dataset.test is None and seen.is_pixels:
            known = channel_statistics(seen.inputs)
        mean, std = (torch.tensor(values, dtype=torch.float64) for values in known)
        return mean, std
    inputs = train.inputs.double()
    std = inputs.std(0, correction=0)
    return inputs.mean(0), torch.where(std == 0, torch.ones_like(std), std)


__all__ = ["TEST_FRACTION", "Splits", "split"]
