"""Values between two ends: evenly apart, by equal ratios, drawn, or spread over a box.

They are the same wherever they are made: rounded to six significant digits, so that no last bit of
a logarithm is in a trial's name; whole numbers where both ends are whole and the value is.
Draws are those of Python's Mersenne Twister, `random.Random(seed).random()`, whose sequence Python
promises to keep; of a Sobol sequence the points are those of `scipy.stats.qmc.Sobol`, unscrambled,
from point ``1 + seed`` on: the first of all is a corner of the box.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from random import Random
from typing import Any

from sweep.files.keys import Draws, Range
from trainables.errors import UsageError

DIGITS = 6


def values(found: Range) -> list[int | float]:
    """The values of a range, in ascending order of ``num``'s count; draws in the order drawn.

    Raises:
        UsageError: not one kind, or ends between which there is nothing; without file and line.
    """
    kind = _one(found, ("log", "linear", "random", "sobol"))
    if kind in ("random", "sobol"):
        scale, ends = _scale(getattr(found, kind), kind)
        drawn = _sobol(found, 1) if kind == "sobol" else _independent(found, 1)
        return _distinct([at(scale, ends, place) for (place,) in drawn])
    _, ends = _scale({kind: getattr(found, kind)}, kind)
    if found.num == 1:
        raise UsageError("num = 1: a range has both its ends; write a list of one value")
    places = [i / (found.num - 1) for i in range(found.num)]
    return _distinct([at(kind, ends, place) for place in places])


def points(found: Draws) -> list[dict[str, Any]]:
    """The points of a box: field -> value, in the order of the draw.

    Raises:
        UsageError: as `values`.
    """
    kind = _one(found, ("sobol", "random"))
    box: Mapping[str, Any] = getattr(found, kind)
    if not box:
        raise UsageError(f"{kind}: it names no field")
    places = _sobol(found, len(box)) if kind == "sobol" else _independent(found, len(box))
    axes = [(name, _in_box(name, axis)) for name, axis in box.items()]
    made = [
        {name: axis(place) for (name, axis), place in zip(axes, row, strict=True)} for row in places
    ]
    return [point for i, point in enumerate(made) if point not in made[:i]]


def at(scale: str, ends: Sequence[float], place: float) -> int | float:
    """The value at ``place``, from 0 to 1, between two ends."""
    low, high = ends
    if scale == "log":
        value = math.exp(math.log(low) + place * (math.log(high) - math.log(low)))
    else:
        value = low + place * (high - low)
    value = float(f"{value:.{DIGITS}g}")
    whole = isinstance(low, int) and isinstance(high, int)
    return int(value) if whole and value.is_integer() else value


def _one(found: Range | Draws, kinds: Sequence[str]) -> str:
    given = [kind for kind in kinds if getattr(found, kind) is not None]
    if len(given) != 1:
        raise UsageError(
            f"give one of {', '.join(kinds)}; there is {' and '.join(given) or 'none'}"
        )
    return given[0]


def _scale(given: Any, what: str) -> tuple[str, tuple[float, float]]:
    if isinstance(given, Mapping):
        if len(given) != 1:
            raise UsageError(f"{what}: give one of log and linear")
        ((scale, ends),) = given.items()
    else:
        scale, ends = "linear", given
    numbers = isinstance(ends, list | tuple) and len(ends) == 2
    if not numbers or not all(
        isinstance(end, int | float) and not isinstance(end, bool) for end in ends
    ):
        raise UsageError(f"{what}: its ends are two numbers, such as [0.01, 0.1]")
    if not ends[0] < ends[1]:
        raise UsageError(f"{what}: {ends[0]} is not below {ends[1]}")
    if scale == "log" and ends[0] <= 0:
        raise UsageError(f"{what}: the ends of a logarithmic range are above 0")
    return scale, (ends[0], ends[1])


def _in_box(name: str, axis: Any) -> Any:
    """The function of a place that gives the value there: in a range, or of a list."""
    if isinstance(axis, list) and axis:
        return lambda place: axis[min(int(place * len(axis)), len(axis) - 1)]
    if isinstance(axis, Mapping) and set(axis) <= {"log", "linear"}:
        scale, ends = _scale(axis, name)
        return lambda place: at(scale, ends, place)
    raise UsageError(f"{name}: write {{log: [a, b]}}, {{linear: [a, b]}} or a list")


def _independent(found: Range | Draws, dimensions: int) -> list[list[float]]:
    draws = Random(found.seed)
    return [[draws.random() for _ in range(dimensions)] for _ in range(found.num)]


def _sobol(found: Range | Draws, dimensions: int) -> list[list[float]]:
    from scipy.stats.qmc import Sobol

    sequence = Sobol(dimensions, scramble=False)
    sequence.fast_forward(1 + found.seed)
    drawn: list[list[float]] = sequence.random(found.num).tolist()
    return drawn


def _distinct(found: Sequence[int | float]) -> list[int | float]:
    return list(dict.fromkeys(found))


__all__ = ["at", "points", "values"]
