"""Between the points of a grid: Optuna proposes further ones, and each is a row of a table.

A search belongs to one cell of an artifact and to the stage that searches for it. The grid comes
first, as planned; its numbers are what the first proposals rest on. Every point is then a row of an
artifact of its own, so that storage, record and table are those of every sweep. Proposals depend
on recorded numbers and on how many there were alone: the same command again makes the same ones,
and finds them in the record.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from search_spaces.spec import Artifact, Cell, Metric, Selection, Stage
from sweep import aggregate
from sweep.aggregate import SelectionRule, Summary
from sweep.plan import Plan, every_cell, plan
from sweep.record import Record
from sweep.run import Settings, Watcher, run
from sweep.tracking import Tracker

if TYPE_CHECKING:
    from optuna.distributions import BaseDistribution

DIGITS = 3
"""Significant digits of a proposed number: a person can read it, and no result needs more."""

AS_LISTED = ("batch_size", "epochs", "method.num_perturbations")
"""Whole numbers that are tried as the grid lists them, and not between."""

DECADES = 10.0
"""A range whose ends differ by this factor is searched on a logarithmic scale."""

ATTEMPTS = 20
"""How often a point that has been tried is proposed again before the search ends early."""

Point = Mapping[str, Any]


@dataclass(frozen=True)
class Axis:
    """The values of one setting that a search may propose: a range, or a list.

    Attributes:
        values: Of the grid; a range goes from the least of them to the greatest.
        between: Whether values between them make sense.
    """

    values: tuple[Any, ...]
    between: bool

    @classmethod
    def of(cls, name: str, values: tuple[Any, ...]) -> Axis:
        numbers = all(isinstance(v, int | float) and not isinstance(v, bool) for v in values)
        return cls(values, numbers and name not in AS_LISTED)

    @property
    def distribution(self) -> BaseDistribution:
        from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution

        if not self.between:
            return CategoricalDistribution(range(len(self.values)))
        low, high = min(self.values), max(self.values)
        log = low > 0 and high / low >= DECADES
        if all(isinstance(value, int) for value in self.values):
            return IntDistribution(low, high, log=log)
        return FloatDistribution(float(low), float(high), log=log)

    def coded(self, value: Any) -> Any:
        """``value`` as Optuna knows it."""
        return value if self.between else self.values.index(value)

    def decoded(self, code: Any) -> Any:
        """What Optuna calls ``code``, in `DIGITS` digits where it is no whole number."""
        if not self.between:
            return self.values[code]
        if isinstance(code, int):
            return code
        low, high = min(self.values), max(self.values)
        return min(max(float(f"{code:.{DIGITS}g}"), low), high)


def chosen(artifact: Artifact, where: Mapping[str, str]) -> tuple[Cell, Stage]:
    """The cell that ``where`` leaves, and the last stage that searches for it.

    Raises:
        ValueError: a label or value that the artifact has not, several cells left, or no search.
    """
    cells = [cell for cell in every_cell(artifact) if not cell.hidden]
    for label, value in where.items():
        known = dict.fromkeys(cell.key.get(label, "") for cell in cells)
        if value not in known:
            raise ValueError(
                f"{artifact.id} has no {label} {value!r}"
                + (f" there; it has: {', '.join(filter(None, known))}" if any(known) else "")
            )
        cells = [cell for cell in cells if cell.key.get(label) == value]
    searched = {
        tuple(cell.key.values()): (cell, stage)
        for cell in cells
        for stage in artifact.stages
        if stage.covers(cell) and len(list(stage.points())) > 1
    }
    if not searched:
        raise ValueError(f"{artifact.id} has no grid to search there")
    if len(searched) > 1:
        several = "; ".join(" / ".join(key) for key in list(searched)[:4])
        keys = [cell.key for cell, _ in searched.values()]
        labels = dict.fromkeys(label for key in keys for label in key)
        open_ones = [name for name in labels if len({key.get(name) for key in keys}) > 1]
        raise ValueError(
            f"a search is for one row and {len(searched)} are left, such as {several}; "
            f"name it by --where LABEL=VALUE, the label being {' or '.join(open_ones)}"
        )
    return next(iter(searched.values()))


def narrowed(artifact: Artifact, cell: Cell, stage: Stage) -> Artifact:
    """What must run before and for ``stage`` of ``cell``, and nothing else of the artifact."""
    every = list(every_cell(artifact))
    kept = [cell]
    later: Stage | None = stage
    while later is not None and later.after is not None:
        match = tuple(cell.key) if later.match is None else later.match
        later = artifact.stage(later.after)
        kept += [
            other
            for other in every
            if other not in kept
            and later.covers(other)
            and all(other.key.get(label) == cell.key.get(label) for label in match)
        ]
    upto = artifact.stages[: artifact.stages.index(stage) + 1]
    return artifact.replace(
        cells=tuple(kept),
        every={},
        settings={},
        stages=tuple(s for s in upto if any(map(s.covers, kept))),
    )


def as_artifact(
    planned: Plan, cell: Cell, stage: Stage, proposals: Sequence[Point], rule: Selection
) -> Artifact:
    """The points of ``stage`` for ``cell``, and ``proposals``, as the rows of a table.

    Raises:
        ValueError: the stage still waits for an earlier one.
    """
    trials = next(s for s in planned.stages if s.name == stage.name).trials
    own = [trial for trial in trials if trial.cell.key == cell.key]
    if not own:
        raise ValueError(
            f"stage {stage.name} of {planned.artifact.id} waits for stage {stage.after}, of which "
            "trials failed; the same command tries them again"
        )
    settings = own[0].config.model_dump(mode="json", exclude={"seed"})
    names = {axis: axis.rpartition(".")[2] for axis in stage.grid}
    points = [*stage.points(), *proposals]
    shown = [m for m in planned.artifact.metrics if m.relative_to is None and m.name != rule.on]
    percent = rule.on.endswith("_error")
    criterion = Metric(
        rule.on,
        rule.on.replace("_", " ") + (" %" if percent else ""),
        shown="percent" if percent else "plain",
    )
    optimistic = " (of the test set, so the first is optimistic)" if "test" in rule.on else ""
    return planned.artifact.replace(
        id=f"{planned.artifact.id}:search",
        title=f"{' / '.join(cell.key.values())}, the grid of stage {stage.name} and between",
        kind="table",
        rows=(*cell.key, *names.values()),
        columns=(),
        metrics=(criterion, *shown),
        metrics_down=False,
        base=settings,
        cells=tuple(
            Cell({**cell.key, **{names[a]: str(v) for a, v in point.items()}}, dict(point))
            for point in points
        ),
        stages=(Stage("search", seeds=stage.seeds),),
        selection=replace(rule, stated=""),
        notes=(
            *planned.artifact.notes,
            f"{len(points) - len(proposals)} points of the grid and {len(proposals)} that Optuna "
            f"proposed (TPE); in the order of mean {rule.on}{optimistic}",
        ),
        presets={},
    )


def propose(
    axes: Mapping[str, Axis], tried: Sequence[tuple[Point, float]], pending: Sequence[Point], n: int
) -> list[Point]:
    """``n`` further points, by a tree-structured Parzen estimator on what was ``tried``.

    Args:
        tried: Points with their loss; inf: diverged.
        pending: Points without a number, which are not proposed either.

    Returns:
        Fewer than ``n`` where no others are found.
    """
    import optuna

    optuna.logging.set_verbosity(optuna.logging.WARNING)
    distributions = {name: axis.distribution for name, axis in axes.items()}
    taken = [point for point, _ in tried] + list(pending)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
        study = optuna.create_study(sampler=optuna.samplers.TPESampler(seed=len(taken)))
        for point, number in tried:
            coded = {name: axis.coded(point[name]) for name, axis in axes.items()}
            study.add_trial(
                optuna.trial.create_trial(params=coded, distributions=distributions, value=number)
            )
        found: list[Point] = []
        for _ in range(ATTEMPTS * n):
            asked = study.ask(distributions).params
            point = {name: axis.decoded(asked[name]) for name, axis in axes.items()}
            if point not in taken and point not in found:
                found.append(point)
            if len(found) == n:
                break
    return found


def loss(summary: Summary) -> float | None:
    """A point's mean over seeds; inf if one of them diverged, None while one has no outcome."""
    if summary.diverged:
        return math.inf
    return summary.mean if summary.complete else None


def search(
    artifact: Artifact,
    preset: str,
    selection: SelectionRule,
    tracker: Tracker,
    settings: Settings,
    watcher: Watcher,
    render: Callable[[Plan, Record], Mapping[str, str]] | None = None,
    *,
    where: Mapping[str, str],
    proposals: int,
    at_once: int,
) -> tuple[Plan, Record]:
    """Run the grid of the row that ``where`` names, then ``proposals`` more, ``at_once`` a round.

    Returns:
        The plan whose artifact has a row a point, best first, and its record.

    Raises:
        ValueError: ``where`` names no row, or several, or one that nothing is searched for.
    """
    cell, stage = chosen(artifact, where)
    rule = selection.criterion(artifact)
    axes = {name: Axis.of(name, values) for name, values in stage.grid.items()}
    first, _ = run(narrowed(artifact, cell, stage), preset, selection, tracker, settings, watcher)
    made: list[Point] = []

    def rows() -> Artifact:
        return as_artifact(first, cell, stage, made, rule)

    def losses(planned: Plan, record: Record) -> list[float | None]:
        return [loss(r.metrics[rule.on]) for r in aggregate.cells(planned, record)]

    def grow(planned: Plan, record: Record) -> Artifact | None:
        known = list(zip([*stage.points(), *made], losses(planned, record), strict=True))
        further = propose(
            axes,
            [(point, number) for point, number in known if number is not None],
            [point for point, number in known if number is None],
            min(at_once, proposals - len(made)),
        )
        made.extend(further)
        return rows() if further else None

    planned, record = run(rows(), preset, selection, tracker, settings, watcher, render, grow=grow)
    order = [math.inf if number is None else number for number in losses(planned, record)]
    ranked = sorted(range(len(order)), key=order.__getitem__)
    cells = tuple(planned.artifact.cells[index] for index in ranked)
    best_first = planned.artifact.replace(cells=cells)
    return plan(best_first, preset, selection, record), record
