"""How an artifact shrinks to the hardware at hand; `scales` has the presets by which it does.

`apply` turns an artifact into the one that is planned, by the rules that stand at `Preset`, and
its notes say what was changed.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from search_spaces.preset import KEEP, OTHERWISE, Substitution
from search_spaces.scales import AS_PRINTED, AS_WRITTEN, LAPTOP, PRESETS, SMALL, SMOKE
from search_spaces.spec import Artifact, Cell, Fields, Key, Measure, Preset, Stage
from trainables.errors import UsageError, unknown

FIELD_OF_LABEL = {
    "dataset": "data.source",
    "task": "data.source",
    "confusion": "data.source.confusion",
    "augmentation": "data.augmentation",
    "model": "model",
    "batch size": "batch_size",
    "epochs": "epochs",
}
"""Label of a key -> the field that its entries name; ``value`` is of what ``varied`` says."""


def find(name: str) -> Preset:
    """The preset called ``name``.

    Raises:
        UsageError: there is none; the message lists all, and the one with the nearest name.
    """
    if name in PRESETS:
        return PRESETS[name]
    raise UsageError(unknown("preset", name, PRESETS))


def of(artifact: Artifact, preset: Preset | str) -> Preset:
    """The preset by which ``artifact`` shrinks: its own of that name, else the general one.

    With fields that a user sets in it, no number is the paper's, whatever the preset.

    Raises:
        UsageError: an unknown preset, or one of papers for a person's own experiment.
    """
    name = preset if isinstance(preset, str) else preset.name
    if artifact.own:
        known = {AS_WRITTEN.name: AS_WRITTEN, **artifact.presets}
        if name not in known:
            raise UsageError(unknown(f"preset of {artifact.id}", name, known))
        found = known[name]
    else:
        general = find(preset) if isinstance(preset, str) else preset
        found = artifact.presets.get(general.name, general)
    if not artifact.variant.settings:
        return found
    summary = "some fields are set by hand" if found.comparable else found.summary
    return replace(found, comparable=False, summary=summary)


def default(artifact: Artifact) -> str:
    """Name of the preset that is meant where none is named."""
    return (AS_WRITTEN if artifact.own else SMOKE).name


def adjusted(
    preset: Preset,
    fields: Fields | None = None,
    substitute: Mapping[str, Substitution] | None = None,
    **changes: Any,
) -> Preset:
    """A preset like ``preset``.

    Args:
        fields, substitute: Entries that are added to its own, or replace them.
        changes: Other attributes.
    """
    return replace(
        preset,
        fields={**preset.fields, **(fields or {})},
        substitute={**preset.substitute, **(substitute or {})},
        **changes,
    )


def apply(artifact: Artifact, preset: Preset | str) -> Artifact:
    """``artifact`` as ``preset`` runs it, by the rules that stand at `Preset`.

    An artifact may have a preset of its own of that name (see `of`). What differs from the paper
    is said in its notes and, of networks and data sets, in the title.
    """
    return _Shrink(of(artifact, preset)).artifact(artifact)


def thin(values: tuple[Any, ...], count: int) -> tuple[Any, ...]:
    """At most ``count`` of ``values``: first, last and evenly between; of one, the middle one."""
    if len(values) <= count:
        return values
    if count == 1:
        return (values[len(values) // 2],)
    return tuple(values[round(i * (len(values) - 1) / (count - 1))] for i in range(count))


class _Shrink:
    """One application of a preset, keeping account of what it changed."""

    def __init__(self, preset: Preset) -> None:
        self.preset = preset
        self.said: dict[str, dict[str, None]] = {}

    def artifact(self, artifact: Artifact) -> Artifact:
        experiment = artifact.experiment
        if experiment.blocked:
            return artifact
        # Cells and stages first: the base is silent where they have said what changes.
        given = experiment.base
        cells = [self.cell(cell, given) for cell in experiment.cells]
        stages = tuple(self.stage(stage) for stage in experiment.stages)
        base = self.fields(given, everything=True)
        shrunk = artifact.with_experiment(
            cells=tuple(
                replace(
                    new,
                    ran=ran_instead(
                        old.key, {**experiment.base, **old.fields}, {**base, **new.fields}
                    ),
                )
                for old, new in zip(experiment.cells, cells, strict=True)
            ),
            stages=stages,
            base=base,
            measures=tuple(self.measure(measure) for measure in experiment.measures),
        )
        said = tuple(f"{key}: {', '.join(changes)}" for key, changes in self.said.items())
        return shrunk.with_notes(
            title=artifact.notes.title + self.stand_ins(), changes=artifact.notes.changes + said
        )

    def stand_ins(self) -> str:
        """``; here on digits with vgg_tiny``: for a title, which names what the paper ran."""
        ran = {
            word: ", ".join(dict.fromkeys(change.split(ARROW)[1] for change in self.said[key]))
            for word, key in (("on", "data.source"), ("with", "model"))
            if key in self.said
        }
        return "; here " + " ".join(f"{w} {names}" for w, names in ran.items()) if ran else ""

    def cell(self, cell: Cell, base: Fields) -> Cell:
        """Rules 1 to 3 of `Preset`. Of a part that is replaced, single options are dropped, too."""
        before = {**base, **cell.fields}
        fields = self.fields(
            {k: v for k, v in cell.fields.items() if not self.is_of_another_part(k, before)}
        )
        return replace(cell, fields=fields, fixed=tuple(n for n in cell.fixed if n in fields))

    def is_of_another_part(self, key: str, given: Fields) -> bool:
        """Whether ``key`` is an option of a part that is replaced, by rule 2 of `Preset`."""
        part = key.rpartition(".")[0]
        if part not in given or key in {**self.preset.substitute, **self.preset.fields}:
            return False
        old = given[part]
        return bool(_named(_Shrink(self.preset).value(part, old)) != _named(old))

    def fields(self, given: Fields, everything: bool = False) -> dict[str, Any]:
        """Rules 1 to 3 of `Preset`, on the fields of a cell or stage.

        Args:
            everything: ``given`` is the base: it gets the preset's fields that it lacks, too.
        """
        below = tuple(f"{key}." for key in self.preset.fields)
        shrunk = {
            key: self.value(key, value) for key, value in given.items() if not key.startswith(below)
        }
        for key, value in self.preset.fields.items():
            by_substitution = key in given and key in self.preset.substitute
            if by_substitution or not (everything or key in given):
                continue
            shrunk[key] = value
            if key in given or key not in self.said:
                self.note(key, given.get(key, "default"), value)
        return shrunk

    def value(self, key: str, old: Any) -> Any:
        """Rules 1 and 2 of `Preset`: what field ``key`` with the value ``old`` becomes."""
        substitution = self.preset.substitute.get(key, KEEP)
        if substitution is KEEP:
            return old
        options = dict(old) if isinstance(old, Mapping) else {}
        name = options.pop("name", old)
        new = substitution.get(name, substitution.get(OTHERWISE, KEEP))
        if new is KEEP or new == name:
            return old
        self.note(key, name, new)
        carried: dict[str, Any] = {
            option: self.value(f"{key}.{option}", setting)
            for option, setting in options.items()
            if f"{key}.{option}" in self.preset.substitute
        }
        part: dict[str, Any] = dict(new) if isinstance(new, Mapping) else {"name": new}
        return {**part, **carried} if carried else new

    def stage(self, stage: Stage) -> Stage:
        """Rules 1 to 5 of `Preset`."""
        grid: dict[str, tuple[Any, ...]] = {}
        for key, values in stage.grid.items():
            if key in self.preset.fields:
                self.note(key, values, self.preset.fields[key])
                continue
            limit = self.preset.axes.get(key, self.preset.axes.get(OTHERWISE))
            grid[key] = values if limit is None else thin(values, limit)
            self.note(key, values, grid[key])
        settings = tuple(self.setting(setting) for setting in stage.settings)
        settings = tuple(s for i, s in enumerate(settings) if s not in settings[:i])
        seeds = min(stage.seeds, self.preset.seeds or stage.seeds)
        self.note("seeds", stage.seeds, seeds)
        return replace(
            stage, fields=self.fields(stage.fields), grid=grid, settings=settings, seeds=seeds
        )

    def setting(self, given: Fields) -> dict[str, Any]:
        """Rule 4 of `Preset`, on fields that are tried together: those that it sets are not."""
        for key in given.keys() & self.preset.fields.keys():
            self.note(key, given[key], self.preset.fields[key])
        below = tuple(f"{key}." for key in self.preset.fields)
        left = {key: value for key, value in given.items() if not key.startswith(below)}
        return {key: value for key, value in left.items() if key not in self.preset.fields}

    def measure(self, measure: Measure) -> Measure:
        """Rule 6 of `Preset`."""
        overrides: dict[str, Any] = {}
        for name in (OTHERWISE, measure.name):
            overrides.update(self.preset.measures.get(name, {}))
        own: dict[str, Any] = {
            key: overrides.pop(key) for key in ("samples", "at") if key in overrides
        }
        if measure.samples is not None and own.get("samples"):
            own["samples"] = min(own["samples"], measure.samples)
        for key, value in {**own, **overrides}.items():
            old = getattr(measure, key) if key in own else measure.options.get(key, "default")
            self.note(f"{measure.name} {key}", old, value)
        return replace(measure, options={**measure.options, **overrides}, **own)

    def note(self, key: str, old: Any, new: Any) -> None:
        if _bare(old) != _bare(new):
            self.said.setdefault(key, {})[f"{shown(old)}{ARROW}{_instead(old, new)}"] = None


ARROW = " → "


def ran_instead(key: Key, before: Fields, after: Fields) -> dict[str, str]:
    """For the labels whose field is another ``after`` a change: what is run there."""
    found = {}
    for label in key:
        field = FIELD_OF_LABEL.get(key.get("varied", "") if label == "value" else label)
        if field is not None:
            old, new = setting(before, field), setting(after, field)
            if _bare(old) != _bare(new):
                found[label] = _instead(old, new)
    return found


def setting(fields: Fields, path: str) -> Any:
    """The value at a dotted path, an option of a part included; None: not given."""
    if path in fields:
        return fields[path]
    part = fields.get(path.rpartition(".")[0])
    return part.get(path.rpartition(".")[2]) if isinstance(part, Mapping) else None


def _instead(old: Any, new: Any) -> str:
    """``new`` in words; a part of the same name is a smaller one."""
    return f"smaller {shown(new)}" if shown(old) == shown(new) else shown(new)


def _bare(value: Any) -> Any:
    """A component without options is its name."""
    return value["name"] if isinstance(value, Mapping) and set(value) == {"name"} else value


def _named(value: Any) -> Any:
    return value["name"] if isinstance(value, Mapping) else value


def shown(value: Any) -> str:
    """A field's value in words; a part is its name."""
    if isinstance(value, Mapping):
        return str(value["name"])
    if isinstance(value, tuple | list):
        parts = any(isinstance(item, Mapping) for item in value)
        return (" + " if parts else " ").join(map(shown, value)) or "none"
    return "all" if value is None else str(value)


__all__ = [
    "ARROW",
    "AS_PRINTED",
    "AS_WRITTEN",
    "FIELD_OF_LABEL",
    "LAPTOP",
    "PRESETS",
    "SMALL",
    "SMOKE",
    "adjusted",
    "apply",
    "default",
    "find",
    "of",
    "ran_instead",
    "setting",
    "shown",
    "thin",
]
