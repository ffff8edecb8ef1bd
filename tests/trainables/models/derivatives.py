"""What second derivatives need of a network: they are right, and nothing is overwritten."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode

from trainables.methods.ops.attention import plain_attention
from trainables.methods.ops.third_order import exact_norms


class NoMutation(TorchDispatchMode):
    """Refuses operations that write to one of their arguments.

    All but torchvision's ``out += identity``, whose derivative needs neither operand;
    `test_second_derivative_of_torchvisions_exists` goes through it.
    """

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        harmless = func is torch.ops.aten.add_.Tensor
        assert harmless or not func._schema.is_mutable, f"{func} writes to its input"
        return func(*args, **kwargs or {})


def has_second_and_third_derivatives(model: nn.Module, loss: Callable[[], Tensor]) -> None:
    """H v, and the gradient of |H v|^2 (FA's penalty) within `exact_norms`, against differences.

    Central differences along u with step h err by h^2 / 6 times the next derivatives but one and
    by eps / h = 2e-10 relative to the function; the bounds leave room for steep BatchNorms.

    Args:
        loss: Of ``model``, in float64.
    """
    parameters = list(model.parameters())
    generator = torch.Generator().manual_seed(2)
    v, u = (
        [torch.randn(p.shape, generator=generator, dtype=p.dtype) for p in parameters]
        for _ in range(2)
    )

    def gradient() -> tuple[Tensor, ...]:
        with plain_attention():
            return torch.autograd.grad(loss(), parameters, create_graph=True)

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
