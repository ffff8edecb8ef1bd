"""MLflow edited, deleted, doubled and lost: named, and written again from storage.

Oracle: what storage has, and the table that the sweep printed at first.
"""

from __future__ import annotations

import json
import shutil
import sqlite3
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from mlflow import MlflowClient
from typer.testing import CliRunner

from sweep.cli.commands import app
from sweep.record.mlflow_store import Tracker, default_uri
from sweep.record.sync import Sync
from sweep.run.loop import RESULT
from sweep.tables import attachments
from tests.sweep.cases import TINY, sweep
from trainables.storage.files import Storage


@pytest.fixture(scope="module")
def swept(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("first")
    sweep(TINY, folder, attachments=attachments)
    return folder.rename(folder.with_name("swept"))  # nothing is found where it was


@pytest.fixture
def folder(swept: Path, tmp_path: Path) -> Path:
    """A sweep of four trials that agrees with MLflow, moved here."""
    return Path(shutil.copytree(swept, tmp_path / "moved"))


class Store:
    """MLflow beside a folder of results, as a person edits it."""

    def __init__(self, folder: Path) -> None:
        self.results = folder / "results"
        self.uri = default_uri(str(self.results))
        self.client = MlflowClient(self.uri)
        self.record = Tracker(self.uri).load()
        self.trials = sorted(self.record.trial_ids)

    def run(self, number: int) -> str:
        return self.record.run_id(self.trials[number])

    @property
    def experiment(self) -> str:
        return str(self.client.get_experiment_by_name("flatsweep/test").experiment_id)

    def parent(self) -> Any:
        (found,) = self.client.search_runs([self.experiment], "tags.sweep != ''")
        return found

    def sync(self) -> Sync:
        return Sync(Tracker(self.uri), Storage(self.results))

    def runs(self) -> list[Any]:
        experiments = [e.experiment_id for e in self.client.search_experiments()]
        return list(self.client.search_runs(experiments, "tags.trial_id != ''"))

    def numbers(self) -> list[str]:
        """What the record says of every trial, as text, in which NaN is equal to itself."""
        record = Tracker(self.uri).load(refresh=True)
        runs = sorted(record.runs(), key=lambda run: run.trial_id)
        return [repr(replace(run, run_id="", ended=0, metrics=sorted(run.metrics.items()),
                             settings=sorted(run.settings.items())))
                for run in runs]  # fmt: skip


def a_number(store: Store) -> None:
    store.client.log_metric(store.run(0), "test_error", 0.001, step=9)


def a_list_of_sweeps(store: Store) -> None:
    store.client.set_tag(store.run(1), "stage", "another")


def deleted(store: Store) -> None:
    store.client.delete_run(store.run(2))


def curves_removed(store: Store) -> None:
    next(store.results.glob(f"mlartifacts/**/{store.run(3)}/**/curves.parquet")).unlink()


def its_table(store: Store) -> None:
    next(store.results.glob("mlartifacts/**/table.md")).write_text("mine")


def nonsense(store: Store) -> None:
    store.client.set_tag(store.run(0), "outcome", "banana")
    store.client.set_tag(store.run(0), "sweeps", "{nonsense")


def doubled(store: Store) -> None:
    tags = store.client.get_run(store.run(1)).data.tags
    ours = {k: v for k, v in tags.items() if not k.startswith("mlflow.")}
    store.client.create_run(store.experiment, start_time=1, tags=ours)


def curves_changed(store: Store) -> None:
    two, three = (
        next(store.results.glob(f"mlartifacts/**/{store.run(i)}/**/curves.parquet")) for i in (2, 3)
    )
    shutil.copy(three, two)


def a_label(store: Store) -> None:
    store.client.set_tag(store.run(3), "cell", "mine")


def the_parent(store: Store) -> None:
    store.client.delete_run(store.parent().info.run_id)


def a_parameter(store: Store) -> None:
    with sqlite3.connect(store.results / "mlflow.db") as db:
        db.execute(
            "update params set value = '9' where key = 'epochs' and run_uuid = ?", (store.run(0),)
        )


def an_outcome(store: Store) -> None:
    store.client.set_tag(store.run(1), "outcome", "diverged")


def the_experiment(store: Store) -> None:
    store.client.delete_experiment(store.experiment)


def the_database(store: Store) -> Path:
    """MLflow keeps a removed file open, so the rest is elsewhere."""
    left = store.results.parent / "left"
    shutil.copytree(store.results, left / "results", ignore=shutil.ignore_patterns("ml*"))
    return left


SAYS = {
    a_number: "0 changed: test_error is 0.001 in MLflow and ",
    a_list_of_sweeps: "1 changed: its tags of sweeps do not agree",
    deleted: "2 deleted: its run was deleted",
    curves_removed: "3 changed: curves.parquet is missing",
    its_table: "sweep: table.md was changed",
    nonsense: "0 missing: it is in storage and not in MLflow",
    doubled: "1 doubled: it has 2 runs",
    curves_changed: "2 changed: curves.parquet was changed",
    a_label: "3 changed: cell is mine in MLflow and ",
    the_parent: "sweep: its run was deleted",
    a_parameter: "0 changed: epochs is 9 in MLflow and 2 in storage",
    an_outcome: "1 changed: outcome is diverged in MLflow and done in storage",
    the_experiment: "sweep: its run is not in MLflow",
    the_database: "sweep: its run is not in MLflow",
}


@pytest.mark.parametrize(
    "harms",
    [
        [],
        [a_number, a_list_of_sweeps, deleted, curves_removed, its_table],
        [nonsense, doubled, curves_changed, a_label, the_parent],
        [a_parameter, an_outcome],
        [the_experiment],
        [the_database],
    ],
    ids=lambda harms: " ".join(harm.__name__ for harm in harms) or "nothing",
)
def test_what_was_done_to_mlflow_is_named_and_mended(
    harms: Sequence[Callable[[Store], Path | None]], folder: Path
) -> None:
    store = Store(folder)
    before, place = store.numbers(), {trial: str(i) for i, trial in enumerate(store.trials)}
    for harm in harms:
        folder = harm(store) or folder
    store = Store(folder)
    found = store.sync().differences()
    named = [f"{place.get(d.subject, '')} {d.kind}: {d.says}".strip() for d in found]
    for harm in harms:
        assert any(name.startswith(SAYS[harm]) for name in named), named
    if harms[-1:] not in ([the_experiment], [the_database]):  # of which all runs are a part
        assert len(found) == len(harms) + (doubled in harms)  # the double says nothing else
    told: list[str] = []
    assert store.sync().mend(told.append) == []
    assert store.sync().differences() == []
    assert len([said for said in told if said.startswith("mended: ")]) == len(found)
    after = Store(folder)
    assert after.numbers() == before
    assert len(after.runs()) == 4
    assert {run.data.tags["mlflow.parentRunId"] for run in after.runs()} == (
        {after.parent().info.run_id}
    )
    assert next(after.results.glob("mlartifacts/**/table.md")).read_text() != "mine"


def test_a_deleted_run_that_says_what_storage_says_is_restored_with_what_people_noted(
    folder: Path,
) -> None:
    store = Store(folder)
    store.client.set_tag(store.run(0), "my note", "the best")
    store.client.delete_run(store.run(0))
    store.sync().mend(print)
    assert store.client.get_run(store.run(0)).data.tags["my note"] == "the best"
    assert store.client.get_run(store.run(0)).info.lifecycle_stage == "active"


def test_what_storage_has_no_more_is_named_and_left(folder: Path) -> None:
    """Of runs that were written from this very storage: others are others' to compare."""
    store = Store(folder)
    shutil.rmtree(store.results / "trials" / store.trials[0])
    assert store.sync().differences() == []  # they were written where it was before it was moved
    store.client.set_tag(store.run(0), "storage", str(store.results))
    (left,) = store.sync().mend(print)
    assert (left.kind, left.subject) == ("gone", store.trials[0])
    assert len(store.runs()) == 4


def test_a_check_writes_nothing(folder: Path) -> None:
    file = next(folder.glob(f"results/trials/*/{RESULT}"))
    file.write_bytes(b"{}")
    store = Store(folder)
    before = {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    (found,) = store.sync().differences()
    assert (found.kind, found.subject) == ("result", file.parent.name)
    assert {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()} == before


def test_numbers_edited_in_mlflow_are_found_by_refresh_and_mended_by_a_run(folder: Path) -> None:
    before = Store(folder).numbers()
    a_number(store := Store(folder))
    told: list[str] = []
    tracker = Tracker(store.uri)
    tracker.notify = told.append
    tracker.load(refresh=True)
    assert told == [
        f"1 runs were edited in MLflow (trials {store.trials[0]}); sweep sync writes them again"
    ]
    _, _, witness = sweep(TINY, folder)
    assert witness.waves == []
    assert Store(folder).numbers() == before
    assert len(store.runs()) == 4


def test_the_command_names_differences_and_exits_with_one(folder: Path) -> None:
    store, runner = Store(folder), CliRunner()
    options = ["--storage", str(store.results)]
    assert runner.invoke(app, ["sync", "--check", *options]).exit_code == 0
    store.client.log_metric(store.run(0), "test_error", 0.5, step=9)
    found = runner.invoke(app, ["sync", "--check", "--format", "json", *options])
    assert found.exit_code == 1
    (difference,) = json.loads(found.stdout)
    assert difference.keys() == {"kind", "subject", "says"}
    assert difference["subject"] == store.trials[0]
    mended = runner.invoke(app, ["sync", *options])
    assert mended.exit_code == 0
    assert mended.stdout == "storage and MLflow agree\n"
    assert runner.invoke(app, ["sync", "--check", *options]).exit_code == 0
