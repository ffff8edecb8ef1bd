"""Which figures there are of a sweep: the artifact's own, those of a file, and further kinds."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from search_spaces.spec import CurveView, Label, MapView, TableView
from sweep.figures.drawing import figure_of
from sweep.figures.kinds import of_kind, possible
from sweep.figures.search import search_figures
from sweep.plan.points import every_point
from trainables.errors import UsageError

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from sweep.plan.expand import Plan
    from sweep.record.record import Record


def figures_of(plan: Plan, record: Record, kind: str | None = None) -> list[Figure]:
    """The figures of ``plan``, as far as ``record`` has them.

    Args:
        kind: One of `sweep.figures.kinds.KINDS`; ``search``: what `sweep search` has tried, which
            no plan knows; None: those that the artifact has.

    Raises:
        UsageError: there is none of that kind (the message says which kinds there are), or the
            record has nothing to draw.
    """
    if kind == "search":
        return search_figures(plan, record)
    if kind is not None:
        return of_kind(plan, record, kind)
    views = plan.artifact.figures or (plan.artifact.view,)
    if any(isinstance(view, TableView) for view in views):
        table = f"{plan.artifact.id} is a table: `sweep table` shows it"
        raise UsageError(f"{table}, and {possible(plan)}")
    return [figure_of(_with_view(plan, view), record) for view in views]


def _with_view(plan: Plan, view: TableView | CurveView | MapView) -> Plan:
    """``plan`` shown so; along a field that is searched each point is shown."""
    plan = replace(plan, artifact=replace(plan.artifact, view=view))
    labels = {label for cell in plan.cells for label in cell.key}
    along = view.x.name if isinstance(view, CurveView) and isinstance(view.x, Label) else None
    if along is None or along in labels:
        return plan
    every = every_point(plan)
    cells = tuple(cell for cell in every.cells if along in cell.key)
    return replace(every, artifact=every.artifact.with_experiment(cells=cells), cells=cells)


__all__ = ["figures_of"]
