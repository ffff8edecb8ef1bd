"""Tiny float64 networks, uneven batches, and dense references that share no code with the measures.

Z = 4.9 is the bound of every z-test: a normal variable leaves it with probability 1e-6, and
each test draws from a fixed generator, so that a passing test passes for ever.
"""

import re

import pytest
import torch
from torch import nn
from torch.func import functional_call

Z = 4.9
cross_entropy = nn.functional.cross_entropy


def smoothed(logits, targets):
    return nn.functional.cross_entropy(logits, targets, label_smoothing=0.1)


def squared(outputs, targets):
    return (outputs.squeeze(1) - targets).square().mean()


class Sequence(nn.Module):
    """A linear layer over positions, layer norm, a free parameter, group norm, grouped conv."""

    def __init__(self):
        super().__init__()
        self.mix = nn.Conv2d(2, 4, 3, padding=1, groups=2)
        self.group = nn.GroupNorm(2, 4)
        self.token = nn.Linear(16, 5)
        self.norm = nn.LayerNorm(5)
        self.position = nn.Parameter(torch.randn(4, 5))
        self.head = nn.Linear(20, 3)

    def forward(self, x):
        z = self.token(self.group(self.mix(x)).flatten(2))
        return self.head(self.norm(z + self.position).tanh().flatten(1))


class Shared(nn.Module):
    """One layer used twice, and two layers that share a weight."""

    def __init__(self):
        super().__init__()
        self.twice = nn.Linear(4, 4)
        self.one, self.other = nn.Linear(4, 4, bias=False), nn.Linear(4, 4)
        self.other.weight = self.one.weight
        self.head = nn.Linear(4, 3)

    def forward(self, x):
        return self.head(self.other(self.one(self.twice(self.twice(x).tanh()).tanh()).tanh()))


def network(name):
    """(model in evaluation mode, inputs, targets): 12 samples, 3 classes, float64."""
    torch.manual_seed(len(name))
    image = (2, 4, 4)
    model, shape = {
        "linear": (nn.Sequential(nn.Flatten(), nn.Linear(5, 3)), (5,)),
        "mlp": (nn.Sequential(nn.Linear(5, 6), nn.Tanh(), nn.Linear(6, 3)), (5,)),
        "conv": (
            nn.Sequential(
                nn.Conv2d(2, 3, 3, stride=2, padding=1, bias=False),
                nn.BatchNorm2d(3),
                nn.ReLU(inplace=True),
                nn.Conv2d(3, 4, 2),
                nn.BatchNorm2d(4),
                nn.Softplus(),
                nn.Flatten(),
                nn.Linear(4, 3),
            ),
            image,
        ),
        "wide": (
            nn.Sequential(nn.Conv2d(4, 24, 3), nn.Tanh(), nn.Conv2d(24, 3, 2), nn.Flatten()),
            (4, 4, 4),
        ),
        "sequence": (Sequence(), image),
        "shared": (Shared(), (4,)),
    }[name]
    for module in model.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.running_mean.normal_()
            module.running_var.uniform_(0.5, 2.0)
            nn.init.uniform_(module.weight, 0.5, 2.0)
            nn.init.normal_(module.bias)
    inputs = torch.randn(12, *shape, dtype=torch.float64)
    return model.double().eval(), inputs, torch.randint(3, (12,))


def uneven(inputs, targets, sizes=(5, 7)):
    return list(zip(inputs.split(sizes), targets.split(sizes), strict=True))


class Quadratic(nn.Module):
    """Output ½ sum c_i w_i² for every sample: with the mean as loss, H = diag(c)."""

    def __init__(self, curvatures):
        super().__init__()
        self.c = torch.tensor(curvatures, dtype=torch.float64)
        self.w = nn.Parameter(torch.linspace(-1, 2, len(curvatures), dtype=torch.float64))

    def forward(self, x):
        return (self.c * self.w.square()).sum() / 2 + 0 * x


def mean(outputs, _):
    return outputs.mean()


def quadratic(curvatures):
    """(model, loss, batches) of a known Hessian."""
    x = torch.zeros(4, 1, dtype=torch.float64)
    return Quadratic(curvatures).eval(), mean, uneven(x, torch.zeros(4), (1, 3))


def dense_hessian(model, loss_fn, inputs, targets, names=None):
    """The Hessian of the loss of one full batch by torch's own double backward, (d, d)."""
    every = dict(model.named_parameters())
    chosen = {n: p for n, p in every.items() if names is None or n in names}

    def value(vector):
        parts = vector.split([p.numel() for p in chosen.values()])
        moved = {n: v.view_as(p) for (n, p), v in zip(chosen.items(), parts, strict=True)}
        return loss_fn(functional_call(model, {**every, **moved}, (inputs,)), targets)

    start = torch.cat([p.detach().reshape(-1) for p in chosen.values()])
    return torch.autograd.functional.hessian(value, start)


def dense_jacobian(model, inputs, targets, scale=None):
    """Row i: gradient of sample i's cross-entropy, (n, d), one backward pass a sample."""
    rows = []
    for x, y in zip(inputs, targets, strict=True):
        z = model(x[None])
        z = z if scale is None else z / (scale * z.norm())
        parameters = [p for p in model.parameters() if p.requires_grad]
        gradient = torch.autograd.grad(cross_entropy(z, y[None]), parameters, allow_unused=True)
        rows.append(torch.cat([g.reshape(-1) for g in gradient]))
    return torch.stack(rows)


def close(a, b, relative=1e-9, what=""):
    """Largest difference at most ``relative`` times the largest entry (float64: 1e7 roundings)."""
    a, b = (torch.as_tensor(t, dtype=torch.float64) for t in (a, b))
    assert a.shape == b.shape, (what, a.shape, b.shape)
    assert torch.isfinite(a).all(), (what, a)
    assert (a - b).abs().max() <= relative * b.abs().max() + 1e-14, (what, a, b)


def refuses(match, function, *args, **kwargs):
    """``function`` raises ValueError whose message has ``match`` in it."""
    with pytest.raises(ValueError, match=re.escape(match)):
        function(*args, **kwargs)


def generator(seed=0):
    return torch.Generator().manual_seed(seed)
