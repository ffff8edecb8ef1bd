"""NSO's bound, against dense quantities, and as the least value of its proof's expression."""

import copy
import math

import torch
from torch import nn

from tests.trainables.measures.networks import (
    close,
    cross_entropy,
    dense_hessian,
    generator,
    network,
    refuses,
    uneven,
)
from trainables.measures.base import Target, measure

ROUNDING = 1e-6
"""On a grid whose points are 1e-3 apart in log σ² the least value is at most 1e-6 / 8 too large."""


def moved(model):
    initial = copy.deepcopy(model)
    with torch.no_grad():
        for p in initial.parameters():
            p.add_(torch.randn(p.shape, dtype=p.dtype, generator=generator(5)), alpha=0.3)
    return initial


def dense(model, x, y, initial, names):
    """Trace, distance and the largest loss, each by its definition."""
    trace = float(dense_hessian(model, cross_entropy, x, y, names).trace())
    here, there = (dict(m.named_parameters()) for m in (model, initial))
    squares = [(here[n] - there[n]).detach().square().sum() for n in names]
    radius = math.sqrt(float(sum(squares)))
    losses = nn.functional.cross_entropy(model(x), y, reduction="none").detach()
    return trace, radius, float(losses.max())


def least(trace, radius, largest, n, beta):
    """The last two terms of the proof's expression, at the best σ² of a fine grid."""
    near = 1.3 * math.sqrt(largest * radius**2 / (2 * n * trace)) / (1 - beta)
    grid = [near * math.exp(1e-3 * k) for k in range(-1000, 1001)]

    def terms(variance):
        first = (1 - beta) * variance * trace / (2 * beta)
        return first + largest * radius**2 / (4 * beta * (1 - beta) * variance * n)

    values = [terms(variance) for variance in grid]
    assert 0 < values.index(min(values)) < len(values) - 1, "it is inside the grid"
    return min(values)


def test_it_is_the_least_value_of_the_proof_s_expression():
    model, x, y = network("mlp")
    initial, names = moved(model), ["0.weight", "2.weight"]
    target = Target(
        model, cross_entropy, uneven(x, y), generator(), initial.state_dict(), num_training=500
    )
    found = measure("pac_bayes_bound", target, num_samples=50)
    trace, radius, largest = dense(model, x, y, initial, names)
    close(found["pac_bayes_bound/distance"], radius)
    close(found["pac_bayes_bound/largest_loss"], largest)
    error = found["pac_bayes_bound/trace_std_error"]
    assert abs(found["pac_bayes_bound/trace"] - trace) < 4.9 * error
    taken = found["pac_bayes_bound/trace"]
    for beta in (0.5, 0.9):
        want = beta * least(taken, radius, largest, 500, beta)
        assert abs(found["pac_bayes_bound"] / want - 1) < ROUNDING
    close(found["pac_bayes_bound/code"], largest * math.sqrt(taken * radius**2 / 500))


def test_n_is_the_training_set_and_not_what_it_is_measured_on():
    model, x, y = network("mlp")
    batches, initial = uneven(x, y), moved(model).state_dict()

    def bound(training=None, **options):
        target = Target(model, cross_entropy, batches, generator(), initial, num_training=training)
        return measure("pac_bayes_bound", target, num_samples=3, **options)["pac_bayes_bound"]

    close(bound(48), bound() / 2)  # 12 images
    close(bound(48, num_data=192), bound() / 4)


def test_other_parameters_and_what_is_missing():
    model, x, y = network("mlp")
    initial = moved(model)
    target = Target(model, cross_entropy, uneven(x, y), generator(), initial.state_dict())
    found = measure("pac_bayes_bound", target, num_samples=3, parameters="all")
    names = [name for name, _ in model.named_parameters()]
    close(found["pac_bayes_bound/distance"], dense(model, x, y, initial, names)[1])
    refuses("initial weights", measure, "pac_bayes_bound", Target(model, cross_entropy, [(x, y)]))


def test_a_negative_trace_bounds_by_nothing():
    """10 - L has the Hessian -H, whose trace is below 0."""
    model, x, y = network("mlp")
    target = Target(
        model,
        lambda z, t: 10 - cross_entropy(z, t),
        [(x, y)],
        generator(),
        moved(model).state_dict(),
    )
    found = measure("pac_bayes_bound", target, num_samples=20)
    assert found["pac_bayes_bound/trace"] < 0
    assert found["pac_bayes_bound/largest_loss"] > 0
    assert found["pac_bayes_bound"] == 0
