"""Workers that share a batch, as threads in lockstep: no process group is needed."""

from __future__ import annotations

import copy
import threading
from collections.abc import Callable

import torch
from torch import Tensor

from trainables.conformance.cases import Case, generator
from trainables.methods.base import Method
from trainables.parallel.group import Group

SECONDS = 60.0
"""So long a worker waits for the others."""


class _Worker(Group):
    def __init__(self, rank: int, size: int, means: _Means) -> None:
        self.rank, self.size, self._means = rank, size, means

    def mean_(self, tensors: list[Tensor]) -> None:
        self._means.take(self.rank, tensors)


class _Means:
    """Means over workers that all ask for the same one at once."""

    def __init__(self, workers: int) -> None:
        self.barrier = threading.Barrier(workers, timeout=SECONDS)
        self._given: list[list[Tensor]] = [[] for _ in range(workers)]

    def take(self, rank: int, tensors: list[Tensor]) -> None:
        self._given[rank] = [tensor.detach().clone() for tensor in tensors]
        self.barrier.wait()
        means = [torch.stack(parts).mean(0) for parts in zip(*self._given, strict=True)]
        self.barrier.wait()
        for tensor, mean in zip(tensors, means, strict=True):
            tensor.copy_(mean)


def gradients(case: Case, build: Callable[[], Method], workers: int = 2) -> list[Tensor]:
    """The gradient that each worker has, which has its part of the batch and draws from one seed.

    Raises:
        Exception: what a worker raised.
    """
    means, found, errors = _Means(workers), [torch.empty(0)] * workers, list[Exception]()
    methods = [build() for _ in range(workers)]  # here: what is drawn globally is no thread's own

    def work(rank: int) -> None:
        try:
            own = Case(
                copy.deepcopy(case.model),
                case.inputs.chunk(workers)[rank],
                case.targets.chunk(workers)[rank],
            )
            method = methods[rank].compose(
                group=_Worker(rank, workers, means), local_generator=generator(rank)
            )
            found[rank] = own.gradient(method, seed=3)
        except Exception as error:
            errors.append(error)
            means.barrier.abort()

    threads = [threading.Thread(target=work, args=(rank,)) for rank in range(workers)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if errors:
        own_fault = [e for e in errors if not isinstance(e, threading.BrokenBarrierError)]
        raise (own_fault or errors)[0]
    return found


__all__ = ["gradients"]
