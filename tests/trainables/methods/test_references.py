"""Every method equals its dense reference, in float64, on every tiny network."""

import pytest

from tests.trainables.methods.known import RULES
from tests.trainables.methods.oracle import (
    NETWORKS,
    Oracle,
    case,
    close,
    generator,
    regression,
    some_directions,
)
from tests.trainables.methods.references import OPTIONS, REFERENCES, tolerance
from trainables import methods

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
    w, oracle = c.weights, Oracle(c)  # before the step: `code_faithful` moves them
    gradient = c.gradient_of(methods.build(name, **options), seed=3)
    if name == "fa":  # along a few directions: each costs two evaluations, not each weight
        along = some_directions(w)
        gradient, options = along @ gradient, {**options, "along": along}
    close(gradient, REFERENCES[name](oracle, w, generator(3), **options), tolerance(name))


@pytest.mark.parametrize("name", ["erm", "nso", "wp_sgd", "rmp", "rpr", "sam", "amp", "infomcr"])
def test_equals_the_reference_on_squared_error(name):
    c = regression()
    expected = REFERENCES[name](Oracle(c), c.weights, generator(3))
    close(c.gradient_of(methods.build(name), seed=3), expected, 1e-11)
