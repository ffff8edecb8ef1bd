"""Inputs may be a tensor, a dict or a pair: the gradient is that of the model on one tensor."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from tests.trainables.methods.known import LOUD
from tests.trainables.methods.oracle import Case, case, close, generator
from tests.trainables.methods.references import OPTIONS
from trainables import methods
from trainables.config import TrialConfig
from trainables.execution import Execution
from trainables.parallel.group import DistributedGroup, Group
from trainables.structures import batch_size
from trainables.train import Trial

OF_IMAGES = ("mixup", "adversarial")


class Together(nn.Module):
    """A model whose input comes in two pieces, of a dict or a pair."""

    def __init__(self, inner: nn.Module) -> None:
        super().__init__()
        self.inner = inner

    def forward(self, pieces):
        left, right = pieces.values() if isinstance(pieces, dict) else pieces
        return self.inner(torch.cat([left, right], dim=-1))


def as_dict(x):
    return {"left": x[..., :1], "right": x[..., 1:]}


def as_pair(x):
    return x[..., :1], x[..., 1:]


def apart(c: Case, structure) -> Case:
    return Case(Together(c.model), structure(c.inputs), c.targets, c.loss_fn)


def settings():
    for name in methods.names():
        for options in OPTIONS.get(name, [{}]):
            yield name, {**LOUD.get(name, {}), **options}
    for name in ("erm", "nrs", "infomcr"):
        yield name, {"batchnorm_parts": 2}


@pytest.mark.parametrize("structure", [as_dict, as_pair])
@pytest.mark.parametrize(("name", "options"), [s for s in settings() if s[0] not in OF_IMAGES])
def test_the_gradient_is_that_on_one_tensor(name, options, structure):
    """To rounding, in float64; statistics and logits as well."""
    for network in ("mlp", "conv"):
        whole, c = case(network), apart(case(network), structure)
        torch.manual_seed(0)
        expected = whole.gradient_of(methods.build(name, **options), seed=3)
        torch.manual_seed(0)
        close(c.gradient_of(methods.build(name, **options), seed=3), expected, 1e-12)
        torch.testing.assert_close(c.output.logits, whole.output.logits, rtol=0, atol=1e-12)
        for ours, theirs in zip(c.model.buffers(), whole.model.buffers(), strict=True):
            torch.testing.assert_close(ours, theirs, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("structure", [as_dict, as_pair])
@pytest.mark.parametrize("name", OF_IMAGES)
def test_what_changes_images_says_that_it_needs_them(name, structure):
    method = methods.build("sam", regularizers=[name])
    with pytest.raises(
        ValueError, match=f"regularizer '{name}' changes images: .* not (dict|tuple)"
    ):
        apart(case("mlp"), structure).gradient_of(method)


def test_integers_are_no_images():
    c = case("mlp")
    c.inputs = c.inputs.long()
    with pytest.raises(ValueError, match=r"'mixup' changes images: .* not torch\.int64"):
        c.gradient_of(methods.build("mixup"))


@pytest.mark.parametrize(
    ("inputs", "message"),
    [
        ((torch.zeros(8, 1), torch.zeros(7, 4)), r"shapes \(8, 1\), \(7, 4\)"),
        ({"x": torch.zeros(())}, r"shapes \(\)"),
        ({}, "has no tensor"),
    ],
)
def test_a_batch_without_one_row_per_sample_is_refused(inputs, message):
    with pytest.raises(ValueError, match=f"one row per sample; .*{message}"):
        batch_size(inputs)


@pytest.mark.parametrize("structure", [as_dict, as_pair])
@pytest.mark.parametrize("size", [1, 7])
def test_workers_take_their_part_of_every_tensor(structure, size):
    x, y = torch.arange(3.0 * size).view(size, 3), torch.arange(size)
    for rank in range(2):
        worker = object.__new__(
            DistributedGroup
        )  # without the process group that it would exchange over
        worker.rank, worker.size = rank, 2
        mine, targets = worker.shard(x, y)
        pieces, same_targets = worker.shard(structure(x), y)
        assert torch.equal(targets, same_targets)
        found = pieces.values() if isinstance(pieces, dict) else pieces
        assert all(map(torch.equal, as_pair(mine), found))
        assert (worker.whole, worker.own) == (size, (size + rank) // 2)
    alone = Group()
    assert alone.shard(structure(x), y)[1] is y
    assert alone.own == alone.whole == size


def test_a_training_step_takes_a_dict():
    config = TrialConfig(method="sam", epochs=1, batch_size=32, precision="float64")
    gradients = []
    for structure in (None, as_dict):
        trial = Trial(config, Execution(device="cpu"))
        inputs, targets = next(iter(trial.batches.epoch(0)))
        if structure is not None:
            inputs, trial.model = structure(inputs), Together(trial.model)
        inputs, targets = trial.group.shard(inputs, targets)
        trial._step(0, inputs, targets, generator(0))
        gradients.append(torch.cat([p.grad.flatten() for p in trial.model.parameters()]))
    close(*gradients, 1e-12)
