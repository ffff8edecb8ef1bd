"""Made-up examples that all differ, each from random numbers of its own."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from typing import TypeVar

import torch

from trainables.errors import UsageError
from trainables.seeding import generator

Example = TypeVar("Example", bound=Hashable)
Option = TypeVar("Option")

TRIES = 10
"""So many are drawn for each that is wanted; the same one may come again."""


class Draws:
    """Random choices, one after the other."""

    def __init__(self, numbers: torch.Generator) -> None:
        self._numbers = numbers

    def below(self, count: int) -> int:
        """A number from 0 to ``count - 1``, each as likely."""
        return int(torch.randint(count, (), generator=self._numbers))

    def one(self, options: Sequence[Option]) -> Option:
        """One of ``options``, each as likely."""
        return options[self.below(len(options))]


def different(
    make: Callable[[Draws], Example], count: int, draw: int, purpose: str
) -> list[Example]:
    """The first ``count`` different ones of those that ``make`` makes from the seed ``draw``.

    Raises:
        UsageError: there are not so many among `TRIES` times ``count``.
    """
    draws = Draws(generator(draw, purpose))
    found: dict[Example, None] = {}  # in the order in which they were drawn
    for _ in range(TRIES * count):
        found[make(draws)] = None
        if len(found) == count:
            return list(found)
    raise UsageError(
        f"{purpose}: with these options there are only about {len(found)} different examples, "
        f"and {count} are needed: ask for fewer"
    )


__all__ = ["Draws", "different"]
