"""Numbers of tables and contrasts of them: what the papers' sentences compare.

Numbers are in the unit of their column: of an accuracy more is better, of an error less.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, is_dataclass
from typing import Literal


@dataclass(frozen=True)
class Place:
    """A number of a table, or of a curve.

    Attributes:
        column: ``key`` of a `view.Metric`.
        key: Entries by which the cell is found; it may have further labels.
        artifact: Where it is; empty: the first that the claim names.
        point: Of a curve over epochs or over numbers in names: the nearest measured x, or the
            ``first`` or ``last`` one; None: it is a column, or the curve as a whole.
    """

    column: str
    key: Mapping[str, str] = field(default_factory=dict)
    artifact: str = ""
    point: float | Literal["first", "last"] | None = None

    def at(self, **entries: str) -> Place:
        """The place with other entries, or more."""
        return Place(self.column, {**self.key, **entries}, self.artifact, self.point)

    def measured_at(self, point: float) -> Place:
        """A point of the curve."""
        return Place(self.column, self.key, self.artifact, point)


@dataclass(frozen=True)
class Contrast:
    """sum of weight x place, which the claim says to be above 0.

    Attributes:
        terms: Weights and places.
        name: What tells it from the others of its family.
    """

    terms: tuple[tuple[float, Place], ...]
    name: str = ""

    def measured_at(self, point: float) -> Contrast:
        """The contrast of a point of each of its curves."""
        return Contrast(tuple((w, place.measured_at(point)) for w, place in self.terms), self.name)


def higher(a: Place, b: Place, name: str = "") -> Contrast:
    """a - b."""
    return Contrast(((1.0, a), (-1.0, b)), name or _difference(a, b))


def lower(a: Place, b: Place, name: str = "") -> Contrast:
    """b - a: ``a`` is said to be below."""
    return Contrast(((1.0, b), (-1.0, a)), name or _difference(a, b))


def gain_over(a: Contrast, b: Contrast, name: str = "") -> Contrast:
    """a - b of two contrasts: the one gain is said to be larger."""
    return Contrast((*a.terms, *((-weight, place) for weight, place in b.terms)), name)


def mean_of(contrasts: Sequence[Contrast], name: str) -> Contrast:
    """Their mean, as one contrast."""
    share = 1 / len(contrasts)
    return Contrast(
        tuple((share * w, place) for each in contrasts for w, place in each.terms), name
    )


def _difference(a: Place, b: Place) -> str:
    """What both have in common, and in what they differ: ``VGG16 Cifar10: NRS, Baseline``."""
    common = [v for k, v in a.key.items() if b.key.get(k) == v]
    sides = [[v for k, v in x.key.items() if y.key.get(k) != v] for x, y in ((a, b), (b, a))]
    told = ", ".join(" ".join(side) for side in sides if side)
    return ": ".join(filter(None, (" ".join(common), told)))


def places(within: object) -> Iterator[Place]:
    """Every place that a predicate, or a part of one, is about, as often as it is."""
    if isinstance(within, Place):
        yield within
    elif isinstance(within, tuple):
        for part in within:
            yield from places(part)
    elif is_dataclass(within):
        yield from places(tuple(vars(within).values()))


__all__ = ["Contrast", "Place", "gain_over", "higher", "lower", "mean_of", "places"]
