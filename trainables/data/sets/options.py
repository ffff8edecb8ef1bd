"""Options that several image data sets share."""

from __future__ import annotations

from dataclasses import replace
from typing import Annotated, Literal

from pydantic import Field

from trainables.data.base import Dataset
from trainables.needs import Needs

SetName = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$")]
"""Name of a folder (or file) of the data directory, which holds a person's own data."""

TestSet = Literal["published", "split", "uniform"]
Normalization = Literal["train", "imagenet"]

IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_STD = (0.229, 0.224, 0.225)
"""Mean and standard deviation per channel that torchvision's pretrained networks expect."""


def resized(edge: int) -> Needs:
    """What the option ``resize`` needs where images have this edge already: another value."""
    return Needs(f"another edge than the images' own {edge}", lambda o: o.resize != edge)


def variant(
    dataset: Dataset,
    *,
    test_set: TestSet = "published",
    confusion: int = 0,
    normalization: Normalization = "train",
    resize: int | None = None,
) -> Dataset:
    """``dataset`` with these options applied.

    Args:
        dataset: As its publisher has it.
        test_set: ``split`` leaves the published test set out, so that one is drawn from the
            training images (FA, Section 5: 3,000 images of CIFAR-100 cut 2,400 / 600): each class
            in proportion, or ``uniform``, as FA's code draws.
        confusion: Training images outside the subset that are added with random labels
            (InfoMCR, Section 7.1, scenario I).
        normalization: Mean and std of the training set, or ImageNet's (NSO: networks
            pretrained on it).
        resize: Edge in pixels that batches are resized to on the device (NSO: 224).
    """
    changes: dict[str, object] = {"confusion": confusion, "resize": resize}
    if test_set != "published":
        changes |= {"test": None, "stratified": test_set == "split"}
    if normalization == "imagenet":
        channels = len(dataset.mean)
        changes["mean"], changes["std"] = IMAGENET_MEAN[:channels], IMAGENET_STD[:channels]
    return replace(dataset, **changes)  # type: ignore[arg-type]


__all__ = [
    "IMAGENET_MEAN",
    "IMAGENET_STD",
    "Normalization",
    "SetName",
    "TestSet",
    "resized",
    "variant",
]
