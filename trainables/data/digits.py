"""scikit-learn's handwritten digits: 1,797 real 8x8 images that need no download."""

from __future__ import annotations

import torch

from trainables.data.base import Dataset, Images, channel_statistics, registry


@registry.register("digits")
def digits() -> Dataset:
    """Optical recognition of handwritten digits (Alpaydin & Kaynak 1998, UCI test part).

    Grey levels 0..16 are stored as 0..240 (times 15, exactly). No test set is
    published with these rows: a fifth, stratified, is drawn by `splits.split`.
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
    )
