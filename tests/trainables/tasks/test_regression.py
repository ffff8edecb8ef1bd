"""What predictions of real numbers are held against."""

from __future__ import annotations

import math

import pytest
import torch
from torch.distributions import Normal, kl_divergence

from trainables import tasks


@pytest.mark.parametrize("shape", [(7,), (7, 3)])
def test_the_divergence_is_that_of_the_normal_densities_whose_loss_it_is(
    shape: tuple[int, ...],
) -> None:
    draws = torch.Generator().manual_seed(0)
    p, q, y = (torch.randn(shape, generator=draws, dtype=torch.float64) for _ in range(3))
    task, std = tasks.get("mse"), torch.tensor(math.sqrt(0.5), dtype=torch.float64)
    expected = kl_divergence(Normal(p, std), Normal(q, std)).mean()
    torch.testing.assert_close(task.divergence(p, q, y), expected, rtol=1e-14, atol=0)
    constant = math.log(math.sqrt(0.5) * math.sqrt(2 * math.pi))
    loss = -Normal(p, std).log_prob(y).mean() - constant
    torch.testing.assert_close(task(p, y), loss, rtol=1e-13, atol=0)
