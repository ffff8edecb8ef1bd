"""A password of --tracking-uri or --storage is told nobody: not on a screen, in a log, in `ps`."""

from __future__ import annotations

import subprocess
import sys
import traceback
from dataclasses import replace
from pathlib import Path
from typing import Any
from unittest.mock import Mock

import pytest

from search_spaces.settings import with_settings
from sweep.aggregate import SELECTIONS
from sweep.cli import doctor, listing, ui, workflow
from sweep.cli.options import SweepOptions
from sweep.plan import expand
from sweep.plan.cost import estimate
from sweep.record import connection, mlflow_store
from sweep.record.mlflow_store import Tracker, TrackingError, default_uri
from sweep.record.record import Record
from sweep.run import progress
from sweep.tables import FORMATS, render, table_of
from tests.sweep.called import call
from tests.sweep.cases import TINY
from trainables import job
from trainables.config import TrialConfig
from trainables.job import Job, Report
from trainables.storage.files import Storage, StorageError
from trainables.tune import JOB, REPORT, TrialTrainable

SECRET = "S3cretPw"
NOBODY = "127.0.0.1:1"
TRACKING = [
    f"http://alice:{SECRET}@{NOBODY}",
    f"https://alice:{SECRET}@{NOBODY}/x",
    f"http://alice:%53{SECRET}%40@{NOBODY}",
    f"postgresql://alice:{SECRET}@{NOBODY}/db",
    f"postgresql+psycopg://alice:{SECRET}@{NOBODY}/db",
    f"mysql://alice:{SECRET}@{NOBODY}/db",
    f"mysql+pymysql://alice:p%2F{SECRET}@{NOBODY}/db",
    f"postgresql://alice:{SECRET}@no..name/db",
    f"nosuch://alice:{SECRET}@{NOBODY}/db",
]
STORAGE = [
    f"nosuch://alice:{SECRET}@host/x",
    f"s3x://bucket/x?key=AKIA&secret={SECRET}",
    f"sftp://alice:{SECRET}@{NOBODY}/x",
]


def shown(error: BaseException) -> str:
    return "".join(traceback.format_exception(error))


@pytest.mark.parametrize("uri", TRACKING)
def test_a_store_that_cannot_be_used_is_named_without_its_password(uri: str) -> None:
    with pytest.raises(TrackingError, match=r"alice:\*\*\*@.* cannot be used") as caught:
        Tracker(uri).load()
    assert SECRET not in shown(caught.value)


@pytest.mark.parametrize("uri", [uri for uri in TRACKING if "sql" in uri])
def test_a_database_that_is_down_is_said_before_mlflow_asks(
    uri: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It would ask ten times, in silence, for minutes."""
    import mlflow

    monkeypatch.setattr(mlflow, "MlflowClient", lambda **_: pytest.fail("MLflow was asked"))
    with pytest.raises(TrackingError):
        Tracker(uri).load()


def test_a_database_of_several_hosts_or_in_a_socket_is_left_to_its_driver() -> None:
    connection._check("postgresql://alice@a:1,b:2/db")
    connection._check("postgresql:///db?host=/var/run/postgresql")


@pytest.mark.parametrize("uri", STORAGE)
def test_a_storage_that_cannot_be_used_is_named_without_its_password(uri: str) -> None:
    with pytest.raises(StorageError) as caught:
        Storage(uri).check_writable()
    assert SECRET not in shown(caught.value)


def test_the_doctor_tells_no_password(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("RAY_ADDRESS", f"ray://alice:{SECRET}@host:1")
    for uri in TRACKING[:1]:
        found = doctor.examine(STORAGE[0], uri, tmp_path)
        assert SECRET not in doctor.text(found) + str(found)
        assert doctor.text(found).count("***") >= 3
    well = f"sqlite:///{tmp_path}/mlflow.db?password={SECRET}"
    Tracker(default_uri(str(tmp_path))).connect()
    monkeypatch.setattr(mlflow_store, "Tracker", lambda uri: Tracker(default_uri(str(tmp_path))))
    monkeypatch.delenv("RAY_ADDRESS")
    found = doctor.examine(str(tmp_path), well, tmp_path)
    assert [f.state for f in found if f.what == "mlflow"] == ["ok"]
    assert SECRET not in doctor.text(found)


@pytest.mark.parametrize("command", ["status", "plan nrs/table1", "table nrs/table1", "ui"])
def test_no_command_tells_a_password(command: str) -> None:
    code, out, error = call(*command.split(), "--tracking-uri", TRACKING[0])
    assert (code == 0) == (command == "ui")
    assert SECRET not in out + error
    assert "alice:***@127.0.0.1:1" in out + error


def test_the_uri_is_not_on_the_command_line_of_mlflows_server(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    started: list[Any] = []

    class Server:
        pid = 2**22 + 1  # no process has it

        def __init__(self, command: list[str], env: dict[str, str], **options: Any) -> None:
            started.extend([command, env])

        def wait(self) -> int:
            return 0

    monkeypatch.setattr(subprocess, "Popen", Server)
    monkeypatch.setattr(ui, "Tracker", Mock(return_value=Mock(experiments=dict)))
    monkeypatch.setattr(ui.os, "killpg", lambda *_: None)
    uri = TRACKING[3]
    assert ui.serve(uri, 1) == 0
    command, environment = started
    assert SECRET not in " ".join(command)
    assert environment["MLFLOW_BACKEND_STORE_URI"] == uri


def test_what_a_trial_raised_is_reported_without_its_storages_password(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def fail(*_: object) -> None:
        raise OSError(f"no route from {STORAGE[1]} with {SECRET}")

    monkeypatch.setattr(job, "Storage", fail)
    asked = Job.of(TrialConfig(), storage=STORAGE[1])
    trainable = object.__new__(TrialTrainable)
    trainable.setup({JOB: asked.to_json()})
    report = Report.from_json(trainable.step()[REPORT])
    assert report.outcome == "failed"
    assert report.error == "OSError: no route from s3x://bucket/x?key=***&secret=*** with ***"
    assert "in fail" in report.traceback
    assert SECRET not in str(report)


def test_progress_and_the_record_tell_no_password(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    progress._Lines().message(f"at {TRACKING[0]}")
    assert capsys.readouterr().err == f"at http://alice:***@{NOBODY}\n"
    uri = default_uri(str(tmp_path))
    tracker = Tracker(uri)
    artifact = TINY
    planned = expand.plan(artifact, "smoke", SELECTIONS["paper"], Record.from_runs([]))
    (trial, *_) = planned.trials
    tags = {"paper": "test", "artifact": "a", "preset": "smoke", "stage": "train"}
    tracker.write_failure(trial, f"cannot reach {TRACKING[0]}", tags)
    run = next(iter(Tracker(uri).load().runs()))
    assert run.error == f"cannot reach http://alice:***@{NOBODY}"


def test_an_unforeseen_error_keeps_its_traceback_without_the_password(tmp_path: Path) -> None:
    program = f"""
from sweep import cli
from sweep.cli import listing
def rows(): raise KeyError("{TRACKING[3]}")
listing.rows = rows
cli.main()
"""
    done = subprocess.run(
        [sys.executable, "-c", program, "list"], cwd=Path(__file__).parents[2],
        text=True, capture_output=True, check=False,
    )  # fmt: skip
    assert done.returncode == 1
    assert "in rows" in done.stderr
    assert f"KeyError: 'postgresql://alice:***@{NOBODY}/db'" in done.stderr
    assert SECRET not in done.stderr


def test_what_is_set_is_named_without_its_password() -> None:
    """A variant is in a header, in tags and in a table's notes."""
    made = expand.plan(TINY, "smoke", SELECTIONS["paper"], Record.from_runs([]))
    path = with_settings(TINY, {"model.weights": f"s3://alice:{SECRET}@{NOBODY}/x"})
    made = replace(made, artifact=path)
    assert made.variant == f"--set model.weights=s3://alice:***@{NOBODY}/x"
    record = Record.from_runs([])
    plan = listing.plan_as_text(made, record, estimate(made, record))
    assert "***" in plan
    for text in (plan, *(render(table_of(made, record), name) for name in FORMATS)):
        assert SECRET not in text
    options = SweepOptions(artifact=TINY.id, tracking_uri=TRACKING[0])
    assert SECRET not in workflow.command_of(options, made)
