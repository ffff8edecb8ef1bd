"""What a search may propose of one hyper-parameter: a range, on which scale, or a list.

A range goes from the least to the greatest value that the grid, or the part, has of it, unless
somebody asks for a wider one. Where its ends are far apart its scale is logarithmic; a 0 beside
such values is a point of its own, as far below the least of them as they are from one another.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from optuna.distributions import BaseDistribution

DIGITS = 3
"""Significant digits of a proposed number: a person can read it, and no result needs more."""

AS_LISTED = ("batch_size", "epochs")
"""Whole numbers that are tried as the grid lists them, and not between; a part says so of its own
options (`trainables.needs.Searched`)."""

DECADES = 10.0
"""A range whose ends differ by this factor is searched on a logarithmic scale."""

GridPoint = Mapping[str, Any]
"""Dotted field -> value."""


@dataclass(frozen=True)
class Axis:
    """The values of one hyper-parameter that a search may propose.

    Attributes:
        values: Of the grid, or those that the part declares.
        between: Whether values between them make sense.
        ends: Of the range, where others are asked for than the least and greatest value.
        source: Who searched the values; empty: the grid has them.
    """

    values: tuple[Any, ...]
    between: bool
    ends: tuple[float, float] | None = None
    source: str = ""

    @classmethod
    def of(cls, name: str, values: tuple[Any, ...], method: str) -> Axis:
        """The axis of a dotted field.

        Args:
            name: The field; ``method.rho`` is the option ``rho`` of the method.
            values: Of the grid.
            method: Name of the method, which may say that its options are lists.
        """
        from trainables import methods

        part, _, option = name.rpartition(".")
        searched = methods.registry.searched(method).get(option) if part == "method" else None
        listed = name in AS_LISTED or (searched is not None and not searched.between)
        return cls(values, all(map(_is_number, values)) and not listed)

    def widened(self, low: float, high: float) -> Axis:
        """The range from ``low`` to ``high`` in place of this one, also of what was a list."""
        return replace(self, between=True, ends=(low, high))

    @property
    def low(self) -> float:
        """The least value of the range, which may be 0."""
        return self.ends[0] if self.ends else min(self.values)

    @property
    def high(self) -> float:
        """The greatest value of the range."""
        return self.ends[1] if self.ends else max(self.values)

    @property
    def whole(self) -> bool:
        """Whether all values are whole numbers."""
        return all(isinstance(value, int) for value in (*self.values, *(self.ends or ())))

    @property
    def least(self) -> float:
        """The least value above 0, from where a logarithmic scale begins."""
        values = (*self.values, self.low)
        return min((v for v in values if v > 0 and self.low <= v <= self.high), default=self.high)

    @property
    def log(self) -> bool:
        """Whether its scale is logarithmic."""
        return self.low >= 0 and self.least > 0 and self.high / self.least >= DECADES

    @property
    def _has_zero(self) -> bool:
        """Whether 0 is a point of its own beside a logarithmic scale."""
        return self.log and self.low == 0

    @property
    def _gap(self) -> float:
        """The mean ratio of neighbours among the values above 0: 0 lies so far below the least."""
        above = {self.high, *(v for v in self.values if self.least <= v <= self.high)}
        return float((self.high / self.least) ** (1 / max(1, len(above) - 1)))

    @property
    def distribution(self) -> BaseDistribution:
        """What Optuna draws from: a range, or the places in the list."""
        from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution

        if not self.between:
            return CategoricalDistribution(range(len(self.values)))
        if self._has_zero:
            return FloatDistribution(self.least / self._gap, float(self.high), log=True)
        if self.whole:
            return IntDistribution(int(self.low), int(self.high), log=self.log)
        return FloatDistribution(float(self.low), float(self.high), log=self.log)

    def encode(self, value: Any) -> Any:
        """What stands for ``value`` in Optuna: itself; of a list its place there; 0 beside a
        logarithmic scale is the middle of what lies below the least value."""
        if not self.between:
            return self.values.index(value)
        if self._has_zero:
            return self.least / self._gap**0.5 if value < self.least else float(value)
        return value

    def decode(self, code: Any) -> Any:
        """The value that ``code`` stands for; a fraction is rounded to `DIGITS` digits."""
        if not self.between:
            return self.values[code]
        if isinstance(code, int):
            return code
        if self._has_zero and code < self.least:
            return 0 if self.whole else 0.0
        least = self.least if self._has_zero else self.low
        value = min(max(float(f"{code:.{DIGITS}g}"), least), self.high)
        return round(value) if self.whole else value

    def words(self) -> str:
        """``0, 0.01 to 1 (log)`` or ``1, 2, 4``: what may be proposed, for people."""
        if not self.between:
            return ", ".join(map(str, self.values))
        zero = "0, " if self._has_zero else ""
        least = self.least if self._has_zero else self.low
        return f"{zero}{least:g} to {self.high:g}" + (" (log)" if self.log else "")


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def first_points(points: Sequence[GridPoint], count: int) -> list[GridPoint]:
    """At most ``count`` of ``points``, evenly among them; of more, the same ones and further ones.

    The first, the last, and then the middle of the widest gap, of equal ones the first.
    """
    order = [0, len(points) - 1][: min(count, len(points))]
    while len(order) < min(count, len(points)):
        width, before = max((after - at, -at) for at, after in pairwise(sorted(order)))
        order.append(width // 2 - before)
    return [points[place] for place in order]


__all__ = ["AS_LISTED", "DECADES", "DIGITS", "Axis", "GridPoint", "first_points"]
