"""An artifact as a sweep's file: what `sweep.files.load` reads as the same trials."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, fields, is_dataclass
from typing import Any

import yaml

from search_spaces.spec import (
    Artifact,
    Cell,
    CurveView,
    Epochs,
    InName,
    Label,
    MapView,
    Measure,
    Metric,
    Stage,
    View,
)
from sweep.files import schema
from sweep.files.source import Dumper
from sweep.plan.expand import every_cell

WIDTH = 100

COMMENTS = {
    "name": "The sweep is mine/NAME; with project: another word than mine.",
    "import": "Python files beside this one, with parts of your own.",
    "base": "What all trials have in common: fields by their dotted names.",
    "compare": "The rows: each a label and how its trials differ.",
    "cells": "The cells of the table: their labels, and how the trials of each differ.",
    "stages": "What is trained of which cells: the grid, how many seeds, and from whose winner.",
    "grid": "Searched in every row: each value with each.",
    "seeds": "How often each point is repeated.",
    "select": "How a winner is chosen, and at which epoch numbers are read.",
    "metrics": "The columns.",
    "measures": "What is measured on trained models.",
    "presets": "Smaller sweeps, for --preset.",
    "figures": "What sweep plot draws.",
    "table": "How the table is laid out.",
}

STARTER: Mapping[str, Any] = {
    "base": {
        "data.source": "digits",
        "model": "mlp",
        "epochs": 30,
        "optimizer.lr": 0.1,
    },
    "compare": {
        "ERM": {"method": "erm"},
        "SAM": {"method": "sam", "grid": {"method.rho": [0.01, 0.05, 0.1]}},
    },
    "grid": {"optimizer.lr": [0.05, 0.1, 0.2]},
    "seeds": 3,
    "select": {"on": "validation_error", "epoch": "last"},
    "metrics": ["test_error", "test_nll", "test_ece"],
    "presets": {"smoke": {"epochs": 2, "seeds": 1}},
}
"""What a new file has: a small grid on data that is there."""


def starter(name: str) -> str:
    """A commented file to start from."""
    return text({"name": name, **STARTER})


def text_of(artifact: Artifact, name: str) -> str:
    """A commented file that plans the trials of ``artifact`` and names nothing of it.

    Args:
        artifact: As a preset has shrunk it.
        name: Of the sweep in the file.
    """
    return text(keys_of(artifact, name))


def text(keys: Mapping[str, Any]) -> str:
    """A file with these keys, and a comment above each."""
    lines = [
        f"# yaml-language-server: $schema={schema.FILE.as_uri()}",
        "# sweep plan FILE says what would run, sweep run FILE runs it, sweep table FILE shows it.",
    ]
    for key, value in keys.items():
        if key in COMMENTS:
            lines += ["", f"# {COMMENTS[key]}"]
        dumped = yaml.dump(
            {key: _plain(value)},
            Dumper=Dumper,
            # Block style, and what holds nothing but words on one line.
            default_flow_style=None if isinstance(value, Mapping | list | tuple) else False,
            sort_keys=False,
            width=WIDTH,
            allow_unicode=True,
        )
        lines.append(dumped.rstrip())
    return "\n".join(lines) + "\n"


def _plain(value: Any) -> Any:
    """A part without options is its name."""
    if isinstance(value, Mapping):
        if set(value) == {"name"}:
            return value["name"]
        return {key: _plain(item) for key, item in value.items()}
    return [_plain(item) for item in value] if isinstance(value, list | tuple) else value


def keys_of(artifact: Artifact, name: str) -> dict[str, Any]:
    """What a file says that is `artifact`; in short where cells are rows and one stage has all."""
    experiment = artifact.experiment
    cells = every_cell(artifact)
    keys: dict[str, Any] = {"name": name, "title": artifact.notes.title, "base": experiment.base}
    if _short(cells, experiment.stages):
        (stage,) = experiment.stages
        keys["compare"] = {cell.key["method"]: _row(cell) for cell in cells}
        keys |= _set(grid=stage.grid, points=stage.settings) | {"seeds": stage.seeds}
        printed = [
            {"method": cell.key["method"], **_printed(cell)} for cell in cells if cell.reported
        ]
        keys |= _set(printed=printed)
    else:
        keys["cells"] = [
            {"key": dict(cell.key), **_row(cell), **_set(printed=_printed(cell))} for cell in cells
        ]
        keys["stages"] = [_stage(stage) for stage in experiment.stages]
    keys["select"] = _changed(experiment.selection) | {
        "on": experiment.selection.on,
        "epoch": experiment.selection.epoch,
    }
    keys["metrics"] = [_metric(metric) for metric in artifact.view.metrics]
    keys |= _set(measures=[_measure(measure) for measure in experiment.measures])
    keys["table"] = _layout(artifact.view)
    views = artifact.figures or (artifact.view,)
    keys |= _set(figures=[_figure(view) for view in views if view.kind == "figure"])
    return keys


def _short(cells: list[Cell], stages: tuple[Stage, ...]) -> bool:
    """Whether the cells are rows, and one stage trains all of them."""
    rows = [cell.key.get("method") for cell in cells if set(cell.key) == {"method"}]
    one = len(stages) == 1 and not (stages[0].where or stages[0].fields or stages[0].after)
    searched = {*stages[0].grid, *(name for s in stages[0].settings for name in s)}
    given = any(searched & set(cell.fields) for cell in cells)
    return one and not given and len(set(rows)) == len(cells) and "*" not in rows


def _set(**keys: Any) -> dict[str, Any]:
    """Those that say something."""
    return {key: value for key, value in keys.items() if value}


def _row(cell: Cell) -> dict[str, Any]:
    budget = "" if cell.budget == "epochs" else cell.budget
    return {**cell.fields, **_set(budget=budget, hidden=cell.hidden)}


def _printed(cell: Cell) -> dict[str, Any]:
    return {key: _changed(number) for key, number in cell.reported.items()}


def _stage(stage: Stage) -> dict[str, Any]:
    where = {k: list(v) if isinstance(v, tuple) else v for k, v in stage.where.items()}
    keys: dict[str, Any] = {"name": stage.name, **_set(where=where), **stage.fields}
    keys |= _set(grid=stage.grid, points=stage.settings) | {"seeds": stage.seeds}
    keys |= _set(after=stage.after)
    if stage.match is not None:
        keys["match"] = stage.match
    return keys | _set(inherit=stage.inherit)


def _metric(metric: Metric) -> dict[str, Any]:
    return {
        **_changed(metric),
        "better": metric.better,
        "shown": metric.shown,
        "digits": metric.digits,
    }


def _measure(measure: Measure) -> dict[str, Any]:
    return _changed(measure)


def _layout(view: View) -> dict[str, Any]:
    layout = {"rows": view.rows, "columns": view.columns}
    return layout | _set(metrics_down=view.metrics_down, competing=view.competing)


def _figure(view: View) -> dict[str, Any]:
    if isinstance(view, MapView):
        return {"over_plane": view.over_plane}
    assert isinstance(view, CurveView)
    panels = _set(panels=view.panels)
    match view.x:
        case Epochs():
            return {"x": "epoch", **panels}
        case InName(name):
            return {"in_name": name, **panels}
        case Label(name, called_by):
            return {"x": name, **_set(called_by=called_by), **panels}


def _changed(value: Any) -> dict[str, Any]:
    """Attributes of a dataclass that have not their defaults."""
    assert is_dataclass(value)
    assert not isinstance(value, type)
    made = asdict(value)
    return {
        field.name: made[field.name]
        for field in fields(value)
        if made[field.name] != field.default and made[field.name] != {}
    }


__all__ = ["keys_of", "starter", "text", "text_of"]
