"""Which sweeps a trial belongs to, and in which stage: tags of its MLflow run.

The tag ``sweeps`` has one entry per membership. The tags ``artifact``, ``preset`` and ``stage``
list the same, for people who filter by them; from these alone nobody could tell which artifact goes
with which preset.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from itertools import product
from typing import NamedTuple

TAG = "sweeps"
SEPARATOR = " "


class Membership(NamedTuple):
    """A sweep, which is an artifact at a preset under a selection rule, and its stage."""

    artifact: str
    preset: str
    selection: str
    stage: str


def as_tags(memberships: Sequence[Membership]) -> dict[str, str]:
    """The tags of a trial that has these memberships."""
    listed = {
        label: SEPARATOR.join(dict.fromkeys(getattr(member, label) for member in memberships))
        for label in ("artifact", "preset", "stage")
    }
    return {TAG: json.dumps(memberships), **listed}


def from_tags(tags: Mapping[str, str]) -> list[Membership]:
    """The memberships of a trial with these tags.

    A trial that was recorded before there was the tag `TAG` gets every combination of its
    artifacts and presets.
    """
    if TAG in tags:
        return [Membership(*entry) for entry in json.loads(tags[TAG])]
    lists = (tags.get(label, "").split(SEPARATOR) for label in ("artifact", "preset"))
    return [Membership(artifact, preset, "", "") for artifact, preset in product(*lists)]


__all__ = ["TAG", "Membership", "as_tags", "from_tags"]
