"""The paper's averages: from its printed tables as it prints them, and their errors."""

from __future__ import annotations

import itertools
import math
import random

import pytest

import search_spaces
from search_spaces.spec import Average, Metric
from sweep.tables.averages import Number, compute

REPORTED = ("nso/table3", "nso/table6")


def printed(column: str) -> list[Number]:
    """All numbers that Tables 3 and 6 print in this column, those of several places once."""
    found = {}
    for name in REPORTED:
        artifact = search_spaces.find(name)
        keys = [m.key for m in artifact.view.metrics if m.label == column]
        for cell, key in itertools.product(artifact.experiment.cells, keys):
            if key in cell.reported:
                found[tuple(cell.key.items())] = Number(cell.key, cell.reported[key].mean)
    return list(found.values())


@pytest.mark.parametrize("name", REPORTED)
def test_the_printed_tables_give_the_averages_that_the_sentences_state(name: str) -> None:
    view = search_spaces.find(name).view
    stated = [average for average in view.averages if average.printed is not None]
    assert stated
    for average in stated:
        (metric,) = (m for m in view.metrics if m.label == average.column)
        found = compute(average, metric, printed(average.column))
        assert (found.places, found.lacking) == (6, 0)
        assert found.mean is not None
        assert abs(found.mean - (average.printed or 0.0)) <= 0.05, average.what


RIVALS = ("A", "B")
NUMBERS = {
    ("N", "x"): (3.0, 0.04), ("A", "x"): (5.0, 0.09), ("B", "x"): (4.0, 0.01),
    ("N", "y"): (6.0, 0.25), ("A", "y"): (8.0, 0.16), ("B", "y"): (12.0, 0.36),
}  # fmt: skip
LOWER, HIGHER = Metric("loss", "loss"), Metric("score", "loss", better="higher")


def of(numbers: dict[tuple[str, str], tuple[float, float | None]]) -> list[Number]:
    return [Number({"method": m, "set": s}, *value) for (m, s), value in numbers.items()]


def average(how: str, reference: str) -> Average:
    return Average(
        "", "loss", {"method": ("N",)}, {"method": RIVALS}, how, reference
    )  # fmt: skip


@pytest.mark.parametrize(
    ("how", "reference", "metric", "expected"),
    [
        ("reduction", "best", LOWER, 100 * ((1 - 3 / 4) + (1 - 6 / 8)) / 2),
        ("reduction", "mean", LOWER, 100 * ((1 - 3 / 4.5) + (1 - 6 / 10)) / 2),
        ("gain", "mean", LOWER, ((3 - 4.5) + (6 - 10)) / 2),
        ("gain", "best", LOWER, ((3 - 4) + (6 - 8)) / 2),
        ("gain", "best", HIGHER, ((3 - 5) + (6 - 12)) / 2),
    ],
)
def test_by_hand(how: str, reference: str, metric: Metric, expected: float) -> None:
    found = compute(average(how, reference), metric, of(NUMBERS))
    assert found.mean == pytest.approx(expected, rel=1e-14)
    assert found.places == 2


@pytest.mark.parametrize("how", ["reduction", "gain"])
@pytest.mark.parametrize("reference", ["mean", "best"])
@pytest.mark.parametrize("judged", ["", "x y", "x z"])
def test_the_error_is_the_spread_of_drawn_tables(how: str, reference: str, judged: str) -> None:
    """Small spreads, so that first order is enough; 20,000 draws know theirs to 0.5 % (1 sigma).

    Five sigma: a false alarm in 2 million runs. ``judged``: against z, which serves both places,
    or is itself one of them.
    """
    small = {key: (mean, v * 1e-4) for key, (mean, v) in NUMBERS.items()}
    wanted = average(how, reference)
    if judged:
        small = {("N", "x"): (3.0, 4e-6), ("N", "y"): (2.0, 9e-6), ("N", "z"): (5.0, 1e-4)}
        wanted = Average(
            "", "loss", {"set": tuple(judged.split())}, {"set": ("z",)}, how, reference
        )
    error = compute(wanted, LOWER, of(small)).std_error
    assert error is not None
    draws, drawn = random.Random(0), []
    for _ in range(20_000):
        table = {k: (draws.gauss(mean, math.sqrt(v)), None) for k, (mean, v) in small.items()}
        drawn.append(compute(wanted, LOWER, of(table)).mean or 0.0)
    centre = math.fsum(drawn) / len(drawn)
    spread = math.sqrt(math.fsum((d - centre) ** 2 for d in drawn) / (len(drawn) - 1))
    assert error == pytest.approx(spread, rel=5 * 0.005)


def test_places_that_lack_a_number_are_counted() -> None:
    lacking = {**NUMBERS, ("A", "y"): (None, None)}
    found = compute(average("gain", "mean"), LOWER, of(lacking))
    assert (found.mean, found.places, found.lacking) == (-1.5, 1, 1)
    assert compute(average("gain", "mean"), LOWER, []).mean is None


def test_without_every_spread_there_is_no_error() -> None:
    single = {**NUMBERS, ("B", "x"): (4.0, None)}
    assert compute(average("gain", "mean"), LOWER, of(single)).std_error is None


def test_cells_that_show_the_same_trials_have_one_number() -> None:
    """A preset runs one data set in place of six: no place adds to what one tells."""

    def cells(places: int) -> list[Number]:
        shown = [("N", 3.0, 0.04, "a"), ("A", 5.0, 0.09, "b"), ("B", 4.0, 0.01, "c")]
        return [
            Number({"method": m, "set": str(place)}, mean, variance, (trial,))
            for place in range(places)
            for m, mean, variance, trial in shown
        ]

    one, six = (compute(average("reduction", "mean"), LOWER, cells(n)) for n in (1, 6))
    assert (one.places, six.places) == (1, 6)
    assert six.mean == pytest.approx(one.mean, rel=1e-14)
    assert six.std_error == pytest.approx(one.std_error, rel=1e-14)
