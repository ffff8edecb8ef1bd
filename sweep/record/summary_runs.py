"""The runs in MLflow of mean and std over seeds: one for each cell and grid point of a sweep.

They lie below the sweep's own run, beside those of its trials, and have no tag ``trial_id``:
nothing is read from them, and no record has them. MLflow takes back neither a number nor a
parameter, so a run that would have to is deleted, and made anew.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sweep.record.mlflow_runs import KIND, PARENT

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import Metric
    from mlflow.entities import Run as MlflowRun

SUMMARY = "summary"
"""Value of the tag ``kind``."""

POINT = "point"
"""Tag of a summary, by which it is found again below its sweep's run."""

RUNS = "runs"
"""Tag of a summary: the runs of its seeds. It is written last: without it a run is not complete."""

CURVES = "Curves of "
"""Begins the names of a summary's curves (`Summary.group`)."""

ENTRIES_PER_CALL = 1000  # MLflow's limit for one log_batch
SHOWN = 3
"""Numbers that are named, of all that differ."""

Curve = Sequence[tuple[int, float]]
"""(epoch, value) of some epochs."""


@dataclass(frozen=True)
class Summary:
    """What a summary run says.

    Attributes:
        point: By which it is found again.
        tags: What it is of: its name among them, and the runs of its seeds.
        params: The settings that its seeds share.
        metrics: ``test_error mean`` -> its value.
        seeds: That its curves are over.
        curves: Makes them, by name. They are asked for where the runs of the seeds are others.
    """

    point: str
    tags: Mapping[str, str]
    params: Mapping[str, str]
    metrics: Mapping[str, float]
    seeds: int
    curves: Callable[[], Mapping[str, Curve]]

    @property
    def group(self) -> str:
        """Begins the names of its curves: those over more seeds are others, and stand beside."""
        return f"{CURVES}{self.seeds} {'seed' if self.seeds == 1 else 'seeds'}/"


class SummaryRuns:
    """The summaries below the run ``parent`` of a sweep.

    Args:
        client: Of the store.
        call: Calls one of its functions; raises TrackingError.
        search: As `sweep.record.mlflow_store.Tracker.search`.
    """

    def __init__(
        self,
        client: MlflowClient,
        call: Any,
        search: Callable[..., Iterator[MlflowRun]],
        parent: str,
    ) -> None:
        self._client, self._call, self._search = client, call, search
        self._parent = parent

    def write(self, wanted: Sequence[Summary]) -> int:
        """Make MLflow have these summaries and no others; what it has already is not written again.

        Of several runs of a point, made by drivers at once, the first stays.

        Returns:
            How many were made, changed or deleted.
        """
        known = self._known()
        points = {summary.point for summary in wanted}
        gone = [
            run for point, runs in known.items() for run in (runs[1:] if point in points else runs)
        ]
        for run in gone:
            self._call(self._client.delete_run, run.info.run_id)
        changed = [
            summary
            for summary in wanted
            if summary.point not in known or any(_wrong(known[summary.point][0], summary))
        ]
        experiment = self._experiment() if changed else ""
        for summary in changed:
            runs = known.get(summary.point, ())
            self._bring_up_to_date(experiment, runs[0] if runs else None, summary)
        return len(gone) + len(changed)

    def differences(self, wanted: Sequence[Summary]) -> Iterator[tuple[str, str]]:
        """(the summary's name, what is wrong with it in a clause); nothing is written."""
        known = self._known()
        for summary in wanted:
            runs = known.pop(summary.point, [])
            name = summary.tags["mlflow.runName"]
            if not runs:
                yield name, "it is not in MLflow"
            elif wrong := list(_wrong(runs[0], summary)):
                more = f" and {len(wrong) - SHOWN} more" if len(wrong) > SHOWN else ""
                yield name, f"it does not say what its trials say: {', '.join(wrong[:SHOWN])}{more}"
            if len(runs) > 1:
                yield name, f"it has {len(runs)} runs"
        for runs in known.values():
            yield str(runs[0].info.run_name), "it is of no trials"

    def _known(self) -> dict[str, list[MlflowRun]]:
        """Point -> its runs, the oldest first."""
        found: dict[str, list[MlflowRun]] = {}
        condition = f"tags.{KIND} = '{SUMMARY}' AND tags.{PARENT} = '{self._parent}'"
        runs = list(self._search(condition))
        for run in sorted(runs, key=lambda run: (run.info.start_time or 0, run.info.run_id)):
            found.setdefault(run.data.tags.get(POINT, ""), []).append(run)
        return found

    def _experiment(self) -> str:
        return str(self._call(self._client.get_run, self._parent).info.experiment_id)

    def _bring_up_to_date(self, experiment: str, run: MlflowRun | None, summary: Summary) -> None:
        curves = {} if run and _same_seeds(run, summary) else _named(summary)
        if run and not _can_become(run, summary, curves):
            self._call(self._client.delete_run, run.info.run_id)
            run, curves = None, curves or _named(summary)
        before, now = run.data.metrics if run else {}, int(time.time() * 1000)
        points = [
            _metric(name, value, now, 0)
            for name, value in summary.metrics.items()
            if before.get(name) != value
        ] + [
            _metric(name, value, now, epoch)
            for name, curve in curves.items()
            if name not in before
            for epoch, value in curve
        ]
        if run is None:
            tags = {n: v for n, v in summary.tags.items() if n != RUNS} | {PARENT: self._parent}
            named = {KIND: SUMMARY, POINT: summary.point}
            run = self._call(self._client.create_run, experiment, now, {**tags, **named})
        self._log(run.info.run_id, summary, points)

    def _log(self, run_id: str, summary: Summary, points: Sequence[Metric]) -> None:
        from mlflow.entities import Param, RunTag

        params = [Param(*param) for param in summary.params.items()]
        tags = [RunTag(*tag) for tag in summary.tags.items() if tag[0] != RUNS]
        tags.append(RunTag(RUNS, summary.tags[RUNS]))
        room = ENTRIES_PER_CALL - len(params) - len(tags)
        for start in range(room, len(points), ENTRIES_PER_CALL):
            more = points[start : start + ENTRIES_PER_CALL]
            self._call(self._client.log_batch, run_id, more)
        self._call(self._client.log_batch, run_id, points[:room], params, tags)
        self._call(self._client.set_terminated, run_id)


def _named(summary: Summary) -> dict[str, Curve]:
    return {f"{summary.group}{name}": curve for name, curve in summary.curves().items() if curve}


def _same_seeds(run: MlflowRun, summary: Summary) -> bool:
    return bool(run.data.tags.get(RUNS) == summary.tags[RUNS])


def _can_become(run: MlflowRun, summary: Summary, curves: Mapping[str, Curve]) -> bool:
    """Whether nothing has to be taken back: no parameter, no number, no point of a curve.

    Over the same seeds a number is another one only if a person has edited it, maybe at a later
    step: what is logged at an earlier one would not count.
    """
    data = run.data
    shown = {name: v for name, v in data.metrics.items() if name.startswith(CURVES)}
    kept = {name: value for name, value in shown.items() if name.startswith(summary.group)}
    edited = _same_seeds(run, summary) and any(
        not _equal(data.metrics[n], v) for n, v in summary.metrics.items() if n in data.metrics
    )
    return (
        not edited
        and all(summary.params.get(name) == value for name, value in data.params.items())
        and data.metrics.keys() - shown.keys() <= summary.metrics.keys()
        and not (kept and RUNS not in data.tags)  # its writer was killed
        and (not curves or all(name in curves for name in kept))
        and all(_equal(kept[name], curves[name][-1][1]) for name in kept if name in curves)
    )


def _wrong(run: MlflowRun, summary: Summary) -> Iterator[str]:
    """Names of what a run says otherwise. Its curves are those of the runs of its seeds."""
    data = run.data
    numbers = {n: v for n, v in data.metrics.items() if not n.startswith(CURVES)}
    for name in sorted(numbers.keys() | summary.metrics.keys()):
        if not _equal(numbers.get(name), summary.metrics.get(name)):
            yield name
    for said, is_said in ((summary.params, data.params), (summary.tags, data.tags)):
        yield from (name for name, value in said.items() if (is_said.get(name) or "") != value)
    if run.info.status == "RUNNING":  # its writer was killed
        yield "its end"


def _equal(one: object, other: object) -> bool:
    """To the 12 digits that every database keeps; NaN is equal to itself."""
    with contextlib.suppress(TypeError, ValueError):
        return f"{one:.12g}" == f"{other:.12g}"
    return one is other


def _metric(name: str, value: float, now: int, epoch: int) -> Metric:
    from mlflow.entities import Metric

    return Metric(name, value, now, epoch)


__all__ = ["Curve", "Summary", "SummaryRuns"]
