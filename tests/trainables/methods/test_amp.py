"""Theorem 2 of AMP: with N = 1 its gradient is that of a loss that penalizes the gradient's norm.

The printed penalty is zeta ‖∇J‖². Algorithm 1, which holds the perturbation fixed in its last pass,
descends half of that: ∇J(w + zeta ∇J) = ∇J + zeta H ∇J + O(zeta²) = ∇(J + zeta/2 ‖∇J‖²) + O(zeta²).
The clipped case, epsilon ‖∇J‖, is as printed.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import pytest
import torch
from torch import Tensor, nn
from torch.func import grad, jvp

from trainables import methods

SIZE = 6


class Function(nn.Module):
    """A function of six parameters; a batch has nothing to say to it."""

    def __init__(self, value: Callable[[Tensor], Tensor]) -> None:
        super().__init__()
        torch.manual_seed(1)
        self.weight = nn.Parameter(torch.randn(SIZE, dtype=torch.float64))
        self.value = value

    def forward(self, inputs: Tensor) -> Tensor:
        return self.value(self.weight) + 0 * inputs.sum()


def amp(value: Callable[[Tensor], Tensor], **options: float) -> tuple[Tensor, Tensor]:
    """AMP's gradient and the point w that it is taken at."""
    model = Function(value)
    batch = torch.zeros(1, dtype=torch.float64), torch.zeros(1)
    methods.build("amp", **options).gradient(
        model, lambda output, _: output, *batch, generator=None
    )
    assert model.weight.grad is not None
    return model.weight.grad, model.weight.detach()


def penalized(
    value: Callable[[Tensor], Tensor], omega: Callable[[Tensor], Tensor]
) -> Callable[[Tensor], Tensor]:
    """∇(J + Omega), Omega being a function of ∇J."""
    return grad(lambda w: value(w) + omega(grad(value)(w)))


ROOT = torch.randn(SIZE, SIZE, dtype=torch.float64, generator=torch.Generator().manual_seed(2))


def quadratic(w: Tensor) -> Tensor:
    return 0.5 * w @ (ROOT @ ROOT.T) @ w + ROOT[0] @ w


def smooth(w: Tensor) -> Tensor:
    """Neither quadratic nor convex."""
    return (w.sin() * w.roll(1).cosh()).sum() + w.prod()


def along(w: Tensor, direction: Tensor, order: int) -> Tensor:
    """The derivative of ``smooth``'s gradient at w along ``direction``, ``order`` times."""
    slope = grad(smooth)
    for _ in range(order):
        slope = partial(lambda f, x: jvp(f, (x,), (direction,))[1], slope)
    return slope(w)


def unclipped(value: Callable[[Tensor], Tensor], zeta: float) -> tuple[Tensor, Tensor]:
    return amp(value, inner_lr=zeta, epsilon=1e6, inner_steps=1)


@pytest.mark.parametrize("zeta", [0.1, 1e-2, 1e-3])
def test_on_a_quadratic_the_penalty_is_half_the_printed_one_exactly(zeta: float) -> None:
    """Up to rounding: a few hundred operations of 1e-16 relative to the largest term."""
    found, w = unclipped(quadratic, zeta)
    wanted = penalized(quadratic, lambda g: zeta / 2 * (g @ g))(w)
    assert (found - wanted).norm() < 1e-13 * found.norm()
    printed = penalized(quadratic, lambda g: zeta * (g @ g))(w)
    extra = (found - grad(quadratic)(w)).norm()  # ‖zeta H g‖
    # two gradients that agree to 1e-13 of their norm are subtracted
    error = 1e-13 * found.norm() / extra
    assert float((found - printed).norm() / extra) == pytest.approx(1, abs=float(2 * error))


def test_elsewhere_the_rest_is_the_next_term_of_the_expansion() -> None:
    """∇J(w + zeta g) = ∇J + zeta H g + zeta²/2 D³J[g, g] + zeta³/6 D⁴J[g, g, g] + ...

    What is left of the difference without its second-order term is of third order: halving zeta
    divides it by 8. The term of fourth order makes that ratio 8 (1 + zeta b), where b is its
    coefficient over twice that of the third; both are computed.
    """

    def rest(zeta: float) -> tuple[Tensor, Tensor, Tensor]:
        found, w = unclipped(smooth, zeta)
        g = grad(smooth)(w)
        wanted = penalized(smooth, lambda g: zeta / 2 * (g @ g))(w)
        return found - wanted - zeta**2 / 2 * along(w, g, 2), w, g

    zeta = 1e-3
    whole, w, g = rest(zeta)
    half, *_ = rest(zeta / 2)
    third, fourth = along(w, g, 3) / 6, along(w, g, 4) / 24
    # rounding: 1e-15 of gradients of norm |g|, in each of the two that are subtracted
    rounding = 1e-14 * g.norm()
    assert rounding < 1e-3 * (zeta / 2) ** 3 * third.norm(), "else there is nothing to see"
    beyond = zeta * float(fourth.norm() / third.norm())
    assert beyond < 0.1
    assert float(whole.norm() / half.norm()) == pytest.approx(8, rel=2 * beyond + 2e-3)
    assert float((whole / zeta**3 - third).norm() / third.norm()) < 2 * beyond + 1e-3


def test_the_printed_constant_is_off_by_two() -> None:
    """The difference to the printed gradient is half of the penalty's own, for small zeta."""
    gaps = []
    for zeta in (1e-3, 1e-4):
        found, w = unclipped(smooth, zeta)
        g = grad(smooth)(w)
        bent = along(w, g, 1)  # H g
        second = float(zeta * along(w, g, 2).norm() / (2 * bent.norm()))
        for constant, left in ((1 / 2, 0.0), (1.0, 1.0)):
            wanted = penalized(smooth, lambda g, c=constant, z=zeta: c * z * (g @ g))(w)
            gap = float((found - wanted).norm() / (zeta * bent.norm()))
            assert abs(gap - left) < 1.1 * second + 1e-9
            gaps.append(gap)
    assert gaps[2] < 0.11 * gaps[0], "with 1/2 it vanishes with zeta"


@pytest.mark.parametrize("epsilon", [1e-3, 1e-4])
def test_the_clipped_case_is_as_printed(epsilon: float) -> None:
    """Omega = epsilon ‖∇J‖, whose gradient is epsilon H g / ‖g‖: to first order, as above."""
    found, w = amp(smooth, inner_lr=1.0, epsilon=epsilon, inner_steps=1)
    g = grad(smooth)(w)
    u = g / g.norm()
    wanted = penalized(smooth, lambda g: epsilon * g.norm())(w)
    bent = along(w, u, 1)
    second = float(epsilon * along(w, u, 2).norm() / (2 * bent.norm()))
    assert g.norm() > epsilon, "else nothing is clipped"
    assert float((found - wanted).norm() / (epsilon * bent.norm())) < 1.1 * second + 1e-9


def test_on_an_inverted_gaussian_the_worst_of_a_ball_is_least_at_the_centre() -> None:
    """Theorem 1: J = C - A exp(-w' K^-1 w / 2) is in the ball about its centre at worst
    C - A exp(-eps² / 2 s²), s² being the least eigenvalue of K, and in other balls more.

    J grows along every ray from the centre, so the worst of a ball lies on its edge, which is
    tried at 20,000 angles: the nearest to the best is off by at most pi / 20,000, and J there by
    the square of that, times less than 1, which is 2.5e-8.
    """
    depth, height, epsilon = 0.8, 1.5, 0.7
    covariance = torch.tensor([[1.0, 0.3], [0.3, 0.4]], dtype=torch.float64)
    precision = covariance.inverse()

    def loss(w: Tensor) -> Tensor:
        return height - depth * torch.exp(-0.5 * ((w @ precision) * w).sum(dim=-1))

    angles = torch.arange(20_000, dtype=torch.float64) * (2 * torch.pi / 20_000)
    edge = epsilon * torch.stack([angles.cos(), angles.sin()], dim=1)
    least = torch.linalg.eigvalsh(covariance)[0]
    wanted = height - depth * torch.exp(-(epsilon**2) / (2 * least))
    at_centre = loss(edge).max()
    assert float(at_centre) == pytest.approx(float(wanted), abs=1e-6)
    inside = torch.linspace(0, 1, 50, dtype=torch.float64)[:, None, None] * edge
    assert loss(inside).max() == at_centre
    axis = torch.linspace(-1, 1, 21, dtype=torch.float64)
    elsewhere = torch.cartesian_prod(axis, axis)
    elsewhere = elsewhere[elsewhere.norm(dim=1) > 0.05]
    coarse = edge[::100]  # fewer angles find less, and it is more all the same
    assert loss(elsewhere[:, None] + coarse).max(dim=1).values.min() > at_centre
