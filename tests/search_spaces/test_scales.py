"""Preset laptop: what it is to cost, in numbers that need no clock."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

import search_spaces
from search_spaces.scales import LAPTOP, LAPTOP_IMAGES, RESNET10
from sweep.plan.expand import Plan, plan
from sweep.record.record import Record
from sweep.selection import selection
from trainables import models

NETWORKS = [made for made in LAPTOP.substitute["model"].values() if isinstance(made, dict)]  # type: ignore[union-attr]


def products(options: dict[str, object]) -> int:
    """Multiply-adds of a forward pass of one image of CIFAR-10, in convolutions and linear maps."""
    name = str(options["name"])
    rest = {key: value for key, value in options.items() if key != "name"}
    model = models.build(name, num_classes=10, input_shape=(3, 32, 32), **rest)
    counts: list[int] = []

    def count(module: nn.Module, _: object, out: Tensor) -> None:
        if isinstance(module, nn.Conv2d):
            counts.append(out[0].numel() * module.weight[0].numel())
        elif isinstance(module, nn.Linear):
            counts.append(out[0].numel() * module.in_features)

    for module in model.modules():
        module.register_forward_hook(count)
    with torch.no_grad():
        model.eval()(torch.zeros(1, 3, 32, 32))
    return sum(counts)


@pytest.mark.parametrize("network", NETWORKS, ids=lambda made: made["name"])
def test_networks_are_of_a_few_million_products(network: dict[str, object]) -> None:
    """As the summary says."""
    assert 1.5e6 < products(network) < 12e6


def test_the_network_of_most_is_as_its_comment_says() -> None:
    assert round(products(RESNET10) / 1e6, 1) == 4.2
    model = models.build("resnet18", num_classes=10, input_shape=(3, 32, 32), width=8, blocks=1)
    assert sum(p.numel() for p in model.parameters()) == 78_002
    assert any(isinstance(module, nn.BatchNorm2d) for module in model.modules())


def planned(artifact: str) -> Plan:
    made = search_spaces.apply(search_spaces.find(artifact), "laptop")
    return plan(made, "laptop", selection("paper"), Record.from_runs([]))


@pytest.mark.parametrize("artifact", ["compare/methods", "amp/table1", "infomcr/figure4"])
def test_ten_thousand_images_are_trained_on_whatever_is_held_out(artifact: str) -> None:
    for trial in planned(artifact).trials:
        data = trial.config.data
        assert data.source.name == "cifar10"
        assert (data.subset or 0) - data.validation == LAPTOP_IMAGES
        assert trial.config.batch_size in (32, 64, 128, 256)


@pytest.mark.parametrize(
    "artifact", [made.id for made in search_spaces.artifacts() if not made.experiment.blocked]
)
def test_what_is_shown_has_three_seeds_where_the_paper_has_as_many(artifact: str) -> None:
    whole = search_spaces.find(artifact)
    made = search_spaces.apply(whole, "laptop")
    own = made.presets.get("laptop", LAPTOP)
    for stage, printed in zip(made.experiment.stages, whole.experiment.stages, strict=True):
        assert stage.seeds == min(printed.seeds, own.seeds or printed.seeds)
        assert stage.seeds >= min(printed.seeds, 3)
