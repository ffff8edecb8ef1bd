"""What there is and what would run, in words and as data: `sweep list`, `plan` and `status`."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from search_spaces.spec import Artifact
    from sweep.plan import Plan
    from sweep.record import Record
    from sweep.tracking import Tracker


RESULT_BYTES = 50_000
"""A result with its per-epoch history; measured on 200 epochs of twelve numbers."""


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


def plan_as_dict(planned: Plan, record: Record) -> dict[str, Any]:
    """``{"stages": [{"name", "trials": [{"trial_id", "cell", "seed", "config", ...}]}]}``."""
    return {
        "artifact": planned.artifact.id,
        "preset": planned.preset,
        "selection": planned.selection.name,
        "trials": planned.size,
        "missing": len(planned.missing(record)),
        "estimate": estimate(planned, record),
        "stages": [
            {
                "name": stage.name,
                "after": stage.after,
                "pending": stage.pending,
                "trials": [
                    {
                        "trial_id": trial.trial_id,
                        "cell": dict(trial.cell.key),
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


def plan_as_text(planned: Plan, record: Record) -> str:
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
    lines += estimate_text(estimate(planned, record))
    return "\n".join(lines)


def estimate(planned: Plan, record: Record) -> dict[str, Any]:
    """Device hours and disk of the trials still to run, from recorded trials of the same kind.

    Trials of one network on one data set are taken to cost the same per gradient
    evaluation; ``unknown`` trials have no recorded relative. Weights take four bytes a parameter.
    """
    from sweep.plan import gradients_per_step

    costs: dict[tuple[str, str], list[float]] = {}
    sizes: dict[tuple[str, str], float] = {}
    for trial in planned.trials:
        seconds = record.value(trial.trial_id, "training_seconds")
        evaluations = record.value(trial.trial_id, "gradient_evaluations")
        epochs = record.value(trial.trial_id, "epochs_run")
        if seconds and evaluations and epochs:
            work = epochs * gradients_per_step(trial.config)
            costs.setdefault(_kind(trial), []).append(seconds / work)
            sizes[_kind(trial)] = record.value(trial.trial_id, "parameters") or 0.0
    seconds_left, weights, unknown = 0.0, 0.0, 0
    for trial in planned.missing(record):
        known = costs.get(_kind(trial))
        if known is None:
            unknown += 1
            continue
        work = trial.config.epochs * gradients_per_step(trial.config)
        seconds_left += work * sum(known) / len(known)
        weights += 4 * sizes[_kind(trial)]
    pending = sum(stage.pending for stage in planned.stages)
    return {
        "device_hours": round(seconds_left / 3600, 4),
        "result_megabytes": round(planned.size * RESULT_BYTES / 1e6, 1),
        "weight_megabytes": round(weights / 1e6, 1),
        "from_trials": sum(map(len, costs.values())),
        "unknown_trials": unknown + pending,
    }


def _kind(trial: Any) -> tuple[str, str]:
    return trial.config.data.source.model_dump_json(), trial.config.model.model_dump_json()


def estimate_text(found: dict[str, Any]) -> list[str]:
    disk = f"disk: about {found['result_megabytes']:.0f} MB of results"
    if not found["from_trials"]:
        return [disk, "time and weights: unknown until a trial of each network is recorded"]
    said = f"time: about {found['device_hours']:.2f} device hours left"
    said += f" (from {found['from_trials']} recorded trials)"
    if found["unknown_trials"]:
        said += f", not counting {found['unknown_trials']} trials of which none is recorded yet"
    return [f"{disk}, {found['weight_megabytes']:.0f} MB more with --keep-weights", said]


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
