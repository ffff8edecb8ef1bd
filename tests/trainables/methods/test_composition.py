"""Any rule with any regularizer, and several at once: the rule applied to the regularized loss."""

import pytest
import torch

from tests.trainables.methods.known import REGULARIZERS, RULES
from tests.trainables.methods.oracle import (
    Case,
    Oracle,
    case,
    close,
    generator,
    regression,
    some_directions,
)
from tests.trainables.methods.references import REFERENCES, tolerance
from tests.trainables.methods.regularized import (
    BY_HAND,
    REGULARIZER_OPTIONS,
    l2_sp,
    label_smoothing,
    mixup,
)
from trainables import methods

MODEST = {"infomcr": {"alpha": 0.05, "num_splits": 4}, "fa": {"lam": 0.5, "num_probes": 1}}


def require_the_formula(
    rule: str, regularizer: str, network: str = "mlp", **options: object
) -> None:
    """The rule's dense reference on the regularized loss; the regularizer draws its noise first."""
    options = options or MODEST.get(rule, {})
    for own in REGULARIZER_OPTIONS[regularizer]:
        c, g = case(network), generator(3)
        method = methods.build(rule, regularizers=[(regularizer, own)], **options)
        by_hand = dict(own)
        if regularizer == "l2_sp":
            method.begin(c.model)
            by_hand["start"] = c.weights
            for p in c.params:  # training has moved them since
                p.data.add_(torch.randn_like(p))
        oracle = BY_HAND[regularizer](c, g, **by_hand)
        w, gradient, reference = c.weights, c.gradient_of(method, seed=3), dict(options)
        if rule == "fa":
            along = reference["along"] = some_directions(w)
            gradient = along @ gradient
        close(gradient, REFERENCES[rule](oracle, w, g, **reference), tolerance(rule))
        if rule == "erm":
            assert abs(float(c.output.loss) - oracle.value(c.weights)) < 1e-12


def test_every_regularizer_of_the_papers_has_a_reference():
    assert set(BY_HAND) == {"label_smoothing", "flooding", "mixup", "adversarial", "l2_sp"}
    assert set(BY_HAND) <= set(REGULARIZERS)


@pytest.mark.parametrize("network", ["mlp", "conv"])
@pytest.mark.parametrize("name", BY_HAND)
def test_regularizer(name, network):
    require_the_formula("erm", name, network)


@pytest.mark.parametrize("name", BY_HAND)
def test_a_regularizer_alone_is_erm_with_it(name):
    for own in REGULARIZER_OPTIONS[name]:
        c = case("mlp")
        alone = c.gradient_of(methods.build(name, **own))
        with_erm = c.gradient_of(methods.build("erm", regularizers=[{"name": name, **own}]))
        assert torch.equal(alone, with_erm)


@pytest.mark.parametrize("regularizer", BY_HAND)
@pytest.mark.parametrize("rule", REFERENCES)
def test_pair(rule, regularizer):
    require_the_formula(rule, regularizer)


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
    require_the_formula("nrs", regularizer, num_devices=2, loss="averaged", epsilon=0.3)


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
    c, g = regression(), generator(3)
    method = methods.build("nso", sigma=0.1, regularizers=[("l2_sp", {"lam": 0.3})])
    start = case("mlp", seed=2)
    method.begin(start.model)
    oracle = l2_sp(c, g, lam=0.3, start=start.weights)
    expected = REFERENCES["nso"](oracle, c.weights, g, sigma=0.1)
    close(c.gradient_of(method, seed=3), expected, 1e-11)
