"""Experiments and runs on a store that other people and other drivers use, too."""

from __future__ import annotations

import shutil
import sqlite3
import subprocess
import sys
import time
from pathlib import Path

import pytest
from mlflow import MlflowClient

from sweep.record.connection import TrackingError, database, default_uri, sqlite_uri, unusable
from sweep.record.mlflow_store import Tracker
from sweep.run.loop import RESULT
from tests.sweep.cases import TINY, sweep

ROOT = Path(__file__).parents[3]


@pytest.fixture(scope="module")
def swept(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("swept")
    sweep(TINY, folder)
    return folder


@pytest.fixture
def folder(swept: Path, tmp_path: Path) -> Path:
    """A sweep of four trials, moved here with its database."""
    return Path(shutil.copytree(swept, tmp_path / "moved"))


def tracker(folder: Path) -> Tracker:
    return Tracker(default_uri(str(folder / "results")))


def client(folder: Path) -> MlflowClient:
    return MlflowClient(default_uri(str(folder / "results")))


def of_paper(folder: Path) -> str:
    return str(client(folder).get_experiment_by_name("flatsweep/test").experiment_id)


def test_beside_a_thousand_others_the_record_is_what_it_was(folder: Path) -> None:
    with sqlite3.connect(folder / "results" / "mlflow.db") as db:
        columns = [c[1] for c in db.execute("pragma table_info(experiments)")]
        ours = db.execute("select * from experiments where name = 'flatsweep/test'").fetchone()
        later = int(time.time() * 1000) + 1000
        new = {"creation_time": later, "last_update_time": later}
        for i in range(1001):  # what create_experiment would write, in a second
            row = dict(zip(columns, ours, strict=True)) | new
            row |= {"experiment_id": 1000 + i, "name": f"other/{i}"}
            values = ",".join("?" * len(columns))
            db.execute(
                f"insert into experiments ({','.join(columns)}) values ({values})", [*row.values()]
            )
    assert len(tracker(folder).load(refresh=True)) == 4


def test_one_that_was_deleted_is_restored_by_a_run_and_nothing_trained(folder: Path) -> None:
    client(folder).delete_experiment(of_paper(folder))
    for file in folder.glob(f"results/trials/*/{RESULT}"):
        file.unlink()  # the record alone has them
    _, record, witness = sweep(TINY, folder)
    assert witness.waves == []
    assert len(record) == 4
    assert "was deleted in MLflow and is restored" in witness.sentences[0]


def test_one_that_was_renamed_is_found_by_its_tag(folder: Path) -> None:
    client(folder).rename_experiment(of_paper(folder), "my own name")
    assert len(tracker(folder).load(refresh=True)) == 4
    _, _, witness = sweep(TINY, folder)
    assert witness.waves == witness.sentences == []
    assert client(folder).get_experiment_by_name("flatsweep/test") is None


def test_one_that_another_driver_makes_at_the_same_moment_is_taken(tmp_path: Path) -> None:
    uri = default_uri(str(tmp_path))
    first, second = Tracker(uri), Tracker(uri)
    create = second._client.create_experiment

    def slower(*arguments: object) -> str:
        first.open("amp")
        return str(create(*arguments))

    second._client.create_experiment = slower  # type: ignore[method-assign]
    second.open("amp")
    assert first._opened == second._opened


def test_two_parents_become_the_older_one_with_all_children(folder: Path) -> None:
    found = client(folder).search_runs([of_paper(folder)], "tags.sweep != ''")
    parent = found[0].info.run_id
    other = client(folder).create_run(of_paper(folder), tags={"sweep": found[0].data.tags["sweep"]})
    child = tracker(folder).load().run_id(tracker(folder).load().trial_ids[0])
    client(folder).set_tag(child, "mlflow.parentRunId", other.info.run_id)
    assert tracker(folder).start_sweep("test/tiny", "smoke", "paper", "t") == parent
    assert client(folder).get_run(child).data.tags["mlflow.parentRunId"] == parent
    assert client(folder).get_run(other.info.run_id).info.lifecycle_stage == "deleted"


def test_a_parent_that_was_deleted_is_restored(folder: Path) -> None:
    parent = client(folder).search_runs([of_paper(folder)], "tags.sweep != ''")[0].info.run_id
    client(folder).delete_run(parent)
    assert tracker(folder).start_sweep("test/tiny", "smoke", "paper", "t") == parent


def test_doubles_are_folded_at_the_start_of_a_run(folder: Path) -> None:
    """The run that counts has the memberships of both."""
    store, uri = tracker(folder), client(folder)
    record = store.load()
    trial = record.trial_ids[0]
    run = uri.get_run(record.run_id(trial))
    tags = {k: v for k, v in run.data.tags.items() if not k.startswith("mlflow.")}
    tags["sweeps"] = '[["test/other", "smoke", "paper", "s"]]'
    double = uri.create_run(of_paper(folder), start_time=1, tags=tags)
    uri.set_terminated(double.info.run_id, end_time=2)
    assert len(store.load(refresh=True).doubles()) == 1
    plan, after, witness = sweep(TINY, folder)
    assert witness.waves == []
    assert after.doubles() == []
    assert after.run_id(trial) == run.info.run_id
    assert {m.artifact for m in after.memberships(trial)} == {"test/tiny", "test/other"}
    found = uri.search_runs([of_paper(folder)], f"tags.trial_id = '{trial}'")
    assert len(found) == 1
    assert len(plan.trials) == 4


@pytest.mark.parametrize(
    ("tag", "value", "left"),
    [("outcome", "banana", 3), ("sweeps", "{nonsense", 4), ("sweeps", "7", 4)],
)
def test_a_tag_that_was_edited_to_nonsense_is_that_runs_problem_alone(
    tag: str, value: str, left: int, folder: Path
) -> None:
    record = tracker(folder).load()
    trial = record.trial_ids[0]
    client(folder).set_tag(record.run_id(trial), tag, value)
    assert len(tracker(folder).load(refresh=True)) == left
    _, after, witness = sweep(TINY, folder)
    assert witness.waves == []  # its result is in storage
    assert len(after) == 4
    assert [m.artifact for m in after.memberships(trial)] == ["test/tiny"]
    assert len(client(folder).search_runs([of_paper(folder)], f"tags.trial_id = '{trial}'")) == 1


def test_attachments_follow_a_database_that_was_moved(folder: Path, swept: Path) -> None:
    """Those of where it was are another's: of a copy, the original's."""
    aside = swept.with_name("away")
    swept.rename(aside)
    try:
        record = tracker(folder).load()
        assert all(len(record.curve(t, "test_error")) == 2 for t in record.trial_ids)
        tracker(folder).finish_sweep(
            tracker(folder).start_sweep("test/tiny", "smoke", "paper", "t"), {"new.md": "x"}
        )
        assert not swept.exists()
        assert list(folder.rglob("new.md"))
    finally:
        aside.rename(swept)


def test_a_failed_attachment_ends_nothing(tmp_path: Path) -> None:
    (tmp_path / "results").mkdir()
    (tmp_path / "results" / "mlartifacts").write_text("a file where a folder should be")
    _, record, witness = sweep(TINY, tmp_path)
    assert len(record) == 4
    assert any("is not attached to run" in sentence for sentence in witness.sentences)


@pytest.mark.parametrize("name", ["a%20b", "50%", "a?b", "a#b", "a[x]", "a::b", "é ü"])
def test_a_folder_of_any_name_has_a_record(name: str, tmp_path: Path, swept: Path) -> None:
    folder = Path(shutil.copytree(swept, tmp_path / name))
    file = folder / "results" / "mlflow.db"
    assert database(sqlite_uri(file)) == file
    _, record, witness = sweep(TINY, folder)
    assert witness.waves == witness.sentences == []
    assert all(len(record.curve(t, "test_error")) == 2 for t in record.trial_ids)
    store = tracker(folder)
    store.finish_sweep(store.start_sweep("test/tiny", "smoke", "paper", "t"), {"new.md": "x"})
    assert len(list(tmp_path.rglob("new.md"))) == len(list(folder.rglob("new.md"))) == 1


DRIVER = """
import sys; sys.path.insert(0, {root!r})
from sweep.record.mlflow_store import Tracker
Tracker({uri!r}).open("amp")
"""


@pytest.mark.slow
def test_drivers_that_start_on_a_new_folder_do_not_meet_in_the_migration(tmp_path: Path) -> None:
    code = DRIVER.format(root=str(ROOT), uri=default_uri(str(tmp_path)))
    drivers = [
        subprocess.Popen([sys.executable, "-c", code], stderr=subprocess.PIPE, text=True)
        for _ in range(3)
    ]
    ends = [(driver.communicate(timeout=300)[1], driver.returncode) for driver in drivers]
    assert [code for _, code in ends] == [0, 0, 0], ends
    found = MlflowClient(default_uri(str(tmp_path))).search_experiments()
    assert sorted(e.name for e in found) == ["Default", "flatsweep/amp"]


def test_a_database_of_a_newer_mlflow_is_told_to_upgrade_mlflow(folder: Path) -> None:
    with sqlite3.connect(folder / "results" / "mlflow.db") as db:
        db.execute("update alembic_version set version_num = 'fffffffffff0'")
    with pytest.raises(TrackingError, match="a newer MLflow wrote it"):
        tracker(folder).load(refresh=True)
    older = "out-of-date database schema (found version 0584bdc529eb, but expected x)"
    assert "mlflow db upgrade" in str(unusable("sqlite:///x.db", RuntimeError(older)))
