"""The command line as a person and a script meet it."""

from __future__ import annotations

import json
import shutil
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest
import torch
import typer

import search_spaces
from sweep.cli import commands, device_check, doctor
from sweep.record.mlflow_store import Tracker, default_uri
from sweep.selection import SELECTIONS
from tests.sweep.called import call
from tests.sweep.cases import TINY
from tests.sweep.cases import sweep as run_sweep
from trainables.simulated_gpu import SimulatedGPU

ROOT = Path(__file__).parents[3]


@pytest.fixture(scope="module")
def storage(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The storage of a finished sweep of TINY, as the command shrinks it."""
    folder = tmp_path_factory.mktemp("finished")
    run_sweep(search_spaces.apply(TINY, "smoke"), folder)
    return str(folder / "results")


def test_help_names_every_command() -> None:
    code, out, _ = call("--help")
    assert code == 0
    for command in (
        "list",
        "plan",
        "run",
        "search",
        "table",
        "plot",
        "reproduce",
        "status",
        "ui",
        "export",
    ):
        assert f"  {command} " in out


def test_help_lists_every_selection_rule_wherever_there_is_one() -> None:
    with_rules = []
    for command in typer.main.get_command(commands.app).commands:
        said = " ".join(call(command, "--help")[1].split())
        if "--selection" in said:
            with_rules.append(command)
            for rule in SELECTIONS.values():
                assert f"{rule.name}: {rule.words}" in said, command
    assert {"plan", "run", "table", "reproduce", "search", "plot", "measure"} <= set(with_rules)


@pytest.mark.usefixtures("offer")
def test_a_rule_that_cannot_be_followed_is_refused_before_anything_trains(tmp_path: Path) -> None:
    for command in ("plan", "run", "table"):
        words = ("nso/figure6", "--selection", "validation", "--storage", str(tmp_path))
        code, out, error = call(command, *words)
        assert (code, out) == (2, "")
        assert error == (
            "sweep: nso/figure6 has no validation_error to select on, its loss is mse; "
            "try --selection paper\n"
        )


@pytest.mark.usefixtures("offer")
def test_a_search_is_told_its_row_before_anything_runs(tmp_path: Path) -> None:
    words = ("search", TINY.id, "--storage", str(tmp_path / "none"))
    code, out, error = call(*words, "--where", "method")
    assert (code, out) == (2, "")
    assert error == "sweep: --where 'method': give LABEL=VALUE, such as method=NRS\n"
    code, out, error = call(*words, "--where", "method=sam", "--where", "method=erm")
    assert (code, out) == (2, "")
    assert error == "sweep: --where has method twice; a cell has one entry of each label\n"
    code, out, error = call("table", "test/tiny:search")
    assert error == ("sweep: test/tiny:search is a search; `sweep search test/tiny` prints it\n")
    code, out, error = call(*words, "--where", "method=erm")
    assert (code, out) == (2, "")
    assert error == (
        "sweep: test/tiny has no grid to search there at preset smoke, and its methods declare no "
        "range; --range FIELD=LOW:HIGH names one\n"
    )


def test_list_has_every_artifact_and_its_trials() -> None:
    code, out, _ = call("list", "--format", "json")
    assert code == 0
    listed = {row["artifact"]: row for row in json.loads(out)}
    assert set(listed) == {artifact.id for artifact in search_spaces.artifacts()}
    assert listed["nrs/table1"]["trials"]["paper"] == 1500
    text = call("list")[1]
    assert "nrs/table1" in text
    assert " 1500 " in text


@pytest.mark.usefixtures("offer")
def test_plan_as_json_has_the_agreed_shape(tmp_path: Path) -> None:
    code, out, _ = call("plan", "test/tiny", "--storage", str(tmp_path), "--format", "json")
    assert code == 0
    (stage,) = json.loads(out)["stages"]
    assert stage["name"] == "train"
    trial = stage["trials"][0]
    assert {"trial_id", "cell", "seed", "config"} <= set(trial)
    assert trial["cell"] == {"method": "erm"}
    assert trial["config"]["method"]["name"] == "erm"
    assert "4 trials in all" in call("plan", "test/tiny", "--storage", str(tmp_path))[1]


@pytest.mark.usefixtures("offer")
@pytest.mark.parametrize("format", ["terminal", "md", "latex", "csv", "json", "html"])
def test_the_table_in_every_format(storage: str, format: str) -> None:  # noqa: A002
    code, out, _ = call("table", "test/tiny", "--storage", storage, "--format", format)
    assert code == 0
    assert "erm" in out
    if format == "json":
        cells = json.loads(out)["cells"]
        assert all({"mean", "std", "n"} <= set(cell) for cell in cells)


def test_a_table_is_described_by_its_own_preset(tmp_path: Path) -> None:
    out = call("table", "nso/figure6", "--storage", str(tmp_path))[1]
    assert "smoke: a matrix of 12 x 12 and 200 epochs" in out
    assert "handwritten digits" in call("table", "nrs/table3", "--storage", str(tmp_path))[1]


@pytest.mark.usefixtures("offer")
def test_a_finished_sweep_again_gives_the_identical_table(storage: str) -> None:
    first = call("table", "test/tiny", "--storage", storage)[1]
    code, again, err = call("reproduce", "test/tiny", "--storage", storage)
    assert (code, again) == (0, first)
    assert "4 trials recorded" in err


@pytest.mark.usefixtures("offer")
def test_status_and_export(storage: str, tmp_path: Path) -> None:
    rows = json.loads(call("status", "--storage", storage, "--format", "json")[1])
    ends = {"done": 4, "diverged": 0, "pruned": 0, "failed": 0, "outdated": 0}
    nobody = {"queued": 0, "waiting": 0, "running": 0, "retrying": 0, "drivers": []}
    assert rows == [{"artifact": "test/tiny", "preset": "smoke", "variant": "", **ends, **nobody}]
    for suffix in ("csv", "parquet", "jsonl"):
        out = tmp_path / f"runs.{suffix}"
        assert call("export", str(out), "--storage", storage)[0] == 0
        assert out.stat().st_size > 0
    _, *lines = (tmp_path / "runs.csv").read_text().splitlines()
    assert "test_error" in "".join(lines)


def test_doctor_finds_a_healthy_machine(tmp_path: Path) -> None:
    code, out, _ = call("doctor", "--storage", str(tmp_path), "--format", "json")
    assert code == 0
    findings = {finding["what"]: finding for finding in json.loads(out)}
    assert {"python", "torch", "ray", "storage", "mlflow", "data"} <= set(findings)
    assert "digits" in findings["data"]["found"] or findings["data"]["state"] == "note"
    assert findings["cpu"] == {
        "what": "cpu",
        "state": "ok",
        "found": "a step forward and backward",
        "fix": "",
    }


def test_doctor_takes_a_step_on_each_device(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def found(what: str) -> doctor.Finding:
        with SimulatedGPU():
            findings = {f.what: f for f in doctor.examine(str(tmp_path), "", tmp_path)}
        return findings[what]

    well = found("gpu")
    assert (well.state, well.found) == (
        "ok",
        "a simulated GPU, 80 GiB, a step forward and backward",
    )
    right = device_check.gradient

    def wrong(device: torch.device) -> torch.Tensor:
        return right(device) * (1.001 if device.type == "cuda" else 1)

    monkeypatch.setattr(device_check, "gradient", wrong)
    assert found("gpu").state == "broken"
    assert "another gradient than on the CPU (off by 0.001)" in found("gpu").found
    assert found("cpu").state == "ok"

    def failing(device: torch.device) -> torch.Tensor:
        raise RuntimeError("CUDA error: no kernel image is available")

    monkeypatch.setattr(device_check, "gradient", failing)
    assert "a step of a small network fails (CUDA error: no kernel image" in found("gpu").found


@pytest.mark.parametrize(
    ("arguments", "code", "sentence"),
    [
        (["table", "nrs/tabel1"], 2, "unknown artifact 'nrs/tabel1' (did you mean 'nrs/table1'?)"),
        (["plan", "nrz"], 2, "unknown paper or artifact 'nrz' (did you mean 'nrs'?); known: amp, "),
        (["plan", "nrs/table1", "--preset", "smal"], 2, "did you mean 'small'?"),
        (["plan", "nrs/table1", "--selection", "test"], 2, "unknown selection rule 'test'"),
        (["export", "runs.xls"], 2, "allowed suffixes: .csv, .parquet, .json, .jsonl"),
        (["run", "compare/methods", "--keep-weights", "all"], 2, "allowed are none, last, best"),
        (["plan", "nrs/table1", "--tracking-uri", "mlruns"], 1, "is a plain folder"),
        (["plan", "nrs/table1", "--tracking-uri", "http://127.0.0.1:9"], 1, "cannot be used"),
        (["run", "nrs/table1", "--storage", "/proc/nothing"], 1, "cannot be"),
        (["measure", "nrs/table1", "--measure", "trace"], 2, "unknown measure 'trace'"),
    ],
)
def test_a_mistake_is_one_sentence(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    arguments: list[str],
    code: int,
    sentence: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    ended, out, err = call(*arguments)
    assert (ended, out) == (code, "")
    assert sentence in err
    assert err.count("\n") == 1


@pytest.mark.parametrize("content", [b"not a database" * 100, b""])
def test_a_broken_database_is_said_and_left_alone(tmp_path: Path, content: bytes) -> None:
    database = tmp_path / "mlflow.db"
    database.write_bytes(content)
    code, _, err = call("status", "--storage", str(tmp_path))
    if content:
        assert code == 1
        assert "cannot be used" in err
        assert "--tracking-uri" in err
        assert database.read_bytes() == content
    else:  # an empty file is a new database
        assert code == 0


def test_the_installed_command_exits_with_the_code() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "sweep", "table", "nosuch/table"],
        capture_output=True,
        text=True,
        cwd=ROOT,
        check=False,
    )
    assert done.returncode == 2
    assert done.stderr.startswith("sweep: unknown artifact 'nosuch/table'")
    assert done.stderr.count("\n") == 1


def test_a_database_of_another_mlflow_is_said_with_the_remedy(tmp_path: Path) -> None:
    Tracker(default_uri(str(tmp_path / "here"))).connect()
    # MLflow looks at a database once a process, so the other version lies elsewhere.
    (tmp_path / "there").mkdir()
    shutil.copy(tmp_path / "here" / "mlflow.db", tmp_path / "there")
    with sqlite3.connect(tmp_path / "there" / "mlflow.db") as database:
        database.execute("UPDATE alembic_version SET version_num = '0123456789ab'")
    code, _, err = call("status", "--storage", str(tmp_path / "there"))
    assert code == 1
    assert "mlflow db upgrade" in err
