"""Files of sweeps, as text."""

from __future__ import annotations

import search_spaces
from search_spaces.spec import Artifact
from sweep.files.load import artifact_of
from sweep.files.source import parse
from sweep.plan.expand import Plan, plan
from sweep.record.record import Record
from sweep.selection import selection

SMALL = """\
name: x
base: {model: mlp_tiny, epochs: 2}
compare:
  ERM: {method: erm}
  SAM: {method: sam, grid: {method.rho: [0.01, 0.1]}}
grid: {optimizer.lr: [0.05, 0.1]}
seeds: 2
"""


def artifact(text: str) -> Artifact:
    """What a file called f.yaml with this text describes."""
    return artifact_of(parse(text, "f.yaml"))


def planned(made: Artifact, preset: str = "full") -> Plan:
    """The plan of an artifact on an empty record; ``preset`` shrinks it first."""
    shrunk = search_spaces.apply(made, preset)
    return plan(shrunk, preset, selection("paper"), Record.from_runs([]))


def ids(found: Plan) -> set[tuple[str, frozenset[str]]]:
    """Trials of a plan; a placeholder goes by those that it waits for, too."""
    trials = [t for stage in found.stages for t in (*stage.trials, *stage.expected)]
    return {(trial.trial_id, trial.awaits) for trial in trials}


def points(text: str, cell: str) -> list[dict[str, object]]:
    """What the cell with this label is tried with, in the last stage that has it."""
    made = artifact(text)
    (found,) = [c for c in made.experiment.cells if cell in c.key.values()]
    return list(made.experiment.last_stage(found).points())
