"""The rows of a table that are searched, each with what may be proposed there, and their plan.

A row is searched in the last of its stages that has several points. Where none has, it is searched
among the values that its method declares (`trainables.needs.Searched`), and its own settings are
the first point. What was tried of a row is a stage of its own, so that storage, record, selection
and table are those of every sweep; stages that it starts from stay as they are.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import reduce
from itertools import product
from typing import Any

from search_spaces.spec import Artifact, Cell, Metric, Stage
from sweep.plan.axes import Axis, GridPoint
from sweep.plan.expand import SEARCH, every_cell
from trainables import declared
from trainables.config import TrialConfig, merge
from trainables.errors import UsageError

SUFFIX = ":search"
"""Ends the id of the artifact of a search."""

UNSEARCHED = "hyper-parameters"
"""Name of the choice by which a table searches none; it is not a search's."""

Ranges = Mapping[str, tuple[float, float]]
"""Dotted field -> the least and the greatest value that are asked for."""


@dataclass(frozen=True)
class SearchedRow:
    """A row and what is searched there.

    Attributes:
        cell: The row.
        stage: In which it is searched.
        axes: Dotted field -> what may be proposed; empty: there is nothing to search.
        grid: The points that are tried first.
    """

    cell: Cell
    stage: Stage
    axes: Mapping[str, Axis]
    grid: Sequence[GridPoint]

    @property
    def name(self) -> str:
        """Of its stage; MLflow's tag lists them between spaces."""
        return SEARCH + "/".join(self.cell.key.values()).replace(" ", "_")

    def tried(self, points: Sequence[GridPoint]) -> Stage:
        """Its stage with these points; where nothing is searched, as it is."""
        stage = replace(self.stage, name=self.name, where=dict(self.cell.key))
        return replace(stage, grid={}, settings=tuple(points)) if self.axes else stage


def stage_name(cell: Cell) -> str:
    """Of the stage that has what was tried of a row; MLflow's tag lists names between spaces."""
    return SEARCH + "/".join(cell.key.values()).replace(" ", "_")


def searched_rows(artifact: Artifact, ranges: Ranges | None = None) -> list[SearchedRow]:
    """Every row of an artifact, as it is searched.

    Args:
        ranges: Wider ones, or further fields to be searched: in the rows that can have them.

    Raises:
        UsageError: a range is not wider than what a row tries, or no row has a field.
    """
    rows = [_row(artifact, cell, ranges or {}) for cell in every_cell(artifact) if not cell.hidden]
    for name in ranges or ():
        if not any(name in row.axes for row in rows):
            raise UsageError(f"--range {name}: no row of {artifact.id} can have it")
    return rows


def _row(artifact: Artifact, cell: Cell, ranges: Ranges) -> SearchedRow:
    covering = [s.without(cell.fixed) for s in artifact.experiment.stages if s.covers(cell)]
    stage = next((s for s in reversed(covering) if len(list(s.points())) > 1), covering[-1])
    if stage.settings:  # which go together: there is nothing between them
        return SearchedRow(cell, stage, {}, list(stage.points()))
    given = artifact.experiment.fields(cell, stage)
    config = declared.configuration(merge({}, given))
    method = config.method.name
    axes = {name: Axis.of(name, values, method) for name, values in stage.grid.items()}
    grid: list[GridPoint] = list(stage.points())
    if len(grid) == 1:
        axes |= _declared(config, {*axes, *_set_by_hand(given)})
        grid = _around_own(axes, grid[0], config)
    for name, ends in ranges.items():
        if name in axes or (name not in cell.fixed and _value(config, name) is not None):
            axes[name] = _widened(name, axes.get(name), ends, config)
    own = {name: _value(config, name) for name in axes}
    return SearchedRow(cell, stage, axes, [{**own, **point} for point in grid])


def _declared(config: TrialConfig, known: set[str]) -> dict[str, Axis]:
    """The axes that the trial's method declares, its own value among those of each."""
    from trainables import methods

    found = {}
    for option, searched in methods.registry.searched(config.method.name).items():
        name = f"method.{option}"
        own = config.method.options.get(option)
        if name not in known and isinstance(own, int | float):
            values = tuple(sorted({*searched.values, own}))
            found[name] = Axis(values, searched.between, source=searched.source)
    return found


def _set_by_hand(given: Mapping[str, Any]) -> set[str]:
    """The fields that a row sets, options of its method that stand in the method's place too."""
    method = given.get("method")
    options = method if isinstance(method, Mapping) else {}
    return {*given, *(f"method.{option}" for option in options)}


def _around_own(axes: Mapping[str, Axis], point: GridPoint, config: TrialConfig) -> list[GridPoint]:
    """The settings that the row has, and then those of the grid of what its method declares."""
    own = {**point, **{name: _value(config, name) for name in axes if name not in point}}
    values = product(*(axis.values for axis in axes.values()))
    grid = [dict(zip(axes, point, strict=True)) for point in values]
    return [own, *(each for each in grid if each != own)] if axes else [own]


def _widened(name: str, axis: Axis | None, ends: tuple[float, float], config: TrialConfig) -> Axis:
    values = axis.values if axis else (_value(config, name),)
    numbers = [v for v in values if isinstance(v, int | float) and not isinstance(v, bool)]
    if len(numbers) < len(values):
        raise UsageError(f"--range {name}: its values are no numbers ({values[0]!r})")
    outside = [v for v in numbers if not ends[0] <= v <= ends[1]]
    if outside:
        raise UsageError(
            f"--range {name}={ends[0]:g}:{ends[1]:g} leaves out {outside[0]:g}, which is tried "
            "first: a range can be made wider, not narrower"
        )
    return replace(axis or Axis(values, True), between=True, ends=ends)


def _value(config: TrialConfig, path: str) -> Any:
    """What a trial has at a dotted path; None: nothing."""

    def below(node: Any, key: str) -> Any:
        return node.get(key) if isinstance(node, Mapping) else None

    fields: Mapping[str, Any] = config.model_dump(mode="json")
    return reduce(below, path.split("."), fields)


# -- the artifact of a search ------------------------------------------------------------------


def search_artifact(
    artifact: Artifact, tried: Sequence[tuple[SearchedRow, Sequence[GridPoint]]]
) -> Artifact:
    """The artifact with what was tried of each of its rows as that row's last stage."""
    experiment, rows = artifact.experiment, [row for row, _ in tried]
    before = [s for s in experiment.stages if s.name in set(_ancestors(artifact, rows))]
    hidden = [c for c in every_cell(artifact) if c.hidden and any(s.covers(c) for s in before)]
    last = all(experiment.last_stage(row.cell).name == row.stage.name for row in rows)
    made = artifact.with_experiment(
        cells=(*(row.cell for row in rows), *hidden),
        fan_out={},
        per_name_overrides={},
        stages=(*before, *(row.tried(points) for row, points in tried)),
        measures=experiment.measures if last else (),
    )
    choices = tuple(c for c in artifact.notes.choices if c.name != UNSEARCHED)
    made = replace(made, id=f"{artifact.id}{SUFFIX}").with_notes(claims=(), choices=choices)
    return made.with_view(metrics=_columns(artifact, made))


def _ancestors(artifact: Artifact, rows: Sequence[SearchedRow]) -> Iterator[str]:
    for row in rows:
        after = row.stage.after
        while after is not None:
            yield after
            after = artifact.experiment.stage(after).after


def _columns(artifact: Artifact, made: Artifact) -> tuple[Metric, ...]:
    """The columns that the search can fill: no measure that it does not make, no ratio to a cell
    that it does not train."""
    absent = [m for m in artifact.experiment.measures if m not in made.experiment.measures]
    keys = [cell.key for cell in made.experiment.cells]
    return tuple(
        metric
        for metric in artifact.view.metrics
        if (
            metric.relative_to is None
            or any(metric.relative_to.items() <= key.items() for key in keys)
        )
        and not any(measure.within({metric.name: None}) for measure in absent)
    )


__all__ = ["SUFFIX", "Ranges", "SearchedRow", "search_artifact", "searched_rows", "stage_name"]
