"""An artifact as a user varies it by --set and --workers: validated, and named by what it changes.

The name (`search_spaces.variant.Variant`) has what makes other trials, and nothing else: what is
asked for and is so by default is the sweep that it is without.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from pydantic import BaseModel

from search_spaces.settings import with_settings
from search_spaces.spec import Artifact
from search_spaces.variant import as_text
from sweep.plan.expand import plan
from sweep.record.record import Record
from sweep.selection import selection
from trainables.config import Component, TrialConfig
from trainables.errors import UsageError, unknown

Trials = list[tuple[str, frozenset[str]]]
"""Every trial's id, and those that it waits for."""


def with_valid_settings(artifact: Artifact, preset: str, settings: Mapping[str, Any]) -> Artifact:
    """``artifact`` with ``settings`` in all its trials, those left out that change none of them.

    Args:
        artifact: Already shrunk by ``preset``.
        preset: Name of the preset.
        settings: Dotted field of a trial -> value.

    Raises:
        UsageError: a trial has no such field, or cannot have that value; before anything runs.
    """
    for path in settings:
        _require_field(path)
    if not settings or artifact.experiment.blocked:
        return artifact
    found = with_settings(artifact, settings)
    try:
        trials = _trials(found, preset)
    except UsageError as error:
        given = ", ".join(f"{path}={as_text(value)}" for path, value in settings.items())
        raise UsageError(f"--set {given}: {error}") from None
    kept = dict(settings)
    for path in settings:
        others = {name: value for name, value in kept.items() if name != path}
        with_others = with_settings(artifact, others)
        if _trials_or_none(with_others, preset) == trials:
            kept, found = others, with_others
    return found


def with_workers(artifact: Artifact, preset: str, count: int, batchnorm: str) -> Artifact:
    """``artifact``, its trials on ``count`` workers each.

    Args:
        batchnorm: ``local`` or ``sync``: whether workers join their BatchNorm statistics.
    """
    asked = {"count": count, "batchnorm": batchnorm}
    shared = artifact.with_experiment(base={**artifact.experiment.base, "workers": asked})
    before = _trials_or_none(artifact, preset)
    if before is None or _trials_or_none(shared, preset) == before:
        return shared
    workers = f"{count}:sync" if batchnorm == "sync" else str(count)
    return replace(shared, variant=replace(shared.variant, workers=workers))


def _trials_or_none(artifact: Artifact, preset: str) -> Trials | None:
    """None: planning refuses it, and will say why."""
    try:
        return _trials(artifact, preset)
    except UsageError:
        return None


def _trials(artifact: Artifact, preset: str) -> Trials:
    planned = plan(artifact, preset, selection("paper"), Record.from_runs([]))
    stages = planned.stages
    return [(t.trial_id, t.awaits) for s in stages for t in (*s.trials, *s.expected)]


def _require_field(path: str) -> None:
    """Raise if no trial has such a field; what options a part has, the part says."""
    if path == "seed":
        raise UsageError("--set seed: seeds are 0, 1, ...; --seeds says how many")
    group: type[BaseModel] | None = TrialConfig
    steps = path.split(".")
    for i, step in enumerate(steps, start=1):
        if group is None or step not in group.model_fields:
            raise UsageError(f"--set: {unknown('field', path, _fields(TrialConfig))}")
        kind = group.model_fields[step].annotation
        if kind is Component and len(steps) <= i + 1:
            return
        group = _group(kind)


def _fields(group: type[BaseModel], prefix: str = "") -> list[str]:
    """Dotted names of all fields, those of parts by the part's name alone."""
    found: list[str] = []
    for name, field in group.model_fields.items():
        nested = _group(field.annotation)
        found += _fields(nested, f"{prefix}{name}.") if nested else [f"{prefix}{name}"]
    return [name for name in found if name not in ("seed", "protocol")]


def _group(kind: Any) -> type[BaseModel] | None:
    """A field's type that has fields of its own; None: it is a part, or a value."""
    nested = isinstance(kind, type) and issubclass(kind, BaseModel) and kind is not Component
    return kind if nested else None


__all__ = ["with_valid_settings", "with_workers"]
