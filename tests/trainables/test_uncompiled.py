"""The optimizers of trials are torch's to the last bit: weights, state, hooks."""

from __future__ import annotations

import copy
from typing import Any

import pytest
import torch
from torch import nn

from trainables import uncompiled

OPTIONS = {
    "SGD": {"lr": 0.1, "momentum": 0.9, "nesterov": True, "weight_decay": 0.01},
    "Adam": {"lr": 0.1, "amsgrad": True, "weight_decay": 0.01},
    "AdamW": {"lr": 0.1, "weight_decay": 0.01},
}


def steps(optimizer: torch.optim.Optimizer, model: nn.Linear, count: int) -> None:
    draws = torch.Generator().manual_seed(1)
    for _ in range(count):
        optimizer.zero_grad()
        model(torch.randn(5, 3, generator=draws)).square().sum().backward()
        optimizer.step()


@pytest.mark.parametrize("name", OPTIONS)
@pytest.mark.parametrize("how", [{"foreach": True}, {"foreach": False}, {"fused": True}])
def test_steps_are_torchs_and_go_on_from_a_state(name: str, how: dict[str, Any]) -> None:
    ours, theirs = (nn.Linear(3, 2) for _ in range(2))
    theirs.load_state_dict(ours.state_dict())
    one = getattr(uncompiled, name)(ours.parameters(), **OPTIONS[name], **how)
    other = getattr(torch.optim, name)(theirs.parameters(), **OPTIONS[name], **how)
    steps(one, ours, 3)
    steps(other, theirs, 3)
    again = getattr(uncompiled, name)(ours.parameters(), **OPTIONS[name], **how)
    again.load_state_dict(copy.deepcopy(one.state_dict()))
    steps(again, ours, 2)
    steps(other, theirs, 2)
    assert again.state_dict()["param_groups"] == other.state_dict()["param_groups"]
    for mine, its in zip(ours.parameters(), theirs.parameters(), strict=True):
        assert torch.equal(mine, its)
        assert again.state[mine].keys() == other.state[its].keys()
        for part, value in other.state[its].items():
            assert torch.equal(torch.as_tensor(again.state[mine][part]), torch.as_tensor(value))


@pytest.mark.parametrize("name", OPTIONS)
def test_hooks_are_called(name: str) -> None:
    model, called = nn.Linear(3, 2), []
    optimizer = getattr(uncompiled, name)(model.parameters(), **OPTIONS[name])
    optimizer.register_step_pre_hook(lambda *_: called.append("before"))
    optimizer.register_step_post_hook(lambda *_: called.append("after"))
    steps(optimizer, model, 1)
    assert called == ["before", "after"]
    assert all(p.requires_grad for p in model.parameters())
    assert torch.is_grad_enabled()
