"""Hand-made sweeps for the tests of figures: every number is given."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from search_spaces.spec import (
    Artifact,
    Cell,
    Experiment,
    Metric,
    Notes,
    Reported,
    Stage,
    TableView,
)
from sweep.aggregate import SELECTIONS
from sweep.plan.expand import Plan, PlannedStage
from sweep.record.record import Record
from sweep.record.runs import Run
from trainables.config import TrialConfig

ERROR = Metric("test_error", "error %", shown="percent")
Seeds = Sequence[Mapping[str, float] | None]
"""The numbers of each seed; None: it is not recorded."""


@dataclass(frozen=True)
class Trial:
    """A planned trial, as far as figures look at it."""

    trial_id: str
    cell: Cell
    seed: int
    point: Mapping[str, Any]
    awaits: frozenset[str] = frozenset()
    stage: str = "train"

    @property
    def settings(self) -> TrialConfig:
        spirals = {"source": {"name": "spirals", "points": 20}, "validation": 0}
        return TrialConfig(data=spirals, model="mlp", seed=self.seed)


def swept(
    numbers: Mapping[tuple[str, ...], Seeds],
    labels: tuple[str, ...] = ("method",),
    metrics: tuple[Metric, ...] = (ERROR,),
    printed: Mapping[tuple[str, ...], Mapping[str, Reported]] | None = None,
    preset: str = "paper",
    **view: Any,
) -> tuple[Plan, Record]:
    """A table of cells named by the entries of ``labels``, and the record of their seeds."""
    cells = tuple(
        Cell(dict(zip(labels, key, strict=True)), reported=(printed or {}).get(key, {}))
        for key in numbers
    )
    stage = Stage("train", seeds=max(map(len, numbers.values())))
    artifact = Artifact(
        "paper/table1",
        Experiment(cells, (stage,)),
        TableView(**{"rows": labels, "metrics": metrics, **view}),
        Notes("A table"),
    )
    trials, runs = [], []
    for cell, seeds in zip(cells, numbers.values(), strict=True):
        for seed, found in enumerate(seeds):
            trials.append(Trial(f"{'/'.join(cell.key.values())}:{seed}", cell, seed, {}))
            if found is not None:
                history = {name: [2 * value, value] for name, value in found.items()}
                runs.append(Run(trials[-1].trial_id, "done", dict(found), history))
    stages = (PlannedStage("train", tuple(trials)),)  # type: ignore[arg-type]
    plan = Plan(artifact, preset, SELECTIONS["paper"], cells, stages)
    return plan, Record.from_runs(runs)


def panels(figure: Figure) -> list[Axes]:
    """The axes that show something, without color bars."""
    return [axis for axis in figure.axes if axis.get_visible() and axis.get_label() != "<colorbar>"]


def dots(axis: Axes) -> list[tuple[float, float]]:
    """The points that are drawn with whiskers."""
    found = []
    for container in axis.containers:
        xs, ys = container[0].get_data()
        found += list(zip(map(float, xs), map(float, ys), strict=True))
    return found


def whiskers(axis: Axes) -> list[list[list[tuple[float, float]]]]:
    """Of each point the ends of its whiskers."""
    return [
        [
            [tuple(end) for end in segment]
            for bars in container[2]
            for segment in bars.get_segments()
        ]
        for container in axis.containers
    ]  # type: ignore[misc]


def said(figure: Figure) -> str:
    """The caption."""
    return " ".join(figure.get_supxlabel().split())


def named(figure: Figure) -> list[str]:
    """What stands in the legend."""
    return [" ".join(text.get_text().split()) for le in figure.legends for text in le.get_texts()]
