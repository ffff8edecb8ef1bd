"""Every method equals its dense reference, in float64, on every tiny network."""

import pytest
import torch
from method_checks.oracle import NETWORKS, Oracle, case, close, generator, regression
from method_checks.references import OPTIONS, REFERENCES, tolerance

from trainables import methods
from trainables.methods.base import Regularizer

RULES = [n for n in methods.names() if not issubclass(methods.registry.get(n), Regularizer)]
CASES = [
    pytest.param(name, options, network, id=f"{name}-{i}-{network}")
    for name in RULES
    for i, options in enumerate(OPTIONS[name])
    for network in NETWORKS
    if network in ("mlp", "conv") or name in ("infomcr", "fa") or i == 0
]


def test_every_rule_has_a_reference():
    assert set(RULES) == set(REFERENCES) == set(OPTIONS)


@pytest.mark.parametrize(("name", "options", "network"), CASES)
def test_equals_the_reference(name, options, network):
    c = case(network)
    w, oracle = c.weights, Oracle(c)
    expected = REFERENCES[name](oracle, w, generator(3), **options)
    close(c.gradient_of(methods.build(name, **options), seed=3), expected, tolerance(name, options))


@pytest.mark.parametrize("name", ["erm", "nso", "wp_sgd", "rmp", "rpr", "sam", "amp", "infomcr"])
def test_equals_the_reference_on_squared_error(name):
    c = regression()
    expected = REFERENCES[name](Oracle(c), c.weights, generator(3))
    close(c.gradient_of(methods.build(name), seed=3), expected, 1e-11)


@pytest.mark.parametrize("name", RULES)
def test_loss_and_logits_are_those_of_the_first_pass(name):
    c = case("mlp")
    w, oracle = c.weights, Oracle(c)
    c.gradient_of(methods.build(name), seed=3)
    points = {"nso": "sigma", "wp_sgd": "sigma", "rsam": "sigma", "bsam": "sigma"}
    if name in points:
        w = w + 0.01 * torch.empty_like(w).normal_(generator=generator(3))
    if name in ("rmp", "rpr"):
        return  # their only pass is at a point the reference above has already pinned
    torch.testing.assert_close(c.output.logits, oracle.logits(w).detach(), rtol=1e-12, atol=1e-12)
    assert abs(float(c.output.loss) - oracle.value(w)) < 1e-12
