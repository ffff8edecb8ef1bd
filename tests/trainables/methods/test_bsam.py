"""bSAM as published carries a precision and a momentum from step to step: three steps of it."""

from __future__ import annotations

import torch

from tests.trainables.methods.oracle import Oracle, case, generator
from trainables import methods

OPTIONS = {"rho": 0.02, "sigma": 0.1, "num_data": 50.0, "beta1": 0.6, "beta2": 0.7}
PRIOR = {"delta": 0.03, "damping": 0.05}
RATE = 0.01


def test_three_steps_of_the_published_rule() -> None:
    """Möllenhoff and Khan's Algorithm 1 on flat float64 vectors, 1e-10 for the rounding."""
    c = case("mlp")
    method = methods.build("bsam", posterior="adaptive", **OPTIONS, **PRIOR)
    w, oracle = c.weights, Oracle(c)
    rho, sigma, N, beta1, beta2 = OPTIONS.values()
    delta, gamma = PRIOR.values()
    s, m = torch.full_like(w, 1 / (N * sigma**2)), torch.zeros_like(w)
    for step in range(3):
        found = c.gradient_of(method, seed=step)
        with torch.no_grad():
            for p in c.model.parameters():
                p -= RATE * p.grad
        noise = torch.empty_like(w).normal_(generator=generator(step))
        g = oracle.gradient(w + noise / (N * s).sqrt())
        m = beta1 * m + (1 - beta1) * (oracle.gradient(w + rho * g / s) + delta * w)
        torch.testing.assert_close(found, m / s, rtol=1e-10, atol=1e-10)
        w = w - RATE * m / s
        s = beta2 * s + (1 - beta2) * (s.sqrt() * g.abs() + delta + gamma)
