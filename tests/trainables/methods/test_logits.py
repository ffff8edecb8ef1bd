"""What a step reports is of the batch in its order: the running error is counted from it."""

import copy

import pytest
import torch

from tests.trainables.methods.known import KNOWN, REGULARIZERS, RULES, build
from tests.trainables.methods.oracle import case, flat
from tests.trainables.methods.references import OPTIONS
from trainables import methods

NETWORKS = ("mlp", "conv")  # of linear layers alone, where InfoMCR takes a path of its own; others


class Passes:
    """Every pass in training mode: its inputs, and the network with the weights it then had."""

    def __init__(self, model):
        self.seen = []
        self.handle = model.register_forward_pre_hook(self.note)

    def note(self, model, arguments):
        if model.training:
            network = copy.deepcopy(model)
            network._forward_pre_hooks.clear()
            for module in network.modules():  # InfoMCR replaces the layers' own for a pass
                module.__dict__.pop("forward", None)
            self.seen.append((network, arguments[0].detach().clone()))

    @torch.no_grad()
    def plain(self, inputs):
        """The logits of each of ``inputs``, of the first pass that saw it, by that network."""
        rows = []
        for x in inputs:
            network, batch = next((n, b) for n, b in self.seen if (b == x).flatten(1).all(1).any())
            (place,) = (batch == x).flatten(1).all(1).nonzero()[0]
            rows.append(network(batch)[place])
        return torch.stack(rows)


def cases():
    for name in RULES:
        for options in OPTIONS.get(name, [{}]):
            for regularizer in (None, *REGULARIZERS):
                yield name, options, regularizer


def regularized(method, c):
    """The batch as the method's regularizers make it, in its order."""
    return c.objective_of(method).inputs


@pytest.mark.parametrize("network", NETWORKS)
@pytest.mark.parametrize(("name", "options", "regularizer"), list(cases()))
def test_logits_are_those_of_a_plain_pass_of_the_batch_in_its_order(
    name, options, regularizer, network
):
    """At the weights of the first pass, displaced or not, and with its parts' own statistics.

    In float64 only the order of sums differs, in FA also the formula of the normalization.
    """
    extra = [] if regularizer is None else [regularizer]
    c = case(network)
    inputs = regularized(build(name, regularizers=extra, **options), copy.deepcopy(c))
    passes = Passes(c.model)
    c.gradient_of(build(name, regularizers=extra, **options))
    logits = passes.plain(inputs)
    torch.testing.assert_close(
        c.output.logits, logits, rtol=0, atol=1e-9 * float(logits.abs().max())
    )


@pytest.mark.parametrize("name", methods.names())
def test_a_method_says_whether_its_first_pass_is_of_the_batch_at_w(name):
    """Where it is, ``batchnorm = "separate"`` would only cost, and is refused."""
    for options in OPTIONS.get(name, [{}]):
        c = case("conv", batch=12)
        size, weights, passes = len(c.inputs), c.weights, Passes(c.model)
        method = build(name, **options)
        c.gradient_of(method)
        network, batch = passes.seen[0]
        there = flat([p for p in network.parameters() if p.requires_grad])
        is_clean = torch.equal(there, weights) and len(batch) == size
        # Who does not say that it is pays for a pass; who says so wrongly gets wrong statistics.
        assert method.clean_first == is_clean or (is_clean and name not in KNOWN), options


@pytest.mark.parametrize("name", methods.names())
def test_a_method_says_how_many_passes_it_makes(name):
    """Where it is one, ``batchnorm = "all"`` would be ``clean``, and is refused."""
    for options in OPTIONS.get(name, [{}]):
        c = case("conv", batch=12)
        passes = Passes(c.model)
        method = build(name, **options)
        c.gradient_of(method)
        assert len(passes.seen) == method.passes, options
