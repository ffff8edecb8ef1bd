"""What is committed in `docs/results` is what its record prints, to the last character."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks.reproductions.__main__ import FOLDER
from benchmarks.reproductions.items import ITEMS, Sweep, every
from benchmarks.reproductions.ledger import Ledger, too_large
from benchmarks.reproductions.work import RECORDS, Work
from sweep.record import imported
from tests.sweep.called import call
from trainables.config import PROTOCOL_VERSION

LEDGER = Ledger.read(FOLDER)
DONE = [sweep for _, sweep in every(ITEMS) if LEDGER.is_done(sweep)]
every_sweep = pytest.mark.parametrize("sweep", DONE, ids=lambda sweep: sweep.name)


def test_its_trials_are_of_this_protocol() -> None:
    """After a change of numbers: run them again, or take what is outdated out of the folder."""
    runs = [run for file in FOLDER.glob(RECORDS) for run in imported.read(file)]
    assert runs
    assert {run.protocol for run in runs} == {PROTOCOL_VERSION}


@pytest.fixture(scope="module")
def work(tmp_path_factory: pytest.TempPathFactory) -> Work:
    """On a storage that was made of the committed record alone."""
    made = Work(FOLDER, tmp_path_factory.mktemp("storage"), call=call)
    made.take_over()
    return made


@every_sweep
def test_every_table_is_printed_again_from_the_record(sweep: Sweep, work: Work) -> None:
    assert work.table(sweep, "md") == (FOLDER / f"{sweep.name}.md").read_text(encoding="utf-8")


@every_sweep
def test_every_verdict_is_given_again_from_the_record(sweep: Sweep, work: Work) -> None:
    file = FOLDER / f"{sweep.name}-claims.md"
    kept = file.read_text(encoding="utf-8") if file.exists() else ""
    assert work.claims(sweep, "md") == kept


def test_the_page_says_what_follows_from_them(work: Work) -> None:
    assert work.page() == (FOLDER / "README.md").read_text(encoding="utf-8")


def test_what_is_there_is_what_was_written_and_small() -> None:
    written = {name for entry in LEDGER.entries.values() for name in entry.files}
    there = {file.name for file in Path(FOLDER).iterdir()}
    records = {file.name for file in FOLDER.glob(RECORDS)}
    assert there == written | {"README.md", "ledger.json"} | records
    assert too_large(FOLDER) == []


@every_sweep
def test_each_says_where_and_when_it_was_run_and_what_it_took(sweep: Sweep) -> None:
    entry = LEDGER.of(sweep)
    assert entry.done
    assert entry.commands
    assert entry.trials
    assert {"hardware", "python", "torch", "commit"} <= set(entry.environment)
    assert not entry.environment["commit"].endswith("-dirty")
