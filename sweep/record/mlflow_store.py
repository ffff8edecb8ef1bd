"""The record in MLflow: only this folder talks to it.

One run a trial, found by the tag ``trial_id``; an experiment a paper; a parent
run for each sweep, with its rendered table attached. A run counts once its tag
``outcome`` is there, which is written last: a half-written run is written again.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import cached_property, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sweep.record import attachments, curves
from sweep.record.connection import (
    TrackingError,
    absent,
    cause,
    connect,
    database,
    default_uri,
    unusable,
)
from sweep.record.experiments import Experiments
from sweep.record.histories import Histories
from sweep.record.membership import Membership, as_tags
from sweep.record.mirror import Fingerprint, Mirror, fingerprint, folder_of
from sweep.record.mlflow_runs import (
    DIGEST,
    ENDINGS,
    KIND,
    PROVENANCE,
    Entry,
    as_run,
    dataset,
    digest,
    edited_words,
    encoded,
    is_edited,
    latest,
    metric_entities,
    numbers,
    params,
)
from sweep.record.record import Record
from sweep.record.runs import RANK, Run
from sweep.record.summary_runs import SummaryRuns
from sweep.record.sweep_runs import SweepRuns
from trainables import config
from trainables.masking import mask
from trainables.own_parts.used import ORIGIN
from trainables.storage.trial_folder import ignore

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import Metric, RunInfo, RunTag
    from mlflow.entities import Run as MlflowRun

    from sweep.record.mlflow_runs import Recordable
    from trainables.storage.result import TrialResult

PAGE = 5000
METRICS_PER_CALL = 1000  # MLflow's limit for one log_batch
RUNS_PER_CALL = 100


class Tracker:
    """Reads and writes the record at a tracking URI. Only the driver writes.

    Attributes:
        notify: Told, in sentences, what a person should know.
        edited: Run -> trial, of runs that `load` has read and found edited.

    It connects when there is something to ask: an unchanged SQLite file is read from its mirror.
    """

    def __init__(self, uri: str) -> None:
        self.uri = uri
        self._opened: dict[str, str] = {}
        self.notify: Callable[[str], None] = ignore
        self.edited: dict[str, str] = {}

    @cached_property
    def _client(self) -> MlflowClient:
        return connect(self.uri)

    def connect(self) -> None:
        """Make the store if it is a new SQLite file, and see that it answers.

        Raises:
            TrackingError: in one sentence, if it cannot be used.
        """
        self._client.search_experiments(max_results=1)

    # -- reading -----------------------------------------------------------------------------

    def load(self, refresh: bool = False) -> Record:
        """Every tracked trial, from the store's `Mirror` and what is new.

        Args:
            refresh: Read the whole store, as it may have been edited by hand.

        Where there is no SQLite file yet, nothing is recorded, and none is made: `open` does that.

        Raises:
            TrackingError: the store is asked and does not answer.
        """
        self.edited = {}
        if absent(self.uri):
            return Record.from_runs([])
        record = Mirror(folder_of(self.uri), self).record(refresh)
        if self.edited:
            self.notify(edited_words([*self.edited.values()]))
        return record

    def fingerprint(self) -> Fingerprint | None:
        """What a SQLite file looks like; None: a server, which is asked."""
        return fingerprint(self._database) if self._database else None

    def ended(self, since: int) -> Iterator[Run]:
        """The trials' runs that ended at ``since`` (Unix milliseconds) or later; 0: all that are
        complete."""
        when = f" AND attributes.end_time >= {since}" if since else ""
        for run in self.search(f"tags.trial_id != ''{when}"):
            if run.data.tags.get("outcome") in RANK:
                if is_edited(run):
                    self.edited[run.info.run_id] = run.data.tags["trial_id"]
                yield as_run(run)

    def named(self, run_ids: Sequence[str]) -> Iterator[Run]:
        """These runs, as far as they are still there."""
        for start in range(0, len(run_ids), RUNS_PER_CALL):
            names = ", ".join(f"'{name}'" for name in run_ids[start : start + RUNS_PER_CALL])
            for run in self.search(f"attributes.run_id IN ({names})"):
                if run.data.tags.get("outcome") in RANK:
                    yield as_run(run)

    def curves(self, run_id: str) -> Mapping[str, Sequence[float]]:
        """The curves of a run: its attachment's, or of an older run its metrics' histories.

        None where the attachment is missing or damaged.
        """
        run = self._call(self._client.get_run, run_id)
        expected = run.data.tags.get(curves.TAG)
        if expected is None:
            history = partial(self._call, self._client.get_metric_history)
            return Histories(history, run)
        content = attachments.read(self.uri, run.info.artifact_uri, curves.FILE)
        if content is None or curves.digest(content) != expected:
            return {}
        return curves.decode(content)

    @property
    def _database(self) -> Path | None:
        return database(self.uri)

    def search(
        self, condition: str, experiments: Sequence[str] | None = None, view: int = 1
    ) -> Iterator[MlflowRun]:
        """Runs, also those that are deleted if ``view`` (MLflow's ViewType) says so."""
        experiments = self._experiments.ids() if experiments is None else experiments
        token = None
        while experiments:
            page = self._call(
                self._client.search_runs,
                experiments,
                filter_string=condition,
                run_view_type=view,
                max_results=PAGE,
                page_token=token,
            )
            yield from page
            token = page.token
            if not token:
                return

    def experiments(self) -> dict[str, str]:
        """Id -> name of the experiments that are not deleted."""
        return self._experiments.names()

    @cached_property
    def _experiments(self) -> Experiments:
        return Experiments(self._client, self._call)

    # -- writing -----------------------------------------------------------------------------

    def open(self, paper: str) -> None:
        """Make the experiment of ``paper``, or restore it, before the record is read.

        Runs that are complete but for their end are ended: their driver was killed just then.
        """
        self._experiment(paper)
        for run in self.search("attributes.status = 'RUNNING' AND tags.trial_id != ''"):
            if (outcome := run.data.tags.get("outcome")) in RANK:
                self._terminate(run.info.run_id, outcome)

    def start_sweep(
        self, artifact_id: str, preset: str, selection: str, title: str, variant: str = ""
    ) -> str:
        """The parent run of this sweep, made at its first start and found again later.

        One that was deleted is restored. Of several, made by drivers at once, the first stays.
        """
        experiment = self._experiment(artifact_id.partition("/")[0])
        named = Membership(artifact_id, preset, selection, "", variant)
        return self._sweeps.start(experiment, named, title)

    def find_sweep(self, name: str) -> str:
        """The run of the sweep of this name; empty: there is none."""
        return next(iter(self._sweeps.find(name)), "")

    def finish_sweep(self, parent: str, files: Mapping[str, str]) -> None:
        """Attach the rendered tables (file name -> text) to the sweep's run and close it."""
        if files:
            run = self._call(self._client.get_run, parent)
            self._attach_files(run.info, {name: text.encode() for name, text in files.items()})
            self._sweeps.describe(run, files)
        self._call(self._client.set_terminated, parent)

    @cached_property
    def _sweeps(self) -> SweepRuns:
        return SweepRuns(self._client, self._call, self.search)

    def summaries(self, parent: str) -> SummaryRuns:
        """The runs below a sweep's own that have mean and std over seeds."""
        return SummaryRuns(self._client, self._call, self.search, parent)

    def fold(self, record: Record) -> int:
        """Delete every further run of a trial that two drivers recorded; returns how many.

        The run that counts takes over the memberships of the others.
        """
        doubles = record.doubles()
        members: dict[str, dict[Membership, None]] = {}
        for trial_id, _, theirs in doubles:
            known = members.setdefault(trial_id, dict.fromkeys(record.memberships(trial_id)))
            known.update(dict.fromkeys(theirs))
        with self._changing([record.run_id(t) for t in members] + [run for _, run, _ in doubles]):
            for trial_id, all_of_them in members.items():
                self._set_tags(record.run_id(trial_id), as_tags([*all_of_them]))
            for _, run_id, _ in doubles:
                self._call(self._client.delete_run, run_id)
        return len(doubles)

    def retire(self, run_ids: Sequence[str]) -> None:
        """Delete runs, so that their trials count as never run; MLflow can restore them."""
        with self._changing(run_ids):
            for run_id in run_ids:
                self._call(self._client.delete_run, run_id)

    def restore(self, run_id: str, tags: Mapping[str, str]) -> None:
        """Make a run count again that was deleted, with these tags."""
        with self._changing([run_id]):
            self._call(self._client.restore_run, run_id)
            self._set_tags(run_id, tags)

    def write(self, trial: Recordable, result: TrialResult, tags: Mapping[str, str]) -> None:
        """Write a finished trial as one run. Of one that has a run, write what that lacks.

        ``tags`` say what it was run for (`sweep.run.loop.Tags`).
        """
        known = self._runs_of(trial.trial_id)
        same = [run for run in known if run.data.tags.get("outcome") == result.status]
        if same and result.status != "pruned":  # which may have come further since
            self._add(same[0], result, int(time.time() * 1000))
        else:
            self.write_entry(Entry.of(trial, result, tags), known)

    def write_entry(self, entry: Entry, known: Iterable[MlflowRun] | None = None) -> None:
        """Write a trial that has ended as one run, in the place of its ``known`` unfinished ones.

        Args:
            known: Its runs; None: they are looked up.
        """
        from mlflow.entities import RunTag

        now = int(time.time() * 1000)
        known = self._runs_of(entry.trial_id) if known is None else known
        run = self._open(entry, known, began=now - int(1000 * entry.seconds))
        said = [*self._attach(run, entry.history)]
        self._call(self._client.log_inputs, run.run_id, [dataset(entry)])
        points = metric_entities(entry.numbers, entry.history, now)
        written = {**entry.tags, "trial_id": entry.trial_id, **{t.key: t.value for t in said}}
        said.append(RunTag(DIGEST, digest(entry.outcome, entry.params, latest(points), written)))
        last, first = points[: METRICS_PER_CALL // 2], points[METRICS_PER_CALL // 2 :]
        self._log(run.run_id, first)
        self._close(run.run_id, entry, last, said)

    def write_failure(self, trial: Recordable, error: str, tags: Mapping[str, str]) -> None:
        """Write a trial that raised, or whose process died too often, as a failed run.

        Args:
            error: Why it failed, in one sentence.
        """
        from mlflow.entities import RunTag

        entry = Entry(trial.trial_id, trial.name, "failed", params(trial), tags=tags)
        run = self._open(entry, self._runs_of(trial.trial_id), began=int(time.time() * 1000))
        self._close(run.run_id, entry, tags=[RunTag("error", mask(error)[:4000])])

    def join(self, record: Record, joining: Mapping[str, Sequence[Membership]]) -> None:
        """Note that tracked trials (by id) also belong to the sweeps given, each at its stages."""
        new = {t: ms for t, ms in joining.items() if not {*ms} <= {*record.memberships(t)}}
        runs = [record.run_id(trial_id) for trial_id in new]
        with self._changing(runs):
            for run in self.named(runs):  # another driver may have noted its own since
                members = dict.fromkeys([*run.memberships, *new[run.trial_id]])
                self._set_tags(run.run_id, as_tags([*members]))

    def _set_tags(self, run_id: str, tags: Mapping[str, str]) -> None:
        from mlflow.entities import RunTag

        self._call(self._client.log_batch, run_id, tags=[RunTag(*tag) for tag in tags.items()])

    def _add(self, run: MlflowRun, result: TrialResult, now: int) -> None:
        """Into a complete run, what ``result`` has more: measured later, on the same weights."""
        from mlflow.entities import RunTag

        run_id, tags = run.info.run_id, run.data.tags
        found = metric_entities(numbers(result), result.history, now)
        new = [point for point in found if point.key not in run.data.metrics]
        curve = curves.TAG in tags and tags[curves.TAG] != curves.digest(encoded(result.history))
        if not new and not curve:
            return
        with self._changing([run_id]):
            self._log(run_id, new)
            said = self._attach(run.info, result.history) if curve else []
            if ORIGIN in result.provenance:  # of what was measured it has an entry, too
                said.append(RunTag(f"{PROVENANCE}{ORIGIN}", result.provenance[ORIGIN]))
            if DIGEST in tags and not is_edited(run):
                metrics = run.data.metrics | latest(new)
                written = tags | {tag.key: tag.value for tag in said}
                now_says = digest(tags["outcome"], run.data.params, metrics, written)
                said.append(RunTag(DIGEST, now_says))
            self._call(self._client.log_batch, run_id, tags=said)

    def _attach(self, run: RunInfo, history: Mapping[str, Sequence[float]]) -> list[RunTag]:
        """Attach the curves, if there are any; the tag that vouches for them."""
        from mlflow.entities import RunTag

        if not history:
            return []
        content = encoded(history)
        self._attach_files(run, {curves.FILE: content})
        return [RunTag(curves.TAG, curves.digest(content))]

    def _attach_files(self, run: RunInfo, files: Mapping[str, bytes]) -> None:
        """Attach files (name -> content); that it failed is said and ends nothing."""
        for name, content in files.items():
            try:
                self._call(attachments.attach, self.uri, run.artifact_uri, name, content)
            except TrackingError as error:
                self.notify(f"{name} is not attached to run {run.run_id}: {error}")

    @contextlib.contextmanager
    def _changing(self, run_ids: Sequence[str]) -> Iterator[None]:
        """Within, complete runs are written to: the mirror must not keep what it has of them.

        It is told before, for this process may die, and after, for another may look meanwhile.
        """
        mirror = Mirror(folder_of(self.uri), self)
        mirror.forget(run_ids)
        yield
        mirror.forget(run_ids)

    def _runs_of(self, trial_id: str) -> list[MlflowRun]:
        return list(self.search(f"tags.trial_id = '{trial_id}'", self._written_to))

    @cached_property
    def _written_to(self) -> list[str]:
        """The experiments that there are when the first trial is written, and those made since: to
        look them up for every trial would take as long as to find its run."""
        return self._experiments.ids()

    def _log(self, run_id: str, points: Sequence[Metric]) -> None:
        for start in range(0, len(points), METRICS_PER_CALL):
            self._call(self._client.log_batch, run_id, points[start : start + METRICS_PER_CALL])

    def _open(self, entry: Entry, known: Iterable[MlflowRun], began: int) -> RunInfo:
        """A fresh run for the trial; of its ``known`` ones those unfinished or failed are removed.

        ``began`` (Unix milliseconds) lets MLflow show the time of training as the run's duration.
        """
        experiment = self._experiment(entry.tags["paper"])
        for old in known:
            if old.data.tags.get("outcome") not in ("done", "diverged"):
                self._call(self._client.delete_run, old.info.run_id)
        named = {KIND: "trial", "trial_id": entry.trial_id, "mlflow.runName": entry.name}
        run = self._call(self._client.create_run, experiment, began, {**entry.tags, **named})
        info: RunInfo = run.info
        return info

    def _close(
        self,
        run_id: str,
        entry: Entry,
        points: Sequence[Metric] = (),
        tags: Sequence[RunTag] = (),
    ) -> None:
        """What is left to write, the tag that makes the run count at last, and its end."""
        from mlflow.entities import Param, RunTag

        # Of a batch MLflow writes the parameters first, then the metrics, then the tags in order.
        ended = [*tags, RunTag("outcome", entry.outcome)]
        given = [Param(*param) for param in entry.params.items()]
        self._call(self._client.log_batch, run_id, points, given, ended)
        self._terminate(run_id, entry.outcome)

    def _terminate(self, run_id: str, outcome: str) -> None:
        self._call(self._client.set_terminated, run_id, ENDINGS.get(outcome, "FINISHED"))

    def _experiment(self, paper: str) -> str:
        if paper not in self._opened:
            found, restored = self._experiments.open(paper, attachments.location(self.uri, paper))
            if restored:
                self.notify(f"experiment {found} of {paper} was deleted in MLflow and is restored")
            self._opened[paper] = found
            if found not in self._written_to:
                self._written_to.append(found)
        return self._opened[paper]

    def _call(self, function: Any, *arguments: Any, **options: Any) -> Any:
        try:
            return function(*arguments, **options)
        except Exception as error:
            raise unusable(self.uri, error) from cause(self.uri, error)


def outdated_words(count: int, artifact_id: str) -> str:
    """What a plan or run says of trials with an older protocol."""
    return (
        f"{count} recorded trials of {artifact_id} have a protocol older than "
        f"{config.PROTOCOL_VERSION}: they no longer count, and what is needed is trained again"
    )


__all__ = ["Tracker", "TrackingError", "default_uri", "outdated_words"]
