"""The divergence between a network and its random neighbours, written out for each draw."""

import pytest
import torch

from tests.trainables.measures.networks import (
    close,
    cross_entropy,
    generator,
    network,
    refuses,
    uneven,
)
from tests.trainables.methods.oracle import Case, Oracle
from tests.trainables.methods.references import neighbor
from trainables import methods
from trainables.measures import measure
from trainables.measures.base import Target

DRAWS = 3
SCALES = ("relative", "relative_per_tensor", "unit_then_scale", "literal", "gaussian_literal")


def written_out(name, draws=DRAWS, **options):
    """Means over the draws of KL(p || q), the rise of the loss, and the relative size of delta."""
    model, x, y = network(name)
    case = Case(model, x, y)
    o, w, g = Oracle(case), case.weights, generator(4)
    rows = []
    for _ in range(draws):
        delta = neighbor(o, w, g, **options)
        p, q = o.logits(w).softmax(1).detach(), o.logits(w + delta).softmax(1).detach()
        apart = (p * (p.log() - q.log())).sum(1).mean()
        rows.append([apart, o.value(w + delta) - o.value(w), delta.norm() / w.norm()])
    return torch.tensor(rows).double().mean(0)


def measured(name, method=None, **options):
    model, x, y = network(name)
    target = Target(model, cross_entropy, uneven(x, y), generator(4), method=method)
    found = measure("model_divergence", target, num_samples=DRAWS, **options)
    parts = ("model_divergence", "model_divergence/rise", "model_divergence/size")
    return torch.tensor([found[part] for part in parts], dtype=torch.float64)


@pytest.mark.parametrize("scale", SCALES)
@pytest.mark.parametrize("name", ["mlp", "conv"])
def test_a_given_neighborhood(name, scale):
    expected = written_out(name, epsilon=0.3, scale=scale)
    close(measured(name, epsilon=0.3, scale=scale), expected, 1e-9)
    assert expected[0] > 1e-9


@pytest.mark.parametrize("rule", ["nrs", "rpr"])
def test_the_trials_own_neighborhood_has_all_its_options(rule):
    options = {"epsilon": 0.4, "scale": "literal", "ball": "per_coordinate_uniform"}
    own = methods.build(rule, **options, perturb="weights", num_devices=4)
    expected = written_out("conv", **options, perturb="weights")
    close(measured("conv", own, own=True), expected, 1e-9)
    given = measured("conv", own, epsilon=0.4)
    close(given, written_out("conv", epsilon=0.4), 1e-9)


def test_without_a_perturbation_nothing_is_apart():
    assert measured("mlp", methods.build("nrs", epsilon=0.0), own=True).tolist() == [0.0, 0.0, 0.0]


def test_what_has_no_neighborhood_has_none_of_its_own():
    refuses("own = True needs a trial of NRS or RPR", measured, "mlp", own=True)
    refuses("own = True needs", measured, "mlp", methods.build("erm"), own=True)
    refuses("scale = 'literal' would have no effect", measured, "mlp", scale="literal", own=True)
