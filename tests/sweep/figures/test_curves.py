"""Learning curves of a table: its cells dealt to panels and lines."""

from __future__ import annotations

import statistics

import pytest

from search_spaces.spec import Measure, Metric
from sweep.figures import figures_of
from tests.sweep.figures.cases import ERROR, named, panels, said, swept

# Of three float64 numbers near 10.
CLOSE = 1e-12


def seeds(*values: float | None) -> list[dict[str, float] | None]:
    """Their errors of two epochs are twice these, and these."""
    return [None if v is None else {"test_error": v, "norm": 3.0} for v in values]


def test_a_table_has_curves_with_a_band_of_one_std() -> None:
    norm = Metric("norm", "norm")
    plan, record = swept(
        {("ERM",): seeds(0.1, 0.2, 0.4), ("SAM",): seeds(0.1, 0.1)}, metrics=(norm, ERROR)
    )
    (figure,) = figures_of(plan, record, "curves")
    (axis,) = panels(figure)
    erm, sam = axis.get_lines()[:2]
    assert list(erm.get_xdata()) == [1, 2]
    mean, std = statistics.mean([10, 20, 40]), statistics.stdev([10, 20, 40])
    assert list(erm.get_ydata()) == pytest.approx([2 * mean, mean], rel=CLOSE)
    assert list(sam.get_ydata()) == pytest.approx([20, 10], rel=CLOSE)
    heights = [y for x, y in axis.collections[0].get_paths()[0].vertices if x == 2]
    assert (min(heights), max(heights)) == pytest.approx((mean - std, mean + std))
    assert (axis.get_xlabel(), axis.get_ylabel()) == ("epoch", "error %")
    assert named(figure) == ["ERM (n = 3)", "SAM (n = 2)"]


def test_places_have_panels_and_empty_ones_are_counted() -> None:
    numbers = {
        (m, d): seeds(None if d == "C" else 0.1) for d in ("A", "B", "C") for m in ("ERM", "SAM")
    }
    numbers["SAM", "B"] = seeds(None)
    (figure,) = figures_of(*swept(numbers, ("method", "data")), "curves")
    assert [axis.get_title() for axis in panels(figure)] == ["A", "B"]
    assert "1 of 3 panels have no number yet." in said(figure)
    assert "1 of 4 have no number and are not drawn." in said(figure)
    assert "Where n = 1: no spread." in said(figure)
    assert not any(axis.collections for axis in panels(figure))
    assert named(figure) == ["ERM (n = 1)", "SAM (n = 0–1/1, 1 not run)"]


def test_what_is_measured_once_has_no_curve() -> None:
    plan, record = swept({("ERM",): seeds(0.1), ("SAM",): seeds(0.1)}, metrics=(ERROR,))
    once = plan.artifact.with_experiment(measures=(Measure("norm", label="test_error"),))
    often = once.with_experiment(measures=(Measure("norm", label="test_error", every=1),))
    shown = []
    for artifact in (once, often):
        made = plan.__class__(artifact, plan.preset, plan.selection, plan.cells, plan.stages)
        try:
            shown.append(len(figures_of(made, record, "curves")))
        except ValueError as refused:
            shown.append(str(refused).partition(";")[0])  # type: ignore[arg-type]
    assert shown == ["paper/table1 has no column that is recorded in every epoch", 1]
