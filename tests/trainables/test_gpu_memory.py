"""A fraction of a GPU is a fraction of its memory, and a trial that has ended keeps none of it."""

from __future__ import annotations

import contextlib
import weakref
from collections.abc import Iterator
from dataclasses import dataclass, field

import pytest
import torch

from trainables.gpu_memory import share_of_memory

GPU = torch.device("cuda", 0)


@dataclass
class Driver:
    """Notes what torch is asked for, and which tensors are alive when memory is given back."""

    shares: list[tuple[float, torch.device]] = field(default_factory=list)
    alive: list[int] = field(default_factory=list)
    parts: weakref.WeakSet[Part] = field(default_factory=weakref.WeakSet)


class Part:
    """Refers to itself, as a trial's parts do to each other."""

    def __init__(self) -> None:
        self.itself = self


@contextlib.contextmanager
def watched() -> Iterator[Driver]:
    """Calls of torch's memory management are noted, and do nothing."""
    made = Driver()

    def take(share: float, device: torch.device) -> None:
        made.shares.append((share, device))

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(torch.cuda, "set_per_process_memory_fraction", take)
        patched.setattr(torch.cuda, "empty_cache", lambda: made.alive.append(len(made.parts)))
        yield made


@pytest.fixture
def driver() -> Iterator[Driver]:
    with watched() as made:
        yield made


@pytest.mark.parametrize(("gpus", "share"), [(0.25, 0.25), (1, 1), (4, 1), (0, 1)])
def test_a_process_has_its_share_of_the_memory(driver: Driver, gpus: float, share: float) -> None:
    with share_of_memory(GPU, gpus):
        assert driver.shares == [(share, GPU)]
        assert driver.alive == []


def test_what_a_trial_leaves_is_given_back_also_after_an_error(driver: Driver) -> None:
    def fail() -> None:
        driver.parts.add(Part())
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError), share_of_memory(GPU, 0.5):
        fail()
    assert driver.alive == [0]


def test_on_a_cpu_nothing_is_asked_of_a_driver(driver: Driver) -> None:
    with share_of_memory(torch.device("cpu"), 0.5):
        pass
    assert (driver.shares, driver.alive) == ([], [])
