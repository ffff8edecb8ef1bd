"""Runs of mean and std in a real store: what is changed in place, and what is made anew."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from mlflow import MlflowClient

from sweep.record.mlflow_store import Tracker, default_uri
from sweep.record.summary_runs import Curve, Summary

CURVE: dict[str, Curve] = {"e mean": [(1, 0.5), (2, 0.25)]}


class Store:
    """Summaries below one sweep's run, and what MLflow has of them."""

    def __init__(self, folder: Path) -> None:
        tracker = Tracker(default_uri(str(folder)))
        self.client = MlflowClient(tracker.uri)
        self.runs = tracker.summaries(tracker.start_sweep("test/a", "smoke", "paper", "t"))
        self.asked = 0

    def summary(self, point: str = "p", seeds: str = "r0 r1", **metrics: float) -> Summary:
        def curves() -> dict[str, Curve]:
            self.asked += 1
            return CURVE

        tags = {"mlflow.runName": point, "runs": seeds, "variant": ""}
        count = len(seeds.split())
        return Summary(point, tags, {"lr": "0.1"}, {"e mean": 0.25, **metrics}, count, curves)

    def all(self) -> list[Any]:
        experiments = [e.experiment_id for e in self.client.search_experiments()]
        return list(self.client.search_runs(experiments, "tags.kind = 'summary'"))

    def only(self) -> Any:
        (run,) = self.all()
        return run

    def steps(self, name: str) -> list[tuple[int, float]]:
        history = self.client.get_metric_history(self.only().info.run_id, name)
        return sorted((point.step, point.value) for point in history)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Of a store that has the run of a sweep, and no summary."""
    folder = tmp_path_factory.mktemp("store")
    Store(folder)
    return folder


@pytest.fixture
def store(folder: Path, tmp_path: Path) -> Store:
    return Store(Path(shutil.copytree(folder, tmp_path / "store")))


def test_a_summary_is_one_run(store: Store) -> None:
    assert store.runs.write([store.summary()]) == 1
    run = store.only()
    assert run.data.metrics == {"e mean": 0.25, "Curves of 2 seeds/e mean": 0.25}
    assert run.data.params == {"lr": "0.1"}
    assert (run.info.status, run.info.run_name) == ("FINISHED", "p")
    assert store.steps("Curves of 2 seeds/e mean") == CURVE["e mean"]
    assert store.steps("e mean") == [(0, 0.25)]
    assert list(store.runs.differences([store.summary()])) == []


def test_what_is_there_is_not_written_again_and_no_curve_is_read(store: Store) -> None:
    store.runs.write([store.summary()])
    assert store.runs.write([store.summary()]) == 0
    assert store.asked == 1


def test_a_number_that_is_new_is_added_and_no_curve_is_read(store: Store) -> None:
    store.runs.write([store.summary()])
    before = store.only().info.run_id
    assert store.runs.write([store.summary(trace=3.0)]) == 1
    assert store.only().info.run_id == before
    assert store.only().data.metrics["trace"] == 3.0
    assert store.asked == 1


def test_another_seed_changes_numbers_in_place_to_the_last_bit(store: Store) -> None:
    store.runs.write([store.summary(std=0.1)])
    before = store.only().info.run_id
    store.runs.write([store.summary(seeds="r0 r1 r2", std=0.1 + 1e-16)])
    run = store.only()
    assert run.info.run_id == before
    assert run.data.metrics["std"] == 0.1 + 1e-16 != 0.1
    assert run.data.tags["runs"] == "r0 r1 r2"
    assert {n for n in run.data.metrics if n.startswith("Curves")} == {
        "Curves of 2 seeds/e mean", "Curves of 3 seeds/e mean",
    }  # fmt: skip


def one_number_less(store: Store) -> Summary:
    return store.summary()


def another_parameter(store: Store) -> Summary:
    return replace(store.summary(std=0.1), params={"lr": "0.2"})


def another_curve_of_as_many_seeds(store: Store) -> Summary:
    found = store.summary(seeds="r0 r9", std=0.1)
    return replace(found, curves=lambda: {"e mean": [(1, 0.5), (2, 0.75)]})


@pytest.mark.parametrize(
    "changed", [one_number_less, another_parameter, another_curve_of_as_many_seeds]
)
def test_what_would_have_to_be_taken_back_makes_another_run(changed: Any, store: Store) -> None:
    store.runs.write([store.summary(std=0.1)])
    before = store.only().info.run_id
    wanted = changed(store)
    assert len(list(store.runs.differences([wanted]))) == 1
    assert store.runs.write([wanted]) == 1
    run = store.only()
    assert run.info.run_id != before
    assert run.data.params == wanted.params
    shown = {f"Curves of 2 seeds/{name}": c[-1][1] for name, c in wanted.curves().items()}
    assert run.data.metrics == {**wanted.metrics, **shown}
    assert store.steps("Curves of 2 seeds/e mean") == list(wanted.curves()["e mean"])
    assert list(store.runs.differences([wanted])) == []


def test_a_number_that_a_person_edited_is_written_again(store: Store) -> None:
    """At a later step: what is logged at an earlier one would not count."""
    store.runs.write([store.summary()])
    store.client.log_metric(store.only().info.run_id, "e mean", 0.5, step=7)
    assert list(store.runs.differences([store.summary()])) == [
        ("p", "it does not say what its trials say: e mean")
    ]
    store.runs.write([store.summary()])
    assert store.only().data.metrics["e mean"] == 0.25


@pytest.mark.parametrize("killed_at", ["log_batch", "set_terminated"])
def test_a_run_whose_writer_was_killed_is_completed(
    killed_at: str, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Killed(BaseException):
        pass

    def kill(*_: object, **__: object) -> None:
        raise Killed

    with monkeypatch.context() as patch:
        patch.setattr(store.runs._client, killed_at, kill)
        with pytest.raises(Killed):
            store.runs.write([store.summary()])
    assert len(list(store.runs.differences([store.summary()]))) == 1
    store.runs.write([store.summary()])
    assert list(store.runs.differences([store.summary()])) == []
    assert store.only().info.status == "FINISHED"
    assert store.steps("Curves of 2 seeds/e mean") == CURVE["e mean"]


def test_of_two_runs_of_a_point_the_older_stays_and_others_go(store: Store) -> None:
    wanted: Sequence[Summary] = [store.summary("a"), store.summary("b")]
    store.runs.write(wanted)
    ids = {run.info.run_name: run.info.run_id for run in store.all()}
    run = store.client.get_run(ids["a"])
    tags = {n: run.data.tags[n] for n in ("kind", "point", "mlflow.parentRunId", "mlflow.runName")}
    store.client.create_run(run.info.experiment_id, run.info.start_time + 1, tags)
    assert list(store.runs.differences(wanted)) == [("a", "it has 2 runs")]
    assert store.runs.write(wanted[:1]) == 2
    assert [run.info.run_id for run in store.all()] == [ids["a"]]


def test_many_numbers_go_in_several_calls(store: Store) -> None:
    wanted = store.summary(**{f"m{i}": float(i) for i in range(2500)})
    store.runs.write([wanted])
    assert list(store.runs.differences([wanted])) == []
    assert len(store.only().data.metrics) == 2502
