"""An artifact by other readings of its paper: what --read takes."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import fields, replace
from typing import Any

from search_spaces.choice import Choice, Override, Reading
from search_spaces.presets import FIELD_OF_LABEL, setting, shown
from search_spaces.spec import (
    Artifact,
    Cell,
    Experiment,
    Fields,
    Measure,
    Metric,
    Reported,
    Stage,
)
from search_spaces.stages import freed, pruned
from search_spaces.view import AnyView, MapView
from trainables.errors import UsageError, unknown
from trainables.metric_name import MetricName, label_of_options

BUNDLES = ("text", "code")
"""Words that stand for all that the paper's text states, and for all that its code does."""


def taken(artifact: Artifact, words: Iterable[str], against: Iterable[str] = ()) -> dict[str, str]:
    """Name -> value of the choices that the words of --read and --against name.

    A bundle is for every choice that has a value of that name; ``NAME=VALUE`` beside it wins. What
    ``against`` says wins over ``words``: its bundle takes the place of theirs.

    Raises:
        UsageError: an unknown name or value, one name twice, or both bundles.
    """
    bundle, named = _parsed(artifact, words, "--read")
    other, others = _parsed(artifact, against, "--against")
    own = {} if other else _bundled(artifact, bundle)
    return own | named | _bundled(artifact, other) | others


def _parsed(artifact: Artifact, words: Iterable[str], flag: str) -> tuple[str, dict[str, str]]:
    bundles, named = set[str](), dict[str, str]()
    for word in words:
        name, equals, value = word.partition("=")
        if word in BUNDLES:
            bundles.add(word)
        elif not name or not equals:
            raise UsageError(f"{flag} {word!r}: give NAME=VALUE, text or code; see --read list")
        elif named.setdefault(name, value) != value:
            raise UsageError(f"{flag} has {name} twice, as {named[name]} and as {value}")
        else:
            _require(artifact, name, value)
    if len(bundles) > 1:
        raise UsageError(f"{flag} text and {flag} code exclude each other")
    return next(iter(bundles), ""), named


def _bundled(artifact: Artifact, bundle: str) -> dict[str, str]:
    values = {choice.name: getattr(choice, bundle) for choice in _named(artifact) if bundle}
    return {name: value for name, value in values.items() if value}


def _named(artifact: Artifact) -> list[Choice]:
    return [choice for choice in artifact.notes.choices if choice.name]


def _require(artifact: Artifact, name: str, value: str) -> Choice:
    known = {choice.name: choice for choice in _named(artifact)}
    if name not in known:
        raise UsageError(f"{artifact.id}: {unknown('reading', name, known)}")
    if value not in known[name].values:
        what = f"value of reading {name}"
        raise UsageError(f"{artifact.id}: {unknown(what, value, known[name].values)}")
    return known[name]


def read(artifact: Artifact, name: str, value: str) -> Artifact:
    """``artifact`` by another reading that its choices have (`read_all`)."""
    return read_all(artifact, {name: value})


def read_all(artifact: Artifact, values: Mapping[str, str]) -> Artifact:
    """``artifact`` by other readings that its choices have; of two of one field the later counts.

    Args:
        artifact: As the paper's file has it, before a preset shrinks it.
        values: Name of a choice -> name of one of its others, or its default, which changes
            nothing.

    Raises:
        UsageError: there is no such one; the message lists all.
    """
    for name, value in values.items():
        _require(artifact, name, value)
    choices = [c for c in _named(artifact) if values.get(c.name, c.default) != c.default]
    readings = {choice.name: choice.others[values[choice.name]] for choice in choices}
    experiment, view = artifact.experiment, artifact.view
    for name, reading in readings.items():
        why = f"{name} = {values[name]}: {reading.what}"
        experiment = _experiment(experiment, view, reading, why)
    # Columns go by what the paper's file calls them, and measures are relabelled at last.
    experiment, view = _shown(experiment, view, readings.values())
    for reading in readings.values():
        experiment, view = _measured(experiment, view, reading)
    taken_now = dict(artifact.variant.readings) | {name: values[name] for name in readings}
    return replace(
        artifact,
        experiment=experiment,
        view=view,
        variant=replace(artifact.variant, readings=taken_now),
    ).with_notes(
        choices=tuple(
            replace(c, interpretation=f"{values[c.name]}: {readings[c.name].what}")
            if c.name in readings
            else c
            for c in artifact.notes.choices
        )
    )


# -- what is run -----------------------------------------------------------------------------------


def _experiment(experiment: Experiment, view: AnyView, reading: Reading, why: str) -> Experiment:
    cells = [
        replace(cell, ran={**cell.ran, **_ran(old, cell, experiment.base)})
        for old, cell in zip(
            experiment.cells, overridden(experiment.cells, reading.overrides), strict=True
        )
    ]
    changed = replace(
        experiment,
        cells=tuple(_compared(cell, reading, why) for cell in cells),
        selection=replace(experiment.selection, **reading.selection),
    )
    stages = (_stage(freed(stage, changed.cells), reading) for stage in experiment.stages)
    return pruned(experiment, replace(changed, stages=tuple(stages)), view)


def _compared(cell: Cell, reading: Reading, why: str) -> Cell:
    """``cell`` with its printed numbers, which may be of something else, or no longer are."""
    for lifted in reading.comparable:
        if lifted.where.items() <= cell.key.items():
            cell = cell.lifted(lifted.note)
    for apart in reading.incomparable:
        entries = {label: entry for label, entry in apart.items() if label != OF_COLUMN}
        if entries.items() <= cell.key.items():
            cell = cell.stand_in(why, apart.get(OF_COLUMN, ""))
    return cell


OF_COLUMN = "metric"
"""In `Reading.incomparable`: the entry that is no label of cells, but a column's key."""


def _stage(stage: Stage, reading: Reading) -> Stage:
    meant = not reading.stages or stage.name in reading.stages
    grids = reading.grids if meant else {}
    grid = {field: grids.get(field, values) for field, values in stage.grid.items()}
    seeds = stage.seeds if reading.seeds is None or stage.seeds == 1 else reading.seeds
    return replace(stage, grid=grid, seeds=seeds)


def _ran(old: Cell, new: Cell, base: Fields) -> dict[str, str]:
    """What is run then, for the labels that name the part that was run before."""
    found = {}
    for label, field in FIELD_OF_LABEL.items():
        before, after = (setting({**base, **cell.fields}, field) for cell in (old, new))
        if label in old.key and shown(before) != shown(after):
            found[label] = shown(after)
    return found


def overridden(cells: Iterable[Cell], overrides: Iterable[Override]) -> tuple[Cell, ...]:
    """``cells`` with other fields of some, which no stage changes."""
    overrides = tuple(overrides)

    def changed(cell: Cell) -> Cell:
        own: dict[str, Any] = {}
        for override in overrides:
            own |= override.fields if override.covers(cell.key) else {}
        fixed = tuple(dict.fromkeys((*cell.fixed, *own)))
        return replace(cell, fields={**cell.fields, **own}, fixed=fixed)

    return tuple(map(changed, cells))


# -- what is measured, and shown -------------------------------------------------------------------

OF_REQUEST = {field.name for field in fields(Measure)} - {"name", "options", "label"}
"""What is asked of a measure but is no option of its own: on which images, and when."""


def _measured(
    experiment: Experiment, view: AnyView, reading: Reading
) -> tuple[Experiment, AnyView]:
    """Measures with other options, under labels of their own, which the columns then read.

    Those that the experiment lacks are added, under their own names.
    """
    labels: dict[str, str] = {}

    def changed(measure: Measure) -> Measure:
        given = reading.measures.get(measure.name)
        if not given:
            return measure
        labels[measure.key] = label = label_of_options(measure.key, given)
        return replace(_asked(measure, given), label=label)

    known = {measure.name for measure in experiment.measures}
    added = (_asked(Measure(n), given) for n, given in reading.measures.items() if n not in known)
    measures = (*map(changed, experiment.measures), *added)

    def relabelled(name: str) -> str:
        found = (MetricName(name).with_label(old, new) for old, new in labels.items())
        return next((new for new in found if new != name), name)

    def renamed(metric: Metric) -> Metric:
        return replace(metric, name=relabelled(metric.name), minus=relabelled(metric.minus))

    on = relabelled(experiment.selection.on)
    experiment = replace(
        experiment, measures=measures, selection=replace(experiment.selection, on=on)
    )
    if isinstance(view, MapView):
        view = replace(view, over_plane=relabelled(view.over_plane))
    view = replace(view, judged=tuple(map(renamed, view.judged)))
    return _with_metrics(experiment, view, tuple(map(renamed, view.metrics)))


def _asked(measure: Measure, given: Fields) -> Measure:
    """``measure`` with other options of its own, or of other images or times."""
    asked = {name: value for name, value in given.items() if name in OF_REQUEST}
    options = {name: value for name, value in given.items() if name not in OF_REQUEST}
    return replace(measure, options={**measure.options, **options}, **asked)


def _shown(
    experiment: Experiment, view: AnyView, readings: Iterable[Reading]
) -> tuple[Experiment, AnyView]:
    """Other columns, or other attributes of them."""
    readings = list(readings)

    def changed(metric: Metric) -> Metric:
        attributes: dict[str, Any] = {}
        for reading in readings:
            attributes |= reading.metrics.get(metric.key, {})
        return replace(metric, **attributes)

    view = replace(view, judged=tuple(map(changed, view.judged)))
    return _with_metrics(experiment, view, tuple(map(changed, view.metrics)))


def _with_metrics(
    experiment: Experiment, view: AnyView, metrics: tuple[Metric, ...]
) -> tuple[Experiment, AnyView]:
    """The columns ``metrics`` in place of the view's; what was printed in each stays in it."""
    keys = {old.key: new.key for old, new in zip(view.metrics, metrics, strict=True)}
    if all(old == new for old, new in keys.items()):
        return experiment, replace(view, metrics=metrics)

    def moved(reported: Mapping[str, Reported]) -> dict[str, Reported]:
        return {keys.get(key, key): number for key, number in reported.items()}

    cells = tuple(replace(cell, reported=moved(cell.reported)) for cell in experiment.cells)
    return replace(experiment, cells=cells), replace(view, metrics=metrics)


__all__ = ["BUNDLES", "overridden", "read", "read_all", "taken"]
