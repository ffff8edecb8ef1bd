"""Claims about whole curves, over epochs or over numbers in names: what they say of each point."""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, replace
from typing import TypeVar

from search_spaces.claim import (
    Approximates,
    Contrast,
    Every,
    Place,
    Predicate,
    Some,
    Throughout,
    places,
)
from search_spaces.spec import Metric
from trainables.metric_name import CurveName

Of = TypeVar("Of", Contrast, Place)

OfTrial = Callable[[str, str], Iterable[tuple[int, float]]]
"""(epoch, value) of a trial's metric, NaN where it was not measured."""


@dataclass(frozen=True)
class InMost:
    """`Throughout`, of points: in each group, at ``share`` of them, all contrasts are above 0."""

    groups: tuple[tuple[tuple[Contrast, ...], ...], ...]
    share: float


@dataclass(frozen=True)
class Close:
    """`Approximates`, of points: (measured, by, error) of each."""

    points: tuple[tuple[Place, ...], ...]
    within: float


def spelt_out(
    predicate: Predicate, points: Callable[[Place], Collection[float]]
) -> Predicate | InMost | Close:
    """``predicate`` with points in place of curves.

    One that is about a curve of which there are none is returned as it is.

    Args:
        points: Where the curve of a place was measured.
    """
    match predicate:
        case Throughout(groups, share, without):
            spread = tuple(_points_of(group, points, without) for group in groups)
            return InMost(spread, share) if all(spread) else predicate
        case Approximates(measured, by, error, within):
            rows = _points_of((measured, by, error), points)
            return Close(rows, within) if rows else predicate
        case Every(parts) | Some(parts):
            spelt = tuple(spelt_out(part, points) for part in parts)
            return replace(predicate, parts=spelt)  # type: ignore[arg-type]
        case _:
            return predicate


def _points_of(
    group: tuple[Of, ...],
    points: Callable[[Place], Collection[float]],
    without: Collection[float] = (),
) -> tuple[tuple[Of, ...], ...]:
    """The group at each point that all its curves have."""
    known = [set(points(place)) for place in places(group)]
    common = set.intersection(*known) - set(without)
    return tuple(tuple(each.measured_at(x) for each in group) for x in sorted(common))


def over_names(metric: Metric, keys: Iterable[str]) -> list[tuple[float, str]]:
    """Of the ``keys`` of columns those that are points of a curve: (x, key), by x."""
    ending = metric.key.removeprefix(metric.name)
    named = {key.removesuffix(ending): key for key in keys if key.endswith(ending)}
    return [(x, named[name]) for x, name in CurveName.parse(metric.name).points(named)]


def over_epochs(
    metric: Metric, trials: Collection[str], curve: OfTrial
) -> dict[float, tuple[float, ...]]:
    """Epoch -> what each trial recorded, of the epochs at which all of them have a number."""

    def finite(trial: str, name: str) -> dict[int, float]:
        return {epoch: value for epoch, value in curve(trial, name) if math.isfinite(value)}

    def read(trial: str) -> dict[int, float]:
        own = finite(trial, metric.name)
        if not metric.minus:
            return own
        other = finite(trial, metric.minus)
        return {epoch: value - other[epoch] for epoch, value in own.items() if epoch in other}

    curves = [read(trial) for trial in trials]
    common = set.intersection(*map(set, curves)) if curves else set()
    return {float(epoch): tuple(each[epoch] for each in curves) for epoch in sorted(common)}


def at_point(points: Mapping[float, object], point: float | str) -> float:
    """The x of a point: the ``first``, the ``last``, or the nearest one that was measured."""
    if isinstance(point, str):
        return min(points) if point == "first" else max(points)
    return min(points, key=lambda x: abs(x - point))


__all__ = ["Close", "InMost", "OfTrial", "at_point", "over_epochs", "over_names", "spelt_out"]
