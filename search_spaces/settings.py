"""An artifact with fields of its trials, or its number of seeds, set by the user."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from search_spaces.presets import ARROW, ran_instead, setting, shown
from search_spaces.spec import Artifact, Cell, Experiment, Fields, Stage
from search_spaces.stages import freed, pruned


def with_settings(artifact: Artifact, settings: Fields) -> Artifact:
    """``artifact``, already shrunk by its preset, with these fields in all of its trials.

    What a cell or stage gives, searches or takes over from a winner in a field that is set, or in
    an option of a part that is set, no longer counts. Numbers are then none of the paper's
    (`presets.of`), and the notes say which fields are others.
    """
    for path, value in sorted(settings.items()):  # a part before its options
        artifact = _with(artifact, path, value)
    return artifact


def _with(artifact: Artifact, path: str, value: Any) -> Artifact:
    before = artifact.experiment
    base = _clear(before.base, path)
    cells = tuple(_cell(cell, before.base, base, path, value) for cell in before.cells)
    stages = (replace(stage, fields=_clear(stage.fields, path)) for stage in before.stages)
    changed = (name for s in before.stages for name in (*s.searched, *s.inherit))
    below = {name for name in changed if _within(name, path)}
    after = replace(
        before,
        base=base,
        cells=cells,
        stages=tuple(freed(stage.without(below), cells) for stage in stages),
        per_name_overrides={
            name: _clear(fields, path) for name, fields in before.per_name_overrides.items()
        },
    )
    old = ", ".join(_given(before, path)) or "default"
    variant = artifact.variant
    return replace(
        artifact,
        experiment=pruned(before, after, artifact.view),
        variant=replace(variant, settings={**variant.settings, path: value}),
    ).with_notes(changes=(*artifact.notes.changes, f"--set {path}: {old}{ARROW}{shown(value)}"))


def _cell(cell: Cell, base: Fields, cleared: Fields, path: str, value: Any) -> Cell:
    fields = {**_clear(cell.fields, path), path: value}
    kept = tuple(name for name in cell.fixed if not _within(name, path))
    ran = ran_instead(cell.key, {**base, **cell.fields}, {**cleared, **fields})
    named = {
        label: shown(value)
        for label, entry in cell.key.items()
        if label.replace(" ", "_") == path.rpartition(".")[2] and entry != shown(value)
    }
    return replace(cell, fields=fields, fixed=(*kept, path), ran={**cell.ran, **ran, **named})


def _clear(fields: Fields, path: str) -> dict[str, Any]:
    return {name: value for name, value in fields.items() if not _within(name, path)}


def _within(name: str, path: str) -> bool:
    return name == path or name.startswith(f"{path}.")


def _given(experiment: Experiment, path: str) -> dict[str, None]:
    """The values of a field that the base, a cell, a stage or a grid gives, in words."""
    values = [setting(experiment.base, path)]
    for cell in experiment.cells:
        values.append(setting({**experiment.base, **cell.fields}, path))
    for stage in experiment.stages:
        values += [setting(stage.fields, path), *stage.grid.get(path, ())]
        values += [setting(together, path) for together in stage.settings]
    return {shown(value): None for value in values if value is not None}


def with_seeds(artifact: Artifact, seeds: int) -> Artifact:
    """``artifact`` with another number of seeds in its stages.

    So many get a stage that has more than one already, one that a number of the table comes from,
    and one that no other starts from. A stage of one seed a point that only finds what a later one
    starts from keeps it: the search is then the paper's, and what it found is run ``seeds`` times.
    """
    experiment = artifact.experiment
    shown_from = {experiment.last_stage(c).name for c in experiment.cells if not c.hidden}
    started_from = {stage.after for stage in experiment.stages}

    def changed(stage: Stage) -> Stage:
        searches = stage.seeds == 1 and stage.name in started_from
        kept = searches and stage.name not in shown_from
        return stage if kept else replace(stage, seeds=seeds)

    return artifact.with_experiment(stages=tuple(map(changed, experiment.stages)))


__all__ = ["with_seeds", "with_settings"]
