"""The record in MLflow: the only file that talks to it.

Each trial is one run, found by the tag ``trial_id``; each paper is one experiment; each sweep has
a parent run with its rendered table attached. A run counts once its tag ``outcome`` is there,
which is written last: a half-written run is written again.
"""

from __future__ import annotations

import math
import os
import socket
import time
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from sweep.record.membership import as_tags, from_tags
from sweep.record.record import Record, Run
from trainables import config
from trainables.errors import FlatsweepError
from trainables.masking import has_secret, mask
from trainables.ports import CONNECT_TIMEOUT

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import Metric, Param
    from mlflow.entities import Run as MlflowRun

    from sweep.plan.expand import Plan, PlannedTrial
    from trainables.storage.result import TrialResult

EXPERIMENT = "flatsweep/{paper}"
PAGE = 5000
METRICS_PER_CALL = 1000  # MLflow's limit for one log_batch
PARAMS_PER_CALL = 100
DATABASES = {"postgresql": 5432, "mysql": 3306, "mssql": 1433}
"""Their usual ports."""

OUTDATED = "outdated"
"""How a trial is counted that was recorded with an older protocol: its numbers no longer count."""


class TrackingError(FlatsweepError):
    """The tracking store does not answer or cannot be used; the message says what to do."""


def default_uri(storage: str) -> str:
    """``$MLFLOW_TRACKING_URI``, else SQLite beside the results (or in the working folder)."""
    folder = Path("results" if "://" in storage else storage).expanduser().resolve()
    return os.environ.get("MLFLOW_TRACKING_URI") or f"sqlite:///{folder / 'mlflow.db'}"


class Tracker:
    """Reads and writes the record at a tracking URI. Only the driver makes one."""

    def __init__(self, uri: str) -> None:
        """Connect. Raises TrackingError in one sentence if the store cannot be used."""
        self.uri = uri
        self._client = _connect(uri)
        self._experiments: dict[str, str] = {}
        self._runs: dict[str, MlflowRun] = {}
        self._unfinished: dict[str, MlflowRun] = {}

    # -- reading -----------------------------------------------------------------------------

    def record(self) -> Record:
        """Every tracked trial, without its per-epoch curves (`with_curves` reads those)."""
        return Record.from_runs(self.runs())

    def runs(self, history: bool = False) -> Iterator[Run]:
        """Every tracked trial.

        Args:
            history: With the per-epoch curves, too. That takes one call per trial and metric.
        """
        tracked = list(self._tracked())
        runs = [run for run in tracked if "outcome" in run.data.tags]
        self._runs = {run.data.tags["trial_id"]: run for run in runs}
        self._unfinished = {
            run.data.tags["trial_id"]: run for run in tracked if "outcome" not in run.data.tags
        }
        return (self._as_run(run, list(run.data.metrics) if history else ()) for run in runs)

    def with_curves(self, planned: Plan, record: Record) -> Record:
        """``record`` with those per-epoch curves of the plan's trials that its artifact shows."""
        names = planned.artifact.curves()
        if not names:
            return record
        wanted = {trial.trial_id for trial in planned.trials}
        return Record.from_runs(
            self._as_run(run, names if trial_id in wanted else ())
            for trial_id, run in self._runs.items()
        )

    def provenance(self, planned: Plan) -> dict[str, str]:
        """Where the plan's numbers come from: commit, versions, hardware, ... -> all its values."""
        wanted = {trial.trial_id for trial in planned.trials}
        runs = [run for trial_id, run in self._runs.items() if trial_id in wanted]
        found = {
            name: {run.data.tags.get(f"provenance.{name}", "") for run in runs} - {""}
            for name in ("data", "commit", "torch", "hardware", "precision")
        }
        return {name: " and ".join(sorted(values)) for name, values in found.items() if values}

    @property
    def count(self) -> int:
        """How many trials were recorded when the record was last read."""
        return len(self._runs)

    def tags(self) -> Iterator[Mapping[str, str]]:
        """The tags of every trial that was recorded when the record was last read."""
        return (run.data.tags for run in self._runs.values())

    def sweeps(self) -> dict[tuple[str, str], Counter[str]]:
        """(artifact, preset) -> outcome -> how many of its trials ended so.

        As of when the record was last read. Trials of an older protocol count as `OUTDATED`,
        however they ended.
        """
        found: dict[tuple[str, str], Counter[str]] = {}
        for run in self._runs.values():
            protocol = int(run.data.params.get("protocol", config.PROTOCOL_VERSION))
            outdated = protocol < config.PROTOCOL_VERSION
            end = OUTDATED if outdated else run.data.tags["outcome"]
            for sweep in {(member.artifact, member.preset) for member in from_tags(run.data.tags)}:
                found.setdefault(sweep, Counter())[end] += 1
        return found

    def outdated(self, artifact_id: str, preset: str) -> int:
        """How many trials of the artifact at ``preset`` were recorded with an older protocol."""
        return self.sweeps().get((artifact_id, preset), Counter())[OUTDATED]

    def run_id(self, trial_id: str) -> str | None:
        """The MLflow run that a trial's numbers are in."""
        run = self._runs.get(trial_id)
        return run.info.run_id if run else None

    def _tracked(self) -> Iterator[MlflowRun]:
        experiments = [
            e.experiment_id
            for e in self._call(self._client.search_experiments)
            if e.name.startswith(EXPERIMENT.format(paper=""))
        ]
        token = None
        while experiments:
            page = self._call(
                self._client.search_runs,
                experiments,
                filter_string="tags.trial_id != ''",
                max_results=PAGE,
                page_token=token,
            )
            yield from page
            token = page.token
            if not token:
                return

    def _as_run(self, run: MlflowRun, curves: Iterable[str]) -> Run:
        metrics = run.data.metrics
        names = [name for name in curves if name in metrics]
        return Run(
            trial_id=run.data.tags["trial_id"],
            status=run.data.tags["outcome"],  # type: ignore[arg-type]
            metrics=dict(metrics),
            history={name: self._curve(run.info.run_id, name) for name in names},
            error=run.data.tags.get("error", ""),
            run_id=run.info.run_id,
        )

    def _curve(self, run_id: str, name: str) -> list[float]:
        """A metric epoch by epoch, from the first; NaN where it was not measured."""
        points = self._call(self._client.get_metric_history, run_id, name)
        by_epoch = {point.step: point.value for point in points}
        return [by_epoch.get(epoch, math.nan) for epoch in range(1, max(by_epoch, default=0) + 1)]

    # -- writing -----------------------------------------------------------------------------

    def start_sweep(self, artifact_id: str, preset: str, selection: str, title: str) -> str:
        """The parent run of this sweep, made at its first start and found again later."""
        experiment = self._experiment(artifact_id.partition("/")[0])
        name = f"{artifact_id} {preset} ({selection})"
        found = self._call(
            self._client.search_runs,
            [experiment],
            filter_string=f"tags.sweep = '{name}'",
            max_results=1,
        )
        if found:
            return str(found[0].info.run_id)
        tags = {
            "sweep": name,
            "mlflow.runName": name,
            "mlflow.note.content": title,
            "paper": artifact_id.partition("/")[0],
            "artifact": artifact_id,
            "preset": preset,
            "selection": selection,
        }
        return str(self._call(self._client.create_run, experiment, tags=tags).info.run_id)

    def finish_sweep(self, parent: str, attachments: Mapping[str, str]) -> None:
        """Attach the rendered tables (file name -> text) to the sweep's run and close it."""
        for name, text in attachments.items():
            self._call(self._client.log_text, parent, text, name)
        self._call(self._client.set_terminated, parent)

    def track(self, trial: PlannedTrial, result: TrialResult, tags: Mapping[str, str]) -> None:
        """Write a finished trial as one run. Of one that has a run, write the metrics that lack.

        Args:
            trial: The trial.
            result: What it came to.
            tags: What it was run for (`sweep.run.loop.Tags`).
        """
        from mlflow.entities import RunTag

        now = int(time.time() * 1000)
        points = _metric_entities(result, now)
        known = self._runs.get(trial.trial_id)
        if known is not None and known.data.tags["outcome"] == result.status:
            new = [point for point in points if point.key not in known.data.metrics]
            self._log(known.info.run_id, new)
            return
        seconds = result.metrics.get("training_seconds", 0.0)
        run_id = self._open(trial, tags, began=now - int(1000 * seconds))
        provenance = [RunTag(f"provenance.{k}", mask(v)) for k, v in result.provenance.items()]
        first, rest = points[: METRICS_PER_CALL // 2], points[METRICS_PER_CALL // 2 :]
        self._call(self._client.log_batch, run_id, first, _params(trial), provenance)
        self._log(run_id, rest)
        self._log_data(run_id, trial, result.provenance)
        self._close(run_id, result.status, "")

    def _log_data(self, run_id: str, trial: PlannedTrial, origin: Mapping[str, str]) -> None:
        """The data set as MLflow shows it: its name, and the digest of what was trained on."""
        from mlflow.entities import Dataset, DatasetInput, InputTag

        source = mask(trial.config.data.source.model_dump_json())
        name = origin.get("data", trial.config.data.source.name)
        digest = origin.get("data_digest") or trial.config.data.source.name
        used = Dataset(name=name, digest=digest, source_type="flatsweep", source=source)
        tags = [InputTag("mlflow.data.context", "training")]
        self._call(self._client.log_inputs, run_id, [DatasetInput(used, tags)])

    def track_failure(self, trial: PlannedTrial, error: str, tags: Mapping[str, str]) -> None:
        """Write a trial that raised, or whose process died too often, as a failed run.

        Args:
            error: Why it failed, in one sentence.
        """
        run_id = self._open(trial, tags, began=int(time.time() * 1000))
        self._call(self._client.log_batch, run_id, params=_params(trial))
        self._close(run_id, "failed", error)

    def join(self, trial: PlannedTrial, tags: Mapping[str, str]) -> None:
        """Note that an already tracked trial also belongs to the sweep that ``tags`` name."""
        run = self._runs.get(trial.trial_id)
        if run is None:
            return
        known = from_tags(run.data.tags)
        added = [member for member in from_tags(tags) if member not in known]
        if added:
            for label, value in as_tags([*known, *added]).items():
                self._call(self._client.set_tag, run.info.run_id, label, value)

    def _log(self, run_id: str, points: Sequence[Metric]) -> None:
        for start in range(0, len(points), METRICS_PER_CALL):
            self._call(self._client.log_batch, run_id, points[start : start + METRICS_PER_CALL])

    def _open(self, trial: PlannedTrial, tags: Mapping[str, str], began: int) -> str:
        """A fresh run for the trial; an unfinished or failed one of the same trial is removed.

        ``began`` (Unix milliseconds) lets MLflow show the time of training as the run's duration.
        """
        experiment = self._experiment(tags["paper"])
        for runs in (self._unfinished, self._runs):
            old = runs.pop(trial.trial_id, None)
            if old is not None and old.data.tags.get("outcome", "failed") == "failed":
                self._call(self._client.delete_run, old.info.run_id)
        named = {"trial_id": trial.trial_id, "mlflow.runName": trial.name}
        run = self._call(self._client.create_run, experiment, began, {**tags, **named})
        return str(run.info.run_id)

    def _close(self, run_id: str, outcome: str, error: str) -> None:
        from mlflow.entities import RunTag

        tags = [RunTag("outcome", outcome)]
        if error:
            tags.append(RunTag("error", mask(error)[:4000]))
        status = "FAILED" if outcome == "failed" else "FINISHED"
        self._call(self._client.set_terminated, run_id, status)
        self._call(self._client.log_batch, run_id, tags=tags)

    def _experiment(self, paper: str) -> str:
        name = EXPERIMENT.format(paper=paper)
        if name not in self._experiments:
            found = self._call(self._client.get_experiment_by_name, name)
            self._experiments[name] = (
                found.experiment_id
                if found
                else self._call(self._client.create_experiment, name, self._artifacts(name))
            )
        return self._experiments[name]

    def _artifacts(self, experiment: str) -> str | None:
        """Attachments lie beside a SQLite database; a server has a place of its own."""
        if not self.uri.startswith("sqlite:///"):
            return None
        folder = Path(self.uri.removeprefix("sqlite:///")).parent / "mlartifacts" / experiment
        return folder.resolve().as_uri()

    def _call(self, function: Any, *arguments: Any, **options: Any) -> Any:
        try:
            return function(*arguments, **options)
        except Exception as error:
            raise _unusable(self.uri, error) from _cause(self.uri, error)


def _params(trial: PlannedTrial) -> list[Param]:
    """Its configuration, the protocol first."""
    from mlflow.entities import Param

    flat = trial.config.flat().items()
    return [Param(name, mask(str(value))) for name, value in flat][:PARAMS_PER_CALL]


def _metric_entities(result: TrialResult, now: int) -> list[Metric]:
    """Its curves, and the numbers that have none, at the epochs they belong to."""
    from mlflow.entities import Metric

    curves = [
        Metric(name, value, now, epoch)
        for name, values in result.history.items()
        for epoch, value in enumerate(values, start=1)
        if not math.isnan(value)
    ]
    last = int(result.metrics.get("epochs_run", 0))
    return curves + [
        Metric(name, value, now, last)
        for name, value in result.metrics.items()
        if name not in result.history
    ]


def _connect(uri: str) -> MlflowClient:
    os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
    os.environ.setdefault("MLFLOW_LOGGING_LEVEL", "ERROR")
    # A server that is down is said within seconds, not after minutes of retries.
    os.environ.setdefault("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "2")
    os.environ.setdefault("MLFLOW_HTTP_REQUEST_TIMEOUT", "20")
    _check(uri)
    from mlflow import MlflowClient

    try:
        client = MlflowClient(tracking_uri=uri)
        client.search_experiments(max_results=1)
    except Exception as error:
        raise _unusable(uri, error) from _cause(uri, error)
    return client


def _check(uri: str) -> None:
    url = urlsplit(uri)
    if url.scheme == "sqlite":
        folder = Path(uri.removeprefix("sqlite:///")).parent
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise _unusable(uri, error) from error
    elif url.scheme.partition("+")[0] in DATABASES:
        _check_answering(uri)
    elif url.scheme in ("", "file"):
        raise TrackingError(
            f"tracking URI {mask(uri)!r} is a plain folder, which MLflow no longer supports; "
            "name a database (sqlite:///path/mlflow.db) or a server (http://host:5000)"
        )


def _check_answering(uri: str) -> None:
    """Ask once whether a database's server is there: MLflow would go on asking for minutes."""
    try:
        url = urlsplit(uri)
        host, port = url.hostname, url.port or DATABASES[url.scheme.partition("+")[0]]
    except ValueError:
        return  # several hosts, or a password that is not percent-encoded: the driver's to read
    if not host:
        return  # a socket in a folder
    try:
        socket.create_connection((host, port), CONNECT_TIMEOUT).close()
    except (OSError, UnicodeError) as error:
        raise _unusable(uri, error) from _cause(uri, error)


def _cause(uri: str, error: BaseException) -> BaseException | None:
    """What a traceback shows of ``error``: nothing, where it may have a password in it."""
    return None if has_secret(uri) else error


def _unusable(uri: str, error: BaseException) -> TrackingError:
    """One line from whatever MLflow, SQLAlchemy or the network raised."""
    reason = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
    if "out-of-date database schema" in str(error):
        fix = f"back it up, then run: mlflow db upgrade {uri}"
    elif "file is not a database" in str(error) or "malformed" in str(error):
        fix = "restore a backup, or name another database with --tracking-uri"
    else:
        fix = "check that it is there and reachable, or name another with --tracking-uri"
    sentence = f"tracking store {uri!r} cannot be used ({reason[:300]}); {fix}"
    return TrackingError(mask(sentence, uri))


def outdated_words(count: int, artifact_id: str) -> str:
    """What a plan or run says of trials with an older protocol."""
    return (
        f"{count} recorded trials of {artifact_id} have a protocol older than "
        f"{config.PROTOCOL_VERSION}: they no longer count, and what is needed is trained again"
    )


__all__ = ["OUTDATED", "Tracker", "TrackingError", "default_uri", "outdated_words"]
