"""No trial's name changes unseen: those of every artifact, at every preset, on 1 and 4 workers.

``golden/ids.json`` has, for each, how many trials there are and a hash of their canonical forms
(without ``protocol``, whose changes are meant to rename), or the sentence with which they are
refused. Of each artifact it has the first trial in full. Where names must change, say which and
why in CHANGELOG.md, write the table again and read the difference:

    python -m tests.test_ids
"""

from __future__ import annotations

import hashlib
import json
from functools import cache
from pathlib import Path
from typing import Any

import pytest

import search_spaces
from sweep.cli.workflow import find_artifact
from sweep.plan.expand import plan
from sweep.record.record import Record
from sweep.selection import selection
from trainables.errors import UsageError

TABLE = Path(__file__).parent / "golden" / "ids.json"
WORKERS = ("1", "4", "4:sync")
ARTIFACTS = [artifact.id for artifact in search_spaces.artifacts()]


def forms(artifact: str, preset: str, workers: str) -> list[dict[str, Any]]:
    """The canonical forms of the distinct trials that a new record asks for, in their order."""
    found = plan(
        find_artifact(artifact, preset, workers), preset, selection("paper"), Record.from_runs([])
    )
    trials = [t for stage in found.stages for t in (*stage.trials, *stage.expected)]
    unique = {trial.trial_id: json.loads(trial.config.canonical) for trial in trials}
    return [{k: v for k, v in form.items() if k != "protocol"} for form in unique.values()]


def entry(artifact: str, preset: str, workers: str) -> str:
    try:
        texts = sorted(
            json.dumps(form, sort_keys=True) for form in forms(artifact, preset, workers)
        )
    except UsageError as error:
        return f"refused: {error}"
    digest = hashlib.sha256("\n".join(texts).encode()).hexdigest()
    return f"{len(texts)} trials, {digest[:16]}"


def entries(artifact: str) -> dict[str, Any]:
    """What the table has of ``artifact``."""
    of: dict[str, Any] = {
        f"{preset}, workers {workers}": entry(artifact, preset, workers)
        for preset in search_spaces.PRESETS
        for workers in WORKERS
    }
    if not of["small, workers 4"].startswith("refused"):
        of["first of small, workers 4"] = forms(artifact, "small", "4")[0]
    return of


@cache
def kept() -> dict[str, Any]:
    return json.loads(TABLE.read_text())


@pytest.mark.parametrize("artifact", ARTIFACTS)
def test_names_are_what_they_were(artifact: str) -> None:
    assert entries(artifact) == kept()[artifact]


def test_every_artifact_has_its_entry() -> None:
    assert list(kept()) == ARTIFACTS


if __name__ == "__main__":
    TABLE.write_text(json.dumps({name: entries(name) for name in ARTIFACTS}, indent=1) + "\n")
