"""What was searched, drawn: a line over one axis, a map over two, a panel per further value."""

from __future__ import annotations

from typing import Any

import pytest
from matplotlib.axes import Axes
from matplotlib.colors import LogNorm
from matplotlib.figure import Figure

from sweep.figures import figures_of
from sweep.plan.expand import PlannedTrial
from sweep.record.record import Record
from tests.sweep.files.cases import artifact, planned
from tests.sweep.tables.test_winners import HEAD, far_from, recorded
from trainables.errors import UsageError


def drawn(text: str, lr: float = 0.2, kind: str | None = "grid") -> list[Figure]:
    found, record = recorded(text, far_from(lr))
    return figures_of(found, record, kind)


def panels(figure: Figure) -> dict[str, Axes]:
    return {axis.get_title(): axis for axis in figure.axes if axis.get_title()}


def texts(axis: Axes) -> dict[tuple[float, float], str]:
    return {text.get_position(): text.get_text() for text in axis.texts}


LR = "grid: {optimizer.lr: [0.1, 0.2, 0.4]}\n"


def test_one_axis_is_a_line_with_its_spread_and_its_winner() -> None:
    (figure,) = drawn(f"{HEAD}{LR}")
    (axis,) = panels(figure).values()
    points, marked = axis.lines[0], axis.lines[-1]
    assert list(points.get_xdata()) == [0.1, 0.2, 0.4]
    assert list(points.get_ydata()) == pytest.approx([10, 0, 20])
    assert (list(marked.get_xdata()), list(marked.get_ydata())) == ([0.2], [0])
    assert (axis.get_xlabel(), axis.get_ylabel()) == ("lr", "validation error %")
    assert axis.get_xscale() == "linear"
    (far,) = panels(drawn(f"{HEAD}grid: {{optimizer.lr: [0.01, 0.1, 1]}}\n")[0]).values()
    assert far.get_xscale() == "log"


def test_two_axes_are_a_map_that_with_more_values_across() -> None:
    (figure,) = drawn(
        f"{HEAD}grid: {{optimizer.momentum: [0.9, 0.5], optimizer.lr: [0.4, 0.1, 0.2]}}\n"
    )
    (axis,) = panels(figure).values()
    assert [label.get_text() for label in axis.get_xticklabels()] == ["0.1", "0.2", "0.4"]
    assert [label.get_text() for label in axis.get_yticklabels()] == ["0.5", "0.9"]
    assert (axis.get_xlabel(), axis.get_ylabel()) == ("lr", "momentum")
    assert texts(axis) == {
        (0, 0): "10.00", (1, 0): "0.00", (2, 0): "20.00",
        (0, 1): "10.00", (1, 1): "0.00*", (2, 1): "20.00",
    }  # fmt: skip
    (image,) = axis.images
    assert image.get_array().tolist() == [pytest.approx([10, 0, 20])] * 2  # type: ignore[union-attr]
    assert not axis.yaxis_inverted()


def test_cells_and_further_axes_have_panels_of_their_own() -> None:
    text = (
        f"{HEAD}{LR}compare:\n  A: erm\n  B: {{method: sam, grid: {{method.rho: [0.1, 0.2]}}}}\n"
        "  C: {optimizer.lr: 0.1}\n"
    )
    found = panels(drawn(text)[0])
    assert list(found) == ["A", "B"]
    assert (len(found["A"].images), len(found["B"].images)) == (0, 1)
    more = f"{HEAD}grid: {{optimizer.lr: [0.1, 0.2, 0.4], batch_size: [32, 64], epochs: [1, 2]}}\n"
    found = panels(drawn(more)[0])
    assert list(found) == ["erm, epochs 1", "erm, epochs 2"]
    marked = [text for axis in found.values() for text in texts(axis).values() if "*" in text]
    assert marked == ["0.00*"]  # the winner of the search, not one for each panel
    assert [axis.images[0].get_clim() for axis in found.values()] == 2 * [(0, 20)]


def test_a_setting_that_a_point_has_not_has_a_place_of_its_own() -> None:
    text = f"{HEAD}points: [{{optimizer.lr: 0.1, epochs: 1}}, {{optimizer.lr: 0.2}}]\n"
    (axis,) = panels(drawn(text)[0]).values()
    assert [label.get_text() for label in axis.get_xticklabels()] == ["0.1", "0.2"]
    assert [label.get_text() for label in axis.get_yticklabels()] == ["1", "–"]
    assert texts(axis) == {(0, 0): "10.00", (1, 1): "0.00*"}


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (
            f"{HEAD}",
            "mine/x searches nothing: it has no grid and no points; "
            "`sweep plot --kind` can be curves",
        ),
        (f"{HEAD}{LR}", "mine/x: nothing to draw yet; `sweep run` it first"),
    ],
)
def test_what_cannot_be_drawn_is_said(text: str, said: str) -> None:
    with pytest.raises(UsageError) as refused:
        figures_of(planned(artifact(text)), Record.from_runs([]), "grid")
    assert str(refused.value) == said


def test_along_a_field_every_point_that_has_it_is_drawn() -> None:
    text = (
        f"{HEAD}{LR}compare: {{A: erm, B: {{optimizer.lr: 0.1}}}}\nfigures: [{{x: optimizer.lr}}]\n"
    )
    (figure,) = drawn(text, kind=None)
    (axis,) = [axis for axis in figure.axes if axis.lines]
    assert list(axis.lines[0].get_xdata()) == [0.1, 0.2, 0.4]


def test_points_without_a_number_and_without_a_spread_are_said() -> None:
    def level(trial: PlannedTrial) -> float | None:
        return None if trial.config.optimizer.lr == 0.4 else far_from(0.2)(trial)

    two = f"{HEAD}grid: {{optimizer.lr: [0.1, 0.2, 0.4], batch_size: [32, 64]}}\nseeds: 1\n"
    found, record = recorded(two, level)
    (figure,) = figures_of(found, record, "grid")
    (axis,) = panels(figure).values()
    assert texts(axis)[2, 0] == texts(axis)[2, 1] == "–"
    (box,) = axis.patches
    assert box.get_bbox().bounds == (0.5, -0.5, 1, 1)
    caption: Any = figure._supxlabel  # type: ignore[attr-defined]
    assert " ".join(caption.get_text().split()).endswith(
        "Marked: the winner so far. 2 of 6 points have no number. n = 1. Where n = 1: no spread."
    )
    assert [axis.get_ylabel() for axis in figure.axes] == ["batch_size", "validation error %"]


def test_captions_say_how_a_winner_is_chosen() -> None:
    (figure,) = drawn(f"{HEAD}{LR}")
    caption: Any = figure._supxlabel  # type: ignore[attr-defined]
    assert " ".join(caption.get_text().split()) == (
        "Preset full, selection as written. Mean ± sample std over n seeds. "
        "Marked: the winner. n = 3."
    )


def test_colors_are_logarithmic_where_numbers_span_decades() -> None:
    def level(trial: PlannedTrial) -> float:
        return 0.001 if trial.config.optimizer.lr == 0.1 else 0.2

    text = f"{HEAD}grid: {{optimizer.lr: [0.1, 0.2], batch_size: [32, 64]}}\n"
    (axis,) = panels(figures_of(*recorded(text, level), "grid")[0]).values()
    assert isinstance(axis.images[0].norm, LogNorm)
    (axis,) = panels(figures_of(*recorded(f"{HEAD}{LR}", level), "grid")[0]).values()
    assert axis.get_yscale() == "log"
