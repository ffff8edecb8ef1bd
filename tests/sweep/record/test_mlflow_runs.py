"""A run as the record has it, whatever somebody wrote into the database."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from sweep.record.mlflow_runs import DIGEST, PROVENANCE, Entry, as_run, dataset, is_edited
from sweep.record.record import Record


@pytest.mark.parametrize("odd", [b"A\xf1\x15", 3, 2.5, None])
def test_values_of_another_type_than_the_columns_are_read_as_texts(odd: Any) -> None:
    """SQLite takes bytes and numbers in columns of texts, and bytes in those of numbers."""
    tags = {
        "trial_id": "t1",
        "outcome": "done",
        "method": odd,
        "provenance.host": odd,
        "error": odd,
    }
    found = SimpleNamespace(
        data=SimpleNamespace(
            tags=tags, params={"lr": odd}, metrics={"a": 1.0, "b": b"x", "c": None}
        ),
        info=SimpleNamespace(run_id="r1", end_time=None),
    )
    record = Record.from_runs([as_run(found)])
    assert record.trial_ids == ["t1"]
    assert record.metric_names() == ["a"]
    (run,) = record.runs()
    assert run.settings == ({} if odd is None else {"lr": str(odd)})


@pytest.mark.parametrize("odd", [b"A\xf1\x15", "A", 3, None])
def test_a_run_with_values_of_another_type_is_edited(odd: Any) -> None:
    for where in ("params", "tags", "metrics"):
        data = {"tags": {DIGEST: "0" * 64, "outcome": "done"}, "params": {}, "metrics": {}}
        data[where] = {**data[where], "method": odd}
        assert is_edited(SimpleNamespace(data=SimpleNamespace(**data)))


@pytest.mark.parametrize(("digest", "shown"), [("ab" * 8, "ab" * 8), ("", "made_up")])
def test_a_data_set_that_has_no_digest_goes_by_the_name_of_its_part(
    digest: str, shown: str
) -> None:
    """MLflow takes a digest of 36 characters; what a computed set is called may be longer."""
    named = "measurements of a matrix of rank 5 (computed, draw 0)"
    tags = {f"{PROVENANCE}data": named, f"{PROVENANCE}data_digest": digest}
    entry = Entry("t1", "a trial", "done", {"data.source.name": "made_up"}, tags=tags)
    used = dataset(entry).dataset
    assert (used.name, used.digest) == (named, shown)
