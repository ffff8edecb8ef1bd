"""Notes in storage of what trials are for: `sweep.record.sync` makes a lost record from them."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from typing import TYPE_CHECKING

from sweep.record import notes
from sweep.record.notes import Note, Place, Point
from trainables.storage.files import StorageError

if TYPE_CHECKING:
    from sweep.plan.expand import Plan
    from trainables.storage.files import Storage


def note(
    storage: Storage,
    planned: Plan,
    files: Mapping[str, str] | None = None,
    points: tuple[Point, ...] = (),
) -> Note:
    """Write the note of a sweep: its trials as far as they are known, and what is given.

    A storage that does not take it costs no trial: without it `sweep sync` knows less of a lost
    record.

    Returns:
        The note.
    """
    artifact = planned.artifact
    trials = {
        trial.trial_id: Place(
            trial.name, trial.stage, " / ".join(trial.cell.key.values()), trial.seed
        )
        for trial in planned.trials
        if not trial.awaits
    }
    said = Note(
        artifact.id,
        planned.preset,
        planned.selection.name,
        artifact.notes.title,
        planned.variant,
        trials,
        files or {},
        points,
    )
    with suppress(StorageError):
        notes.write(storage, said)
    return said


__all__ = ["note"]
