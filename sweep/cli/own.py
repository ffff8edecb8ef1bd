"""`sweep new`, `show` and `grid`: a sweep of one's own, begun, looked at, and written as words."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from trainables.errors import UsageError

if TYPE_CHECKING:
    from search_spaces.spec import Artifact, Cell, Stage
    from sweep.plan.expand import Plan


def new(file: Path, artifact: Artifact | None, where: Mapping[str, str]) -> None:
    """Write a file to start from: of an artifact's trials or, without one, a small grid.

    Args:
        where: Label -> entry: of the artifact's cells those alone.

    Raises:
        UsageError: there is such a file, its name is no YAML file's, or an artifact cannot run.
    """
    from sweep.files import SUFFIXES
    from sweep.files.write import starter, text_of
    from sweep.plan.where import chosen

    if file.suffix not in SUFFIXES:
        raise UsageError(f"{file}: a sweep's file ends in {' or '.join(SUFFIXES)}")
    if artifact is None and where:
        raise UsageError("--where chooses cells of an artifact: name it with --from")
    if artifact is None:
        text = starter(file.stem)
    else:
        if artifact.experiment.blocked:
            raise UsageError(f"{artifact.id} cannot run yet: {artifact.experiment.blocked}")
        text = text_of(chosen(artifact, where) if where else artifact, file.stem)
    try:
        with file.open("x", encoding="utf-8") as opened:
            opened.write(text)
    except FileExistsError:
        raise UsageError(f"{file} is there already; give another name, or remove it") from None
    except OSError as error:
        raise UsageError(f"{file} cannot be written: {os.strerror(error.errno or 0)}") from None


# -- show ------------------------------------------------------------------------------------------


def resolved(planned: Plan) -> dict[str, Any]:
    """What a sweep resolved to: its stages, its cells, and how many trials there are."""
    from sweep.plan import held_out

    artifact = planned.artifact
    experiment = artifact.experiment
    return {
        "artifact": artifact.id,
        "title": artifact.notes.title,
        "preset": planned.preset,
        "presets": _presets(artifact),
        "selection": planned.selection.sentence(artifact),
        "held_out": held_out.sentence(planned),
        "trials": planned.size,
        "base": dict(experiment.base),
        "stages": [
            _stage(stage, own.size, planned.cells)
            for stage, own in zip(experiment.stages, planned.distinct, strict=True)
        ],
        "cells": [
            {
                "key": dict(cell.key),
                "fields": dict(cell.fields),
                "budget": cell.budget,
                "hidden": cell.hidden,
            }
            for cell in planned.cells
        ],
        "metrics": [metric.key for metric in artifact.view.metrics],
        "measures": [measure.key for measure in experiment.measures],
    }


def _presets(artifact: Artifact) -> list[str]:
    from search_spaces import presets

    return [presets.default(artifact), *artifact.presets] if artifact.own else [*presets.PRESETS]


def _stage(stage: Stage, trials: int, cells: Iterable[Cell]) -> dict[str, Any]:
    return {
        "name": stage.name,
        "cells": sum(map(stage.covers, cells)),
        "where": dict(stage.where),
        "fields": dict(stage.fields),
        "grid": dict(stage.grid),
        "points": [dict(setting) for setting in stage.settings],
        "seeds": stage.seeds,
        "after": stage.after,
        "inherit": list(stage.inherit),
        "trials": trials,
    }


def resolved_text(found: Mapping[str, Any]) -> str:
    """What `resolved` gives, for people."""
    lines = [
        f"{found['artifact']}: {found['title']}",
        f"preset {found['preset']} (of {', '.join(found['presets'])})",
        f"selection {found['selection']}",
        f"held out: {found['held_out']}",
        "",
        f"all trials: {_fields(found['base'])}",
    ]
    for cell in found["cells"]:
        notes = [f"budget {cell['budget']}"] if cell["budget"] != "epochs" else []
        notes += ["hidden"] if cell["hidden"] else []
        said = f" ({', '.join(notes)})" if notes else ""
        lines.append(f"cell {' / '.join(cell['key'].values())}{said}: {_fields(cell['fields'])}")
    for stage in found["stages"]:
        start = f", from the winner of {stage['after']}" if stage["after"] else ""
        taken = f" ({', '.join(stage['inherit'])})" if stage["inherit"] else ""
        lines += [
            "",
            f"stage {stage['name']}: {stage['trials']} trials, {stage['cells']} cells, "
            f"{stage['seeds']} seeds{start}{taken}",
        ]
        lines += [f"    where {label}: {_words(v)}" for label, v in stage["where"].items()]
        lines += [f"    {name} = {_words(value)}" for name, value in stage["fields"].items()]
        lines += [f"    {name}: {_words(values)}" for name, values in stage["grid"].items()]
        lines += [f"    together: {_fields(setting)}" for setting in stage["points"]]
    lines += ["", f"shown: {', '.join(found['metrics'])}", f"{found['trials']} trials in all"]
    return "\n".join(lines)


def _fields(fields: Mapping[str, Any]) -> str:
    said = [f"{name} = {_words(value)}" for name, value in fields.items()]
    return ", ".join(said) or "as all others"


def _words(value: Any) -> str:
    if isinstance(value, Mapping):
        options = [f"{key} = {_words(item)}" for key, item in value.items() if key != "name"]
        return f"{value.get('name', '')}" + (f" ({', '.join(options)})" if options else "")
    if isinstance(value, list | tuple):
        return ", ".join(map(_words, value)) or "none"
    return str(value)


# -- grid ------------------------------------------------------------------------------------------


def grid(
    arguments: Iterable[str], seeds: int, name: str | None, metrics: Iterable[str] = ()
) -> Artifact:
    """The sweep that ``method=sam method.rho=0.01,0.05`` stands for.

    Args:
        arguments: FIELD=VALUE, or FIELD=VALUE,VALUE,... of a field that is searched; values as in
            a file.
        name: Of the sweep; None: ``grid-`` and a hash of what it is.
        metrics: The columns; none: the test error.

    Raises:
        UsageError: what is wrong, in one sentence.
    """
    from sweep.files.load import artifact_of
    from sweep.files.source import Source, parse

    base: dict[str, Any] = {}
    axes: dict[str, Any] = {}
    for argument in arguments:
        field, equals, value = argument.partition("=")
        if not (field and equals and value):
            raise UsageError(f"{argument!r}: write FIELD=VALUE, or FIELD=VALUE,VALUE to search it")
        if field in base or field in axes:
            raise UsageError(f"{argument!r}: {field} is there twice; separate values by commas")
        values = parse(f"[{value}]", argument).value
        if len(values) == 1 and isinstance(values[0], dict) and "num" in values[0]:
            axes[field] = values[0]
        elif len(values) == 1:
            base[field] = values[0]
        else:
            axes[field] = values
    keys: dict[str, Any] = {"base": base, "grid": axes, "seeds": seeds}
    if metrics:
        keys["metrics"] = list(metrics)
    hashed = hashlib.sha256(json.dumps(keys, sort_keys=True).encode()).hexdigest()[:8]
    keys["title"] = " ".join([*sorted(arguments), f"seeds={seeds}"])
    keys["name"] = name or f"grid-{hashed}"
    return artifact_of(Source("sweep grid", keys))


__all__ = ["grid", "new", "resolved", "resolved_text"]
