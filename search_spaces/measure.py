"""What an experiment measures on the models that it trains, and on which of them."""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from functools import cached_property

from search_spaces.view import Key, Where, agrees
from trainables.config import Request


@dataclass(frozen=True)
class Measure(Request):
    """A request that is made of the trials of some cells.

    Several may record under one label, of different cells: a column is then of all of them.

    Attributes:
        where: The cells whose key has these entries (a tuple allows several); empty: all.
    """

    where: Where = field(default_factory=dict)

    def covers(self, key: Key) -> bool:
        """Whether it is made of the trials of the cell with this key."""
        return agrees(key, self.where)

    @cached_property
    def request(self) -> Request:
        """What a trial is asked."""
        return Request(**{each.name: getattr(self, each.name) for each in fields(Request)})


__all__ = ["Measure"]
