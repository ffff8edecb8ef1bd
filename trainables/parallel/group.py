"""Workers that share the batches of one trial, and what they exchange.

`Group` is one worker alone and exchanges nothing; `DistributedGroup` is the processes of a
``torch.distributed`` group. Every worker holds the whole model, optimizer and
history; they are made from the same seeds, so nothing is ever broadcast to
make them equal, and `DistributedGroup.agree` checks that they still are.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from itertools import islice
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor

from trainables.errors import FlatsweepError
from trainables.structures import batch_size, join, moved, take


class PeerLostError(FlatsweepError, RuntimeError):
    """Another worker of the group died or does not answer; the trial can go on elsewhere."""


class DriftedError(FlatsweepError, RuntimeError):
    """The workers' weights are no longer equal."""


class Group:
    """One worker alone.

    Attributes:
        rank, size: This worker's number, from 0, and how many workers there are.
        own: How many samples of the last batch given to `shard` are this worker's.
        whole: How many samples that batch has in all.
        reductions: How many means over the workers were taken so far, for tests and benchmarks.
    """

    rank = 0
    size = 1
    own = 0
    whole = 0
    reductions = 0

    def shard(self, inputs: Any, targets: Any) -> tuple[Any, Any]:
        """This worker's part of a whole batch: (inputs, targets), of any structure of tensors."""
        self.own = self.whole = batch_size(inputs)
        return inputs, targets

    def mean_(self, tensors: list[Tensor]) -> None:
        """Replace each tensor by its mean over the samples of the whole batch.

        A worker's tensors are means over its own shard, so each counts with the shard's size.
        """

    def average_(self, tensors: list[Tensor]) -> None:
        """Replace each tensor by the plain mean over the workers."""

    def total_(self, tensor: Tensor) -> None:
        """Replace the tensor by its sum over the workers."""

    def portion(self, batches: Any) -> Iterable[tuple[Any, Any]]:
        """The batches that this worker evaluates: consecutive ones of a `BatchLoader`."""
        return batches

    def gather(self, rows: Any) -> Any:
        """The workers' structures of tensors, joined (`trainables.structures.join`) in the order of
        the ranks.

        A worker that has no rows gives None.
        """
        assert rows is not None
        return rows

    def whole_rows(self, rows: Tensor) -> Tensor:
        """The rows of the whole batch last given to `shard`, of this worker's and the others'."""
        return rows

    def own_rows(self, rows: Tensor) -> Tensor:
        """Of rows of the whole batch those of this worker's part; at least one."""
        return rows

    def from_first(self, make: Callable[[], bytes | None]) -> bytes | None:
        """Call ``make`` on the first worker, and return there and elsewhere what it returned."""
        return make()

    def agree(self, tensors: Iterable[Tensor]) -> None:
        """Raise `DriftedError` unless the tensors are equal on all workers."""


SINGLE_PROCESS = Group()
"""The group of a trial that one process trains."""


class DistributedGroup(Group):
    """The processes of the default ``torch.distributed`` group, one replica each.

    Args:
        device: Where this worker computes.
    """

    def __init__(self, device: torch.device | str) -> None:
        self.device = torch.device(device)
        self.rank, self.size = dist.get_rank(), dist.get_world_size()
        self._weight, self._start = 1.0, 0
        self._buffers: dict[Any, tuple[Tensor, list[Tensor]]] = {}

    def shard(self, inputs: Any, targets: Any) -> tuple[Any, Any]:
        """Contiguous: worker r of W takes samples [n r / W, n (r + 1) / W) of n.

        Of fewer samples than workers some get none; they compute the first one, with weight 0.
        """
        self.whole = batch_size(inputs)
        start, stop = (self.whole * (self.rank + i) // self.size for i in (0, 1))
        self.own, self._start = stop - start, start
        self._weight = self.own * self.size / self.whole
        mine = slice(start, stop) if self.own else slice(0, 1)
        return take(inputs, mine), take(targets, mine)

    def mean_(self, tensors: list[Tensor]) -> None:
        self.reductions += 1
        self._reduce(tensors, self._weight / self.size)

    def average_(self, tensors: list[Tensor]) -> None:
        self._reduce(tensors, 1 / self.size)

    def _reduce(self, tensors: list[Tensor], weight: float) -> None:
        """tensors ← Σ over workers of weight · tensors, with one message for each dtype."""
        kinds: dict[torch.dtype, list[Tensor]] = {}
        for tensor in tensors:
            kinds.setdefault(tensor.dtype, []).append(tensor)
        for alike in kinds.values():
            flat, views = self._buffer(alike)
            torch._foreach_copy_(views, [t.detach() for t in alike])
            flat.mul_(weight)
            with _contact():
                dist.all_reduce(flat)
            torch._foreach_copy_([t.detach() for t in alike], views)

    def _buffer(self, like: list[Tensor]) -> tuple[Tensor, list[Tensor]]:
        """A flat message and views of it; kept, because every step sends the same shapes."""
        key = (like[0].dtype, like[0].device, tuple(t.shape for t in like))
        if key not in self._buffers:
            flat = like[0].new_empty(sum(t.numel() for t in like)).detach()
            pieces = flat.split([t.numel() for t in like])
            self._buffers[key] = flat, [p.view(t.shape) for p, t in zip(pieces, like, strict=True)]
        return self._buffers[key]

    def total_(self, tensor: Tensor) -> None:
        with _contact():
            dist.all_reduce(tensor)

    def portion(self, batches: Any) -> Iterator[tuple[Any, Any]]:
        start, stop = (len(batches) * (self.rank + i) // self.size for i in (0, 1))
        return islice(batches.epoch(0, start), stop - start)

    def gather(self, rows: Any) -> Any:
        parts: list[Any] = [None] * self.size
        with _contact():
            dist.all_gather_object(parts, moved(rows, torch.device("cpu")))
        return moved(join([part for part in parts if part is not None]), self.device)

    def whole_rows(self, rows: Tensor) -> Tensor:
        whole = rows.new_zeros(self.whole, *rows.shape[1:])
        whole[self._start : self._start + self.own] = rows[: self.own]
        self.total_(whole)  # of zeros and one number
        return whole

    def own_rows(self, rows: Tensor) -> Tensor:
        return rows[self._start : self._start + self.own] if self.own else rows[:1]

    def from_first(self, make: Callable[[], bytes | None]) -> bytes | None:
        content = [make() if self.rank == 0 else None]
        with _contact():
            dist.broadcast_object_list(content, src=0, device=self.device)
        return content[0]

    def agree(self, tensors: Iterable[Tensor]) -> None:
        sums = torch.stack([t.detach().double().sum() for t in tensors]).nan_to_num()
        ends = torch.cat([sums, -sums])
        with _contact():
            dist.all_reduce(ends, dist.ReduceOp.MAX)
        highest, lowest = ends.chunk(2)
        if not torch.equal(highest, -lowest):
            raise DriftedError(
                f"the weights of the {self.size} workers are no longer equal; "
                "a method or model draws noise that is neither shared nor averaged"
            )


class _contact:  # noqa: N801 - reads as a statement
    """Turns what torch raises when a peer has gone into `PeerLostError`."""

    def __enter__(self) -> None:
        pass

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        if isinstance(error, RuntimeError):
            raise PeerLostError(f"a worker of the group stopped answering ({error})") from error


__all__ = ["SINGLE_PROCESS", "DistributedGroup", "DriftedError", "Group", "PeerLostError"]
