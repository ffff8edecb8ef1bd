"""The copy of the record beside the store: what is in it, and when the store is asked again.

Oracle: the store read as a whole.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from sweep.record.membership import Membership
from sweep.record.mirror import FILES, SLACK, Fingerprint, Mirror, fingerprint, folder_of
from sweep.record.record import Record
from sweep.record.runs import Run

HOUR = 3_600_000


class Store:
    """Runs in memory; counts what is asked of it."""

    def __init__(self) -> None:
        self.runs: dict[str, Run] = {}
        self.writes = 0
        self.asked: list[str] = []
        self.inode = 7

    def write(self, *runs: Run) -> None:
        self.runs |= {run.run_id: run for run in runs}
        self.writes += 1

    def fingerprint(self) -> Fingerprint | None:
        return [self.inode, self.writes]

    def ended(self, since: int) -> Iterable[Run]:
        self.asked.append("all" if not since else "new")
        return [run for run in self.runs.values() if run.ended >= since]

    def named(self, run_ids: Sequence[str]) -> Iterable[Run]:
        return [self.runs[name] for name in run_ids if name in self.runs]

    def curves(self, run_id: str) -> dict[str, list[float]]:
        self.asked.append(f"curves of {run_id}")
        return {"loss": [2.0, 1.0]}


def run(number: int, **fields: object) -> Run:
    made = Run(
        f"t{number}", "done", {"test_error": number / 100}, history=None, run_id=f"r{number}",
        memberships=(Membership("nrs/table1", "small", "paper", "train"),),
        provenance={"commit": "abc"}, protocol=2, ended=(number + 1) * HOUR,
    )  # fmt: skip
    return replace(made, **fields)


@pytest.fixture
def store() -> Store:
    made = Store()
    made.write(*map(run, range(3)))
    return made


def seen(record: Record) -> list[Run]:
    return sorted(record.runs(history=False), key=lambda run: run.trial_id)


def whole(store: Store) -> list[Run]:
    return seen(Record.from_runs(store.runs.values()))


def test_an_unchanged_store_is_not_asked(store: Store, tmp_path: Path) -> None:
    first = Mirror(tmp_path / "m", store).record()
    again = Mirror(tmp_path / "m", store).record()
    assert seen(first) == seen(again) == whole(store)
    assert store.asked == ["all"]


def test_runs_that_ended_since_are_added(store: Store, tmp_path: Path) -> None:
    mirror = Mirror(tmp_path, store)
    for number in range(3, 3 + 2 * FILES):
        mirror.record()
        store.write(run(number))
    assert seen(mirror.record()) == whole(store)
    assert store.asked == ["all", *["new"] * (2 * FILES)]
    assert len(list(tmp_path.glob("*.parquet"))) <= FILES


def test_a_run_that_ended_while_another_clock_was_ahead_is_added(
    store: Store, tmp_path: Path
) -> None:
    mirror = Mirror(tmp_path, store)
    mirror.record()
    store.write(run(9, ended=3 * HOUR - SLACK + 1))
    assert mirror.record().status("t9") == "done"


def test_a_run_that_is_written_to_after_its_end_is_read_again(store: Store, tmp_path: Path) -> None:
    mirror = Mirror(tmp_path, store)
    mirror.record()
    mirror.forget(["r0"])
    store.write(run(0, metrics={"test_error": 0.5, "ece": 0.1}))
    assert mirror.record().value("t0", "ece") == 0.1
    assert seen(mirror.record()) == whole(store)


def test_a_driver_that_dies_between_the_two_leaves_a_run_that_is_read_again(
    store: Store, tmp_path: Path
) -> None:
    """Named first, then written to: whenever it dies the next look reads the run."""
    mirror = Mirror(tmp_path, store)
    mirror.record()
    mirror.forget(["r1"])
    assert seen(mirror.record()) == whole(store)


def test_what_was_edited_by_hand_is_found_by_reading_the_whole_store(
    store: Store, tmp_path: Path
) -> None:
    mirror = Mirror(tmp_path, store)
    mirror.record()
    del store.runs["r1"]
    store.write(run(2, metrics={"test_error": 0.9}))
    assert seen(mirror.record()) != whole(store)
    assert seen(mirror.record(refresh=True)) == seen(mirror.record()) == whole(store)


def test_another_store_in_the_place_of_this_is_read_anew(store: Store, tmp_path: Path) -> None:
    Mirror(tmp_path, store).record()
    other = Store()
    other.inode = 8
    other.write(run(0, metrics={"test_error": 0.7}))
    assert seen(Mirror(tmp_path, other).record()) == whole(other)


@pytest.mark.parametrize("damage", ["index", "file", "bytes", "version", "all"])
def test_a_copy_that_is_lost_or_damaged_is_made_anew(
    store: Store, tmp_path: Path, damage: str
) -> None:
    folder = tmp_path / "m"
    Mirror(folder, store).record()
    (file,) = folder.glob("*.parquet")
    index = folder / "index.json"
    if damage == "index":
        index.write_text("{")
    elif damage == "file":
        file.unlink()
    elif damage == "bytes":
        file.write_bytes(file.read_bytes()[:-40])
    elif damage == "version":
        index.write_text(index.read_text().replace('"version": 1', '"version": 0'))
    else:
        folder.rename(tmp_path / "elsewhere")
    assert seen(Mirror(folder, store).record()) == whole(store)
    assert seen(Mirror(folder, store).record()) == whole(store)
    assert store.asked == ["all", "all"]


def test_one_that_cannot_be_written_is_done_without(store: Store, tmp_path: Path) -> None:
    (tmp_path / "m").write_text("a file")
    assert seen(Mirror(tmp_path / "m", store).record()) == whole(store)
    Mirror(tmp_path / "m", store).forget(["r1"])


def test_a_reader_keeps_what_it_opened(store: Store, tmp_path: Path) -> None:
    """Numbers are read when they are asked for; another process joins the files meanwhile."""
    early = Mirror(tmp_path, store).record()
    Mirror(tmp_path, store).record(refresh=True)
    assert early.value("t2", "test_error") == 0.02


def test_curves_are_asked_for_once(store: Store, tmp_path: Path) -> None:
    record = Mirror(tmp_path, store).record()
    assert record.curve("t1", "loss") == record.curve("t1", "loss") == [(1, 2.0), (2, 1.0)]
    assert store.asked == ["all", "curves of r1"]


def test_a_sqlite_file_tells_every_write(tmp_path: Path) -> None:
    """Two within one tick of the clock too: the header counts them."""
    file = tmp_path / "a.db"
    database = sqlite3.connect(file)
    found = [fingerprint(file)]
    for statement in ("create table t (x)", "insert into t values (1)", "update t set x = 2"):
        database.execute(statement)
        database.commit()
        found.append(fingerprint(file))
        assert fingerprint(file) == found[-1]
    assert found[0] is None or found[0] != found[1]
    assert len({tuple(f[5:] or f[3:]) for f in found[1:]}) == 3
    assert fingerprint(tmp_path / "none") is None


def test_a_server_is_copied_to_the_users_cache(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FLATSWEEP_CACHE", "/c/flatsweep")
    one, other = folder_of("http://a:5000"), folder_of("http://b:5000")
    assert one != other
    assert one.parent == Path("/c/flatsweep/mirror")
    assert folder_of("sqlite:////r/mlflow.db?x=1") == Path("/r/mlflow.db.mirror")
