"""A tiny network as a plain function of its flat weight vector, in float64.

Nothing here is shared with the code under test: weights are loaded into a copy of
the model, one ordinary backward pass gives a gradient, the Hessian is dense.
"""

from __future__ import annotations

import copy
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

from trainables.methods.base import Objective


class Interleaved(nn.Module):
    """A container with a forward of its own; its samples do not interact."""

    def __init__(self):
        super().__init__()
        self.a, self.b = nn.Linear(5, 6), nn.Linear(6, 3)

    def forward(self, x):
        return self.b(torch.tanh(self.a(x)))


def mlp() -> nn.Module:
    return nn.Sequential(nn.Linear(5, 6), nn.Tanh(), nn.Linear(6, 4), nn.Tanh(), nn.Linear(4, 3))


def no_bias() -> nn.Module:
    return nn.Sequential(nn.Flatten(), nn.Linear(5, 6, bias=False), nn.SiLU(), nn.Linear(6, 3))


def conv() -> nn.Module:
    return nn.Sequential(
        nn.Conv2d(1, 2, 3, padding=1, bias=False),
        nn.BatchNorm2d(2),
        nn.Tanh(),
        nn.Flatten(),
        nn.Linear(18, 3),
    )


def rectified() -> nn.Module:
    return nn.Sequential(nn.Linear(5, 6), nn.ReLU(), nn.Linear(6, 3))


NETWORKS = {
    "mlp": (mlp, (5,)),
    "no_bias": (no_bias, (5,)),
    "own_forward": (Interleaved, (5,)),
    "rectified": (rectified, (5,)),
    "conv": (conv, (1, 3, 3)),
}


@dataclass
class Case:
    """A model, a batch and a loss; `at(w)` is the oracle for them."""

    model: nn.Module
    inputs: Tensor
    targets: Tensor
    loss_fn: object = functional.cross_entropy

    @property
    def params(self) -> list[Tensor]:
        return [p for p in self.model.parameters() if p.requires_grad]

    @property
    def weights(self) -> Tensor:
        return flat(self.params)

    def gradient_of(self, method, seed=0) -> Tensor:
        """What the code under test leaves in p.grad, flat."""
        self.output = method.gradient(
            self.model, self.loss_fn, self.inputs, self.targets, generator=generator(seed)
        )
        return flat([p.grad for p in self.params])

    def objective_of(self, method, seed=0) -> Objective:
        """What a step of the method sees."""
        return Objective(
            self.model, self.loss_fn, self.inputs, self.targets, generator(seed), method.composition
        )


def case(name: str, batch: int = 8, seed: int = 0, dtype=torch.float64) -> Case:
    make, shape = NETWORKS[name]
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        model = make().to(dtype)
        for p in model.parameters():
            nn.init.normal_(p, std=0.6)
        inputs = torch.randn(batch, *shape, dtype=dtype)
        targets = torch.randint(3, (batch,))
    return Case(model, inputs, targets)


def regression() -> Case:
    """Squared error on a real target: a loss without classes."""
    c = case("mlp")
    c.targets = torch.randn(8, 3, dtype=torch.float64, generator=generator(5))
    c.loss_fn = functional.mse_loss
    return c


def generator(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def flat(tensors) -> Tensor:
    return torch.cat([t.detach().reshape(-1) for t in tensors])


class Oracle:
    """L(w) of a batch and its derivatives. ``extra(w)`` is added to the loss."""

    def __init__(self, given: Case, extra=None, transform=None):
        self.model = copy.deepcopy(given.model)
        self.params = [p for p in self.model.parameters() if p.requires_grad]
        self.inputs, self.targets = given.inputs, given.targets
        self.loss_fn = given.loss_fn
        self.extra, self.transform = extra, transform

    def load(self, w: Tensor) -> None:
        offset = 0
        for p in self.params:
            p.data.copy_(w[offset : offset + p.numel()].view_as(p))
            offset += p.numel()

    def split(self, v: Tensor) -> list[Tensor]:
        """A flat vector, tensor by tensor."""
        return list(v.split([p.numel() for p in self.params]))

    def logits(self, w: Tensor, rows=slice(None)) -> Tensor:
        self.load(w)
        return self.model(self.inputs[rows])

    def loss(self, w: Tensor, rows=slice(None)) -> Tensor:
        value = self.loss_fn(self.logits(w, rows), self.targets[rows])
        if self.transform is not None:
            value = self.transform(value)
        if self.extra is not None:
            value = value + self.extra(torch.cat([p.reshape(-1) for p in self.params]))
        return value

    def value(self, w: Tensor, rows=slice(None)) -> float:
        return float(self.loss(w, rows).detach())

    def gradient(self, w: Tensor, rows=slice(None)) -> Tensor:
        return flat(torch.autograd.grad(self.loss(w, rows), self.params))

    def products(self, w: Tensor, vectors: list[Tensor]) -> list[Tensor]:
        """H(w) v for each v: two ordinary backward passes, right through fused BatchNorm."""
        slope = torch.autograd.grad(self.loss(w), self.params, create_graph=True)
        entries = torch.cat([g.reshape(-1) for g in slope])
        return [
            flat(
                torch.autograd.grad(
                    entries @ v, self.params, retain_graph=True, materialize_grads=True
                )
            )
            for v in vectors
        ]

    def hessian(self, w: Tensor) -> Tensor:
        """Dense, row by row."""
        return torch.stack(self.products(w, list(torch.eye(len(w), dtype=w.dtype))))


def difference(f, w: Tensor, step: float = 1e-5) -> Tensor:
    """Central finite difference of a scalar function of w: error O(step²) + O(1e-16 / step)."""
    out = torch.empty_like(w)
    for i in range(len(w)):
        up, down = w.clone(), w.clone()
        up[i] += step
        down[i] -= step
        out[i] = (f(up) - f(down)) / (2 * step)
    return out


def slopes(f, w: Tensor, directions: Tensor, step: float = 1e-5) -> Tensor:
    """Central differences along the rows of ``directions``."""
    return torch.tensor(
        [(f(w + step * d) - f(w - step * d)) / (2 * step) for d in directions], dtype=w.dtype
    )


def some_directions(w: Tensor, count: int = 4) -> Tensor:
    """Random unit rows: a wrong gradient is right along all of them with probability 0."""
    rows = torch.randn(count, len(w), dtype=w.dtype, generator=generator(8))
    return rows / rows.norm(dim=1, keepdim=True)


def close(a: Tensor, b: Tensor, tolerance: float) -> None:
    """‖a - b‖ ≤ tolerance · ‖b‖"""
    error = float((a - b).norm() / b.norm().clamp(min=1e-300))
    assert error <= tolerance, f"relative error {error:.2e} > {tolerance:.0e}"
