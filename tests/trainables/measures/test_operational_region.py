"""Equation 15 of AMP, against the AMP losses of the surfaces that it compares."""

from __future__ import annotations

import math

import pytest
import torch
from torch import nn

from trainables.measures import measure
from trainables.measures.base import Target
from trainables.measures.operational_region import least_flatness
from trainables.metric_name import CurveName

RATIOS = (0.1, 0.2, 0.5, 1.0, 2.0)


def region(**options: float) -> dict[float, float]:
    """r by beta."""
    batch = (torch.zeros(1, 2), torch.zeros(1).long())
    target = Target(nn.Linear(2, 2).eval(), nn.functional.cross_entropy, [batch])
    found = measure("operational_region", target, **options)
    return {beta: found[name] for beta, name in CurveName("operational_region").points(found)}


def amp_loss(depth: float, widths: torch.Tensor, epsilon: float) -> float:
    """max over ‖delta‖ ≤ epsilon of -depth exp(-delta' K⁻¹ delta / 2) at the minimum, K diagonal.

    Searched on the ball's surface, where the loss, which rises from the minimum, has its maximum.
    """
    angles = torch.linspace(0, math.pi, 721, dtype=torch.float64)
    delta = epsilon * torch.stack([angles.cos(), angles.sin()])
    return float((-depth * (-(delta.square() / widths[:, None]).sum(0) / 2).exp()).max())


@pytest.mark.parametrize("ratio", RATIOS)
def test_the_second_minimum_is_preferred_above_the_line_and_only_there(ratio: float) -> None:
    """A percent to either side of it, and for no r where there is no line. Two of the angles that
    are searched are the axes, so the maxima are exact up to rounding."""
    first, epsilon = torch.tensor([0.7, 3.0], dtype=torch.float64), math.sqrt(2 * 0.7 * ratio)
    for beta in torch.linspace(0.02, 0.98, 25).tolist():
        line = least_flatness(beta, ratio)
        tried = (0.99 * line, 1.01 * line) if math.isfinite(line) else (1.0, 1e3, 1e6)
        preferred = [
            amp_loss(beta, r * first, epsilon) < amp_loss(1.0, first, epsilon) for r in tried
        ]
        assert preferred == ([False, True] if math.isfinite(line) else [False] * 3)


@pytest.mark.parametrize("ratio", RATIOS)
def test_what_is_recorded_is_the_line_up_to_the_axis_end(ratio: float) -> None:
    found = region(ratio=ratio)
    assert found == {
        i / 100: least_flatness(i / 100, ratio)
        for i in range(1, 101)
        if least_flatness(i / 100, ratio) <= 20
    }
    assert found[1.0] == 1, "of two minima as deep as each other the flatter one is preferred"
    assert list(found.values()) == sorted(found.values(), reverse=True)
    assert min(found) > math.exp(-ratio)
    assert set(region(ratio=ratio, points=10, largest=5.0)) <= {i / 10 for i in range(1, 11)}


def test_the_point_that_the_poster_marks_is_in_the_largest_region_alone() -> None:
    beta, r = 0.34, 3.2
    assert [r > least_flatness(beta, ratio) for ratio in RATIOS] == [False] * 4 + [True]
