"""A record made of an export. Oracle: the record that was exported."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from mlflow import MlflowClient

from sweep.record import export, imported
from sweep.record.mlflow_store import Tracker, default_uri
from sweep.record.record import Record
from sweep.record.runs import Run
from tests.sweep.called import call
from trainables.errors import UsageError

SWEEP = """\
name: taken
base: {data.source: digits, data.subset: 200, model: mlp_tiny, epochs: 3, batch_size: 64}
compare: {ERM: erm, SAM: sam}
grid: {optimizer.lr: [0.05, 0.1]}
seeds: 2
"""


@pytest.fixture(scope="module")
def swept(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a sweep's file, and its results."""
    folder = tmp_path_factory.mktemp("swept")
    (folder / "taken.yaml").write_text(SWEEP)
    options = ("--executor", "serial", "--storage", str(folder / "results"))
    assert call("run", str(folder / "taken.yaml"), *options)[0] == 0
    return folder


def exported(swept: Path, to: Path, *options: str) -> Path:
    code, _, error = call("export", str(to), *options, "--storage", str(swept / "results"))
    assert code == 0, error
    return to


def table(swept: Path, storage: Path) -> str:
    code, text, error = call("table", str(swept / "taken.yaml"), "--storage", str(storage))
    assert code == 0, error
    return text


def told(run: Run) -> str:
    """All that a record says of a trial but what its run is called, and when it ended."""
    return repr(replace(
        run, run_id="", ended=0, metrics=sorted(run.metrics.items()),
        settings=sorted(run.settings.items()), history=sorted((run.history or {}).items()),
        provenance=sorted(run.provenance.items()), labels=sorted(run.labels.items()),
    ))  # fmt: skip


def record_of(storage: Path) -> Record:
    return Tracker(default_uri(str(storage))).load(refresh=True)


def all_told(storage: Path) -> list[str]:
    return sorted(map(told, record_of(storage).runs()))


@pytest.mark.parametrize("options", [("--layout", "long"), ("--layout", "wide"), None])
def test_a_record_made_of_an_export_is_the_record(
    options: tuple[str, ...] | None, swept: Path, tmp_path: Path
) -> None:
    """The table, the plan and every bit of every number and curve, there and here."""
    name = "all.jsonl" if options is None else "all.parquet"
    file = exported(swept, tmp_path / name, "--curves", *(options or ()))
    other = tmp_path / "elsewhere"
    code, _, error = call("sync", "--from", str(file), "--storage", str(other))
    assert (code, error) == (0, f"8 trials of {file} recorded\n")
    assert table(swept, other) == table(swept, swept / "results")
    plan = call("plan", str(swept / "taken.yaml"), "--format", "json", "--storage", str(other))
    assert json.loads(plan[1])["missing"] == 0
    assert all_told(other) == all_told(swept / "results")
    assert call("sync", "--check", "--storage", str(other))[0] == 0


def test_what_is_taken_over_is_not_trained_again_and_not_taken_twice(
    swept: Path, tmp_path: Path
) -> None:
    file, other = exported(swept, tmp_path / "all.parquet"), tmp_path / "elsewhere"
    storage = ("--storage", str(other))
    assert call("sync", "--from", str(file), *storage)[0] == 0
    code, _, error = call("sync", "--from", str(file), *storage)
    assert (code, error) == (0, f"0 trials of {file} recorded, 8 were recorded already\n")
    code, _, _ = call("run", str(swept / "taken.yaml"), "--executor", "serial", *storage)
    assert code == 0
    assert list(other.glob("trials/*")) == []
    assert len(record_of(other)) == 8
    client = MlflowClient(default_uri(str(other)))
    experiments = [e.experiment_id for e in client.search_experiments()]
    (parent,) = client.search_runs(experiments, "tags.kind = 'sweep'")
    runs = client.search_runs(experiments, "tags.kind = 'trial'")
    assert {run.data.tags["mlflow.parentRunId"] for run in runs} == {parent.info.run_id}
    assert {run.data.tags["imported"] for run in runs} == {"all.parquet"}
    means = client.search_runs(experiments, "tags.kind = 'summary'")
    assert [run.data.metrics["test_error n"] for run in means] == [2.0] * 4


def test_curves_may_be_thinned(swept: Path, tmp_path: Path) -> None:
    for layout in ("long", "wide"):
        file = exported(swept, tmp_path / f"{layout}.parquet", "--points", "2", "--layout", layout)
        for run in imported.read(file):
            curve = (run.history or {})["test_error"]
            whole = record_of(swept / "results").curves(run.trial_id)["test_error"]
            assert len(whole) == len(curve) == 3
            assert (curve[0], curve[2]) == (whole[0], whole[2])
            assert curve[1] != curve[1]


def test_trials_of_one_artifact_are_read_once_each(swept: Path, tmp_path: Path) -> None:
    """A trial that several cells need has its rows in each place."""
    record = record_of(swept / "results")
    places = [(trial, {"artifact": name}) for name in "ab" for trial in record.trial_ids]
    for layout in ("long", "wide"):
        file = tmp_path / f"{layout}.parquet"
        export.write(record, file, True, layout, places)
        assert sorted(map(told, imported.read(file))) == all_told(swept / "results")


def test_a_trial_that_is_recorded_with_another_result_is_left_and_named(
    swept: Path, tmp_path: Path
) -> None:
    other = Path(shutil.copytree(swept / "results", tmp_path / "results"))
    record = record_of(other)
    runs = [replace(run, metrics={**run.metrics, "training_seconds": 9.0}) for run in record.runs()]
    runs[0] = replace(runs[0], metrics={**runs[0].metrics, "test_error": 0.5})
    runs[1] = replace(runs[1], status="diverged")
    file = tmp_path / "others.parquet"
    export.write(Record.from_runs(runs), file)
    before = all_told(other)
    code, out, error = call("sync", "--from", str(file), "--storage", str(other))
    assert code == 1
    first = record.value(runs[0].trial_id, "test_error")
    assert sorted(out.splitlines()) == sorted([
        f"trial {runs[0].trial_id}: it is recorded with test_error {first:.12g}, and "
        "others.parquet has 0.5; it is left as it is",
        f"trial {runs[1].trial_id}: it is recorded with outcome done, and others.parquet says "
        "diverged; it is left as it is",
    ])  # fmt: skip
    assert error == f"0 trials of {file} recorded, 6 were recorded already\n"
    assert all_told(other) == before


def test_trials_that_failed_are_recorded_as_that_and_a_result_takes_their_place(
    swept: Path, tmp_path: Path
) -> None:
    done = next(record_of(swept / "results").runs())
    failed = replace(done, status="failed", metrics={}, history={}, error="out of memory")
    for runs, status in ((failed, "failed"), (done, "done"), (failed, "done")):
        file = tmp_path / "one.jsonl"
        export.write(Record.from_runs([runs]), file)
        call("sync", "--from", str(file), "--storage", str(tmp_path / "elsewhere"))
        record = record_of(tmp_path / "elsewhere")
        assert (len(record), record.status(done.trial_id)) == (1, status)
        assert record.error(done.trial_id) == ("out of memory" if status == "failed" else "")


# -- files that are none -------------------------------------------------------------------------


def test_an_edited_export_is_told(swept: Path, tmp_path: Path) -> None:
    file = exported(swept, tmp_path / "all.parquet", "--layout", "wide")
    whole = pq.read_table(file)
    column = whole.column_names.index("test_error")
    better = pa.array([0.0] * whole.num_rows)
    pq.write_table(whole.set_column(column, "test_error", better), file)
    with pytest.raises(UsageError, match=r"does not say what was exported: the file was edited"):
        imported.read(file)


@pytest.mark.parametrize(
    ("name", "content", "says"),
    [
        ("none.parquet", None, "cannot be read (No such file or directory)"),
        ("text.parquet", b"hello", "is no export of `sweep export` ("),
        ("lines.jsonl", b"hello\n", "not an exported run"),
        ("all.csv", b"a,b\n", "is no export to read: it ends in .parquet or .jsonl"),
    ],
)
def test_a_file_that_is_no_export_is_one_sentence(
    name: str, content: bytes | None, says: str, tmp_path: Path
) -> None:
    file = tmp_path / name
    if content is not None:
        file.write_bytes(content)
    code, _, error = call("sync", "--from", str(file), "--storage", str(tmp_path / "results"))
    assert code == 2
    assert str(file) in error
    assert says in error
    assert error.count("\n") == 1
    assert not (tmp_path / "results").exists()


def test_a_table_that_is_not_of_a_record_is_one_sentence(tmp_path: Path) -> None:
    file = tmp_path / "other.parquet"
    pq.write_table(pa.table({"trial_id": ["a"], "value": [1.0]}), file)
    with pytest.raises(UsageError, match="it has no column 'record'"):
        imported.read(file)
    pq.write_table(pa.table({"trial_id": ["a"], "record": ["{}"]}), file)
    with pytest.raises(UsageError, match="is no export of `sweep export`"):
        imported.read(file)
    pq.write_table(pa.table({"trial_id": ["a"], "record": ["{"]}), file)
    with pytest.raises(UsageError, match="is no export of `sweep export`"):
        imported.read(file)


def test_check_and_from_exclude_each_other(tmp_path: Path) -> None:
    code, _, error = call("sync", "--check", "--from", str(tmp_path / "all.parquet"))
    assert (code, "give one of them" in error) == (2, True)
