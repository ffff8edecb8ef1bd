"""Dropout, BatchNorm momentum, initialisation and variants."""

from __future__ import annotations

import inspect
import math
from typing import Any

import pytest
import torch
from torch import nn

from trainables import models
from trainables.models.preact import PreActBlock
from trainables.models.variants import register_variant

DROPPED = [
    # name, options, dropout layers of probability 0.3
    ("vgg16", {"dropout": 0.3}, 2),
    ("vgg16", {"dropout": 0.3, "conv_dropout": 0.3}, 15),
    ("preact_resnet18", {"dropout": 0.3}, 9),
    ("preact_resnet18", {"dropout": 0.3, "dropout_after": "every_relu"}, 17),
    ("wrn_28_10", {"dropout": 0.3}, 12),
    ("pyramidnet_164", {"dropout": 0.3}, 54),
    ("vit_b", {"dropout": 0.3}, 1 + 12 * 3),
    ("mlp", {"dropout": 0.3, "widths": (5, 5)}, 2),
]


@pytest.mark.parametrize(("name", "options", "layers"), DROPPED)
def test_dropout_layers(name: str, options: dict[str, Any], layers: int) -> None:
    with torch.device("meta"):
        dropped, plain = models.build(name, **options), models.build(name)
    found = [m.p for m in dropped.modules() if isinstance(m, nn.Dropout)]
    assert found == [0.3] * layers
    assert not [m for m in plain.modules() if isinstance(m, nn.Dropout) and m.p > 0]


def test_dropout_after_every_relu_is_there_and_before_the_shared_shortcut() -> None:
    """At rate 1 nothing is left but the classifier's biases, which start at 0."""
    images = torch.rand(2, 3, 8, 8)
    model = models.build("preact_tiny", dropout=1.0, dropout_after="every_relu").train()
    seen: list[torch.Tensor] = []
    for module in model.modules():
        if isinstance(module, nn.Dropout):
            module.register_forward_hook(lambda _, given, __: seen.append(given[0]))
    assert not model(images).any()
    assert {x.dim() for x in seen} == {4}, "the classifier's too are dropped before the mean"
    assert all(x.min() >= 0 for x in seen)
    for first in (True, False):
        block = PreActBlock(4, 4, 1, shared=True, dropout=1.0, drop_first=first)
        assert bool(block(torch.randn(2, 4, 8, 8)).any()) != first


def test_densenet_dropout() -> None:
    model = models.build("densenet_tiny", dropout=0.5)
    images = torch.ones(2, 3, 32, 32)
    assert not torch.equal(model(images), model(images))
    without = models.build("densenet_tiny")
    assert torch.equal(without(images), without(images))


def momenta(model: nn.Module) -> list[float | None]:
    return [m.momentum for m in model.modules() if isinstance(m, nn.BatchNorm2d)]


@pytest.mark.parametrize(
    "name", [n for n in models.names() if "bn_momentum" in models.registry.resolve(n, {})]
)
def test_batchnorm_momentum(name: str) -> None:
    with torch.device("meta"):
        model = models.build(name, bn_momentum=0.25)
    assert set(momenta(model)) == {0.25}
    assert models.registry.resolve(name, {})["bn_momentum"] == nn.BatchNorm2d(1).momentum


def test_final_batchnorm_momentum_of_amp_code() -> None:
    model = models.build("wrn_tiny", final_bn_momentum=0.9)
    assert momenta(model) == [0.1] * 6 + [0.9]


def test_convolutions_start_as_he_et_al() -> None:
    """std = sqrt(2 / fan_out); the sample's own error is 1 / sqrt(2 n), 5 of them allowed."""
    model = models.build("wrn_28_2")
    for module in model.modules():
        if isinstance(module, nn.Conv2d):
            expected = math.sqrt(2 / (module.out_channels * module.kernel_size[0] ** 2))
            ratio = float(module.weight.detach().std()) / expected
            assert abs(ratio - 1) < 5 / math.sqrt(2 * module.weight.numel())
    head = model.get_submodule("head")
    assert isinstance(head, nn.Linear)
    assert not head.bias.any()
    assert float(head.weight.detach().abs().max()) <= 1 / math.sqrt(128)


def test_mlp_starts_as_in_fas_code() -> None:
    """N(0, 2 / fan_in) and zero biases; or torch's uniform within 1 / sqrt(fan_in)."""
    he = models.build("mlp", init="he")
    weight, bias = list(he.parameters())[:2]
    assert abs(float(weight.detach().std()) / math.sqrt(2 / 3072) - 1) < 5 / math.sqrt(
        2 * weight.numel()
    )
    assert not bias.any()
    weight, bias = list(models.build("mlp", init="torch").parameters())[:2]
    bound = 1 / math.sqrt(3072)
    assert float(weight.detach().abs().max()) <= bound
    assert bias.any()


def test_fewer_outputs_than_classes_are_refused() -> None:
    assert models.build("mlp", 5, (10,), outputs=5)(torch.ones(2, 10)).shape == (2, 5)
    with pytest.raises(ValueError, match="outputs = 4, but the data have 5 classes"):
        models.build("mlp", 5, (10,), outputs=4)


def test_factorization_starts_standard_normal() -> None:
    (weight,) = models.build("factorization", 1, (100, 100)).parameters()
    assert abs(float(weight.detach().std()) - 1) < 5 / math.sqrt(2 * 10_000)
    assert abs(float(weight.detach().mean())) < 5 / 100


def test_vit_head_starts_at_zero_and_takes_grey_images() -> None:
    model = models.build("vit_tiny", input_shape=(1, 8, 8))
    assert not model(torch.ones(2, 1, 8, 8)).any()
    patches = model.get_submodule("network.conv_proj")
    assert isinstance(patches, nn.Conv2d)
    assert patches.in_channels == 1


@pytest.mark.parametrize("name", [n for n in models.names() if n.endswith("_tiny")])
def test_tiny_networks_take_the_options_of_the_large_ones(name: str) -> None:
    signature = inspect.signature(models.registry.get(name))
    twins = [
        n
        for n in models.names()
        if n != name
        and inspect.signature(models.registry.get(n)).parameters.keys()
        == signature.parameters.keys()
    ]
    assert [n for n in twins if not n.endswith("_tiny")]


def test_a_variant_of_unknown_option_is_refused() -> None:
    with pytest.raises(TypeError, match="mlp takes no depth"):
        register_variant("mlp_deep", models.registry.get("mlp"), "", depth=3)
    assert "mlp_deep" not in models.names()


def test_configuration_files_give_lists() -> None:
    model = models.build("vgg_tiny", stages=[[3], [5]], hidden=[], input_shape=(1, 8, 8))
    assert [p.shape[0] for p in model.parameters() if p.dim() == 4] == [3, 5]


def test_an_option_that_came_later_came_so_to_the_variants() -> None:
    """With the value of before it is in no trial's name, of a network or of its variants."""
    for name in ("mlp", "mlp_tiny"):
        options = models.registry.resolve(name, {})
        assert options["outputs"] is None
        assert "outputs" not in models.registry.naming(name, options)
        assert models.registry.naming(name, {**options, "outputs": 100})["outputs"] == 100
