"""Mean ± std of each cell and grid point as a run of MLflow. Oracle: the table's cells."""

from __future__ import annotations

import json
import math
import shutil
import sqlite3
import statistics
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from mlflow import MlflowClient

from search_spaces.spec import Artifact, Stage
from sweep import aggregate
from sweep.record.connection import TrackingError
from sweep.record.mlflow_store import Tracker, default_uri
from sweep.record.notes import Note, Point
from sweep.record.record import Record
from sweep.record.runs import Run, RunStatus
from sweep.record.summary_runs import SummaryRuns
from sweep.record.sync import Sync
from sweep.run.summaries import POINTS, mean_curves, points_of, summaries
from tests.sweep.called import call
from tests.sweep.cases import TINY, sweep
from trainables.storage.files import Storage

NAN = math.nan


def searched(seeds: int = 2) -> Artifact:
    """Two methods, two learning rates: four points."""
    return TINY.with_experiment(
        stages=(Stage("train", grid={"optimizer.lr": (0.05, 0.2)}, seeds=seeds),)
    )


@pytest.fixture(scope="module")
def swept(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("swept")
    sweep(searched(), folder)
    return folder


@pytest.fixture
def folder(swept: Path, tmp_path: Path) -> Path:
    """A finished sweep of four points, moved here."""
    return Path(shutil.copytree(swept, tmp_path / "moved"))


def uri(folder: Path) -> str:
    return default_uri(str(folder / "results"))


def runs_of(folder: Path, kind: str = "summary") -> dict[str, Any]:
    """Name -> run."""
    client = MlflowClient(uri(folder))
    experiments = [e.experiment_id for e in client.search_experiments()]
    found = client.search_runs(experiments, f"tags.kind = '{kind}'")
    assert len({run.info.run_name for run in found}) == len(found)
    return {run.info.run_name: run for run in found}


def rows(folder: Path) -> tuple[int, int]:
    """How many numbers and tags MLflow holds."""
    with sqlite3.connect(folder / "results" / "mlflow.db") as db:
        numbers, tags = (db.execute(f"select count(*) from {t}") for t in ("metrics", "tags"))
        return numbers.fetchone()[0], tags.fetchone()[0]


def expected_of(plan: Any, record: Record) -> dict[str, dict[str, float]]:
    """Summary's name -> its numbers, by the table's own code, point by point."""
    found: dict[str, dict[str, float]] = {}
    for point in points_of(plan):
        numbers: dict[str, float] = {}
        for name in record.metric_names():
            values = record.values(point.trials, name)
            (summary,) = aggregate.summarize([point.trials], record, values)
            if summary.mean is not None and summary.std is not None:
                numbers |= {f"{name} mean": summary.mean, f"{name} std": summary.std}
                numbers[f"{name} n"] = summary.n
        found[f"{point.name} · mean ± std"] = numbers
    return found


def plain(metrics: Mapping[str, float]) -> dict[str, float]:
    return {n: value for n, value in metrics.items() if not n.startswith("Curves of ")}


def test_each_point_has_one_run_with_the_numbers_of_its_seeds(folder: Path) -> None:
    plan, record, _ = sweep(searched(), folder)
    found = runs_of(folder)
    assert len(found) == 4
    assert {name: plain(run.data.metrics) for name, run in found.items()} == (
        expected_of(plan, record)
    )
    (parent,) = runs_of(folder, "sweep").values()
    for name, run in found.items():
        tags, params = run.data.tags, run.data.params
        assert "trial_id" not in tags
        assert tags["mlflow.parentRunId"] == parent.info.run_id
        ours = name.removesuffix("mean ± std")
        trials = [t for t in plan.trials if t.name.startswith(f"{ours}seed ")]
        assert tags["runs"].split() == [record.run_id(t.trial_id) for t in trials]
        assert len(trials) == 2
        flat = {n: str(v) for n, v in trials[0].config.flat().items() if n != "seed"}
        assert params == flat
        assert run.info.status == "FINISHED"


def test_a_summary_equals_the_cell_of_the_table_to_the_last_bit(folder: Path) -> None:
    plan, record, _ = sweep(searched(), folder)
    found = runs_of(folder)
    compared = 0
    for result in aggregate.cells(plan, record):
        key = [*result.cell.key.values(), f"lr={result.point['optimizer.lr']}"]  # type: ignore[index]
        metrics = found[" · ".join([*key, "mean ± std"])].data.metrics
        for name, cell in result.metrics.items():
            assert metrics[f"{name} mean"] == cell.mean
            assert metrics[f"{name} std"] == cell.std
            assert metrics[f"{name} n"] == cell.n
            compared += 1
    assert compared == 2


def test_curves_are_those_of_the_seeds_in_plain_python(folder: Path) -> None:
    plan, record, _ = sweep(searched(), folder)
    client = MlflowClient(uri(folder))
    for point in points_of(plan):
        run = runs_of(folder)[f"{point.name} · mean ± std"]
        of_seeds = [record.curves(trial)["test_error"] for trial in point.trials]
        for word, moment in (("mean", statistics.fmean), ("std", statistics.stdev)):
            name = f"Curves of 2 seeds/test_error {word}"
            shown = {p.step: p.value for p in client.get_metric_history(run.info.run_id, name)}
            assert shown == pytest.approx(
                {epoch: moment(both) for epoch, both in enumerate(zip(*of_seeds, strict=True), 1)},
                rel=1e-12,
            )


def test_a_run_that_changes_nothing_writes_nothing(folder: Path) -> None:
    sweep(searched(), folder)
    before = rows(folder)
    sweep(searched(), folder)
    assert rows(folder) == before


def test_one_more_seed_changes_the_same_runs(folder: Path) -> None:
    before = {name: run.info.run_id for name, run in runs_of(folder).items()}
    plan, record, witness = sweep(searched(seeds=3), folder)
    assert sum(witness.waves) == 4
    found = runs_of(folder)
    assert {name: run.info.run_id for name, run in found.items()} == before
    assert {name: plain(run.data.metrics) for name, run in found.items()} == (
        expected_of(plan, record)
    )
    assert {run.data.metrics["test_error n"] for run in found.values()} == {3}
    groups = {n.partition("/")[0] for r in found.values() for n in r.data.metrics if "Curves" in n}
    assert groups == {"Curves of 2 seeds", "Curves of 3 seeds"}  # MLflow takes no point back


def test_no_summary_is_a_trial_anywhere(folder: Path, tmp_path: Path) -> None:
    storage = str(folder / "results")
    plan, record, _ = sweep(searched(), folder)
    trials = sorted(trial.trial_id for trial in plan.trials)
    assert sorted(record.trial_ids) == trials
    assert sorted(Tracker(uri(folder)).load(refresh=True).trial_ids) == trials
    assert Sync(Tracker(uri(folder)), Storage(storage)).differences() == []
    (row,) = json.loads(call("status", "--format", "json", "--storage", storage)[1])
    assert row["done"] == 8
    assert call("export", str(tmp_path / "all.csv"), "--storage", storage)[1].startswith("8 trials")


def test_summaries_of_trials_that_are_gone_are_deleted(folder: Path) -> None:
    plan, record, _ = sweep(searched(), folder)
    first, second, *_ = points_of(plan)
    tracker = Tracker(uri(folder))
    tracker.retire([record.run_id(trial) for trial in (*first.trials, second.trials[0])])
    (parent,) = runs_of(folder, "sweep").values()
    note = noted(folder)
    assert tracker.summaries(parent.info.run_id).write(summaries(note, tracker.load())) == 2
    left = runs_of(folder)
    assert len(left) == 3
    assert f"{first.name} · mean ± std" not in left
    half = left[f"{second.name} · mean ± std"].data
    assert half.metrics["test_error n"] == 1
    assert half.metrics["test_error mean"] == record.value(second.trials[1], "test_error")
    assert "test_error std" not in half.metrics  # it cannot be taken back: the run is another one


def noted(folder: Path) -> Note:
    (note,) = Sync(Tracker(uri(folder)), Storage(folder / "results")).notes
    assert len(note.points) == 4
    return note


def a_number(client: MlflowClient, run: Any) -> None:
    client.log_metric(run.info.run_id, "test_error mean", 0.5, step=9)


def deleted(client: MlflowClient, run: Any) -> None:
    client.delete_run(run.info.run_id)


def doubled(client: MlflowClient, run: Any) -> None:
    tags = {n: run.data.tags[n] for n in ("kind", "point", "mlflow.parentRunId", "mlflow.runName")}
    client.create_run(run.info.experiment_id, run.info.start_time + 1, tags)


def its_writer_was_killed(client: MlflowClient, run: Any) -> None:
    deleted(client, run)
    tags = {n: run.data.tags[n] for n in ("kind", "point", "mlflow.parentRunId", "mlflow.runName")}
    client.create_run(run.info.experiment_id, tags=tags)


def another_one(client: MlflowClient, run: Any) -> None:
    tags = {"kind": "summary", "mlflow.parentRunId": run.data.tags["mlflow.parentRunId"]}
    client.create_run(run.info.experiment_id, tags={**tags, "point": "x", "mlflow.runName": "x"})


@pytest.mark.parametrize(
    ("harm", "says"),
    [
        (a_number, "it does not say what its trials say: test_error mean"),
        (deleted, "it is not in MLflow"),
        (doubled, "it has 2 runs"),
        (its_writer_was_killed, "it does not say what its trials say: "),
        (another_one, "it is of no trials"),
    ],
)
def test_what_was_done_to_a_summary_is_named_and_mended(harm: Any, says: str, folder: Path) -> None:
    plan, record, _ = sweep(searched(), folder)
    storage = ("--storage", str(folder / "results"))
    assert call("sync", "--check", *storage)[0] == 0
    run = next(iter(runs_of(folder).values()))
    harm(MlflowClient(uri(folder)), run)
    code, out, _ = call("sync", "--check", *storage)
    assert code == 1
    (line,) = out.splitlines()
    name = "x" if harm is another_one else run.info.run_name
    assert line.startswith(f"summary test/tiny smoke (paper), {name}: {says}")
    code, _, told = call("sync", *storage)
    assert code == 0
    assert f"mended: {line}" in told
    assert call("sync", "--check", *storage)[0] == 0
    assert {n: plain(run.data.metrics) for n, run in runs_of(folder).items()} == (
        expected_of(plan, record)
    )


def test_a_lost_store_gets_its_summaries_again(folder: Path, tmp_path: Path) -> None:
    plan, record, _ = sweep(searched(), folder)
    left = tmp_path / "left"
    shutil.copytree(folder / "results", left / "results", ignore=shutil.ignore_patterns("ml*"))
    code, _, _ = call("sync", "--storage", str(left / "results"))
    assert code == 0
    assert {n: plain(run.data.metrics) for n, run in runs_of(left).items()} == (
        expected_of(plan, record)
    )


def test_a_store_that_is_away_ends_no_sweep(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def away(*_: object) -> int:
        raise TrackingError("it is away")

    with monkeypatch.context() as patch:
        patch.setattr(SummaryRuns, "write", away)
        plan, record, witness = sweep(TINY, tmp_path)
    assert len(record) == len(plan.trials) == 4
    assert [said for said in witness.sentences if "it is away" in said]
    assert runs_of(tmp_path) == {}
    assert call("sync", "--storage", str(tmp_path / "results"))[0] == 0
    assert len(runs_of(tmp_path)) == 2


# -- without training ------------------------------------------------------------------------------


def of_curves(*curves: list[float]) -> Record:
    return Record.from_runs(
        Run(f"t{i}", "done", {"test_error": curve[-1]}, {"test_error": curve})
        for i, curve in enumerate(curves)
    )


def test_curves_are_of_epochs_that_all_seeds_have_measured() -> None:
    record = of_curves([1.0, NAN, 3.0, math.inf, 5.0], [2.0, 2.0, 5.0, 1.0])
    assert mean_curves(["t0", "t1"], record) == {
        "test_error mean": [(1, 1.5), (3, 4.0)],
        "test_error std": [(1, math.sqrt(0.5)), (3, math.sqrt(2.0))],
    }


def test_one_seed_has_no_std_and_none_has_no_curve() -> None:
    assert mean_curves(["t0"], of_curves([1.0, 2.0])) == {"test_error mean": [(1, 1.0), (2, 2.0)]}
    assert mean_curves([], of_curves()) == {}


def test_a_long_curve_is_thinned() -> None:
    record = of_curves([float(i) for i in range(200)], [float(i) for i in range(200)])
    found = mean_curves(["t0", "t1"], record)["test_error mean"]
    assert (len(found), found[0], found[-1]) == (POINTS, (1, 0.0), (200, 199.0))
    assert all(value == epoch - 1 for epoch, value in found)


def test_trials_that_diverged_or_failed_are_in_no_mean() -> None:
    ends: tuple[RunStatus, ...] = ("done", "diverged", "failed", "done")
    record = Record.from_runs(
        Run(f"t{i}", end, {"test_error": i / 2}, {"test_error": [i / 2]}, run_id=f"r{i}")
        for i, end in enumerate(ends)
    )
    point = Point("p", "s", "c", ("t0", "t1", "t2", "t3"))
    note = Note("a/b", "smoke", "paper", "t", points=(point,))
    (summary,) = summaries(note, record)
    assert summary.metrics == {
        "test_error mean": 0.75, "test_error std": pytest.approx(1.5 / math.sqrt(2)),
        "test_error n": 2.0,
    }  # fmt: skip
    assert (summary.seeds, summary.tags["runs"]) == (2, "r0 r1 r2 r3")
    assert summary.curves() == {
        "test_error mean": [(1, 0.75)], "test_error std": [(1, summary.metrics["test_error std"])],
    }  # fmt: skip


def test_a_point_of_which_nothing_is_recorded_has_no_summary() -> None:
    note = Note("a/b", "smoke", "paper", "t", points=(Point("p", "s", "c", ("none",)),))
    assert summaries(note, Record.from_runs([])) == []
