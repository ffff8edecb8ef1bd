"""What there is and what would run, in words and as data: `sweep list` and `plan`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from trainables.declared import kept
from trainables.masking import mask

if TYPE_CHECKING:
    from search_spaces.spec import Artifact
    from sweep.plan.cost import CostEstimate
    from sweep.plan.expand import Plan
    from sweep.record.record import Record


def rows() -> list[dict[str, Any]]:
    """Every artifact with its title and the trials it needs under each preset."""
    import search_spaces

    return [
        {
            "artifact": artifact.id,
            "kind": artifact.view.kind,
            "title": artifact.notes.title,
            "trials": {
                preset: _size(search_spaces.apply(artifact, preset), preset)
                for preset in search_spaces.PRESETS
                if not artifact.experiment.blocked
            },
            "blocked": artifact.experiment.blocked,
        }
        for artifact in search_spaces.artifacts()
    ]


@kept
def _size(artifact: Artifact, preset: str) -> int:
    """Distinct trials, as `sweep plan` counts them on an empty record."""
    from sweep.plan.expand import plan
    from sweep.record.record import Record
    from sweep.selection import selection

    return plan(artifact, preset, selection("paper"), Record.from_runs([])).size


def text(listed: list[dict[str, Any]]) -> str:
    """What `rows` gives as a table, one line per artifact."""
    from search_spaces import PRESETS

    width = max((len(row["artifact"]) for row in listed), default=0)
    head = f"{'artifact':{width}}  " + "".join(f"{name:>8}" for name in PRESETS) + "  what it shows"
    lines = [head]
    for row in listed:
        counts = "".join(f"{row['trials'].get(name, '-'):>8}" for name in PRESETS)
        what = row["title"] + (f" [not yet: {row['blocked']}]" if row["blocked"] else "")
        lines.append(f"{row['artifact']:{width}}  {counts}  {what}")
    lines.append("columns: trials under each preset; `sweep plan ARTIFACT` shows them")
    return "\n".join(lines)


def plan_as_dict(
    planned: Plan, record: Record, cost: CostEstimate, outdated: int = 0
) -> dict[str, Any]:
    """``{"stages": [{"name", "trials": [{"trial_id", "cell", "seed", "config", ...}]}]}``.

    A stage's ``trials`` are those of all its cells, a trial that several cells need as often as
    they need it; ``pending`` counts those that wait for a winner in the same manner. ``distinct``,
    ``done`` and ``waiting`` count each trial once, in the first stage that needs it.
    """
    from sweep.plan import changed, held_out

    return {
        "artifact": planned.artifact.id,
        "preset": planned.preset,
        "selection": planned.selection.name,
        "variant": planned.variant,
        "trials": planned.size,
        "missing": len(planned.missing(record)),
        "waiting": len(planned.expected),
        "outdated": outdated,
        "changed": changed.changed(planned, changed.origins_of(planned, record)),
        "held_out": held_out.sentence(planned),
        "estimate": cost.as_dict(),
        "stages": [
            {
                "name": stage.name,
                "after": stage.after,
                "pending": stage.pending,
                "distinct": own.size,
                "done": len(own.trials) - len(planned.missing(record, own.trials)),
                "waiting": own.pending,
                "trials": [
                    {
                        "trial_id": trial.trial_id,
                        "cell": dict(trial.cell.key),
                        "ran": dict(trial.cell.ran),
                        "seed": trial.seed,
                        "point": dict(trial.point),
                        "status": record.status(trial.trial_id),
                        "config": trial.config.model_dump(mode="json"),
                    }
                    for trial in stage.trials
                ],
            }
            for stage, own in zip(planned.stages, planned.distinct, strict=True)
        ],
    }


def plan_as_text(planned: Plan, record: Record, cost: CostEstimate, outdated: int = 0) -> str:
    """A header, one line per stage with its grid below, totals, and what a run would cost.

    Args:
        cost: What is left to do, from `sweep.plan.cost.estimate`.
        outdated: How many recorded trials have an older protocol.
    """
    from sweep.plan import changed, held_out
    from sweep.record.mlflow_store import outdated_words

    artifact = planned.artifact
    lines = [
        f"{artifact.id}: {artifact.notes.title}",
        f"preset {planned.preset}; selection {planned.selection.sentence(artifact)}",
        f"held out: {held_out.sentence(planned)}",
        *([f"variant: {planned.variant}"] if planned.variant else []),
        *(f"  {mask(note)}" for note in artifact.notes.changes),
        "",
    ]
    for stage, spec in zip(planned.distinct, artifact.experiment.stages, strict=True):
        cells = sum(map(spec.covers, planned.cells))
        repeated = spec.size(planned.cells) - stage.size
        done = len(stage.trials) - len(planned.missing(record, stage.trials))
        lines.append(
            f"stage {stage.name}: {stage.size} trials = {cells} cells x "
            f"{len(list(spec.points()))} grid points x {spec.seeds} seeds"
            + (f" less {repeated} repeated" if repeated else "")
            + f", {done} done"
            + (f", {stage.pending} once stage {stage.after} is done" if stage.pending else "")
        )
        lines += [
            f"    {name}: {', '.join(map(str, values))}" for name, values in spec.grid.items()
        ]
        if spec.settings:
            names = ", ".join(dict.fromkeys(name for each in spec.settings for name in each))
            lines.append(f"    {names}: {len(spec.settings)} settings that go together")
    missing, waiting = len(planned.missing(record)), len(planned.expected)
    done = len(planned.trials) - missing
    total = f"{planned.size} trials in all: {done} done, {missing} to run now"
    lines += ["", total + (f", {waiting} once winners are known" if waiting else "")]
    lines += [outdated_words(outdated, artifact.id)] if outdated else []
    other = changed.changed(planned, changed.origins_of(planned, record))
    lines += [f"{changed.sentence(other)}: see --changed of `sweep run`"] if other else []
    lines += cost.lines()
    return "\n".join(lines)
