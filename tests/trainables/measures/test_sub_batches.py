"""Cosines and norms of sub-batch gradients, written out pair by pair."""

import itertools
import statistics

import pytest
import torch
from torch import nn

from tests.trainables.measures.networks import close, cross_entropy, network, refuses, uneven
from trainables.measures import measure
from trainables.measures.base import Target

NAME = "sub_batch_gradients"


def parts(targets, count):
    return [
        targets[len(targets) * i // count : len(targets) * (i + 1) // count] for i in range(count)
    ]


def written_out(model, x, y, count):
    gradients = []
    for inputs, targets in zip(parts(x, count), parts(y, count), strict=True):
        model.zero_grad()
        cross_entropy(model(inputs), targets).backward()
        gradients.append(torch.cat([p.grad.reshape(-1) for p in model.parameters()]))
    norms = [float(g.norm()) for g in gradients]
    cosines = [
        float(nn.functional.cosine_similarity(a, b, dim=0))
        for a, b in itertools.combinations(gradients, 2)
    ]
    return [
        statistics.fmean(cosines),
        statistics.stdev(norms) / statistics.fmean(norms),
        statistics.fmean(n**2 for n in norms),
    ]


@pytest.mark.parametrize("count", [2, 3, 5])
@pytest.mark.parametrize("name", ["mlp", "conv", "shared"])
def test_means_over_batches(name, count):
    model, x, y = network(name)
    batches = uneven(x, y)
    found = measure(NAME, Target(model, cross_entropy, batches), num_splits=count)
    expected = torch.tensor(
        [written_out(model, *batch, count) for batch in batches], dtype=torch.float64
    )
    for part, values in zip(("cosine", "norm_variation", "mean_square"), expected.T, strict=True):
        close(found[f"{NAME}/{part}"], values.mean())
        assert found[f"{NAME}/{part}_std_error"] > 0


def test_small_batches_are_left_out_and_need_not_be_there():
    model, x, y = network("mlp")
    target = Target(model, cross_entropy, uneven(x, y))
    alone = Target(model, cross_entropy, [(x[5:], y[5:])])
    both, last = measure(NAME, target, num_splits=6), measure(NAME, alone, num_splits=6)
    assert both[f"{NAME}/cosine"] == last[f"{NAME}/cosine"]
    refuses("no batch has num_splits = 8 samples", measure, NAME, target)


def test_one_part_is_refused_and_a_gradient_of_norm_0_has_no_direction():
    model, x, y = network("mlp")
    target = Target(model, cross_entropy, uneven(x, y))
    refuses(
        "num_splits = 1: input should be greater than or equal to 2",
        measure,
        NAME,
        target,
        num_splits=1,
    )
    flat = Target(model, lambda z, _: 0 * z.sum(), uneven(x, y))
    assert measure(NAME, flat, num_splits=2)[f"{NAME}/cosine"] == 0
