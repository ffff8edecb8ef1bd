"""scikit-learn's handwritten digits: 1,797 real 8x8 images that need no download."""

from __future__ import annotations

import torch

from trainables.data.base import About, Dataset, Images, about, channel_statistics, registry
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
    from sklearn.datasets import load_digits

    raw = load_digits()
    pixels = torch.from_numpy(raw.images * 15).to(torch.uint8)[:, None].contiguous()
    mean, std = channel_statistics(pixels)
    return Dataset(
        name="digits",
        train=Images(pixels, torch.from_numpy(raw.target).long()),
        test=None,
        num_classes=10,
        mean=mean,
        std=std,
        class_names=tuple("0123456789"),
        source="handwritten digits (scikit-learn)",
        confusion=confusion,
    )
