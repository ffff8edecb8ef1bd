"""Learning curves of any artifact: mean ± std over seeds at every epoch, a panel per place."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from search_spaces.spec import CurveView, Epochs, Metric
from sweep.figures.data import panels
from sweep.figures.drawing import of_panels
from sweep.figures.page import ACROSS
from sweep.figures.places import compared, criterion, pages, panel_labels
from trainables.errors import UsageError
from trainables.metric_name import MetricName

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from search_spaces.spec import Artifact
    from sweep.plan.expand import Plan
    from sweep.record.record import Record


def why_not(plan: Plan) -> str:
    """Why there are no curves of ``plan``; empty: there are."""
    if _own(plan) or _metric(plan):
        return ""
    return "has no column that is recorded in every epoch"


def curves_of(plan: Plan, record: Record) -> list[Figure]:
    """The artifact's own curves, or else those of its first column that every epoch has.

    Lines are named by what competes; where an artifact has many places, they are dealt to several
    figures.

    Raises:
        UsageError: nothing of it is recorded.
    """
    view, metric = plan.artifact.view, _metric(plan)
    if _own(plan) or metric is None:
        return [of_panels(plan, panels(plan, record))]
    epochs = CurveView(
        x=Epochs(),
        panels=panel_labels(plan),
        metrics=(metric,),
        rows=view.rows,
        columns=view.columns,
        competing=compared(plan),
    )
    plan = replace(plan, artifact=replace(plan.artifact, view=epochs))
    (row,) = panels(plan, record)
    drawn = [panel for panel in row if any(line.points for line in panel.lines)]
    if not drawn:
        raise UsageError(f"{plan.artifact.id}: nothing to draw yet; `sweep run` it first")
    empty = len(row) - len(drawn)
    said = f" {empty} of {len(row)} panels have no number yet." if empty else ""
    across = 2 if len(drawn) in (2, 4) else ACROSS
    return [
        of_panels(plan, [page[i : i + across] for i in range(0, len(page), across)], said)
        for page in pages(drawn)
    ]


def _own(plan: Plan) -> bool:
    view = plan.artifact.view
    return isinstance(view, CurveView) and isinstance(view.x, Epochs)


def _metric(plan: Plan) -> Metric | None:
    """The first column that is recorded in every epoch; else what points are chosen by."""
    chosen = criterion(plan.selection.criterion(plan.artifact))
    for metric in (*plan.artifact.view.metrics, chosen):
        names = [name for name in (metric.name, metric.minus) if name]
        if not metric.relative_to and all(_in_epochs(name, plan.artifact) for name in names):
            return replace(metric, epoch=None)
    return None


def _in_epochs(name: str, artifact: Artifact) -> bool:
    """Whether a number has a history: it is of a split of the data, or measured several times."""
    named = MetricName(name)
    for measure in artifact.experiment.measures:
        if named.belongs_to(measure.key):
            return not measure.final_only
    return named.data_split is not None and named.epoch == "last"


__all__ = ["curves_of", "why_not"]
