"""What a paper's sentences state of its numbers, computed from the measured ones."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from search_spaces.spec import Average, Metric
from search_spaces.view import Key

if TYPE_CHECKING:
    from sweep.aggregate import CellResult
    from sweep.plan.expand import Plan


@dataclass(frozen=True)
class Number:
    """A cell's number in its column's unit.

    Attributes:
        mean: None: there is none.
        variance: Of the mean, std² / n; None: not known.
        trials: What it is the mean over: cells that a preset runs by the same trials have one
            number. Empty: of no other cell.
    """

    key: Key
    mean: float | None
    variance: float | None = None
    trials: tuple[str, ...] = ()


@dataclass(frozen=True)
class Found:
    """An `Average`.

    Attributes:
        mean: None: there is not a single place with all numbers.
        std_error: Of ``mean`` to first order, the best rival of a place being held fixed; None:
            the spread of a number is not known.
        places, lacking: Over how many cells the mean is, and how many lack a number.
    """

    mean: float | None
    std_error: float | None
    places: int
    lacking: int


def sentence(planned: Plan, results: Sequence[CellResult]) -> str:
    """``NSO's trace below SGD's: 12.3 ± 1.0 % over 6 places (printed 15.8)`` for each average."""
    view, said = planned.artifact.view, []
    for average in view.averages:
        for metric in (m for m in view.metrics if m.label == average.column):
            found = compute(average, metric, [_number(r, metric) for r in results])
            said.append(_words(average, metric, found))
    return "; ".join(said)


def _number(result: CellResult, metric: Metric) -> Number:
    summary, unit = result.metrics.get(metric.key), metric.unit
    if summary is None or result.cell.hidden:
        return Number({}, None)
    if summary.mean is None:
        return Number(result.cell.key, None)
    variance = None if summary.std is None else (summary.std * unit) ** 2 / summary.n
    return Number(result.cell.key, metric.display(summary.mean), variance, summary.trial_ids)


def compute(average: Average, metric: Metric, numbers: Sequence[Number]) -> Found:
    """The mean of an `Average` over its places, as its docstring has it.

    Each place is linearized in its numbers; a number that serves several places enters the error
    with the sum of its slopes.
    """
    values: list[float] = []
    lacking = 0
    slopes: dict[int, float] = defaultdict(float)
    first = {number.trials or (str(i),): i for i, number in reversed([*enumerate(numbers)])}
    same = [first[number.trials or (str(i),)] for i, number in enumerate(numbers)]
    for i, number in enumerate(numbers):
        if not _has(number.key, average.of):
            continue
        rest = _rest(number.key, average)
        rivals = [
            j
            for j, other in enumerate(numbers)
            if _has(other.key, average.against) and _rest(other.key, average) == rest
        ]
        means = [numbers[j].mean for j in rivals]
        if number.mean is None or None in means or not means:
            lacking += 1
            continue
        reference, parts = _reference(average, metric, [m for m in means if m is not None])
        if average.how == "reduction" and reference == 0:
            lacking += 1
            continue
        value, own, of_reference = _place(average, number.mean, reference)
        values.append(value)
        slopes[same[i]] += own
        for j, part in zip(rivals, parts, strict=True):
            slopes[same[j]] += of_reference * part
    if not values:
        return Found(None, None, 0, lacking)
    used = [(slope, numbers[j].variance) for j, slope in slopes.items() if slope]
    spread = [slope**2 * v for slope, v in used if v is not None]
    error = math.sqrt(math.fsum(spread)) / len(values) if len(spread) == len(used) else None
    return Found(math.fsum(values) / len(values), error, len(values), lacking)


def _has(key: Key, entries: Mapping[str, tuple[str, ...]]) -> bool:
    return all(key.get(label) in allowed for label, allowed in entries.items())


def _rest(key: Key, average: Average) -> dict[str, str]:
    return {label: entry for label, entry in key.items() if label not in average.against}


def _reference(
    average: Average, metric: Metric, means: Sequence[float]
) -> tuple[float, list[float]]:
    """The number that a place is compared with, and its slope in each rival's mean."""
    if average.reference == "mean":
        return math.fsum(means) / len(means), [1 / len(means)] * len(means)
    best = min(means) if metric.better == "lower" else max(means)
    chosen = means.index(best)
    return best, [float(j == chosen) for j in range(len(means))]


def _place(average: Average, x: float, r: float) -> tuple[float, float, float]:
    """The value of a place, and its slopes in x and in r."""
    if average.how == "gain":
        return x - r, 1.0, -1.0
    return 100 * (1 - x / r), -100 / r, 100 * x / r**2


def _words(average: Average, metric: Metric, found: Found) -> str:
    unit, digits = (" %", 1) if average.how == "reduction" else ("", metric.digits)
    printed = "" if average.printed is None else f" (printed {average.printed:g})"
    if found.mean is None:
        return f"{average.what}: no number yet{printed}"
    error = "" if found.std_error is None else f" ± {found.std_error:.{digits}f}"
    lacking = f", {found.lacking} without a number" if found.lacking else ""
    value = f"{found.mean:.{digits}f}{error}".replace("-", "−")
    return f"{average.what}: {value}{unit} over {found.places} places{lacking}{printed}"


__all__ = ["Found", "Number", "compute", "sentence"]
