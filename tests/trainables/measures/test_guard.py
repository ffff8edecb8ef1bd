"""Whoever calls a measure, and however: of a model in training mode there is no number."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import nn
from torch.nn import functional

from trainables import measures
from trainables.measures.base import Target

NETWORKS = {
    "training mode": nn.Sequential(nn.Linear(4, 5), nn.BatchNorm1d(5), nn.Linear(5, 3)),
    "dropout": nn.Sequential(nn.Linear(4, 5), nn.Dropout(0.5), nn.Linear(5, 3)).eval(),
}
NETWORKS["dropout"][1].train()
BATCHES = [(torch.randn(8, 4), torch.randint(3, (8,)))]


def direct(name: str) -> list[Any]:
    """The function that is registered, and one that the package offers under the same name."""
    offered = getattr(measures, name, None)
    return [measures.registry.get(name), *([offered] if callable(offered) else [])]


@pytest.mark.parametrize("network", NETWORKS)
@pytest.mark.parametrize("name", measures.names())
def test_every_measure_refuses_a_model_in_training_mode(name: str, network: str) -> None:
    target = Target(NETWORKS[network], functional.cross_entropy, BATCHES)
    with pytest.raises(ValueError, match=network):
        measures.measure(name, target)
    for function in direct(name):
        with pytest.raises(ValueError, match=network):
            function(target)
        with pytest.raises(ValueError, match=network):
            function(target=target)


@pytest.mark.parametrize("option", ["inner_lr", "steps"])
def test_an_option_of_the_rule_that_is_not_taken_is_refused(option: str) -> None:
    """And would give the same number, called directly."""
    model = nn.Sequential(nn.Linear(4, 3)).eval()
    with pytest.raises(ValueError, match=f"{option} = 3.* needs rule = 'amp'"):
        measures.measure(
            "worst_case_sharpness", Target(model, functional.cross_entropy, BATCHES), **{option: 3}
        )
    plain = measures.worst_case_sharpness(Target(model, functional.cross_entropy, BATCHES))
    given = measures.worst_case_sharpness(
        Target(model, functional.cross_entropy, BATCHES), **{option: 3}
    )
    assert plain == given
