"""Every method takes a step on every architecture, and its gradient is that of its objective."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from trainables import methods, models
from trainables.compatibility import ARRAYS

OF_ARRAYS = [name for name in models.names() if models.registry.fit(name).inputs == ARRAYS]
"""Methods on the others: the files of their trials, and of tasks."""
TINY = [name for name in OF_ARRAYS if name.endswith("_tiny")]
BATCH, SHAPE, CLASSES = 16, (1, 8, 8), 5  # InfoMCR's 8 parts have 2 images each


NO_DIFFERENCE = {"adversarial"}
"""The worst images move with the weights, in steps; the method holds them constant."""


def model_of(name: str) -> nn.Module:
    """Moved off its initial weights: zero biases put ReLUs on their kinks, zero heads hide all."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        model = models.build(name, num_classes=CLASSES, input_shape=SHAPE).double()
        with torch.no_grad():
            for parameter in model.parameters():
                parameter.add_(torch.randn_like(parameter), alpha=0.1)
    return model


def step(method: str, model: nn.Module) -> methods.Output:
    rule = methods.build(method)
    data = torch.Generator().manual_seed(1)
    inputs = torch.randn(BATCH, *SHAPE, generator=data, dtype=torch.float64)
    targets = torch.randint(CLASSES, (BATCH,), generator=data)
    rule.begin(model)
    noise = torch.Generator().manual_seed(2)
    return rule.gradient(model, nn.functional.cross_entropy, inputs, targets, generator=noise)


@pytest.mark.parametrize("method", methods.names())
@pytest.mark.parametrize("name", TINY)
def test_one_step(name: str, method: str) -> None:
    """Weights stay, gradients are finite; p.grad . u is the objective's central difference along u.

    Rounding errs by about 1e-15 |f| / h = 1e-7 |f|; a larger h than 1e-8 would do so less, but
    sooner find a ReLU or a maximum that changes between the two ends.
    """
    model = model_of(name)
    parameters = list(model.parameters())
    before = [p.detach().clone() for p in parameters]
    out = step(method, model)
    assert out.loss.isfinite()
    assert out.logits.shape == (BATCH, CLASSES)
    for p, start in zip(parameters, before, strict=True):
        assert torch.equal(p, start)
        assert p.grad is not None
        assert p.grad.shape == p.shape
        assert p.grad.isfinite().all()
    gradient = [p.grad.clone() for p in parameters if p.grad is not None]

    torch.optim.SGD(parameters, lr=0.1).step()
    moved = [not torch.equal(p, start) for p, start in zip(parameters, before, strict=True)]
    assert any(moved)
    if out.objective is not None and method not in NO_DIFFERENCE:
        with torch.no_grad():
            torch._foreach_copy_(parameters, before)
        expected = derivative(method, model, parameters, seed=3)
        torch.testing.assert_close(expected[0], inner(gradient, expected[1]), rtol=1e-4, atol=1e-6)


LARGE = [name for name in OF_ARRAYS if not name.endswith("_tiny") and name != "factorization"]


@pytest.mark.slow
@pytest.mark.parametrize("name", LARGE)
def test_every_method_steps_at_full_size(name: str) -> None:
    """Weights stay, bit for bit, and every gradient is finite."""
    torch.manual_seed(0)
    model = models.build(name, num_classes=10, input_shape=(3, 32, 32))
    parameters = list(model.parameters())
    before = [p.detach().clone() for p in parameters]
    inputs, targets = torch.randn(4, 3, 32, 32), torch.arange(4)
    for method in methods.names():
        rule = methods.build(method, **({"num_splits": 2} if method == "infomcr" else {}))
        rule.begin(model)
        noise = torch.Generator().manual_seed(1)
        out = rule.gradient(model, nn.functional.cross_entropy, inputs, targets, generator=noise)
        assert out.loss.isfinite(), method
        for p, start in zip(parameters, before, strict=True):
            assert p.grad is not None
            assert p.grad.isfinite().all(), method
            assert torch.equal(p, start), method


def derivative(
    method: str, model: nn.Module, parameters: list[nn.Parameter], seed: int
) -> tuple[Tensor, list[Tensor]]:
    """(difference of the objective along u, u)."""
    generator, h = torch.Generator().manual_seed(seed), 1e-8
    u = [torch.randn(p.shape, generator=generator, dtype=p.dtype) for p in parameters]
    values = []
    for sign in (1, -1):
        with torch.no_grad():
            torch._foreach_add_(parameters, u, alpha=sign * h)
        objective = step(method, model).objective
        assert objective is not None
        values.append(objective)
        with torch.no_grad():
            torch._foreach_sub_(parameters, u, alpha=sign * h)
    return (values[0] - values[1]) / (2 * h), u


def inner(a: list[Tensor], b: list[Tensor]) -> Tensor:
    return torch.stack([(x * y).sum() for x, y in zip(a, b, strict=True)]).sum()


@pytest.mark.parametrize("method", ["erm", "wp_sgd", "nso", "sam"])
def test_matrix_sensing(method: str) -> None:
    """A regression on one number: the mean squared error falls over 50 small steps."""
    torch.manual_seed(0)
    size, count = 6, 60
    model = models.build("factorization", 1, (size, size)).double()
    matrices = torch.randn(count, size, size, dtype=torch.float64)
    truth = torch.randn(size, 1, dtype=torch.float64)
    targets = torch.einsum("bij,ik,jk->b", matrices, truth, truth)
    optimizer = torch.optim.SGD(model.parameters(), lr=1e-3)
    rule, losses = methods.build(method), []
    for index in range(50):
        noise = torch.Generator().manual_seed(index)
        out = rule.gradient(model, nn.functional.mse_loss, matrices, targets, generator=noise)
        optimizer.step()
        losses.append(float(out.loss))
    assert losses[-1] < 0.5 * losses[0]
