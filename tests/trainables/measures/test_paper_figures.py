"""Measures made for a single figure: decision regions and the recovered matrix."""

from __future__ import annotations

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
