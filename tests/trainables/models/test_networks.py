"""What holds for every registered network."""

from __future__ import annotations

import inspect
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from tests.trainables.models.derivatives import NoMutation, has_second_and_third_derivatives
from trainables import models
from trainables.compatibility import ARRAYS

OF_ARRAYS = [name for name in models.names() if models.registry.fit(name).inputs == ARRAYS]
IMAGE_MODELS = [name for name in OF_ARRAYS if name != "factorization"]
TINY = [name for name in IMAGE_MODELS if name.endswith("_tiny")] + ["resnet8"]
SHAPES = [(1, 8, 8), (3, 32, 32)]
SHAPED = [(name, shape) for name in TINY for shape in SHAPES]


def seeded(name: str, **arguments: Any) -> nn.Module:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return models.build(name, **arguments)


def batch(shape: tuple[int, ...], size: int = 4, dtype: torch.dtype = torch.float64) -> Tensor:
    generator = torch.Generator().manual_seed(1)
    return torch.randn(size, *shape, generator=generator, dtype=dtype)


def loss_of(model: nn.Module, inputs: Tensor) -> Tensor:
    targets = torch.arange(len(inputs)) % 5
    return nn.functional.cross_entropy(model(inputs), targets)


@pytest.mark.parametrize(("name", "shape"), SHAPED)
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_shape_and_dtype(name: str, shape: tuple[int, ...], dtype: torch.dtype) -> None:
    model = seeded(name, num_classes=7, input_shape=shape).to(dtype)
    output = model(batch(shape, dtype=dtype))
    assert output.shape == (4, 7)
    assert output.dtype == dtype
    assert output.isfinite().all()


@pytest.mark.parametrize("name", OF_ARRAYS)
def test_full_size_changes_nothing_in_place(name: str) -> None:
    """Shapes, and no writing; in evaluation mode, where no running statistic is due to move."""
    shape = {"factorization": (8, 8)}.get(name, (3, 32, 32))
    classes = 1 if name == "factorization" else 100
    with torch.device("meta"):
        model = models.build(name, classes, shape).eval()
        inputs = torch.empty(2, *shape)
    assert not [m for m in model.modules() if getattr(m, "inplace", False)]
    with NoMutation():
        output = model(inputs)
    assert output.shape == ((2,) if name == "factorization" else (2, classes))


def test_second_derivative_of_torchvisions_exists() -> None:
    with torch.device("meta"):
        model = models.build("resnet34")
        loss = model(torch.empty(2, 3, 32, 32)).square().mean()
    parameters = list(model.parameters())
    gradient = torch.autograd.grad(loss, parameters, create_graph=True)
    torch.autograd.grad(sum(g.square().sum() for g in gradient), parameters)


@pytest.mark.parametrize("name", TINY)
def test_second_and_third_derivatives(name: str) -> None:
    model = seeded(name, input_shape=(1, 8, 8)).double()
    with torch.no_grad():  # a head of zeros would hide the rest of a ViT
        for parameter in model.parameters():
            if not parameter.any():
                parameter.normal_(std=0.1, generator=torch.Generator().manual_seed(4))
    inputs = batch((1, 8, 8), 8)
    has_second_and_third_derivatives(model, lambda: loss_of(model, inputs))


@pytest.mark.parametrize(("name", "shape"), SHAPED)
def test_channels_last_gives_the_same_gradient(name: str, shape: tuple[int, ...]) -> None:
    """Only the order of sums differs: 1e-9 of the largest entry is a million times eps."""
    gradients = []
    for memory_format in (torch.contiguous_format, torch.channels_last):
        model = seeded(name, input_shape=shape).double().to(memory_format=memory_format)
        inputs = batch(shape).contiguous(memory_format=memory_format)
        gradients.append(torch.autograd.grad(loss_of(model, inputs), list(model.parameters())))
    for plain, last in zip(*gradients, strict=True):
        torch.testing.assert_close(last, plain, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("name", TINY)
def test_every_parameter_is_used(name: str) -> None:
    model = seeded(name, input_shape=(1, 8, 8)).double()
    loss_of(model, batch((1, 8, 8))).backward()
    assert all(p.grad is not None and p.grad.isfinite().all() for p in model.parameters())


@pytest.mark.parametrize("name", TINY)
def test_initial_weights_follow_the_global_seed(name: str) -> None:
    def weights(seed: int) -> Tensor:
        with torch.random.fork_rng():
            torch.manual_seed(seed)
            model = models.build(name, input_shape=(1, 8, 8))
        return nn.utils.parameters_to_vector(model.parameters()).detach()

    assert torch.equal(weights(3), weights(3))
    assert not torch.equal(weights(3), weights(4))


@pytest.mark.parametrize("name", models.names())
def test_options_are_complete_documented_and_have_defaults(name: str) -> None:
    part = models.registry.get(name)
    given = models.registry.resolve(name, {})
    assert given.keys() == inspect.signature(part).parameters.keys() - models.registry.given
    assert part.__doc__
    assert part.__name__ == name
    if "dropout" in given:
        layers = models.build(name, input_shape=(3, 32, 32), dropout=0.25) if name in TINY else None
        assert layers is None or len(list(layers.modules())) > 1


@pytest.mark.parametrize(
    ("name", "arguments", "message"),
    [
        ("resnet81", {}, "unknown model 'resnet81'.*did you mean 'resnet8'"),
        ("resnet18", {"widht": 2}, "unknown option of model 'resnet18' 'widht'.*'width'"),
        ("resnet18", {"width": 0}, "model 'resnet18': width = 0"),
        ("resnet18", {"input_shape": (10,)}, r"model 'resnet18': input_shape = \(10,\)"),
        ("vgg16", {"input_shape": (1, 28, 28)}, "model 'vgg16'.*at least 32x32"),
        ("vgg16", {"dropout": 1.5}, "dropout = 1.5"),
        ("wrn_28_10", {"depth": 27}, r"model 'wrn_28_10': depth = 27 must be 6 n \+ 4"),
        ("wrn_28_10", {"shortcut": "none"}, "shortcut = 'none'"),
        ("pyramidnet_164", {"depth": 20 + 1}, r"depth = 21 must be 9 n \+ 2"),
        ("densenet_bc_k12", {"depth": 99}, r"depth = 99 must be 6 n \+ 4"),
        ("vit_b", {"input_shape": (3, 30, 30)}, "whole 4x4 patches"),
        ("vit_b", {"input_shape": (3, 32, 16)}, "must be a square"),
        ("vit_b", {"heads": 5}, "heads = 5 must divide width = 768"),
        ("mlp", {"num_classes": 0}, "num_classes = 0"),
        ("mlp", {"input_shape": ()}, "must be >= 1"),
        ("factorization", {"input_shape": (3, 4)}, "square matrix"),
        ("factorization", {"input_shape": (4, 4)}, "num_classes = 10 must be 1"),
    ],
)
def test_bad_arguments_are_named(name: str, arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message) as caught:
        models.build(name, **arguments)
    assert "\n" not in str(caught.value)
