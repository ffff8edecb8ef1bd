"""The layer that stands in for torch's batch normalization when workers share a batch.

Over real processes it is in test_distributed.py; here is what is kept of the replaced layer.
"""

import pytest
import torch
from torch import nn

from trainables.parallel.group import Group
from trainables.parallel.sync_batchnorm import SyncBatchNorm, synchronize

GROUP = Group()


def network() -> nn.Sequential:
    torch.manual_seed(0)
    return nn.Sequential(
        nn.Conv2d(3, 4, 3),
        nn.BatchNorm2d(4, eps=1e-3, momentum=None),
        nn.Sequential(nn.BatchNorm2d(4, affine=False), nn.ReLU()),
        nn.BatchNorm2d(4, track_running_stats=False),
    ).double()


def images() -> torch.Tensor:
    return torch.randn(6, 3, 5, 5, dtype=torch.float64, generator=torch.Generator().manual_seed(1))


def test_numbers_are_torchs() -> None:
    """Of one worker, whose mean is its own: outputs, statistics, and both in evaluation mode.

    Sums of up to 54 numbers of size 1 in another order: 1e-13 is a hundred roundings.
    """
    theirs, ours = network(), synchronize(network(), GROUP)
    GROUP.shard(images(), images())
    for training in (True, True, False):
        for model in (theirs, ours):
            model.train(training)
        torch.testing.assert_close(ours(images()), theirs(images()), rtol=1e-13, atol=1e-13)
    for name, value in theirs.state_dict().items():
        torch.testing.assert_close(ours.state_dict()[name], value, rtol=1e-13, atol=1e-13)


def test_tensors_names_and_modes_stay() -> None:
    model = network()
    model[2].eval()
    before, tensors = list(model.state_dict()), [*model.parameters(), *model.buffers()]
    modes = [module.training for module in model.modules()]
    assert synchronize(model, GROUP) is model
    assert list(model.state_dict()) == before
    after = [*model.parameters(), *model.buffers()]
    assert all(one is other for one, other in zip(tensors, after, strict=True))
    assert [module.training for module in model.modules()] == modes
    assert sum(isinstance(module, SyncBatchNorm) for module in model.modules()) == 3


def test_hooks_stay_and_their_handles_remove_them() -> None:
    model, seen = network(), []
    handles = [
        model[1].register_forward_pre_hook(lambda *_: seen.append("before")),
        model[1].register_forward_hook(
            lambda *_, **__: seen.append("after"), with_kwargs=True, always_call=True
        ),
        model[1].register_full_backward_hook(lambda *_: seen.append("backward")),
    ]
    synchronize(model, GROUP)
    GROUP.shard(images(), images())
    model(images()).sum().backward()
    assert seen == ["before", "after", "backward"]
    for handle in handles:
        handle.remove()
    model(images()).sum().backward()
    assert len(seen) == 3


def test_a_layer_with_two_places_stays_one() -> None:
    layer = nn.BatchNorm1d(2)
    model = nn.Sequential(layer, nn.Sequential(layer))
    synchronize(model, GROUP)
    assert model[0] is model[1][0]
    assert isinstance(model[0], SyncBatchNorm)


@pytest.mark.parametrize("kind", [nn.BatchNorm1d, nn.BatchNorm2d, nn.BatchNorm3d])
def test_a_model_that_is_such_a_layer_is_replaced_as_a_whole(kind: type[nn.Module]) -> None:
    layer = kind(3)
    made = synchronize(layer, GROUP)
    assert isinstance(made, SyncBatchNorm)
    assert made.weight is layer.weight
    assert type(layer) is kind  # what was given is as it was
