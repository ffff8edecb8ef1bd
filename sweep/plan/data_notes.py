"""What a person should know of how the data of a plan were read."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from trainables.data_folder import data_directory, prepared_notes

if TYPE_CHECKING:
    from sweep.plan.expand import Plan


def data_notes(planned: Plan, directory: Path | None = None) -> list[str]:
    """The notes of every data set that a trial of ``planned`` uses and that is prepared.

    Args:
        directory: Of the data sets; None: as `data_directory` has it.
    """
    where = data_directory(directory)
    sources = {
        str(trial.settings.data.source): trial.settings.data.source
        for stage in planned.stages
        for trial in (*stage.trials, *stage.expected)
    }
    notes = (note for s in sources.values() for note in prepared_notes(s.name, s.options, where))
    return list(dict.fromkeys(notes))


__all__ = ["data_notes"]
