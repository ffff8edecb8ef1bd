"""Measures made for a single figure: decision regions and the recovered matrix."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from trainables import data, models
from trainables.measures import measure
from trainables.measures.base import Target


def test_the_boundary_of_a_linear_classifier_is_its_line() -> None:
    model = nn.Linear(2, 2, bias=False).double().eval()
    with torch.no_grad():
        model.weight.copy_(torch.tensor([[0.0, 0.0], [1.0, -2.0]]))
    batch = (torch.tensor([[1.0, 0.5], [-0.25, 2.0]]).double(), torch.tensor([0, 1]))
    found = measure(
        "decision_boundary", Target(model, nn.functional.cross_entropy, [batch]), points=5
    )
    assert len(found) == 25
    for name, value in found.items():
        *_, a, b = map(float, name.split("/")[1:])
        # names carry three decimals: the logit is known within 0.5e-3 * (1 + 2), the
        # probability, of slope at most 1/4, within 0.4e-3
        assert value == pytest.approx(1 / (1 + 2.718281828459045 ** -(a - 2 * b)), abs=4e-4)


def test_the_boundary_asks_for_the_plane() -> None:
    batch = (torch.zeros(3, 4), torch.zeros(3).long())
    with pytest.raises(ValueError, match="two features, not 4"):
        measure(
            "decision_boundary",
            Target(nn.Linear(4, 2).eval(), nn.functional.cross_entropy, [batch]),
        )


def test_the_solution_itself_is_recovered_exactly() -> None:
    options = {"size": 6, "rank": 2, "measurements": 20, "draw": 1}
    solution = data.load("matrix_sensing", **options).extra["solution"]
    model = models.build("factorization", num_classes=1, input_shape=(6, 6)).double().eval()
    values, vectors = torch.linalg.eigh(solution)
    with torch.no_grad():
        model.weight.copy_(vectors * values.clamp_min(0).sqrt())
    batch = (torch.zeros(1, 6, 6).double(), torch.zeros(1, 1).double())
    found = measure("recovery_distance", Target(model, nn.functional.mse_loss, [batch]), **options)
    assert found["recovery_distance"] < 1e-12 * float(torch.linalg.norm(solution))
    with torch.no_grad():
        model.weight.zero_()
    found = measure("recovery_distance", Target(model, nn.functional.mse_loss, [batch]), **options)
    assert found["recovery_distance"] == pytest.approx(float(torch.linalg.norm(solution)))
    assert found["recovery_distance/relative_squared"] == pytest.approx(1)


def test_recovery_asks_for_a_factorization_of_that_size() -> None:
    batch = (torch.zeros(1, 6, 6), torch.zeros(1, 1))
    model = models.build("factorization", num_classes=1, input_shape=(6, 6)).eval()
    with pytest.raises(ValueError, match="7 x 7"):
        measure("recovery_distance", Target(model, nn.functional.mse_loss, [batch]), size=7)
