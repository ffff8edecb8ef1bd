"""Images lie in memory as their network takes them fastest, and as augmentations expect them."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from trainables import models
from trainables.compatibility import ARRAYS
from trainables.config import TrialConfig
from trainables.data import augment
from trainables.data.base import Images
from trainables.data.loader import BatchLoader
from trainables.memory_format import lay_out
from trainables.train import Trial

TINY = [
    name
    for name in models.names()
    if name.endswith("_tiny") and models.registry.fit(name).inputs == ARRAYS
]


class Viewing(nn.Module):
    """Convolutions, and a head that only takes contiguous images."""

    def __init__(self) -> None:
        super().__init__()
        self.conv, self.drop, self.head = nn.Conv2d(3, 4, 3), nn.Dropout(), nn.Linear(4 * 36, 10)

    def forward(self, x: Tensor) -> Tensor:
        x = self.conv(self.drop(x))
        return self.head(x.view(len(x), -1))


@pytest.mark.parametrize("name", TINY)
def test_networks_that_convolve_have_channels_last(name: str) -> None:
    model = models.build(name)
    convolves = "mlp" not in name and "factorization" not in name
    wanted = torch.channels_last if convolves else torch.contiguous_format
    assert lay_out(model, torch.zeros(1, 3, 32, 32)) == wanted
    assert model.training
    for p in model.parameters():
        last = convolves and p.dim() == 4
        assert p.is_contiguous(memory_format=wanted if last else torch.contiguous_format)


def test_a_network_that_views_what_it_convolved_has_contiguous_images() -> None:
    model = Viewing()
    assert lay_out(model, torch.zeros(1, 3, 8, 8)) == torch.contiguous_format
    assert model.training
    assert model.conv.weight.is_contiguous()
    reshaping = nn.Sequential(nn.Conv2d(3, 4, 3), nn.Flatten(), nn.Linear(4 * 36, 10))
    assert lay_out(reshaping, torch.zeros(1, 3, 8, 8)) == torch.channels_last


def test_features_have_no_channels() -> None:
    assert lay_out(nn.Linear(3, 2), torch.zeros(1, 3)) == torch.contiguous_format


def test_what_failed_on_the_device_is_no_answer() -> None:
    class Full(nn.Conv2d):
        def forward(self, *_: Tensor) -> Tensor:
            raise torch.OutOfMemoryError("no memory is left")

    with pytest.raises(torch.OutOfMemoryError):
        lay_out(Full(3, 4, 3), torch.zeros(1, 3, 8, 8))


LATE = {"none": [], "early": ["flip"], "late": [{"name": "cutout", "size": 3, "fill": "mean"}]}


@pytest.mark.parametrize("resize", [None, 6])
@pytest.mark.parametrize("late", LATE)
def test_a_batch_has_the_same_numbers_in_either_format(late: str, resize: int | None) -> None:
    draws = torch.Generator().manual_seed(0)
    pixels = torch.randint(256, (20, 3, 8, 8), generator=draws, dtype=torch.uint8)
    given = [{"name": a} if isinstance(a, str) else a for a in LATE[late]]

    def batch(layout: torch.memory_format) -> Tensor:
        loader = BatchLoader(
            Images(pixels, torch.arange(20)), 8, [augment.build(**a) for a in given],
            (0.4, 0.5, 0.6), (0.2, 0.3, 0.25), resize=resize, memory_format=layout,
        )  # fmt: skip
        return next(iter(loader))[0]

    plain, last = batch(torch.contiguous_format), batch(torch.channels_last)
    assert plain.is_contiguous()
    assert last.is_contiguous(memory_format=torch.channels_last)
    assert torch.equal(plain, last)


@pytest.mark.parametrize("network", ["resnet_tiny", "mlp_tiny"])
def test_all_images_of_a_trial_are_so(network: str) -> None:
    trial = Trial(TrialConfig(data={"subset": 40, "validation": 8}, model=network, batch_size=8))
    conv = network == "resnet_tiny"
    for batches in (trial.batches, *trial.splits.values()):
        inputs, _ = next(iter(batches))
        channels, width = inputs.shape[1], inputs.shape[3]
        strides = (width * channels, channels) if conv else (width, 1)
        assert inputs.stride()[2:] == strides
