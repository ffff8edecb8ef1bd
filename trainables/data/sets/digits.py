"""scikit-learn's handwritten digits: 1,797 real 8x8 images that need no download."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

import numpy as np
import torch

from trainables.data.base import (
    About,
    DataError,
    Dataset,
    Images,
    about,
    channel_statistics,
    registry,
)
from trainables.registry import Index

about["digits"] = About("handwritten digits: 1,797 of 8x8 gray, 10 classes; with scikit-learn")


@registry.register("digits")
def digits(*, confusion: Index = 0) -> Dataset:
    """Optical recognition of handwritten digits (Alpaydin & Kaynak 1998, UCI test part).

    Grey levels 0..16 are stored as 0..240 (times 15, exactly). No test set is
    published with these rows: a fifth, stratified, is drawn by `splits.split`.

    Args:
        confusion: Training images outside the subset to add with random labels.
    """
    rows = np.loadtxt(_file(), delimiter=",", dtype=np.int64)
    grey, labels = rows[:, :-1].reshape(-1, 1, 8, 8), rows[:, -1]
    pixels = torch.from_numpy((grey * 15).astype(np.uint8))
    mean, std = channel_statistics(pixels)
    return Dataset(
        name="digits",
        train=Images(pixels, torch.from_numpy(labels.copy())),
        test=None,
        num_classes=10,
        mean=mean,
        std=std,
        class_names=tuple("0123456789"),
        source="handwritten digits (scikit-learn)",
        confusion=confusion,
    )


def _file() -> Path:
    """scikit-learn's own table, found without importing scikit-learn: that takes seconds, and
    every worker would pay them before its first trial."""
    package = find_spec("sklearn")
    places = list(package.submodule_search_locations or ()) if package else []
    for place in places:
        if (file := Path(place) / "datasets" / "data" / "digits.csv.gz").is_file():
            return file
    raise DataError(
        "the handwritten digits come with scikit-learn, whose file datasets/data/digits.csv.gz "
        "is not there: install scikit-learn again"
    )
