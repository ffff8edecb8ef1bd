"""What claims are judged on: numbers of cells, measured or printed, found by their labels."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from itertools import pairwise
from statistics import fmean, median, stdev
from typing import TYPE_CHECKING, Any

import search_spaces
from search_spaces.claim import Place
from search_spaces.spec import Artifact, Key, Metric, Reported
from sweep.claims.curves import OfTrial, at_point, over_epochs, over_names
from sweep.comparison import Sample

if TYPE_CHECKING:
    from sweep.aggregate import CellResult, Summary


@dataclass(frozen=True)
class Entry:
    """A number in its column's unit.

    Attributes:
        identity: Of what it is a number: places that show the same trials have the same.
        sample: Mean, std and n; None: there is none.
        lacking: Why it is not complete (``1 diverged``); empty: it is.
        trials: Those that gave a number.
        rounding: The last digits of a printed mean and std.
        values: Of the trials; empty: they are not known.
        diverged: How many trials diverged.
    """

    identity: Any
    sample: Sample | None
    lacking: str = ""
    trials: tuple[str, ...] = ()
    rounding: tuple[float, float] = (0.0, 0.0)
    values: tuple[float, ...] = ()
    diverged: int = 0

    @property
    def median(self) -> float:
        """Of the trials' values; of a printed number, its mean."""
        assert self.sample is not None
        return median(self.values) if self.values else self.sample.mean


Curve = Callable[[], Mapping[float, Entry]]
"""x -> number, read when it is asked for."""
Found = list[tuple[Key, Entry, Curve]]
"""Of every cell of a column: its key, its number, and its curve."""


class Evidence:
    """Numbers of some artifacts.

    Args:
        entries: (artifact, column) -> what there is.
        comparable: Whether the numbers may be compared with printed ones.
        of_print: Whether they are the printed ones.
    """

    def __init__(
        self, entries: Mapping[tuple[str, str], Found], comparable: bool, of_print: bool = False
    ) -> None:
        self._entries = entries
        self.comparable = comparable
        self.of_print = of_print

    def entry(self, place: Place, artifact: str) -> Entry:
        """The number at ``place``, of ``artifact`` where the place names none.

        Raises:
            LookupError: several cells have the entries, so that the place is none.
        """
        whole, curve = self._at(place, artifact)
        if place.point is None:
            return whole
        points = curve()
        if not points:
            return Entry((whole.identity, place.point), None, whole.lacking)
        return points[at_point(points, place.point)]

    def points(self, place: Place, artifact: str) -> tuple[float, ...]:
        """Where the curve at ``place`` was measured; empty: nothing is known of it."""
        return tuple(self._at(place, artifact)[1]())

    def _at(self, place: Place, artifact: str) -> tuple[Entry, Curve]:
        name = place.artifact or artifact
        found = [
            (entry, curve)
            for key, entry, curve in self._entries.get((name, place.column), ())
            if place.key.items() <= key.items()
        ]
        if len(found) > 1:
            raise LookupError(f"{name}: {len(found)} cells have the entries {dict(place.key)}")
        return found[0] if found else (Entry(_identity(name, place.column, place.key), None), dict)


# -- what is recorded ------------------------------------------------------------------------------


def measured(
    results: Iterable[tuple[Artifact, Iterable[CellResult]]],
    comparable: bool,
    seeds: Mapping[str, int] | None = None,
    curve: OfTrial | None = None,
) -> Evidence:
    """What is recorded of the cells of some artifacts.

    A spread of 0 is that of a rounding, r / sqrt(12), r being the least distance of two values of
    the column (of an error one test image, or several), or its last digit where all are equal.

    Args:
        results: Artifacts, as the preset has shrunk them, with their cells.
        comparable: Whether the preset's numbers may be compared with printed ones.
        seeds: trial id -> seed, where claims pair by seed.
        curve: Of a trial; None: curves over epochs are not known.
    """
    entries: dict[tuple[str, str], Found] = {}
    for artifact, cells in results:
        cells = list(cells)
        for name, metric in _columns(artifact):
            if not metric.relative_to:
                read = _Column(artifact.id, metric, cells, seeds, curve)
                entries[artifact.id, name] = [
                    (cell.cell.key, read.number(cell), read.curve(cell)) for cell in cells
                ]
    return Evidence(entries, comparable)


def _columns(artifact: Artifact) -> Iterator[tuple[str, Metric]]:
    """What the paper's file calls its columns, each with the one that is read for it."""
    filed = search_spaces.find(artifact.id) if artifact.variant.readings else artifact
    called, read = ((*view.metrics, *view.judged) for view in (filed.view, artifact.view))
    return zip((metric.key for metric in called), read, strict=True)


class _Column:
    """A column of an artifact, with the results of all cells."""

    def __init__(
        self,
        artifact: str,
        metric: Metric,
        cells: list[CellResult],
        seeds: Mapping[str, int] | None,
        of_trial: OfTrial | None,
    ) -> None:
        self.artifact, self.metric, self.cells = artifact, metric, cells
        self.seeds, self.of_trial = seeds, of_trial
        self.least = cache(self._least)

    def number(self, cell: CellResult) -> Entry:
        """The cell's number; of a curve over numbers in names, that of its first point."""
        named = over_names(self.metric, cell.metrics)
        key = named[0][1] if named else self.metric.key
        if key in cell.metrics:
            return self._entry(cell, key, cell.metrics[key])
        return Entry(_identity(self.artifact, key, cell.cell.key), None)

    def curve(self, cell: CellResult) -> Curve:
        """The cell's curve."""

        @cache
        def points() -> Mapping[float, Entry]:
            named = over_names(self.metric, cell.metrics)
            if named:
                return {x: self._entry(cell, key, cell.metrics[key]) for x, key in named}
            whole = self.number(cell)
            if self.of_trial is None or not whole.trials:
                return {}
            found = over_epochs(self.metric, whole.trials, self.of_trial)
            return {x: self._point(whole, x, values) for x, values in found.items()}

        return points

    def _entry(self, cell: CellResult, key: str, summary: Summary) -> Entry:
        problems = [*summary.problems, *filter(None, [cell.waits])]
        if cell.provisional:
            problems.append(f"search {cell.searched}/{cell.points}")
        values = tuple(map(self.metric.display, summary.values))
        sample = None
        if summary.mean is not None:
            std = None if summary.std is None else summary.std * self.metric.unit
            by_seed = self._by_seed(summary.trial_ids, values)
            mean = self.metric.display(summary.mean)
            sample = Sample(mean, _spread(std, self.least(key)), summary.n, by_seed)
        ran = bool(cell.trial_ids)
        identity = (key, cell.trial_ids) if ran else _identity(self.artifact, key, cell.cell.key)
        return Entry(
            identity,
            sample,
            ", ".join(problems),
            summary.trial_ids,
            values=values,
            diverged=summary.diverged,
        )

    def _point(self, whole: Entry, x: float, recorded: tuple[float, ...]) -> Entry:
        values = tuple(map(self.metric.display, recorded))
        std = stdev(values) if len(values) > 1 else None
        by_seed = self._by_seed(whole.trials, values)
        least = 10.0**-self.metric.digits
        sample = Sample(fmean(values), _spread(std, least), len(values), by_seed)
        return Entry((whole.identity, x), sample, whole.lacking, whole.trials, values=values)

    def _by_seed(
        self, trials: tuple[str, ...], values: tuple[float, ...]
    ) -> Mapping[int, float] | None:
        if not self.seeds:
            return None
        return {self.seeds[t]: value for t, value in zip(trials, values, strict=True)}

    def _least(self, key: str) -> float:
        """The least distance of two values of a column, in its unit."""
        summaries = [cell.metrics[key] for cell in self.cells if key in cell.metrics]
        values = sorted({value for summary in summaries for value in summary.values})
        steps = [b - a for a, b in pairwise(values) if b - a > 1e-9 * abs(b)]
        return min(steps) * self.metric.unit if steps else 10.0**-self.metric.digits


# -- what is printed -------------------------------------------------------------------------------


def printed(artifacts: Iterable[Artifact]) -> Evidence:
    """The numbers that the papers print, whether or not ours may be compared with them.

    A spread that is not said to be one over runs is read as one, over as many as the others of the
    artifact: so the papers' sentences read it.
    """
    entries: dict[tuple[str, str], Found] = {}
    for artifact in artifacts:
        numbers = [n for cell in artifact.experiment.cells for n in cell.reported.values()]
        runs = max((n.n for n in numbers if n.n), default=None)
        for metric in artifact.view.metrics:
            there = [
                (cell.key, number)
                for cell in artifact.experiment.cells
                if (number := cell.reported.get(metric.key)) and number.mean is not None
            ]
            digits = _last_digit(n.mean for _, n in there), _last_digit(n.std for _, n in there)
            entries[artifact.id, metric.key] = [
                (key, _of_print(artifact.id, metric, key, number, digits, runs), dict)
                for key, number in there
            ]
    return Evidence(entries, comparable=True, of_print=True)


def _of_print(
    artifact: str,
    metric: Metric,
    key: Key,
    number: Reported,
    digits: tuple[float, float],
    runs: int | None,
) -> Entry:
    assert number.mean is not None
    sample = Sample(number.mean, _spread(number.std, digits[1]), number.n or runs)
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
