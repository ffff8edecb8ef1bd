"""A search between the points of a grid, for one cell of an artifact and one of its stages.

The grid is run first, as planned. Its numbers are what the first proposals rest on
(`sweep.plan.proposals`). Every point is then a row of an artifact of its own, so that storage,
record and table are those of every sweep. What is proposed follows from the recorded numbers: the
same command again proposes the same points, and finds them in the record.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace

from search_spaces.spec import Artifact, Cell, Metric, Selection, Stage, TableView
from sweep import aggregate
from sweep.aggregate import Summary
from sweep.plan.expand import Plan, every_cell
from sweep.plan.proposals import Axis, GridPoint, propose
from sweep.record.mlflow_store import Tracker
from sweep.record.record import Record
from sweep.run.executor import Executor
from sweep.run.limits import Limits
from sweep.run.loop import Attachments, Sweep, SweepObserver, run
from trainables.errors import UsageError
from trainables.metric_name import MetricName


def chosen(artifact: Artifact, preset: str, where: Mapping[str, str]) -> tuple[Cell, Stage]:
    """The cell that a search is for, and the last stage that has a grid for it.

    Args:
        preset: Name of the preset, for messages.
        where: Label -> entry, by which the cell is found.

    Raises:
        UsageError: the artifact has no such label or entry, several cells have these entries, or
            there is no grid for the cell.
    """
    cells = [cell for cell in every_cell(artifact) if not cell.hidden]
    for label, value in where.items():
        known = dict.fromkeys(cell.key.get(label, "") for cell in cells)
        if value not in known:
            raise UsageError(
                f"{artifact.id} has no {label} {value!r}"
                + (f" there; it has: {', '.join(filter(None, known))}" if any(known) else "")
            )
        cells = [cell for cell in cells if cell.key.get(label) == value]
    searched = {
        tuple(cell.key.values()): (cell, stage)
        for cell in cells
        for stage in artifact.experiment.stages
        if stage.covers(cell) and len(list(stage.points())) > 1
    }
    if not searched:
        raise UsageError(f"{artifact.id} has no grid to search there at preset {preset}")
    for key, (_, stage) in searched.items():
        if stage.settings:
            raise UsageError(
                f"{artifact.id} tries settings that go together there ({' / '.join(key)}, points); "
                "a search moves along the axes of a grid"
            )
    if len(searched) > 1:
        several = "; ".join(" / ".join(key) for key in list(searched)[:4])
        keys = [cell.key for cell, _ in searched.values()]
        labels = dict.fromkeys(label for key in keys for label in key)
        open_ones = [name for name in labels if len({key.get(name) for key in keys}) > 1]
        raise UsageError(
            f"a search is for one row and {len(searched)} are left, such as {several}; "
            f"name it by --where LABEL=VALUE, the label being {' or '.join(open_ones)}"
        )
    return next(iter(searched.values()))


def narrowed(artifact: Artifact, cell: Cell, stage: Stage) -> Artifact:
    """The artifact reduced to one stage of one cell, and to what that stage starts from."""
    experiment = artifact.experiment
    cells, stages, earliest = [cell], [stage], stage
    while earliest.after is not None:
        match = tuple(cell.key) if earliest.match is None else earliest.match
        earliest = experiment.stage(earliest.after)
        stages.insert(0, earliest)
        cells += [
            replace(other, hidden=True)
            for other in every_cell(artifact)
            if earliest.covers(other)
            and all(other.key.get(label) == cell.key.get(label) for label in match)
            and all(other.key != known.key for known in cells)
        ]
    shown = " / ".join(map(cell.label, cell.key))
    name = "/".join(cell.key.values()).replace(" ", "_")  # MLflow's tag lists ids between spaces
    measured = experiment.last_stage(cell).name == stage.name
    return replace(
        artifact,
        id=f"{artifact.id}:search:{name}",
        experiment=replace(
            experiment,
            cells=tuple(cells),
            fan_out={},
            per_name_overrides={},
            stages=tuple(stages),
            measures=experiment.measures if measured else (),
        ),
        notes=replace(
            artifact.notes,
            title=f"{shown}, the grid of stage {stage.name} and between",
            claims=(),
        ),
    )


def as_rows(
    planned: Plan,
    metrics: Sequence[Metric],
    points: Sequence[GridPoint],
    rule: Selection,
    waiting: int = 0,
) -> Artifact:
    """An artifact with one row per point, for the first cell of a plan in its last stage.

    Args:
        planned: Of a `narrowed` artifact, its last stage no longer pending.
        metrics: The columns after the first, which shows what is selected on.
        points: Of the grid, and proposed.
        rule: What is selected on.
        waiting: How many further points wait for trials that failed.
    """
    artifact = planned.artifact
    cell, stage = artifact.experiment.cells[0], artifact.experiment.stages[-1]
    first = next(t for t in planned.stages[-1].trials if t.cell.key == cell.key)
    axes = {axis: axis.rpartition(".")[2] for axis in stage.grid}
    percent = MetricName(rule.on).quantity == "error"
    criterion = Metric(
        rule.on,
        rule.on.replace("_", " ") + (" %" if percent else ""),
        shown="percent" if percent else "plain",
    )
    proposed = len(points) - len(list(stage.points()))
    made = artifact.with_experiment(
        base=first.config.model_dump(mode="json", exclude={"seed"}),
        cells=tuple(
            Cell(
                {**cell.key, **{axes[a]: str(v) for a, v in point.items()}},
                dict(point),
                ran=cell.ran,
            )
            for point in points
        ),
        stages=(Stage("search", seeds=stage.seeds),),
        selection=replace(rule, stated="", ranks=True),
    )
    tried = f"{len(points) - proposed} points of the grid and {proposed} that Optuna proposed"
    if waiting:
        tried += f"; {waiting} more wait for the trials that failed"
    view = TableView(
        rows=(*cell.key, *axes.values()),
        metrics=(criterion, *(m for m in metrics if m.key != rule.on)),
        competing=artifact.view.competing,
    )
    return replace(made, view=view).with_notes(changes=(*artifact.notes.changes, tried))


def columns(artifact: Artifact, narrow: Artifact) -> tuple[Metric, ...]:
    """The columns of ``artifact`` that its `narrowed` part can fill.

    Ratios to another cell are left out, and measures that the searched stage does not make.
    """
    absent = [m for m in artifact.experiment.measures if m not in narrow.experiment.measures]
    return tuple(
        metric
        for metric in artifact.view.metrics
        if metric.relative_to is None
        and not any(measure.within({metric.name: None}) for measure in absent)
    )


def search_loss(summary: Summary) -> float | None:
    """A point's mean over seeds; inf if one of them diverged, None while one has not ended."""
    if summary.diverged:
        return math.inf
    return summary.mean if summary.complete else None


def search(
    sweep: Sweep,
    *,
    where: Mapping[str, str],
    proposals: int,
    at_once: int,
    tracker: Tracker,
    observer: SweepObserver,
    executor: Executor,
    attachments: Attachments | None = None,
    limits: Limits | None = None,
) -> tuple[Plan, Record]:
    """Run the grid of one row of the sweep's artifact, then further points that Optuna proposes.

    Nothing is proposed as long as a trial is failed: what it would rest on may still change.

    Args:
        where: Label -> value of the row.
        proposals: How many points are tried beside the grid's.
        at_once: How many are proposed at once, from all before.
        tracker, observer, executor, attachments, limits: As `sweep.run.loop.run` takes them.

    Returns:
        The plan whose artifact has one row per point, best first, and its record; that of the
        grid, if trials of a stage before it failed.

    Raises:
        UsageError: ``where`` names no row, or several, or one that nothing is searched for; or
            the trials do not record what the sweep selects on.
    """
    cell, stage = chosen(sweep.artifact, sweep.preset, where)
    narrow = narrowed(sweep.artifact, cell, stage)
    rows = _Rows(
        stage=stage,
        rule=sweep.selection.criterion(sweep.artifact),
        metrics=columns(sweep.artifact, narrow),
        proposals=proposals,
        at_once=at_once,
        observer=observer,
    )
    return run(
        replace(sweep, artifact=narrow),
        tracker=tracker,
        observer=observer,
        executor=executor,
        attachments=attachments,
        extension=rows.extended,
        limits=limits,
    )


class _Rows:
    """The rows of a search as they become more: the grid's, then proposed ones; at last ranked."""

    def __init__(
        self,
        *,
        stage: Stage,
        rule: Selection,
        metrics: Sequence[Metric],
        proposals: int,
        at_once: int,
        observer: SweepObserver,
    ) -> None:
        self._stage, self._rule, self._metrics = stage, rule, metrics
        self._at_once, self._observer = at_once, observer
        self._points: list[GridPoint] = list(stage.points())
        self._total = len(self._points) + proposals
        self._grid: Plan | None = None
        self._ranked = False

    def extended(self, plan: Plan, record: Record) -> Artifact | None:
        """The artifact with further rows, or with all of them best first; None after that."""
        if self._ranked or not plan.stages[-1].trials:
            return None
        if self._grid is None:
            self._grid = plan
            return as_rows(plan, self._metrics, self._points, self._rule)
        found = [result.metrics[self._rule.on] for result in aggregate.cells(plan, record)]
        losses = [search_loss(summary) for summary in found]
        # A failed trial is tried again, and its number would make the proposals others.
        failed = any(summary.failed for summary in found)
        further = [] if failed else self._proposed(losses)
        waiting = self._total - len(self._points) if failed else 0
        self._points += further
        if not further:
            self._rank(losses)
        if waiting:
            self._observer.message(f"{waiting} further points wait for the trials that failed")
        return as_rows(self._grid, self._metrics, self._points, self._rule, waiting)

    def _proposed(self, losses: Sequence[float | None]) -> list[GridPoint]:
        assert self._grid is not None
        method = self._grid.stages[-1].trials[0].config.method.name
        results = list(zip(self._points, losses, strict=True))
        return propose(
            {name: Axis.of(name, values, method) for name, values in self._stage.grid.items()},
            tried=[(point, loss) for point, loss in results if loss is not None],
            pending=[point for point, loss in results if loss is None],
            n=min(self._at_once, self._total - len(self._points)),
        )

    def _rank(self, losses: Sequence[float | None]) -> None:
        order = [math.inf if loss is None else loss for loss in losses]
        self._points = [self._points[i] for i in sorted(range(len(order)), key=order.__getitem__)]
        self._ranked = True
