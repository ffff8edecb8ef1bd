"""torch's optimizers without what they do for its compiler.

They mark their functions for it, and for that import it at the first call: 1.7 s in each process
that trains, which compiles nothing. Numbers, states and hooks are torch's.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

import torch


def _unmarked(function: Callable[..., Any]) -> Callable[..., Any]:
    return inspect.unwrap(function)


class _Optimizer(torch.optim.Optimizer):
    add_param_group = _unmarked(torch.optim.Optimizer.add_param_group)
    load_state_dict = _unmarked(torch.optim.Optimizer.load_state_dict)
    state_dict = _unmarked(torch.optim.Optimizer.state_dict)
    zero_grad = _unmarked(torch.optim.Optimizer.zero_grad)


class SGD(_Optimizer, torch.optim.SGD):
    """torch.optim.SGD"""

    step = torch.no_grad()(_unmarked(torch.optim.SGD.step))


class Adam(_Optimizer, torch.optim.Adam):
    """torch.optim.Adam"""

    step = torch.no_grad()(_unmarked(torch.optim.Adam.step))


class AdamW(_Optimizer, torch.optim.AdamW):
    """torch.optim.AdamW"""

    step = torch.no_grad()(_unmarked(torch.optim.AdamW.step))
