"""What is refused before measuring, and that measuring changes nothing.

Whoever calls a measure, and however: of a model in training mode there is no number.
"""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import nn

from tests.trainables.measures.networks import (
    close,
    cross_entropy,
    generator,
    network,
    refuses,
    uneven,
)
from trainables import measures
from trainables.measures.base import Estimate, Target, flatten
from trainables.measures.guard import check, guarded


class _Stream:
    """Batches made anew on every pass."""

    def __init__(self, make):
        self.make = make

    def __iter__(self):
        return iter(self.make())


class _FunctionalDropout(nn.Module):
    def __init__(self, model):
        super().__init__()
        self.model = model

    def forward(self, x):
        return self.model(nn.functional.dropout(x, 0.5, training=True))


def test_random_models_are_refused():
    model, x, y = network("conv")
    batches = uneven(x, y)
    check(model, batches)
    model[1].train()
    refuses("training mode (module '1'): call model.eval()", check, model, batches)
    refuses("training mode", measures.measure, "loss", Target(model, cross_entropy, batches))
    dropped = nn.Sequential(nn.Dropout(0.5), model.eval()).eval()
    check(dropped, batches)
    dropped[0].train()
    refuses("dropout '0' is active", check, dropped, batches)
    functional = _FunctionalDropout(model).eval()
    refuses("logits of batch 0 differ", check, functional, batches)
    target = Target(functional, cross_entropy, batches)
    refuses("logits of batch 0 differ", measures.measure, "loss", target)
    refuses("at least one", check, model, [])


def test_random_data_are_refused():
    model, x, y = network("mlp")
    flip = _Stream(lambda: [(x + 1e-6 * torch.randn(12, 1), y)])
    refuses("inputs of batch 0 differ; turn random augmentation", check, model, flip)

    def shuffled():
        order = torch.randperm(12)
        return uneven(x[order], y[order])

    refuses("inputs of batch 0 differ", check, model, _Stream(shuffled))
    noisy = _Stream(lambda: [(x[:5], y[:5]), (x, torch.randperm(12))])
    refuses("targets of batch 1 differ; turn shuffling and label noise off", check, model, noisy)
    passes = [uneven(x, y), uneven(x, y)[:1]]
    refuses("2 batches, then 1", check, model, _Stream(lambda: passes.pop(0)))
    refuses("2 batches, then 0", check, model, iter(uneven(x, y)))


def test_everything_is_put_back():
    model, x, y = network("conv")
    model[0].weight.grad = torch.ones_like(model[0].weight)
    grads = [p.grad for p in model.parameters()]
    before = {k: v.clone() for k, v in model.state_dict().items()}
    for fails in (False, True):
        try:
            with guarded(model, uneven(x, y)), torch.no_grad():
                for tensor in model.state_dict().values():
                    tensor.add_(1)
                for p in model.parameters():
                    p.grad = None
                    p.requires_grad_(False)
                if fails:
                    raise KeyError
        except KeyError:
            assert fails
        after = model.state_dict()
        assert all(torch.equal(before[k], after[k]) for k in before)
        assert all(p.grad is g for p, g in zip(model.parameters(), grads, strict=True))
        assert all(p.requires_grad for p in model.parameters())


SPECIAL = {"boundary_distance", "decision_boundary", "recovery_distance"}
"""Those of one model and data set, in test_paper_figures.py."""
SMALL = {
    "fisher": {"num_samples": 4, "num_trials": 2},
    "subset_hessian": {"num_samples": 4, "num_trials": 2},
    "landscape": {"points": 3},
    "sub_batch_gradients": {"num_splits": 2},
    "average_sharpness": {"num_samples": 2},
    "perturbation_gap": {"num_samples": 2, "num_probes": 2},
    "hessian_trace": {"num_samples": 2},
    "hessian_frobenius": {"num_samples": 2},
    "hessian_eigenvalues": {"largest": 2},
    "nso_code_trace": {"num_samples": 2},
    "nso_code_lambda1": {"max_products": 2},
}


@pytest.mark.parametrize("name", sorted(set(measures.names()) - SPECIAL))
def test_every_measure_can_be_asked_for(name):
    """By name: flat floats under its own name, twice the same, the model as before, bit for bit."""
    model, x, y = network("conv")
    before = {k: v.clone() for k, v in model.state_dict().items()}
    options = {k: v for key, o in SMALL.items() if name.startswith(key) for k, v in o.items()}
    runs = [
        measures.measure(name, Target(model, cross_entropy, uneven(x, y), initial=model), **options)
        for _ in range(2)
    ]
    assert runs[0]
    assert runs[0] == runs[1]
    assert all(key.startswith(name) and type(v) is float for key, v in runs[0].items()), name
    after = model.state_dict()
    assert all(torch.equal(before[k], after[k]) for k in before), name
    assert all(p.grad is None and p.requires_grad for p in model.parameters()), name


def test_generators_are_used():
    """The one that is given; a fresh one seeded with 0 if none is."""
    model, x, y = network("mlp")
    batches = uneven(x, y)
    for given, seed in ((generator(3), 3), (None, 0)):
        got = measures.measure("hessian_trace", Target(model, cross_entropy, batches, given))
        want = measures.hessian_trace(
            Target(model, cross_entropy, batches, generator=generator(seed))
        )
        assert got["hessian_trace"] == want.value
        assert got["hessian_trace_std_error"] == want.std_error


def test_options_are_checked():
    model, x, y = network("mlp")
    target = Target(model, cross_entropy, uneven(x, y))
    refuses("did you mean 'hessian_trace'", measures.measure, "hesian_trace", target)
    refuses("unknown option of measure", measures.measure, "hessian_trace", target, probe=3)
    refuses("num_samples = 0", measures.measure, "hessian_trace", target, num_samples=0)
    refuses("unknown layer 'x'", measures.measure, "hessian_trace", target, parameters="x")


def test_results_are_flat():
    assert measures.Estimate.of(torch.tensor([-torch.inf, 1.0])).value == -torch.inf
    result = {"": Estimate(1.0, 0.1), "part": 2.0, "other": Estimate(3.0, 0.3)}
    assert flatten("m", result) == {
        "m": 1.0,
        "m_std_error": 0.1,
        "m/part": 2.0,
        "m/other": 3.0,
        "m/other_std_error": 0.3,
    }
    estimate = Estimate.of(torch.tensor([1.0, 2.0, 6.0]))
    close([estimate.value, estimate.std_error], [3.0, (7 / 3) ** 0.5])


NETWORKS = {
    "training mode": nn.Sequential(nn.Linear(4, 5), nn.BatchNorm1d(5), nn.Linear(5, 3)),
    "dropout": nn.Sequential(nn.Linear(4, 5), nn.Dropout(0.5), nn.Linear(5, 3)).eval(),
}
NETWORKS["dropout"][1].train()
BATCHES = [(torch.randn(8, 4), torch.randint(3, (8,)))]


def direct(name: str) -> list[Any]:
    """The function that is registered, and one that the package offers under the same name."""
    offered = getattr(measures, name, None)
    return [measures.registry.get(name), *([offered] if callable(offered) else [])]


@pytest.mark.parametrize("network", NETWORKS)
@pytest.mark.parametrize("name", measures.names())
def test_every_measure_refuses_a_model_in_training_mode(name: str, network: str) -> None:
    target = Target(NETWORKS[network], cross_entropy, BATCHES)
    with pytest.raises(ValueError, match=network):
        measures.measure(name, target)
    for function in direct(name):
        with pytest.raises(ValueError, match=network):
            function(target)
        with pytest.raises(ValueError, match=network):
            function(target=target)


@pytest.mark.parametrize("option", ["inner_lr", "steps"])
def test_an_option_of_the_rule_that_is_not_taken_is_refused(option: str) -> None:
    """And would give the same number, called directly."""
    model = nn.Sequential(nn.Linear(4, 3)).eval()
    with pytest.raises(ValueError, match=f"{option} = 3.* needs rule = 'amp'"):
        measures.measure(
            "worst_case_sharpness", Target(model, cross_entropy, BATCHES), **{option: 3}
        )
    plain = measures.worst_case_sharpness(Target(model, cross_entropy, BATCHES))
    given = measures.worst_case_sharpness(Target(model, cross_entropy, BATCHES), **{option: 3})
    assert plain == given
