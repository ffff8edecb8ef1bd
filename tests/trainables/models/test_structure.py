"""Each architecture against an independent one: torchvision's, or straight from the facts."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
import torch
import torchvision
from torch import Tensor, nn
from torch.nn import functional
from torchvision.models.vgg import make_layers

from trainables import models
from trainables.models.blocks import ZeroPadShortcut

IMAGES = torch.randn(2, 3, 32, 32, generator=torch.Generator().manual_seed(0)).double()


def built(name: str, **options: Any) -> nn.Module:
    """The network in float64; what starts at 0 or 1 does not, so that it counts."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        model = models.build(name, **options).double()
        for p in model.parameters():
            if p.dim() == 1 or not p.any():
                nn.init.uniform_(p, 0.5, 1.5)
    return model


def copy_in_order(source: nn.Module, target: nn.Module) -> nn.Module:
    """``target`` with ``source``'s parameters, matched by their order."""
    target = target.double()
    with torch.no_grad():
        for a, b in zip(source.parameters(), target.parameters(), strict=True):
            b.copy_(a)
    return target


def assert_equal(model: nn.Module, expected: Tensor) -> None:
    torch.testing.assert_close(model(IMAGES), expected, rtol=1e-9, atol=1e-9)


class Oracle:
    """Layers that take their weights from a network, in order."""

    def __init__(self, model: nn.Module) -> None:
        self.weights: Iterator[Tensor] = iter(list(model.parameters()))

    def bn(self, x: Tensor) -> Tensor:
        mean = x.mean((0, 2, 3), keepdim=True)
        var = x.var((0, 2, 3), unbiased=False, keepdim=True)
        scale, shift = next(self.weights), next(self.weights)
        normal = (x - mean) / (var + 1e-5).sqrt()
        return normal * scale[:, None, None] + shift[:, None, None]

    def conv(self, x: Tensor, stride: int = 1, bias: bool = False) -> Tensor:
        weight = next(self.weights)
        padding = weight.shape[-1] // 2
        return functional.conv2d(x, weight, next(self.weights) if bias else None, stride, padding)

    def linear(self, x: Tensor) -> Tensor:
        return x @ next(self.weights).T + next(self.weights)

    def done(self, x: Tensor) -> Tensor:
        assert next(self.weights, None) is None
        return x


def zero_pad(x: Tensor, channels: int, stride: int, how: str) -> Tensor:
    """Pixel by pixel."""
    size = -(-x.shape[-1] // stride)
    out = x.new_zeros(len(x), channels, size, size)
    for i in range(size):
        for j in range(size):
            window = x[:, :, stride * i : stride * i + stride, stride * j : stride * j + stride]
            out[:, : x.shape[1], i, j] = (
                window[:, :, 0, 0] if how == "subsample" else window.mean((2, 3))
            )
    return out


@pytest.mark.parametrize("how", ["subsample", "avgpool"])
@pytest.mark.parametrize(("stride", "size"), [(1, 4), (2, 4), (2, 5)])
def test_zero_pad_shortcut(how: Any, stride: int, size: int) -> None:
    x = IMAGES[:, :, :size, :size]
    expected = zero_pad(x, 7, stride, how)
    torch.testing.assert_close(ZeroPadShortcut(3, 7, stride, how)(x), expected)


def test_resnet18_is_torchvisions_with_another_stem() -> None:
    model = built("resnet18")
    theirs = torchvision.models.resnet18(num_classes=10)
    theirs.conv1 = nn.Conv2d(3, 64, 3, padding=1, bias=False)
    theirs.maxpool = nn.Identity()
    assert_equal(model, copy_in_order(model, theirs)(IMAGES))


def test_wrn_18_1_5_at_width_64_is_torchvisions_resnet18() -> None:
    model = built("wrn_18_1_5", width=64)
    theirs = torchvision.models.resnet18(num_classes=10)
    assert_equal(model, copy_in_order(model, theirs)(IMAGES))


def test_resnet18_of_nrs_code() -> None:
    """A stem of 16 without ReLU, biases in the blocks, none in the 1x1 shortcut."""
    model = built("resnet18", width=4, blocks=1, stem_width=3, stem_relu=False, conv_bias=True)
    o = Oracle(model)
    x = o.bn(o.conv(IMAGES))
    for stage, width in enumerate((4, 8, 16, 32)):
        stride = 2 if stage else 1
        y = o.bn(o.conv(x, stride, bias=True)).relu()
        y = o.bn(o.conv(y, bias=True))
        x = (y + o.bn(o.conv(x, stride))).relu()
        assert x.shape[1] == width
    assert_equal(model, o.done(o.linear(x.mean((2, 3)))))


@pytest.mark.parametrize("shortcut", ["zero_pad", "conv"])
def test_resnet20(shortcut: str) -> None:
    model = built("resnet20", shortcut=shortcut, blocks=2, width=4)
    o = Oracle(model)
    x = o.bn(o.conv(IMAGES)).relu()
    for width in (4, 8, 16):
        for block in range(2):
            stride = 2 if width > 4 and block == 0 else 1
            y = o.bn(o.conv(o.bn(o.conv(x, stride)).relu()))
            if stride == 2 and shortcut == "conv":
                x = o.bn(o.conv(x, 2))
            elif stride == 2:
                x = zero_pad(x, width, 2, "subsample")
            x = (y + x).relu()
    assert_equal(model, o.done(o.linear(x.mean((2, 3)))))


@pytest.mark.parametrize("shared", ["none", "first", "reshape", "all"])
@pytest.mark.parametrize("shortcut", ["conv", "zero_pad"])
@pytest.mark.parametrize("stride_on", [1, 2])
def test_wide_resnet(shared: str, shortcut: str, stride_on: int) -> None:
    model = built(
        "wrn_28_10",
        depth=16,
        widen=2,
        width=3,
        shared_activation=shared,
        shortcut=shortcut,
        stride_on=stride_on,
    )
    o = Oracle(model)
    x, blocks = o.conv(IMAGES), 0
    for width in (6, 12, 24):
        for block in range(2):
            stride = 2 if width > 6 and block == 0 else 1
            reshapes = block == 0
            active = o.bn(x).relu()
            takes_active = {
                "none": False,
                "first": blocks == 0,
                "reshape": reshapes,
                "all": True,
            }[shared]
            y = o.bn(o.conv(active, stride if stride_on == 1 else 1)).relu()
            y = o.conv(y, stride if stride_on == 2 else 1)
            x = active if takes_active else x
            if reshapes and shortcut == "conv":
                x = o.conv(x, stride)
            elif reshapes:
                x = zero_pad(x, width, stride, "avgpool")
            x, blocks = x + y, blocks + 1
    assert_equal(model, o.done(o.linear(o.bn(x).relu().mean((2, 3)))))


@pytest.mark.parametrize("bias", [True, False])
def test_preact_resnet18_of_amp_code(bias: bool) -> None:
    """Every shortcut starts after BN-ReLU; the 1x1 convolutions have biases too."""
    model = built("preact_resnet18", width=2, conv_bias=bias)
    o = Oracle(model)
    x = o.conv(IMAGES)
    for width in (2, 4, 8, 16):
        for block in range(2):
            stride = 2 if width > 2 and block == 0 else 1
            active = o.bn(x).relu()
            y = o.conv(active, stride, bias)
            y = o.conv(o.bn(y).relu(), bias=bias)
            x = y + (o.conv(active, stride, bias) if stride == 2 else active)
    assert_equal(model, o.done(o.linear(o.bn(x).relu().mean((2, 3)))))


def test_pyramidnet() -> None:
    """Widths are rounded sums: 4 + 7 k / 6, times 4 after the last convolution."""
    model = built("pyramidnet_164", depth=20, alpha=7, width=4)
    o = Oracle(model)
    x = o.bn(o.conv(IMAGES))
    for block, width in enumerate((5, 6, 8, 9, 10, 11)):  # 5.17 6.33 7.5 8.67 9.83 11
        stride = 2 if block in (2, 4) else 1
        y = o.conv(o.bn(x))
        y = o.conv(o.bn(y).relu(), stride)
        y = o.bn(o.conv(o.bn(y).relu()))
        assert y.shape[1] == 4 * width
        x = y + zero_pad(x, 4 * width, stride, "avgpool")
    assert_equal(model, o.done(o.linear(o.bn(x).relu().mean((2, 3)))))


def test_densenet_bc() -> None:
    """Each layer sees all before it; transitions halve channels (rounding down) and image."""
    model = built("densenet_bc_k12", depth=16, growth=3)
    o = Oracle(model)
    x = o.conv(IMAGES)
    assert x.shape[1] == 6
    for block in range(3):
        for _ in range(2):
            y = o.conv(o.bn(x).relu())
            assert y.shape[1] == 12
            x = torch.cat([x, o.conv(o.bn(y).relu())], 1)
        if block < 2:
            channels = x.shape[1]
            x = functional.avg_pool2d(o.conv(o.bn(x).relu()), 2)
            assert x.shape[1] == channels // 2
    assert_equal(model, o.done(o.linear(o.bn(x).relu().mean((2, 3)))))


@pytest.mark.parametrize("batchnorm", [True, False])
def test_vgg_features_are_torchvisions(batchnorm: bool) -> None:
    stages = ((4,), (6, 6), (8,))
    model = built("vgg16", stages=stages, hidden=(20, 12), batchnorm=batchnorm)
    features = make_layers([4, "M", 6, 6, "M", 8, "M"], batch_norm=batchnorm)
    layers: list[nn.Module] = [features, nn.Flatten(), nn.Linear(8 * 16, 20), nn.ReLU()]
    layers += [nn.Linear(20, 12), nn.ReLU(), nn.Linear(12, 10)]
    assert_equal(model, copy_in_order(model, nn.Sequential(*layers))(IMAGES))


def test_cnn() -> None:
    model = built("cnn", stages=((2, 3), (4, 5)))
    o = Oracle(model)
    x = IMAGES
    for _ in range(2):
        x = functional.max_pool2d(o.bn(o.conv(o.bn(o.conv(x)).relu())).relu(), 2)
    assert_equal(model, o.done(o.linear(x.mean((2, 3)))))


def test_vit_is_torchvisions() -> None:
    """The attention written out against the fused one, and the dropout where it belongs."""
    model = built("vit_tiny", dropout=0.25, attention_dropout=0.5)
    theirs = torchvision.models.VisionTransformer(
        image_size=32,
        patch_size=4,
        num_layers=2,
        num_heads=2,
        hidden_dim=16,
        mlp_dim=32,
        num_classes=10,
        dropout=0.25,
        attention_dropout=0.5,
    )
    theirs = copy_in_order(model, theirs)
    assert_equal(model.eval(), theirs.eval()(IMAGES))
    with torch.random.fork_rng():
        torch.manual_seed(5)
        mine = model.train()(IMAGES)
    assert not torch.equal(mine, model.eval()(IMAGES))


def test_mlp() -> None:
    model = built("mlp", widths=(7, 5))
    o = Oracle(model)
    x = o.linear(IMAGES.flatten(1)).relu()
    assert_equal(model, o.done(o.linear(o.linear(x).relu())))


def test_factorization() -> None:
    model = models.build("factorization", 1, (5, 5), rank=2).double()
    (weight,) = model.parameters()
    matrices = torch.randn(3, 5, 5, dtype=torch.float64)
    expected = [float((m * (weight @ weight.T)).sum().detach()) for m in matrices]
    for inputs in (matrices, matrices[:, None]):
        torch.testing.assert_close(model(inputs), torch.tensor(expected, dtype=torch.float64))
