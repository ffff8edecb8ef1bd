"""Whether a trial's workers fit a cluster, how many trials at once, and what they wait for."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from trainables.errors import FlatsweepError

FRACTION_SLACK = 1e-9
"""Fractions of a device add up to it but for rounding."""


class ResourceError(FlatsweepError):
    """More CPUs or GPUs are asked for than there are; the message has the numbers."""


@dataclass(frozen=True)
class TrialResources:
    """What one trial needs: each of its ``workers`` needs ``cpus`` CPUs and ``gpus`` GPUs."""

    workers: int = 1
    cpus: float = 1
    gpus: float = 0

    @property
    def bundle(self) -> dict[str, float]:
        """What one worker needs, by Ray's names; it must find all of it on one node."""
        asked = {"CPU": float(self.cpus), "GPU": float(self.gpus)}
        return {kind: amount for kind, amount in asked.items() if amount}

    def __str__(self) -> str:
        each = " and ".join(f"{amount:g} {kind}s" for kind, amount in self.bundle.items())
        each = each or "nothing"
        return each if self.workers == 1 else f"{self.workers} workers with {each} each"


@dataclass(frozen=True)
class Cluster:
    """A Ray cluster's nodes, and what an autoscaling one may grow to.

    Attributes:
        nodes: Resources of each node that is there.
        limit: Resources of the cluster at its largest; None if it does not grow.
    """

    nodes: Sequence[Mapping[str, float]]
    limit: Mapping[str, float] | None = None

    def total(self, kind: str) -> float:
        """How much of a resource, ``CPU`` or ``GPU``, all nodes have together."""
        return sum(node.get(kind, 0.0) for node in self.nodes)

    def capacity(self, request: TrialResources) -> int:
        """How many such trials fit at once: on a growing cluster, when it is at its largest."""
        bundle = request.bundle
        if not bundle:
            return 1
        if self.limit is not None:
            limits = [max(self.limit.get(k, 0.0), self.total(k)) / v for k, v in bundle.items()]
            workers = math.floor(min(limits) + FRACTION_SLACK)
        else:
            workers = sum(self._workers_on(node, bundle) for node in self.nodes)
        return workers // request.workers

    @staticmethod
    def _workers_on(node: Mapping[str, float], bundle: Mapping[str, float]) -> int:
        return min(math.floor(node.get(k, 0.0) / v + FRACTION_SLACK) for k, v in bundle.items())

    def check(self, request: TrialResources) -> None:
        """Raise ResourceError if a trial can never run here."""
        if self.capacity(request) >= 1:
            return
        for kind, each in request.bundle.items():
            asked, there = each * request.workers, self.total(kind)
            largest = max(there, (self.limit or {}).get(kind, 0.0))
            if asked > largest + FRACTION_SLACK:
                has = f"has {there:g}" if self.limit is None else f"can grow to {largest:g}"
                workers = f" ({request})" if request.workers > 1 else ""
                also = " or --workers" if request.workers > 1 else ""
                raise ResourceError(
                    f"a trial asks for {asked:g} {kind}s{workers} and the cluster {has}; "
                    f"ask for at most that with --{kind.lower()}s{also}"
                )
        nodes = ", ".join(
            " and ".join(f"{node.get(k, 0.0):g} {k}s" for k in request.bundle)
            for node in self.nodes
        )
        raise ResourceError(
            f"a trial asks for {request}, and no node has room for it though all together do "
            f"(nodes: {nodes}); ask for less with --cpus, --gpus or --workers"
        )

    def max_concurrent(self, request: TrialResources, concurrency: int | None) -> int:
        """How many such trials are run at once: as many as fit, at most ``concurrency``."""
        room = self.capacity(request)
        return max(1, min(room, concurrency or room))

    def waiting_message(self, request: TrialResources, free: Mapping[str, float]) -> str:
        """The sentence for a person who sees nothing happen."""
        have = " and ".join(
            f"{free.get(k, 0.0):g} of {self.total(k):g} {k}s are free" for k in request.bundle
        )
        grow = ""
        if self.limit is not None:
            limit = " and ".join(f"{self.limit.get(k, 0.0):g} {k}s" for k in request.bundle)
            grow = f"; the cluster may grow to {limit}, which takes minutes"
        return f"waiting for room: a trial needs {request}, {have}{grow}"


class WaitNotice:
    """Says now and then what trials wait for, while none of them runs.

    Args:
        sentence: Asked what they wait for; None: for nothing that a person should know.
        say: Told that.
        first: Seconds without a running trial before it is asked.
        again: Seconds until it is asked again after it has said something.
    """

    def __init__(
        self, sentence: Callable[[], str | None], say: Callable[[str], None],
        first: float = 5.0, again: float = 60.0,
    ) -> None:  # fmt: skip
        self._sentence, self._say = sentence, say
        self._first, self._again = first, again
        self._due = time.monotonic() + first

    def update(self, running: bool) -> None:
        """Note whether a trial runs, and speak if none has for a while. Called often."""
        now = time.monotonic()
        if running:
            self._due = now + self._first
        elif now >= self._due:
            sentence = self._sentence()
            if sentence is not None:
                self._say(sentence)
            self._due = now + (self._again if sentence is not None else self._first)


__all__ = ["Cluster", "ResourceError", "TrialResources", "WaitNotice"]
