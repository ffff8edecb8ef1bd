"""Any rule with any regularizer, and several at once: the rule applied to the regularized loss."""

import pytest
from method_checks.composed import (
    BY_HAND,
    composition_is_the_formula,
    label_smoothing,
    mixup,
    regularizer_alone_is_erm_with_it,
    regularizer_is_the_formula,
)
from method_checks.oracle import Case, Oracle, case, close, generator
from method_checks.properties import REGULARIZERS, RULES
from method_checks.references import REFERENCES, tolerance

from trainables import methods


def test_every_regularizer_of_the_papers_has_a_reference():
    assert set(BY_HAND) == {"label_smoothing", "flooding", "mixup", "adversarial", "l2_sp"}
    assert set(BY_HAND) <= set(REGULARIZERS)


@pytest.mark.parametrize("name", BY_HAND)
def test_regularizer(name):
    regularizer_is_the_formula(name)
    regularizer_alone_is_erm_with_it(name)


@pytest.mark.parametrize("regularizer", BY_HAND)
@pytest.mark.parametrize("rule", REFERENCES)
def test_pair(rule, regularizer):
    composition_is_the_formula(rule, regularizer)


@pytest.mark.parametrize("name", RULES)
def test_a_rule_sees_the_regularized_loss_alone(name):
    """Without strength, three of them in a row change nothing but the rounding."""
    idle = [
        ("label_smoothing", {"smoothing": 0.0}),
        ("flooding", {"level": 0.0}),
        ("l2_sp", {"lam": 0.0}),
    ]
    c = case("mlp")
    plain = c.gradient_of(methods.build(name), seed=3)
    method = methods.build(name, regularizers=idle)
    close(c.gradient_of(method, seed=3), plain, tolerance(name))


@pytest.mark.parametrize("regularizer", BY_HAND)
def test_parts_of_a_batch_and_weighted_terms(regularizer):
    """The penalty is weighted as the loss term it stands beside."""
    composition_is_the_formula("nrs", regularizer, num_devices=2, loss="averaged", epsilon=0.3)


@pytest.mark.parametrize("rule", ["sam", "nso", "nrs", "amp", "infomcr"])
def test_three_at_once(rule):
    """Mixup, then smoothing of the mixed targets, with a flooded loss."""
    c, g = case("conv"), generator(3)
    mixed = mixup(c, g, per="sample")
    smooth = label_smoothing(Case(c.model, mixed.inputs, mixed.targets), g, smoothing=0.1)
    seen = Case(c.model, mixed.inputs, smooth.targets, smooth.loss_fn)
    oracle = Oracle(seen, transform=lambda J: (J - 0.9).abs() + 0.9)
    expected = REFERENCES[rule](oracle, c.weights, g)
    method = methods.build(
        rule,
        regularizers=[
            ("mixup", {"per": "sample"}),
            {"name": "label_smoothing", "smoothing": 0.1},
            ("flooding", {"level": 0.9}),
        ],
    )
    close(c.gradient_of(method, seed=3), expected, 1e-10)


def test_cost_adds_up():
    method = methods.build("sam", regularizers=["mixup", ("adversarial", {"num_steps": 3})])
    assert method.cost == 2 + 3


def test_l2_sp_on_a_regression_with_nso():
    """Composition does not need classes."""
    from method_checks.composed import l2_sp
    from method_checks.oracle import regression

    c, g = regression(), generator(3)
    method = methods.build("nso", sigma=0.1, regularizers=[("l2_sp", {"lam": 0.3})])
    start = case("mlp", seed=2)
    method.begin(start.model)
    oracle = l2_sp(c, g, lam=0.3, start=start.weights)
    expected = REFERENCES["nso"](oracle, c.weights, g, sigma=0.1)
    close(c.gradient_of(method, seed=3), expected, 1e-11)
