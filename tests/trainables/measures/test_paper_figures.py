"""Measures made for a single figure: decision regions and the recovered matrix."""

from __future__ import annotations

import math

import pytest
import torch
from torch import nn

from trainables import data, models
from trainables.measures import measure
from trainables.measures.base import Target
from trainables.measures.landscape.decision_boundary import SAMPLES
from trainables.metric_name import MapName


def test_the_boundary_of_a_linear_classifier_is_its_line() -> None:
    model = nn.Linear(2, 2, bias=False).double().eval()
    with torch.no_grad():
        model.weight.copy_(torch.tensor([[0.0, 0.0], [1.0, -2.0]]))
    batch = (torch.tensor([[1.0, 0.5], [-0.25, 2.0]]).double(), torch.tensor([0, 1]))
    found = measure(
        "decision_boundary", Target(model, nn.functional.cross_entropy, [batch]), points=5
    )
    points = list(MapName("decision_boundary").points(found))
    assert len(points) == 25
    for a, b, name in points:
        value = found[name]
        # names carry three decimals: the logit is known within 0.5e-3 * (1 + 2), the
        # probability, of slope at most 1/4, within 0.4e-3
        assert value == pytest.approx(1 / (1 + 2.718281828459045 ** -(a - 2 * b)), abs=4e-4)


def test_the_first_samples_are_recorded_with_their_classes() -> None:
    """A figure then needs no data set; so many, whatever the data set."""
    model = nn.Linear(2, 2).eval()
    inputs = torch.linspace(-1, 1, 2 * (SAMPLES + 10)).reshape(-1, 2)
    classes = torch.arange(SAMPLES + 10) % 2
    batches = list(zip(inputs.split(100), classes.split(100), strict=True))
    target = Target(model, nn.functional.cross_entropy, batches)
    found = measure("decision_boundary", target, points=3)
    samples = list(MapName("decision_boundary").samples(found))
    assert len(samples) == SAMPLES
    assert len(found) == 9 + SAMPLES
    for (x, y), label, (a, b, name) in zip(
        inputs.tolist(), classes.tolist(), samples, strict=False
    ):
        assert (a, b) == (pytest.approx(x, abs=5e-4), pytest.approx(y, abs=5e-4))
        assert found[name] == label


def test_the_distance_to_a_line_is_that_of_geometry() -> None:
    """x - 2 y = 0.3: |x - 2 y - 0.3| / sqrt(5), with a minus on the wrong side.

    On a line interpolation is exact, and the nearest crossing lies at most sqrt(s² / 2) along it.
    """
    model = nn.Linear(2, 2).double().eval()
    with torch.no_grad():
        model.weight.copy_(torch.tensor([[0.0, 0.0], [1.0, -2.0]]))
        model.bias.copy_(torch.tensor([0.0, -0.3]))
    inputs = torch.tensor([[1.0, 0.5], [-0.25, 2.0], [0.9, -1.1]]).double()
    batches = [(inputs[:2], torch.tensor([0, 0])), (inputs[2:], torch.tensor([0]))]
    found = measure("boundary_distance", Target(model, nn.functional.cross_entropy, batches))
    exact = [0.3 / 5**0.5, 4.55 / 5**0.5, -2.8 / 5**0.5]
    step = 2 * 1.1 * 2.0 / 200
    furthest = [(d**2 + step**2 / 2) ** 0.5 for d in map(abs, exact)]
    assert exact[0] - 1e-12 <= found["boundary_distance"] <= furthest[0]
    assert -furthest[2] <= found["boundary_distance/least"] <= exact[2] + 1e-12


def test_the_distance_to_a_circle_is_that_of_geometry() -> None:
    """Radius 1, samples at 1.5; off by less than s², of the grid's step s.

    Along an edge x² + y² is off its chord by at most s² / 4, which at a slope of 2 moves the
    boundary by s² / 8. The nearest crossing lies at an angle of at most s / sqrt(2) aside, which
    makes 0.5 longer by 1.5 times half its square over 0.5: 0.75 s².
    """

    class Circle(nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            ahead = x.square().sum(dim=1) - 1
            return torch.stack([torch.zeros_like(ahead), ahead], dim=1)

    angles = torch.linspace(0, 6, 40).double()
    inputs = 1.5 * torch.stack([angles.cos(), angles.sin()], dim=1)
    target = Target(Circle(), nn.functional.cross_entropy, [(inputs, torch.ones(40).long())])
    target.model.eval()
    found = measure("boundary_distance", target)
    step = 2 * 1.1 * float(inputs.abs().max()) / 200
    assert found["boundary_distance"] == pytest.approx(0.5, abs=step**2)
    assert found["boundary_distance/least"] == pytest.approx(0.5, abs=step**2)


def test_without_a_boundary_there_is_no_distance() -> None:
    model = nn.Linear(2, 2).eval()
    with torch.no_grad():
        model.weight.zero_()
        model.bias.copy_(torch.tensor([0.0, 1.0]))
    batch = (torch.randn(5, 2), torch.ones(5).long())
    found = measure("boundary_distance", Target(model, nn.functional.cross_entropy, [batch]))
    assert all(map(math.isnan, found.values()))
    assert set(found) == {"boundary_distance", "boundary_distance/least"}


@pytest.mark.parametrize("name", ["decision_boundary", "boundary_distance"])
def test_the_boundary_asks_for_the_plane_and_for_two_classes(name: str) -> None:
    def asked(features: int, classes: int) -> Target:
        batch = (torch.ones(3, features), torch.zeros(3).long())
        model = nn.Linear(features, classes).eval()
        return Target(model, nn.functional.cross_entropy, [batch])

    with pytest.raises(ValueError, match=f"{name} needs inputs of two features, not 4"):
        measure(name, asked(4, 2))
    with pytest.raises(ValueError, match=f"{name} needs two classes, not 3"):
        measure(name, asked(2, 3))


def test_the_solution_itself_is_recovered_exactly() -> None:
    options = {"size": 6, "rank": 2, "measurements": 20, "draw": 1}
    solution = data.load("matrix_sensing", **options).extra["solution"]
    model = models.build("factorization", num_classes=1, input_shape=(6, 6)).double().eval()
    values, vectors = torch.linalg.eigh(solution)
    with torch.no_grad():
        model.weight.copy_(vectors * values.clamp_min(0).sqrt())
    batch = (torch.zeros(1, 6, 6).double(), torch.zeros(1, 1).double())
    known = {"solution": solution}
    target = Target(model, nn.functional.mse_loss, [batch], extra=known)
    found = measure("recovery_distance", target)
    assert found["recovery_distance"] < 1e-12 * float(torch.linalg.norm(solution))
    with torch.no_grad():
        model.weight.zero_()
    found = measure("recovery_distance", target)
    assert found["recovery_distance"] == pytest.approx(float(torch.linalg.norm(solution)))
    assert found["recovery_distance/relative_squared"] == pytest.approx(1)


def test_recovery_asks_for_a_factorization_of_that_size() -> None:
    batch = (torch.zeros(1, 6, 6), torch.zeros(1, 1))
    model = models.build("factorization", num_classes=1, input_shape=(6, 6)).eval()
    larger = {"solution": torch.eye(7).double()}
    with pytest.raises(ValueError, match="7 x 7"):
        measure("recovery_distance", Target(model, nn.functional.mse_loss, [batch], extra=larger))
    with pytest.raises(
        ValueError, match="a data set with a solution: measure it on matrix_sensing"
    ):
        measure("recovery_distance", Target(model, nn.functional.mse_loss, [batch]))
