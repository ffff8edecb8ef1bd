"""Every random number of a trial, derived from (seed, purpose, indices).

No stream is ever carried along: data order of epoch 7, the noise of step 300,
the initial weights each have a generator of their own, made from a hash. So a
trial does not depend on what ran before it in the process, and a resumed trial
needs no saved generator state.
"""

from __future__ import annotations

import contextlib
import hashlib
from collections.abc import Iterator
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import torch


def derive(seed: int, purpose: str, *indices: int) -> int:
    """A 63-bit seed: the first bytes of SHA-256 over ``seed/purpose/index/...``."""
    text = "/".join(map(str, (seed, purpose, *indices)))
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big") >> 1


def generator(
    seed: int, purpose: str, *indices: int, device: torch.device | str = "cpu"
) -> torch.Generator:
    """A new generator on ``device`` for this purpose and these indices (epoch, step, ...)."""
    import torch

    return torch.Generator(device=device).manual_seed(derive(seed, purpose, *indices))


@contextlib.contextmanager
def global_seed(
    seed: int, purpose: str, *indices: int, device: torch.device | str = "cpu"
) -> Iterator[None]:
    """Seed torch's *global* generator inside the block and put the old state back after it.

    For code that takes no generator: module initialisers and dropout.
    """
    import torch

    device = torch.device(device)
    devices = [device] if device.type == "cuda" else []
    with torch.random.fork_rng(devices=devices):
        reseed(device, derive(seed, purpose, *indices))
        yield


def reseed(device: torch.device, value: int) -> None:
    """Seed torch's global generators of the CPU and of ``device``, and no others.

    The same streams as ``torch.manual_seed``, which also queues a call with a stack trace for
    every kind of accelerator that is not there: 0.3 ms and some memory, each time.
    """
    import torch

    torch.default_generator.manual_seed(value)
    if device.type == "cuda":
        torch.cuda.manual_seed(value)
