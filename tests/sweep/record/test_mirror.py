"""The copy of the record beside the store: what is in it, and when the store is asked again.

Oracle: the store read as a whole.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

import pyarrow.parquet as pq
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


@contextmanager
def three() -> Iterator[tuple[Store, Path]]:
    """A store of three runs, and a folder. No fixture: mutants of the mirror call each test."""
    made = Store()
    made.write(*map(run, range(3)))
    with TemporaryDirectory() as folder:
        yield made, Path(folder)


def seen(record: Record) -> list[Run]:
    return sorted(record.runs(history=False), key=lambda run: run.trial_id)


def whole(store: Store) -> list[Run]:
    return seen(Record.from_runs(store.runs.values()))


def test_an_unchanged_store_is_not_asked() -> None:
    with three() as (store, place):
        first = Mirror(place / "m", store).record()
        again = Mirror(place / "m", store).record()
        assert seen(first) == seen(again) == whole(store)
        assert store.asked == ["all"]


def test_runs_that_ended_since_are_added() -> None:
    with three() as (store, place):
        mirror = Mirror(place, store)
        for number in range(3, 3 + 2 * FILES):
            mirror.record()
            store.write(run(number))
        assert seen(mirror.record()) == whole(store)
        assert store.asked == ["all", *["new"] * (2 * FILES)]
        assert len(list(place.glob("*.parquet"))) <= FILES


def test_a_run_that_ended_while_another_clock_was_ahead_is_added() -> None:
    with three() as (store, place):
        mirror = Mirror(place, store)
        mirror.record()
        store.write(run(9, ended=3 * HOUR - SLACK + 1))
        assert mirror.record().status("t9") == "done"


def test_a_run_that_is_written_to_after_its_end_is_read_again() -> None:
    with three() as (store, place):
        mirror = Mirror(place, store)
        mirror.record()
        mirror.forget(["r0"])
        store.write(run(0, metrics={"test_error": 0.5, "ece": 0.1}))
        assert mirror.record().value("t0", "ece") == 0.1
        assert seen(mirror.record()) == whole(store)


def test_one_that_was_looked_at_between_its_naming_and_its_writing_is_read_again() -> None:
    """So a driver names it twice: the look of another process had the run of before."""
    with three() as (store, place):
        mirror = Mirror(place, store)
        mirror.record()
        mirror.forget(["r0"])
        store.write(run(3))  # another driver's
        mirror.record()
        store.write(run(0, metrics={"test_error": 0.5}))
        mirror.record()
        mirror.forget(["r0"])
        assert seen(mirror.record()) == whole(store)


def test_several_may_be_named_one_after_the_other() -> None:
    with three() as (store, place):
        mirror = Mirror(place, store)
        mirror.record()
        for number in (0, 1):
            mirror.forget([f"r{number}"])
            store.write(run(number, metrics={"test_error": 0.5}))
        assert seen(mirror.record()) == whole(store)


def test_what_is_known_is_not_written_again() -> None:
    """The latest runs are looked at each time, for clocks may differ."""
    with three() as (store, place):
        mirror = Mirror(place, store)
        for number in range(3, 6):
            mirror.record()
            store.write(run(number))
        mirror.record()
        rows = [pq.ParquetFile(file).metadata.num_rows for file in place.glob("*.parquet")]
        assert sum(rows) == len(store.runs)


def test_a_driver_that_dies_between_the_two_leaves_a_run_that_is_read_again() -> None:
    """Named first, then written to: whenever it dies the next look reads the run."""
    with three() as (store, place):
        mirror = Mirror(place, store)
        mirror.record()
        mirror.forget(["r1"])
        assert seen(mirror.record()) == whole(store)


def test_what_was_edited_by_hand_is_found_by_reading_the_whole_store() -> None:
    with three() as (store, place):
        mirror = Mirror(place, store)
        mirror.record()
        del store.runs["r1"]
        store.write(run(2, metrics={"test_error": 0.9}))
        assert seen(mirror.record()) != whole(store)
        assert seen(mirror.record(refresh=True)) == seen(mirror.record()) == whole(store)


def test_another_store_in_the_place_of_this_is_read_anew() -> None:
    with three() as (store, place):
        Mirror(place, store).record()
        other = Store()
        other.inode = 8
        other.write(run(0, metrics={"test_error": 0.7}))
        assert seen(Mirror(place, other).record()) == whole(other)


@pytest.mark.parametrize("damage", ["index", "file", "bytes", "version", "all"])
def test_a_copy_that_is_lost_or_damaged_is_made_anew(damage: str) -> None:
    with three() as (store, place):
        folder = place / "m"
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
            folder.rename(place / "elsewhere")
        assert seen(Mirror(folder, store).record()) == whole(store)
        assert seen(Mirror(folder, store).record()) == whole(store)
        assert store.asked == ["all", "all"]


def test_one_that_cannot_be_written_is_done_without() -> None:
    with three() as (store, place):
        (place / "m").write_text("a file")
        assert seen(Mirror(place / "m", store).record()) == whole(store)
        Mirror(place / "m", store).forget(["r1"])


def test_a_reader_keeps_what_it_opened() -> None:
    """Numbers are read when they are asked for; another process joins the files meanwhile."""
    with three() as (store, place):
        early = Mirror(place, store).record()
        Mirror(place, store).record(refresh=True)
        assert early.value("t2", "test_error") == 0.02


def test_curves_are_asked_for_once() -> None:
    with three() as (store, place):
        record = Mirror(place, store).record()
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
