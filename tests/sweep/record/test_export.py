"""The record as a file that other tools read."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet as pq
import pytest

from sweep.record import export
from sweep.record.membership import Membership
from sweep.record.record import Record
from sweep.record.runs import Run
from tests.sweep.called import call
from trainables.errors import UsageError

NAN = float("nan")
IN_ONE = Membership("one/table", "small", "paper", "train", "--set epochs=2")
IN_TWO = Membership("two/table", "small", "validation", "grid")


def run(trial_id: str, method: str, rho: float | None, error: float, **facts: Any) -> Run:
    options = {} if rho is None else {"method.rho": str(rho)}
    settings = {"protocol": "2", "method.name": method, **options, "seed": "0", "loss": "mse"}
    return Run(
        trial_id,
        "done",
        {"test_error": error, "loss": 0.5},
        {"test_error": [0.9, error], "late": [NAN, 1.0]},
        settings={**settings, "optimizer.nesterov": "False", "optimizer.clip_norm": "None"},
        provenance={"commit": "abc", "precision": "float32"},
        labels={"cell": method.upper()},
        **facts,
    )


RECORD = Record.from_runs(
    [
        run("b", "sam", 0.1, 0.25, memberships=(IN_ONE, IN_TWO)),
        run("a", "erm", None, 0.5, memberships=(IN_ONE,)),
        Run("c", "failed", error="it broke", memberships=(IN_TWO,)),
    ]
)


def test_wide_is_a_row_per_trial_with_all_that_is_known_of_it() -> None:
    a, b, c = export.table(RECORD, layout="wide").to_pylist()
    assert b == {
        "sweeps": "one/table small (paper) --set epochs=2; two/table small (validation)",
        "artifact": "one/table; two/table",
        "preset": "small",
        "selection": "paper; validation",
        "stage": "train; grid",
        "variant": "--set epochs=2",
        "cell": "SAM",
        "trial_id": "b",
        "status": "done",
        "protocol": 2,
        "method.name": "sam",
        "method.rho": 0.1,
        "seed": 0,
        "loss": "mse",
        "optimizer.nesterov": False,
        "optimizer.clip_norm": None,
        "provenance.commit": "abc",
        "provenance.precision": "float32",
        "error": "",
        "run_id": "",
        "test_error": 0.25,
        "metric.loss": 0.5,
    }
    assert (a["trial_id"], a["method.rho"], a["test_error"]) == ("a", None, 0.5)
    assert (c["status"], c["error"], c["test_error"], c["method.name"]) == (
        "failed", "it broke", None, None,
    )  # fmt: skip


def test_long_is_a_row_per_number() -> None:
    table = export.table(RECORD)
    rows = table.select(["trial_id", "method.name", "method.rho", "metric", "value"]).to_pylist()
    assert [tuple(row.values()) for row in rows] == [
        ("a", "erm", None, "loss", 0.5),
        ("a", "erm", None, "test_error", 0.5),
        ("b", "sam", 0.1, "loss", 0.5),
        ("b", "sam", 0.1, "test_error", 0.25),
    ]


def test_curves_come_on_request() -> None:
    long = export.table(RECORD, curves=True)
    of_b = [
        (row["metric"], row["epoch"], row["value"])
        for row in long.to_pylist()
        if row["trial_id"] == "b" and row["metric"] == "test_error"
    ]
    assert of_b == [("test_error", None, 0.25), ("test_error", 1, 0.9), ("test_error", 2, 0.25)]
    _, b, c = export.table(RECORD, curves=True, layout="wide").to_pylist()
    assert b["test_error by epoch"] == [0.9, 0.25]
    assert c["test_error by epoch"] is None
    assert "test_error by epoch" not in export.table(RECORD, layout="wide").column_names


def test_a_trial_has_a_row_in_each_of_its_places() -> None:
    places = [("b", {"artifact": "x/y", "cell.method": n}) for n in ("SAM", "again")]
    rows = export.table(RECORD, layout="wide", places=[*places, ("nowhere", {})]).to_pylist()
    assert [(r["artifact"], r["cell.method"], r["test_error"]) for r in rows] == [
        ("x/y", "SAM", 0.25), ("x/y", "again", 0.25),
    ]  # fmt: skip
    assert "sweeps" not in rows[0]


@pytest.mark.parametrize("layout", ["long", "wide"])
@pytest.mark.parametrize("suffix", [".csv", ".parquet", ".json"])
def test_every_format_has_the_same(
    suffix: str, layout: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Trial by trial, too: pages join without a seam."""
    monkeypatch.setattr(export, "PAGE", 1)
    file = tmp_path / f"runs{suffix}"
    assert export.write(RECORD, file, True, layout) == 3
    expected = export.table(RECORD, True, layout)
    if suffix == ".parquet":
        found = pq.read_table(file)
        assert found.column_names[-1] == export.WHOLE
        found = found.drop_columns([export.WHOLE])
        assert found.schema == expected.schema
        assert repr(found.to_pylist()) == repr(expected.to_pylist())
        return
    if suffix == ".json":
        found = json.loads(file.read_text())
    else:
        texts = pa.csv.ConvertOptions(strings_can_be_null=True, quoted_strings_can_be_null=False)
        found = pa.csv.read_csv(file, convert_options=texts).to_pylist()
    assert [*found[0]] == expected.column_names
    for row, same in zip(found, expected.to_pylist(), strict=True):
        for name, value in same.items():
            if isinstance(value, list):
                listed = row[name] if suffix == ".json" else json.loads(row[name])
                assert listed == [None if v != v else v for v in value]
            elif value == value:
                assert row[name] == value, name
    assert [path.name for path in tmp_path.iterdir()] == [file.name]


def test_an_empty_record_is_a_file_with_no_row(tmp_path: Path) -> None:
    for suffix in export.SUFFIXES:
        file = tmp_path / f"runs{suffix}"
        assert export.write(Record.from_runs([]), file, layout="wide") == 0
        assert file.exists()
    assert json.loads((tmp_path / "runs.json").read_text()) == []


def test_a_line_per_trial_is_read_again(tmp_path: Path) -> None:
    file = tmp_path / "runs.jsonl"
    export.write(RECORD, file, True, places=[("b", {})])
    assert Record.read(file).trial_ids == ["b"]
    assert Record.read(file).curve("b", "test_error") == [(1, 0.9), (2, 0.25)]


def test_what_cannot_be_written_is_said(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"allowed suffixes: .csv, .parquet, .json, .jsonl"):
        export.write(RECORD, tmp_path / "runs.xls")
    with pytest.raises(UsageError, match="No such file or directory"):
        export.write(RECORD, tmp_path / "none" / "runs.csv")


@pytest.mark.usefixtures("offer")
def test_the_command_writes_all_or_what_a_sweep_has(tmp_path: Path) -> None:
    storage = ["--storage", str(tmp_path / "results")]
    words = ["test/tiny", *storage, "--set", "epochs=1"]
    assert call("run", *words, "--executor", "serial", "--seeds", "1")[0] == 0
    every, some = str(tmp_path / "all.json"), str(tmp_path / "some.json")
    assert call("export", every, *storage)[:2] == (0, f"2 trials written to {every}\n")
    rows = json.loads(Path(every).read_text())
    assert {row["method.name"] for row in rows} == {"erm", "sam"}
    words = [
        words[0],
        some,
        *words[1:],
        "--where",
        "method=sam",
        "--layout",
        "wide",
        "--seeds",
        "1",
    ]
    assert call("export", *words)[:2] == (0, f"1 trials written to {some}\n")
    (row,) = json.loads(Path(some).read_text())
    assert (row["artifact"], row["stage"], row["cell.method"]) == ("test/tiny", "train", "sam")
    assert (row["variant"], row["epochs"], row["method.rho"]) == ("--set epochs=1", 1, 0.05)
    assert 0 <= row["test_error"] <= 1


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (
            ["runs.csv", "--where", "method=sam"],
            "name the artifact whose trials are meant: sweep export ARTIFACT runs.csv",
        ),
        (
            ["runs.csv", "--seeds", "1"],
            "name the artifact whose trials are meant: sweep export ARTIFACT runs.csv",
        ),
        (
            ["nrs/table1", "nrs/table2", "runs.csv"],
            "nrs/table1 nrs/table2 runs.csv: name one artifact and the file to write",
        ),
    ],
)
def test_a_command_that_names_no_export_is_refused(words: list[str], said: str) -> None:
    assert call("export", *words) == (2, "", f"sweep: {said}\n")


def test_trials_are_counted_however_many_rows_they_have(tmp_path: Path) -> None:
    places = [("b", {"artifact": "x/y"}), ("b", {"artifact": "x/z"}), ("a", {"artifact": "x/y"})]
    assert export.write(RECORD, tmp_path / "runs.json", layout="wide", places=places) == 2
    rows = json.loads((tmp_path / "runs.json").read_text())
    assert [(row["trial_id"], row["artifact"]) for row in rows] == [
        ("b", "x/y"), ("b", "x/z"), ("a", "x/y"),
    ]  # fmt: skip


def test_ids_of_digits_alone_stay_texts() -> None:
    """Hexadecimal digits, of which some are numbers, too: leading zeros would be lost."""
    record = Record.from_runs([Run("0012", "done", {"test_error": 0.5}, run_id="007")])
    (row,) = export.table(record, layout="wide").to_pylist()
    assert (row["trial_id"], row["run_id"]) == ("0012", "007")


def test_a_file_that_cannot_be_finished_leaves_the_one_that_was_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def half(pages: export.Pages, path: Path) -> None:
        path.write_text("[")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(export, "_json", half)
    (tmp_path / "runs.json").write_text("[]")
    with pytest.raises(UsageError, match=r"runs\.json' \(No space left on device\); name another"):
        export.write(RECORD, tmp_path / "runs.json")
    assert {path.name: path.read_text() for path in tmp_path.iterdir()} == {"runs.json": "[]"}
