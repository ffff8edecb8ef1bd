"""Parameter counts are those of the papers' facts, computed on the meta device."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from trainables import models
from trainables.compatibility import ARRAYS
from trainables.models.blocks import num_parameters

IMAGENET = {"num_classes": 1000, "input_shape": (3, 224, 224)}

# name, arguments, parameters, parameter tensors where the facts give them
COUNTS: list[tuple[str, dict[str, Any], int, int | None]] = [
    ("resnet18", {}, 11_173_962, None),
    ("wrn_28_10", {}, 36_479_194, 80),
    ("wrn_28_10", {"num_classes": 100}, 36_536_884, 80),
    ("wrn_28_10", {"shortcut": "zero_pad"}, 36_220_634, 77),
    ("wrn_28_2", {}, 1_467_610, None),
    ("preact_resnet18", {}, 11_176_906, 75),
    ("preact_resnet18", {"num_classes": 100}, 11_223_076, 75),
    ("pyramidnet_164", {}, 27_216_021, 601),
    ("pyramidnet_164", {"num_classes": 100}, 27_319_071, 601),
    ("vit_b", {}, 85_152_010, None),
    ("vit_b", {"num_classes": 100}, 85_221_220, None),
    ("vgg16", {}, 33_646_666, 58),
    ("vgg16", {"num_classes": 100}, 34_015_396, 58),
    ("vgg16", {"batchnorm": False}, 33_638_218, None),
    ("vgg16", IMAGENET, 138_365_992, None),
    ("resnet34", {"num_classes": 1}, 21_284_672 + 512 + 1, None),
    ("resnet50", IMAGENET, 25_557_032, None),
    ("resnet101", IMAGENET, 44_549_160, None),
    ("resnet20", {}, 269_722, None),
    ("densenet_bc_k12", {}, 769_162, None),
    ("wrn_18_1_5", {"num_classes": 1000, "input_shape": (3, 128, 128)}, 25_875_816, None),
    ("cnn", {}, 1_148_874, None),
    ("mlp", {"num_classes": 100}, 812_388, 4),
    ("mlp", {"widths": (128,), "input_shape": (1, 28, 28)}, 784 * 128 + 128 + 1290, 4),
    ("mlp", {"widths": (512, 256), "num_classes": 100}, 1_730_404, 6),
    ("mlp", {"num_classes": 5, "input_shape": (10,), "outputs": 100}, 2816 + 25_700, 4),
    ("factorization", {"num_classes": 1, "input_shape": (100, 100)}, 10_000, 1),
]


@pytest.mark.parametrize(("name", "arguments", "parameters", "tensors"), COUNTS)
def test_count(name: str, arguments: dict[str, Any], parameters: int, tensors: int | None) -> None:
    with torch.device("meta"):
        model = models.build(name, **arguments)
    assert num_parameters(model) == parameters
    assert tensors is None or len(list(model.parameters())) == tensors


OF_ARRAYS = [name for name in models.names() if models.registry.fit(name).inputs == ARRAYS]
"""What the others have, files of their own say."""


@pytest.mark.parametrize("name", OF_ARRAYS)
def test_every_network_has_its_count_stated_or_is_small(name: str) -> None:
    if name.endswith("_tiny"):
        for shape in ((1, 8, 8), (3, 32, 32)):
            model = models.build(name, input_shape=shape)
            assert num_parameters(model) < 50_000
    elif name != "resnet8":
        assert name in {stated for stated, *_ in COUNTS}


def test_pyramidnet_with_alpha_48() -> None:
    """1.7 million parameters, as PyramidNet (Han et al. 2017, Table 4) prints for 164-48."""
    with torch.device("meta"):
        model = models.build("pyramidnet_164", alpha=48)
    assert round(num_parameters(model) / 1e6, 1) == 1.7
