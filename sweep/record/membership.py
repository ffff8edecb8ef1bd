"""Which sweeps a trial belongs to, and in which stage: tags of its MLflow run.

The tag ``sweeps`` has one entry per membership. The tags ``artifact``, ``preset``, ``stage`` and
``variant`` list the same, for people who filter by them; from these alone nobody could tell which
artifact goes with which preset.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from itertools import product
from typing import NamedTuple

from trainables.parse_json import parse_json

TAG = "sweeps"
FOLDER = "sweeps"
"""Of what a storage has of sweeps (`stored_at`)."""
SEPARATOR = " "
BETWEEN_VARIANTS = " | "


class Membership(NamedTuple):
    """A sweep, which is an artifact at a preset under a selection rule, and its stage.

    Attributes:
        variant: What a user has changed in the artifact (`sweep.plan.expand.Plan.variant`); empty
            by default, and in entries from before there were variants.
    """

    artifact: str
    preset: str
    selection: str
    stage: str
    variant: str = ""

    @property
    def sweep(self) -> str:
        """The name of the sweep, as that of its run in MLflow."""
        return sweep_name(self.artifact, self.preset, self.selection, self.variant)


def sweep_name(artifact: str, preset: str, selection: str, variant: str) -> str:
    """``nrs/table1 small (paper)``, followed by the variant if there is one."""
    return f"{artifact} {preset} ({selection}) {variant}".rstrip()


def stored_at(sweep: str) -> str:
    """Where a storage has what it knows of a sweep, by its name: ``sweeps/0123456789abcdef``.

    With ``.json`` it is the note of what its trials are for (`sweep.record.notes`); as a folder it
    has the files of its drivers (`sweep.run.live`).
    """
    return f"{FOLDER}/{hashlib.sha256(sweep.encode()).hexdigest()[:16]}"


def variants(memberships: Sequence[Membership]) -> str:
    """The variants of the memberships, the empty one left out, in words."""
    listed = dict.fromkeys(member.variant for member in memberships if member.variant)
    return BETWEEN_VARIANTS.join(listed)


def as_tags(memberships: Sequence[Membership]) -> dict[str, str]:
    """The tags of a trial that has these memberships."""
    listed = {
        label: SEPARATOR.join(dict.fromkeys(getattr(member, label) for member in memberships))
        for label in ("artifact", "preset", "stage")
    }
    return {TAG: json.dumps(memberships), **listed, "variant": variants(memberships)}


def from_tags(tags: Mapping[str, str]) -> list[Membership]:
    """The memberships of a trial with these tags.

    A trial that was recorded before there was the tag `TAG` gets every combination of its
    artifacts and presets. One whose tag was edited to nonsense has none, until a sweep needs it.
    """
    if TAG in tags:
        try:
            return [Membership(*map(str, entry)) for entry in parse_json(tags[TAG])]
        except (TypeError, ValueError):
            return []
    lists = (tags.get(label, "").split(SEPARATOR) for label in ("artifact", "preset"))
    return [Membership(artifact, preset, "", "") for artifact, preset in product(*lists)]


__all__ = [
    "FOLDER",
    "TAG",
    "Membership",
    "as_tags",
    "from_tags",
    "stored_at",
    "sweep_name",
    "variants",
]
