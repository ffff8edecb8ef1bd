"""Every method equals its dense reference, in float64, on every tiny network."""

import pytest
from method_checks.oracle import NETWORKS, Oracle, case, close, generator, regression
from method_checks.references import OPTIONS, REFERENCES, tolerance

from trainables import methods
from trainables.methods.base import Regularizer

RULES = [n for n in methods.names() if not issubclass(methods.registry.get(n), Regularizer)]
CASES = [
    pytest.param(name, options, network, id=f"{name}-{i}-{network}")
    for name in RULES
    for i, options in enumerate(OPTIONS.get(name, []))
    for network in NETWORKS
    if network in ("mlp", "conv") or name in ("infomcr", "fa") or i == 0
]


def test_every_rule_of_the_papers_has_a_reference():
    rules = "erm rmp amp rpr nrs wp_sgd nso sam usam asam rsam bsam infomcr fa"
    assert set(rules.split()) == set(REFERENCES) == set(OPTIONS) <= set(RULES)


@pytest.mark.parametrize(("name", "options", "network"), CASES)
def test_equals_the_reference(name, options, network):
    c = case(network)
    w, oracle = c.weights, Oracle(c)
    expected = REFERENCES[name](oracle, w, generator(3), **options)
    close(c.gradient_of(methods.build(name, **options), seed=3), expected, tolerance(name))


@pytest.mark.parametrize("name", ["erm", "nso", "wp_sgd", "rmp", "rpr", "sam", "amp", "infomcr"])
def test_equals_the_reference_on_squared_error(name):
    c = regression()
    expected = REFERENCES[name](Oracle(c), c.weights, generator(3))
    close(c.gradient_of(methods.build(name), seed=3), expected, 1e-11)
