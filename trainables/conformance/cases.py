"""Networks and batches of a few numbers, on which parts are tried."""

from __future__ import annotations

import contextlib
import random
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from trainables.methods.base import Method, Output

CLASSES = 3
BATCH = 8
LOSS = functional.cross_entropy


@dataclass
class Case:
    """A network in training mode, and a batch."""

    model: nn.Module
    inputs: Tensor
    targets: Tensor

    @property
    def params(self) -> list[Tensor]:
        """The network's parameters."""
        return list(self.model.parameters())

    @property
    def weights(self) -> Tensor:
        """All of them, a copy."""
        return flat(self.params)

    def step(self, method: Method, seed: int | torch.Generator = 0) -> Output:
        """A step with the noise of a seed: the gradient is then in ``p.grad``."""
        noise = seed if isinstance(seed, torch.Generator) else generator(seed)
        return method.gradient(self.model, LOSS, self.inputs, self.targets, generator=noise)

    def gradient(self, method: Method, seed: int | torch.Generator = 0) -> Tensor:
        """What a step leaves, in one vector."""
        self.step(method, seed)
        return flat([p.grad for p in self.params if p.grad is not None])


def mlp() -> nn.Module:
    """Without BatchNorm, as smooth as a network can be."""
    return nn.Sequential(nn.Flatten(), nn.Linear(9, 6), nn.Tanh(), nn.Linear(6, CLASSES))


def conv() -> nn.Module:
    """With BatchNorm, whose statistics are of the batch."""
    return nn.Sequential(
        nn.Conv2d(1, 2, 3, padding=1, bias=False),
        nn.BatchNorm2d(2),
        nn.Tanh(),
        nn.Flatten(),
        nn.Linear(18, CLASSES),
    )


NETWORKS = (mlp, conv)


def case(
    make: Callable[[], nn.Module] = mlp, dtype: torch.dtype = torch.float64, seed: int = 0
) -> Case:
    """One of `NETWORKS` with weights drawn from ``seed``."""
    draws = generator(seed)
    with torch.random.fork_rng():  # what a network draws by itself is replaced
        model = make().to(dtype)
    for parameter in model.parameters():
        nn.init.normal_(parameter, std=0.6, generator=draws)
    inputs = torch.randn(BATCH, 1, 3, 3, generator=draws, dtype=dtype)
    return Case(model, inputs, torch.randint(CLASSES, (BATCH,), generator=draws))


def generator(seed: int) -> torch.Generator:
    """Of a seed, on the CPU."""
    return torch.Generator().manual_seed(seed)


def flat(tensors: Iterable[Tensor]) -> Tensor:
    """Copies of tensors in one vector."""
    return torch.cat([t.detach().reshape(-1).clone() for t in tensors])


@contextlib.contextmanager
def global_seed(seed: int) -> Iterator[None]:
    """Within: the global generators of torch, NumPy and Python begin at ``seed``."""
    python, numpy = random.getstate(), np.random.get_state()
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        random.seed(seed)
        np.random.seed(seed)
        try:
            yield
        finally:
            random.setstate(python)
            np.random.set_state(numpy)


def equal(a: Tensor, b: Tensor) -> bool:
    """Bit for bit, NaN for NaN."""
    return a.shape == b.shape and bool(((a == b) | (a.isnan() & b.isnan())).all())


def close(a: Tensor, b: Tensor, tolerance: float) -> bool:
    """``‖a - b‖ ≤ tolerance ‖b‖``"""
    return a.shape == b.shape and float((a - b).norm()) <= tolerance * float(b.norm())


__all__ = [
    "BATCH",
    "CLASSES",
    "LOSS",
    "NETWORKS",
    "Case",
    "case",
    "close",
    "conv",
    "equal",
    "flat",
    "generator",
    "global_seed",
    "mlp",
]
