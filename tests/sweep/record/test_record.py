"""Oracle: plain dictionaries."""

from __future__ import annotations

import json
import math

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sweep.record.membership import Membership
from sweep.record.record import Record
from sweep.record.runs import Run, as_table, read_runs, write_runs
from trainables import config
from trainables.errors import UsageError


def test_record_finds_status_value_and_curve():
    record = Record.from_runs(
        [
            Run("a", "done", {"x": 1.5, "y": 2.0}, {"x": [3.0, 1.0]}, run_id="r1"),
            Run("b", "failed", error="out of memory"),
            Run("c", "done", {"y": math.nan}),
        ]
    )
    assert [record.status(t) for t in "abcd"] == ["done", "failed", "done", "missing"]
    assert (record.value("a", "x"), record.value("a", "y")) == (1.5, 2.0)
    assert record.value("b", "x") is record.value("d", "x") is record.value("a", "z") is None
    assert math.isnan(record.value("c", "y"))
    np.testing.assert_array_equal(
        record.values(["d", "a", "b", "a"], "x"), [np.nan, 1.5, np.nan, 1.5]
    )
    assert record.curve("a", "x") == [(1, 3.0), (2, 1.0)]
    assert record.curve("b", "x") == []
    assert record.error("b") == "out of memory"
    assert record.error("a") == record.error("d") == ""
    assert len(record) == 3


def test_record_of_nothing():
    record = Record.from_runs([])
    assert record.status("a") == "missing"
    assert record.value("a", "x") is None
    assert np.isnan(record.values(["a"], "x")).all()
    assert record.curve("a", "x") == []


@pytest.mark.parametrize(
    ("first", "second", "kept"),
    [("failed", "done", 1), ("done", "failed", 0), ("done", "done", 1), ("running", "failed", 0)],
)
def test_of_two_runs_of_a_trial_the_one_that_came_furthest_counts(first, second, kept):
    record = Record.from_runs([Run("a", first, {"x": 0}), Run("a", second, {"x": 1})])
    assert record.value("a", "x") == kept
    assert len(record) == 1


@pytest.mark.parametrize(
    ("early", "late", "kept"), [("done", "done", 1), ("done", "failed", 0), ("failed", "failed", 1)]
)
def test_of_two_that_came_as_far_the_later_counts_in_whatever_order_they_are_read(
    early, late, kept
):
    runs = [Run("a", early, {"x": 0}, ended=5), Run("a", late, {"x": 1}, ended=7)]
    for order in (runs, runs[::-1]):
        assert Record.from_runs(order).value("a", "x") == kept


def test_sweeps_count_the_trials_that_belong_to_them():
    one, other = Membership("p/a", "small", "paper", "s"), Membership("p/b", "smoke", "paper", "s")
    again = Membership("p/a", "small", "validation", "s")
    now = config.PROTOCOL_VERSION
    record = Record.from_runs(
        [
            Run("a", "done", memberships=(one, other), protocol=now),
            Run("b", "done", memberships=(one, again), protocol=None),
            Run("c", "failed", memberships=(one,), protocol=now),
            Run("d", "done", memberships=(one,), protocol=now - 1),
            Run("d", "failed", memberships=(other,), protocol=now),
        ]
    )
    assert record.sweeps() == {
        ("p/a", "small", ""): {"done": 2, "failed": 1, "outdated": 1},
        ("p/b", "smoke", ""): {"done": 1},
    }
    assert record.outdated("p/a", "small") == 1
    assert record.outdated("p/b", "smoke") == record.outdated("p/c", "small") == 0


@given(st.lists(st.tuples(st.sampled_from("abcdef"), st.sampled_from("xyz"), st.floats())))
@settings(max_examples=60, deadline=None)
def test_lookup_agrees_with_a_dictionary(numbers):
    runs: dict[str, dict[str, float]] = {}
    for trial, metric, value in numbers:
        runs.setdefault(trial, {})[metric] = value
    record = Record.from_runs(Run(t, "done", metrics) for t, metrics in runs.items())
    for trial in "abcdefg":
        for metric in "wxyz":
            expected = runs.get(trial, {}).get(metric)
            found = record.value(trial, metric)
            assert found == expected or (found != found and expected != expected)


def test_runs_survive_the_file(tmp_path):
    runs = [
        Run("b", "done", {"x": 0.1 + 0.2}, {"x": [1.0, 2.0]}, run_id="r"),
        Run("a", "failed", error='a "quoted" line\nand another'),
    ]
    write_runs(tmp_path / "runs.jsonl", runs)
    assert list(read_runs(tmp_path / "runs.jsonl")) == sorted(runs, key=lambda run: run.trial_id)
    (tmp_path / "broken.jsonl").write_text('{"trial_id": "a", "status": "done"}\n{"trial_id"')
    with pytest.raises(ValueError, match=r"broken\.jsonl, line 2"):
        list(read_runs(tmp_path / "broken.jsonl"))


def test_unknown_status_is_refused():
    with pytest.raises(ValueError, match="'ok'"):
        Run("a", "ok")


def test_origins_are_those_of_finished_trials_that_say_something():
    record = Record.from_runs(
        [
            Run("a", "done", provenance={"parts": "m=1", "data": "d", "commit": "c"}),
            Run("b", "failed", provenance={"parts": "m=1"}),
            Run("c", "diverged", provenance={"data": "d", "commit": "c"}),
            Run("d", "diverged", provenance={"data": "d", "data_digest": "2"}),
        ]
    )
    assert record.origins(("parts", "data_digest")) == {
        "a": {"parts": "m=1", "data": "d"}, "d": {"data_digest": "2", "data": "d"},
    }  # fmt: skip
    assert Record.from_runs([]).origins(("parts",)) == {}


def test_a_record_without_trials_has_the_others_numbers():
    runs = [Run(t, "done", {"x": float(i)}, {"x": [float(i)]}) for i, t in enumerate("abca")]
    others = Record.from_runs(runs).without(["a", "d"])
    assert others.trial_ids == ["b", "c"]
    assert others.values(["a", "b", "c"], "x").tolist()[1:] == [1.0, 2.0]
    assert others.status("a") == "missing"
    assert others.curve("c", "x") == [(1, 2.0)]


@pytest.mark.parametrize("content", [b"", b"PAR1", b"\0" * 100, b'{"trial_id": "a"}\n', b"\xff\n"])
@pytest.mark.parametrize("suffix", [".parquet", ".jsonl"])
def test_a_file_that_is_no_record_is_one_sentence(tmp_path, content, suffix):
    (tmp_path / f"record{suffix}").write_bytes(content)
    if suffix == ".jsonl" and not content:
        assert len(Record.read(tmp_path / "record.jsonl")) == 0
        return
    with pytest.raises(UsageError, match=rf"record\{suffix}") as refused:
        Record.read(tmp_path / f"record{suffix}")
    assert "\n" not in str(refused.value)


def test_a_damaged_page_is_found_when_the_file_is_read_not_when_it_is_shown(tmp_path):
    Record.from_runs([Run(f"t{i}", "done", {"x": i / 7}) for i in range(500)]).write(
        tmp_path / "record.parquet"
    )
    content = bytearray((tmp_path / "record.parquet").read_bytes())
    for place in range(1000, len(content) // 2, 50):
        content[place] ^= 0xFF
    (tmp_path / "record.parquet").write_bytes(content)
    with pytest.raises(UsageError, match=r"record\.parquet"):
        Record.read(tmp_path / "record.parquet")


@pytest.mark.parametrize(
    "fields",
    [
        {"metrics": {"x": "1"}},
        {"metrics": 1},
        {"protocol": "2"},
        {"protocol": 2**40},
        {"ended": 2**70},
        {"error": 3},
        {"history": {"x": [None]}},
        {"labels": {"method": 1}},
        {"memberships": [[1, 2, 3, 4, 5]]},
        {"run_id": None},
    ],
)
def test_a_line_of_another_form_is_named(tmp_path, fields):
    line = json.dumps({"trial_id": "a", "status": "done"} | fields)
    (tmp_path / "record.jsonl").write_text(line, encoding="utf-8")
    with pytest.raises(UsageError, match=r"record\.jsonl, line 1"):
        Record.read(tmp_path / "record.jsonl")


@pytest.mark.parametrize("column", ["settings", "labels", "provenance", "memberships"])
@pytest.mark.parametrize("text", ["{", "1", "null", "", '{"a": 1}'])
def test_a_column_that_is_no_json_is_found_when_the_file_is_read(tmp_path, column, text):
    table = as_table([Run("a", "done", {"x": 1.0})])
    at = table.schema.get_field_index(column)
    table = table.set_column(at, column, pa.array([text], pa.string()))
    pq.write_table(table, tmp_path / "record.parquet")
    if (column, text) in {(name, '{"a": 1}') for name in ("settings", "labels", "provenance")}:
        Record.read(tmp_path / "record.parquet")
        return
    with pytest.raises(UsageError, match=r"record\.parquet holds no record"):
        Record.read(tmp_path / "record.parquet")
