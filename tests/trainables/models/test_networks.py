"""What holds for every registered network."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Sequence
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode

from trainables import models
from trainables.methods.ops.third_order import exact_norms

IMAGE_MODELS = [name for name in models.names() if name != "factorization"]
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


class _NoMutation(TorchDispatchMode):
    """Refuses operations that write to one of their arguments.

    All but torchvision's ``out += identity``, whose derivative needs neither operand;
    `test_second_derivative_of_torchvisions_exists` goes through it.
    """

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        harmless = func is torch.ops.aten.add_.Tensor
        assert harmless or not func._schema.is_mutable, f"{func} writes to its input"
        return func(*args, **kwargs or {})


@pytest.mark.parametrize("name", models.names())
def test_full_size_changes_nothing_in_place(name: str) -> None:
    """Shapes, and no writing; in evaluation mode, where no running statistic is due to move."""
    shape = {"factorization": (8, 8)}.get(name, (3, 32, 32))
    classes = 1 if name == "factorization" else 100
    with torch.device("meta"):
        model = models.build(name, classes, shape).eval()
        inputs = torch.empty(2, *shape)
    assert not [m for m in model.modules() if getattr(m, "inplace", False)]
    with _NoMutation():
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
    """H v, and the gradient of |H v|^2 (FA's penalty) within `exact_norms`, against differences.

    Central differences along u with step h err by h^2 / 6 times the next derivatives but one and
    by eps / h = 2e-10 relative to the function; the bounds leave room for steep BatchNorms.
    """
    model = seeded(name, input_shape=(1, 8, 8)).double()
    with torch.no_grad():  # a head of zeros would hide the rest of a ViT
        for parameter in model.parameters():
            if not parameter.any():
                parameter.normal_(std=0.1, generator=torch.Generator().manual_seed(4))
    inputs, parameters = batch((1, 8, 8), 8), list(model.parameters())
    generator = torch.Generator().manual_seed(2)
    v, u = (
        [torch.randn(p.shape, generator=generator, dtype=p.dtype) for p in parameters]
        for _ in range(2)
    )

    def gradient() -> tuple[Tensor, ...]:
        return torch.autograd.grad(loss_of(model, inputs), parameters, create_graph=True)

    def penalty() -> Tensor:
        with exact_norms(model):
            slope = inner(gradient(), v)
        return inner(*[torch.autograd.grad(slope, parameters, create_graph=True)] * 2)

    exact = torch.autograd.grad(inner(gradient(), u), parameters)
    size = float(max(e.abs().max() for e in exact))
    for e, d in zip(exact, difference(gradient, parameters, u), strict=True):
        torch.testing.assert_close(d, e, rtol=1e-5, atol=1e-6 * size)
    third = inner(torch.autograd.grad(penalty(), parameters), u)
    (expected,) = difference(lambda: [penalty()], parameters, u)
    torch.testing.assert_close(expected, third, rtol=1e-4, atol=0)


def inner(a: Sequence[Tensor], b: Sequence[Tensor]) -> Tensor:
    return torch.stack([(x * y).sum() for x, y in zip(a, b, strict=True)]).sum()


def difference(
    function: Callable[[], Sequence[Tensor]], parameters: list[nn.Parameter], u: list[Tensor]
) -> list[Tensor]:
    """``(f(w + h u) - f(w - h u)) / 2h`` for h = 1e-6."""
    h, ends = 1e-6, []
    for sign in (1, -1):
        with torch.no_grad():
            torch._foreach_add_(parameters, u, alpha=sign * h)
        ends.append([t.detach().clone() for t in function()])
        with torch.no_grad():
            torch._foreach_sub_(parameters, u, alpha=sign * h)
    return [(a - b) / (2 * h) for a, b in zip(*ends, strict=True)]


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
