"""What there is and what would run, in words and as data: `sweep list`, `plan` and `status`."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from search_spaces.spec import Artifact
    from sweep.estimate import Estimate
    from sweep.plan import Plan
    from sweep.record import Record
    from sweep.tracking import Tracker


def rows() -> list[dict[str, Any]]:
    """Every artifact with its title and the trials it needs under each preset."""
    import search_spaces

    return [
        {
            "artifact": artifact.id,
            "kind": artifact.kind,
            "title": artifact.title,
            "trials": {
                preset: _size(search_spaces.apply(artifact, preset))
                for preset in search_spaces.PRESETS
                if not artifact.blocked
            },
            "blocked": artifact.blocked,
        }
        for artifact in search_spaces.artifacts()
    ]


def _size(artifact: Artifact) -> int:
    """Trials by the grid's arithmetic; those that several cells share are counted in each."""
    from sweep.plan import every_cell

    cells = list(every_cell(artifact))
    return sum(
        len(list(stage.points())) * stage.seeds
        for stage in artifact.stages
        for cell in cells
        if stage.covers(cell)
    )


def text(listed: list[dict[str, Any]]) -> str:
    """The list as a table, a line an artifact."""
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


def plan_as_dict(planned: Plan, record: Record, cost: Estimate) -> dict[str, Any]:
    """``{"stages": [{"name", "trials": [{"trial_id", "cell", "seed", "config", ...}]}]}``."""
    return {
        "artifact": planned.artifact.id,
        "preset": planned.preset,
        "selection": planned.selection.name,
        "trials": planned.size,
        "missing": len(planned.missing(record)),
        "estimate": cost.as_dict(),
        "stages": [
            {
                "name": stage.name,
                "after": stage.after,
                "pending": stage.pending,
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
            for stage in planned.stages
        ],
    }


def plan_as_text(planned: Plan, record: Record, cost: Estimate) -> str:
    """Header, a line a stage with its grid, totals, and what a run would cost."""
    artifact = planned.artifact
    lines = [
        f"{artifact.id}: {artifact.title}",
        f"preset {planned.preset}; selection {planned.selection.sentence(artifact)}",
        *(f"  {note}" for note in artifact.notes),
        "",
    ]
    for stage, spec in zip(planned.stages, artifact.stages, strict=True):
        cells = sum(map(spec.covers, planned.cells))
        done = sum(record.status(t.trial_id) in ("done", "diverged") for t in stage.trials)
        lines.append(
            f"stage {stage.name}: {stage.size} trials = {cells} cells x "
            f"{len(list(spec.points()))} grid points x {spec.seeds} seeds, {done} done"
            + (f", {stage.pending} once stage {stage.after} is done" if stage.pending else "")
        )
        lines += [
            f"    {name}: {', '.join(map(str, values))}" for name, values in spec.grid.items()
        ]
    missing = len(planned.missing(record))
    lines += ["", f"{planned.size} trials in all, {missing} of those known to run now"]
    lines += cost.lines()
    return "\n".join(lines)


def status(tracker: Tracker) -> list[dict[str, Any]]:
    """Per artifact and preset: how many tracked trials ended how."""
    tracker.record()
    counts: dict[tuple[str, str], Counter[str]] = {}
    for tags in tracker.tags():
        for artifact in tags.get("artifact", "").split():
            for preset in tags.get("preset", "").split():
                counts.setdefault((artifact, preset), Counter())[tags["outcome"]] += 1
    return [
        {"artifact": artifact, "preset": preset, **{k: found[k] for k in OUTCOMES}}
        for (artifact, preset), found in sorted(counts.items())
    ]


OUTCOMES = ("done", "diverged", "failed")


def status_text(listed: list[dict[str, Any]]) -> str:
    if not listed:
        return "no trials recorded yet; `sweep run ARTIFACT` starts some"
    width = max(len(row["artifact"]) for row in listed)
    head = f"{'artifact':{width}}  preset  " + "".join(f"{name:>10}" for name in OUTCOMES)
    lines = [
        f"{row['artifact']:{width}}  {row['preset']:6}  "
        + "".join(f"{row[name]:>10}" for name in OUTCOMES)
        for row in listed
    ]
    return "\n".join([head, *lines])
