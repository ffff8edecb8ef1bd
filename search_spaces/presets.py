"""paper | small | smoke: how an artifact shrinks to the hardware at hand.

``apply`` turns an artifact into the one that is planned: overrides and
substitutions are written into its cells and stages, its grids thinned, its
seeds capped, and ``notes`` say what was changed. Only preset ``paper`` may be
compared with printed numbers.
"""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from search_spaces.spec import Artifact, Fields, Preset, Stage

AS_PRINTED = Preset("paper", "as printed", comparable=True)

SMALL = Preset(
    "small",
    "CIFAR-10-sized data, networks of a few hundred thousand parameters, thinned grids",
    fields={"epochs": 10},
    values=2,
    seeds=3,
)

SMOKE = Preset(
    "smoke",
    "digits, tiny networks, a few epochs: about a minute a table on two cores",
    fields={
        "epochs": 20,
        "batch_size": 64,
        "data.augmentation": (),
        "data.validation": 0.1,
    },
    substitute={
        "data.source": {"*": "digits"},
        "model": {"*": "mlp"},
    },
    values=2,
    seeds=3,
)

PRESETS: dict[str, Preset] = {preset.name: preset for preset in (AS_PRINTED, SMALL, SMOKE)}


def find(name: str) -> Preset:
    """The preset called ``name``. Raises ValueError naming the known ones and the nearest."""
    if name in PRESETS:
        return PRESETS[name]
    near = difflib.get_close_matches(str(name), PRESETS, n=1)
    hint = f" (did you mean {near[0]!r}?)" if near else ""
    raise ValueError(f"unknown preset {name!r}{hint}; known: {', '.join(PRESETS)}")


def apply(artifact: Artifact, preset: Preset | str) -> Artifact:
    """``artifact`` as ``preset`` runs it; ``notes`` say what differs from the paper."""
    preset = find(preset) if isinstance(preset, str) else preset
    notes: dict[str, list[str]] = {}

    def fields(given: Fields, *, overrides: bool = False) -> dict[str, Any]:
        shrunk = {key: _substituted(key, value, preset, notes) for key, value in given.items()}
        for key, value in preset.fields.items():
            if key in shrunk or overrides:
                _note(notes, key, shrunk.get(key), value)
                shrunk[key] = value
        return shrunk

    return artifact.replace(
        base=fields(artifact.base, overrides=True),
        cells=tuple(replace(cell, fields=fields(cell.fields)) for cell in artifact.cells),
        stages=tuple(
            _thinned(stage, preset, fields(stage.fields), notes) for stage in artifact.stages
        ),
        notes=artifact.notes + tuple(f"{key}: {', '.join(said)}" for key, said in notes.items()),
    )


def _substituted(key: str, value: Any, preset: Preset, notes: dict[str, list[str]]) -> Any:
    mapping = preset.substitute.get(key)
    if mapping is None:
        return value
    old = value["name"] if isinstance(value, Mapping) else value
    new = mapping.get(old, mapping.get("*", value))
    _note(notes, key, old, new)
    return new


def _thinned(
    stage: Stage, preset: Preset, fields: dict[str, Any], notes: dict[str, list[str]]
) -> Stage:
    grid = {
        key: values if preset.values is None else thin(values, preset.values)
        for key, values in stage.grid.items()
        if key not in preset.fields
    }
    for key, values in stage.grid.items():
        if len(grid.get(key, ())) < len(values):
            left = len(grid[key]) if key in grid else 1
            _say(notes, f"{key} grid", f"{left} of {len(values)} values")
    seeds = stage.seeds if preset.seeds is None else min(stage.seeds, preset.seeds)
    if seeds < stage.seeds:
        _say(notes, "seeds", f"{stage.seeds} → {seeds}")
    return replace(stage, fields=fields, grid=grid, seeds=seeds)


def thin(values: tuple[Any, ...], count: int) -> tuple[Any, ...]:
    """At most ``count`` of ``values``: first, last and evenly between; one: the middle one."""
    if len(values) <= count:
        return values
    if count == 1:
        return (values[len(values) // 2],)
    return tuple(values[round(i * (len(values) - 1) / (count - 1))] for i in range(count))


def _note(notes: dict[str, list[str]], key: str, old: Any, new: Any) -> None:
    if old != new:
        _say(notes, key, f"{_shown(old)} → {_shown(new)}" if old is not None else _shown(new))


def _say(notes: dict[str, list[str]], key: str, text: str) -> None:
    said = notes.setdefault(key, [])
    if text not in said:
        said.append(text)


def _shown(value: Any) -> str:
    if isinstance(value, Mapping):
        value = value.get("name", dict(value))
    if isinstance(value, tuple | list):
        return " + ".join(_shown(item) for item in value) or "none"
    return str(value)
