"""BatchNorm needs more than one value per channel: said before the first step, not in it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import torch
from torch import nn

from trainables import batch_statistics, methods, models
from trainables.config import TrialConfig
from trainables.data import DataError
from trainables.methods.objective import Objective
from trainables.parallel.group import DistributedGroup
from trainables.structures import portions
from trainables.train import Execution, Trial, fit

EXECUTION = Execution(device="cpu")
BASE = {
    "data": {"source": "digits", "subset": 161, "validation": 0},  # a fifth is the test set
    "model": "preact_tiny",  # 1 x 1 pixels at its last BatchNorm, of digits of 8 x 8
    "epochs": 1,
    "batch_size": 128,
    "drop_last": False,
}
SGD = torch.nn.functional.cross_entropy


def test_a_last_batch_of_one_image_is_refused_before_a_step(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(Trial, "_step", lambda *_: pytest.fail("a step was made"))
    with pytest.raises(DataError) as refused:
        fit(TrialConfig(**BASE), EXECUTION)
    assert str(refused.value) == (
        "layer 'body.3.bn2' (BatchNorm2d) of model 'preact_tiny' would normalize single values: of "
        "129 training images in batches of 128, the last batch of 1 has a part of 1 image with 1 "
        "value per channel; set drop_last = true, or take another batch_size"
    )


@pytest.mark.parametrize(
    "changes",
    [
        {"drop_last": True},
        {"batch_size": 127},
        {"batch_size": 129},
        {"model": "mlp"},
        {"model": "wrn_tiny", "batch_size": 1},  # its images have 2 x 2 pixels at least
    ],
    ids=str,
)
def test_what_torch_trains_is_trained(changes: dict[str, object]) -> None:
    assert fit(TrialConfig(**BASE | changes), EXECUTION).status == "done"


@pytest.mark.parametrize(
    ("changes", "remedy"),
    [
        ({"batch_size": 1}, "take a larger batch_size, or fewer parts or workers"),
        ({"batchnorm_parts": 128}, "take a larger batch_size, or fewer parts or workers"),
        ({"batch_size": 126, "batchnorm_parts": 3}, "set drop_last = true"),
        ({"method": {"name": "nrs", "num_devices": 128}}, "take a larger batch_size"),
        ({"method": {"name": "infomcr", "num_splits": 2, "start": 0.9}}, "set drop_last = true"),
        (
            {"batch_size": 126, "method": {"name": "infomcr", "num_splits": 3, "start": 0.0}},
            "set drop_last",
        ),
    ],
    ids=str,
)
def test_parts_of_one_image_are_refused_too(changes: dict[str, object], remedy: str) -> None:
    with pytest.raises(DataError, match=remedy):
        fit(TrialConfig(**BASE | changes), EXECUTION)


@pytest.mark.parametrize("batchnorm", ["local", "sync"])
def test_a_workers_share_of_one_image_is_refused(batchnorm: str) -> None:
    """Joined statistics are of the whole batch, so that a share may be of one image."""
    model, image = models.build("preact_tiny", input_shape=(1, 8, 8)), torch.zeros(1, 1, 8, 8)
    workers = {"count": 4, "batchnorm": batchnorm}
    for images, too_few in ((5, True), (7, batchnorm == "local"), (8, False)):
        config = TrialConfig(**BASE | {"batch_size": 4 if images == 5 else 8, "workers": workers})
        check = (model, methods.build("erm"), config, image, images, 4)
        if too_few:
            with pytest.raises(DataError, match="would normalize single values"):
                batch_statistics.check(*check)
        else:
            batch_statistics.check(*check)


def parts_seen(method: methods.Method, samples: int, workers: int) -> Iterator[int]:
    """Samples of every pass of a step, on each of the workers that share a batch."""
    for rank in range(workers):
        seen: list[int] = []
        model = nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4, affine=False), nn.Linear(4, 2))
        model[1].register_forward_pre_hook(lambda _, given, seen=seen: seen.append(len(given[0])))
        group = Rank(rank, workers)
        inputs, targets = group.shard(torch.rand(samples, 3), torch.arange(samples) % 2)
        method.compose(group=group)
        method.gradient(model, SGD, inputs, targets, generator=torch.Generator())
        yield from seen


class Rank(DistributedGroup):
    """One of several workers; the others do nothing."""

    def __init__(self, rank: int, size: int) -> None:
        self.rank, self.size = rank, size

    def mean_(self, tensors: list[torch.Tensor]) -> None: ...


@pytest.mark.parametrize(
    ("name", "options", "parts", "samples", "workers"),
    [
        ("erm", {}, 1, 7, 1),
        ("erm", {}, 1, 9, 4),
        ("sam", {}, 3, 11, 1),
        ("sam", {}, 4, 17, 2),
        ("nrs", {"num_devices": 3}, 1, 10, 1),
        ("nrs", {"num_devices": 4}, 8, 34, 2),
        ("infomcr", {"num_splits": 4, "start": 0.0}, 1, 9, 1),
        ("infomcr", {"num_splits": 2, "start": 0.0}, 4, 11, 1),
        ("infomcr", {"num_splits": 4, "statistics": "full_batch", "start": 0.0}, 1, 10, 1),
    ],
)
def test_the_smallest_part_is_the_one_that_a_step_has(
    name: str, options: dict[str, object], parts: int, samples: int, workers: int
) -> None:
    method = methods.build(name, batchnorm_parts=parts, **options)
    expected = min(parts_seen(method, samples, workers))
    assert expected > 1, "torch would have refused it"
    assert batch_statistics.smallest_part(samples, method, workers) == expected


def test_every_method_says_into_how_many_parts_it_cuts_a_batch() -> None:
    for name in methods.names():
        method = methods.build(name)
        assert batch_statistics.smallest_part(24, method, 1) == min(parts_seen(method, 24, 1))


@pytest.mark.parametrize("layer", [nn.InstanceNorm2d(3), nn.GroupNorm(3, 3)], ids=repr)
def test_a_layer_that_normalizes_single_values_of_every_image(layer: nn.Module) -> None:
    model = nn.Sequential(nn.Conv2d(1, 3, 8), layer)
    config = TrialConfig(**BASE | {"batch_size": 8})
    with pytest.raises(DataError, match="take larger images, or another model"):
        batch_statistics.check(model, methods.build("erm"), config, torch.zeros(1, 1, 8, 8), 128, 1)
    batch_statistics.check(model, methods.build("erm"), config, torch.zeros(1, 1, 9, 9), 128, 1)


def test_looking_for_such_layers_leaves_the_network_as_it_was() -> None:
    model = models.build("preact_tiny", input_shape=(1, 8, 8))
    before = {name: value.clone() for name, value in model.state_dict().items()}
    state = torch.get_rng_state()
    with pytest.raises(DataError):
        batch_statistics.check(
            model, methods.build("erm"), TrialConfig(**BASE), torch.zeros(1, 1, 8, 8), 129, 1
        )
    assert model.training
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())
    assert not any(m._forward_pre_hooks for m in model.modules())
    assert torch.equal(torch.get_rng_state(), state)


def test_portions_that_are_evaluated_may_be_of_one_image() -> None:
    """Evaluation mode takes the running statistics, whatever the batch."""
    model = models.build("preact_tiny", input_shape=(1, 8, 8)).eval()
    assert torch.isfinite(model(torch.zeros(1, 1, 8, 8))).all()
    assert [part.stop - part.start for part in portions(3, 2)] == [1, 2]


def test_a_pass_of_a_part_is_cut_as_the_batch_is() -> None:
    model = models.build("preact_tiny", input_shape=(1, 8, 8))
    method = methods.build("erm", batchnorm_parts=2)
    sizes: list[int] = []
    model.register_forward_pre_hook(lambda _, given: sizes.append(len(given[0])))
    objective = Objective(
        model, SGD, torch.rand(8, 1, 8, 8), torch.arange(8), None, method.composition
    )
    objective.forward(slice(0, 4))
    objective.forward()
    assert sizes == [4, 4, 4]
