"""What claims are judged on: numbers of cells, measured or printed, found by their labels."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from search_spaces.claim import Place
from search_spaces.spec import Artifact, Key, Metric, Reported
from sweep.comparison import Sample

if TYPE_CHECKING:
    from sweep.aggregate import CellResult


@dataclass(frozen=True)
class Entry:
    """A number in its column's unit.

    Attributes:
        identity: Of what it is a number: places that show the same trials have the same.
        sample: Mean, std and n; None: there is none.
        lacking: Why it is not complete (``1 diverged``); empty: it is.
        trials: Those that gave a number.
        rounding: The last digits of a printed mean and std.
    """

    identity: Any
    sample: Sample | None
    lacking: str = ""
    trials: tuple[str, ...] = ()
    rounding: tuple[float, float] = (0.0, 0.0)


class Evidence:
    """Numbers of some artifacts.

    Args:
        entries: (artifact, column) -> the cells' keys and numbers.
        comparable: Whether the numbers may be compared with printed ones.
    """

    def __init__(
        self, entries: Mapping[tuple[str, str], list[tuple[Key, Entry]]], comparable: bool
    ) -> None:
        self._entries = entries
        self.comparable = comparable

    def entry(self, place: Place, artifact: str) -> Entry:
        """The number at ``place``, of ``artifact`` where the place names none.

        Raises:
            LookupError: several cells have the entries, so that the place is none.
        """
        name = place.artifact or artifact
        found = [
            entry
            for key, entry in self._entries.get((name, place.column), ())
            if place.key.items() <= key.items()
        ]
        if len(found) > 1:
            raise LookupError(f"{name}: {len(found)} cells have the entries {dict(place.key)}")
        return found[0] if found else Entry(_identity(name, place.column, place.key), None)


def measured(
    results: Iterable[tuple[Artifact, Iterable[CellResult]]],
    comparable: bool,
    seeds: Mapping[str, int] | None = None,
) -> Evidence:
    """What is recorded of the cells of some artifacts.

    A spread of 0 is that of a rounding, r / sqrt(12), r being the least distance of two values of
    the column (of an error one test image, or several), or its last digit where all are equal.

    Args:
        results: Artifacts, as the preset has shrunk them, with their cells.
        comparable: Whether the preset's numbers may be compared with printed ones.
        seeds: trial id -> seed, where claims pair by seed.
    """
    entries: dict[tuple[str, str], list[tuple[Key, Entry]]] = {}
    for artifact, cells in results:
        cells = list(cells)
        for metric in artifact.view.metrics:
            of_metric = [c for c in cells if metric.key in c.metrics and not metric.relative_to]
            least = _resolution(metric, of_metric)
            entries[artifact.id, metric.key] = [
                (cell.cell.key, _entry(artifact.id, metric, cell, least, seeds))
                for cell in of_metric
            ]
    return Evidence(entries, comparable)


def _resolution(metric: Metric, cells: Iterable[CellResult]) -> float:
    """The least distance of two values of a column, in its unit."""
    values = sorted({value for cell in cells for value in cell.metrics[metric.key].values})
    steps = [b - a for a, b in pairwise(values) if b - a > 1e-9 * abs(b)]
    return min(steps) * metric.unit if steps else 10.0**-metric.digits


def _entry(
    artifact: str,
    metric: Metric,
    cell: CellResult,
    resolution: float,
    seeds: Mapping[str, int] | None,
) -> Entry:
    summary = cell.metrics[metric.key]
    problems = [*summary.problems, *filter(None, [cell.waits])]
    if cell.provisional:
        problems.append(f"search {cell.searched}/{cell.points}")
    sample = None
    if summary.mean is not None:
        std = None if summary.std is None else summary.std * metric.unit
        of_trials = zip(summary.trial_ids, summary.values, strict=True)
        by_seed = {seeds[t]: metric.display(v) for t, v in of_trials} if seeds else None
        mean = metric.display(summary.mean)
        sample = Sample(mean, _spread(std, resolution), summary.n, by_seed)
    ran = bool(cell.trial_ids)
    identity = (
        (metric.key, cell.trial_ids) if ran else _identity(artifact, metric.key, cell.cell.key)
    )
    return Entry(identity, sample, ", ".join(problems), summary.trial_ids)


def printed(artifacts: Iterable[Artifact]) -> Evidence:
    """The numbers that the papers print, whether or not ours may be compared with them."""
    entries: dict[tuple[str, str], list[tuple[Key, Entry]]] = {}
    for artifact in artifacts:
        for metric in artifact.view.metrics:
            there = [
                (cell.key, number)
                for cell in artifact.experiment.cells
                if (number := cell.reported.get(metric.key)) and number.mean is not None
            ]
            digits = _last_digit(n.mean for _, n in there), _last_digit(n.std for _, n in there)
            entries[artifact.id, metric.key] = [
                (key, _of_print(artifact.id, metric, key, number, digits)) for key, number in there
            ]
    return Evidence(entries, comparable=True)


def _of_print(
    artifact: str, metric: Metric, key: Key, number: Reported, digits: tuple[float, float]
) -> Entry:
    assert number.mean is not None
    sample = Sample(number.mean, _spread(number.std, digits[1]), number.n)
    return Entry(_identity(artifact, metric.key, key), sample, rounding=digits)


def _last_digit(numbers: Iterable[float | None]) -> float:
    """1, 0.1, ...: the last digit that a column is printed to."""
    fractions = (repr(number).partition(".")[2] for number in numbers if number is not None)
    return 10.0 ** -max((len(f) for f in fractions if f != "0"), default=0)


def _spread(std: float | None, resolution: float) -> float | None:
    return resolution / math.sqrt(12) if std == 0 else std


def _identity(artifact: str, column: str, key: Key) -> Any:
    return artifact, column, tuple(sorted(key.items()))


__all__ = ["Entry", "Evidence", "measured", "printed"]
