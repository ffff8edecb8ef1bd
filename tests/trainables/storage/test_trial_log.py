"""What trials print is kept, bounded and without passwords, and costs no trial."""

from __future__ import annotations

import logging
import sys
import threading
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path

import pytest

from trainables.config import TrialConfig
from trainables.job import Job
from trainables.parallel.group import Group
from trainables.run_job import run_job
from trainables.storage import trial_log
from trainables.storage.files import Storage, StorageError
from trainables.storage.trial_log import LIMIT, LOG, TrialLog, append, name_of, opening, read
from trainables.train import Trial

CONFIG = TrialConfig(
    epochs=2, batch_size=64, data={"source": "digits", "subset": 200}, model={"name": "mlp_tiny"}
)


def job(folder: Path) -> Job:
    return Job.of(CONFIG, storage=str(folder), execution={"device": "cpu"})


@pytest.fixture
def in_every_epoch(monkeypatch: pytest.MonkeyPatch) -> Callable[[Callable[[], object]], None]:
    """Do something more in each epoch."""

    def also(what: Callable[[], object]) -> None:
        train = Trial.run_epoch
        monkeypatch.setattr(Trial, "run_epoch", lambda self: (what(), train(self))[1])

    return also


Also = Callable[[Callable[[], object]], None]


def lines(folder: Storage, name: str = LOG) -> list[str]:
    """What was printed; when and where is left away."""
    return [line for line in read(folder, name)[1].splitlines() if line[:3] != "== "]


def test_what_a_trial_prints_is_kept_and_printed(
    tmp_path: Path, in_every_epoch: Also, capsys: pytest.CaptureFixture[str]
) -> None:
    in_every_epoch(lambda: (print("loss", 1), print("careful", file=sys.stderr)))
    for _ in run_job(job(tmp_path)):
        print("the driver's own")
    assert lines(job(tmp_path).folder) == ["loss 1", "careful"] * 2
    out, err = capsys.readouterr()
    assert out == "loss 1\nthe driver's own\n" * 2 + "the driver's own\n"
    assert err == "careful\n" * 2


def test_a_trial_that_prints_nothing_writes_nothing(tmp_path: Path) -> None:
    list(run_job(job(tmp_path)))
    assert Storage(tmp_path).names("trials/*/*") == [f"trials/{CONFIG.trial_id}/result.json"]


def test_what_another_thread_prints_is_not_the_trials(tmp_path: Path, in_every_epoch: Also) -> None:
    """The serial executor's driver prints results while the next trial trains."""

    def elsewhere() -> None:
        thread = threading.Thread(target=print, args=("recorded",))
        thread.start()
        thread.join()
        print("own")

    in_every_epoch(elsewhere)
    list(run_job(job(tmp_path)))
    assert lines(job(tmp_path).folder) == ["own", "own"]


def test_a_handler_that_the_first_trial_made_serves_the_second(
    tmp_path: Path, in_every_epoch: Also, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Between trials, and afterwards, it serves none."""
    monkeypatch.setattr(trial_log, "FLUSH_SECONDS", 0)  # what a trial's log gets it has at once
    monkeypatch.setattr(trial_log, "SHARE", 0)
    logger = logging.getLogger("of a user")

    def once() -> None:
        if not logger.handlers:
            logger.addHandler(logging.StreamHandler())
        logger.warning("said")

    in_every_epoch(once)
    for name in "ab":
        list(run_job(job(tmp_path / name)))
        assert lines(job(tmp_path / name).folder) == ["said", "said"]
    logger.warning("after")
    assert lines(job(tmp_path / "b").folder) == ["said", "said"]


def test_what_was_printed_until_an_interruption_is_kept(
    tmp_path: Path, in_every_epoch: Also
) -> None:
    def interrupted() -> None:
        print("so far")
        raise KeyboardInterrupt

    in_every_epoch(interrupted)
    with pytest.raises(KeyboardInterrupt):
        list(run_job(job(tmp_path)))
    assert lines(job(tmp_path).folder) == ["so far"]


def test_a_log_that_cannot_be_written_costs_no_trial(
    tmp_path: Path, in_every_epoch: Also, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise StorageError("full")

    monkeypatch.setattr(trial_log, "append", full)
    in_every_epoch(lambda: print("x"))
    *_, last = run_job(job(tmp_path))
    assert last.outcome == "done"


def test_attempts_follow_each_other_each_with_when_and_where(tmp_path: Path) -> None:
    folder = Storage(tmp_path)
    for text in ("first\n", "second\n"):
        log = TrialLog(lambda: folder)
        log.add(text)
        log.flush()
        log.add("more\n")
        log.flush()
    found = read(folder)[1].splitlines()
    assert [line for line in found if line[:3] != "== "] == ["first", "more", "second", "more"]
    assert [number for number, line in enumerate(found) if line[:3] == "== "] == [0, 3]
    assert opening().endswith("==\n")


def test_the_last_of_it_is_kept_and_what_is_left_out_is_counted(tmp_path: Path) -> None:
    folder = Storage(tmp_path)
    append(folder, "a" * LIMIT)
    assert read(folder) == (0, "a" * LIMIT)
    append(folder, "b" * 10)
    append(folder, "c" * 5)
    assert read(folder) == (15, "a" * (LIMIT - 15) + "b" * 10 + "c" * 5)
    assert len(folder.read(LOG)) < LIMIT + 100
    append(folder, "d" * 7, left_out=20)  # what the file had is before those
    assert read(folder) == (15 + LIMIT + 20, "d" * 7)


def test_a_trial_that_prints_without_end_holds_no_more_than_it_keeps(tmp_path: Path) -> None:
    folder = Storage(tmp_path)
    append(folder, "before")
    log = TrialLog(lambda: folder)
    log._begun = True
    for number in range(5 * LIMIT // 8):
        log.add(f"{number:7}\n")
        assert number % 4096 or sum(map(len, log._pieces)) <= 2 * LIMIT
    log.flush()
    left_out, text = read(folder)
    assert (left_out, len(text)) == (len("before") + 4 * LIMIT, LIMIT)
    assert text.endswith(f"{5 * LIMIT // 8 - 1:7}\n")
    log.add("end\n")
    log.flush()
    assert read(folder)[0] == left_out + len("end\n")


def test_what_is_no_text_costs_a_character_and_not_the_log(tmp_path: Path) -> None:
    """Names of files in other encodings, as Python holds them, and bytes that others wrote."""
    folder = Storage(tmp_path)
    append(folder, "one \udce9\n")
    assert read(folder) == (0, "one ?\n")
    folder.write(LOG, b"two \xe9\n")
    append(folder, "three\n")
    assert read(folder) == (0, "two \ufffd\nthree\n")


def test_a_long_trial_writes_now_and_then_and_whole_lines_only(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Half a password is not known as one."""
    folder, now = Storage(tmp_path), [0.0]
    monkeypatch.setattr(trial_log.time, "monotonic", lambda: now[0])
    log = TrialLog(lambda: folder)
    log.add("one\n")
    assert lines(folder) == []
    now[0] = trial_log.FLUSH_SECONDS
    log.add("s3://key:hun")
    assert lines(folder) == ["one"]
    log.add("ter2@host/\n")
    assert lines(folder) == ["one"]
    now[0] *= 2
    log.add("three\n")
    assert lines(folder) == ["one", "s3://key:***@host/", "three"]
    now[0] *= 2
    log.add("=" * (trial_log.LONGEST_LINE + 1))
    assert lines(folder)[-1][:3] == "==="


def test_a_slow_store_takes_a_hundredth_of_the_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    now, writes = [0.0], []

    def slow(*_: object) -> None:
        writes.append(now[0])
        now[0] += 3.0

    monkeypatch.setattr(trial_log.time, "monotonic", lambda: now[0])
    monkeypatch.setattr(trial_log, "append", slow)
    log = TrialLog(lambda: Storage(tmp_path))
    while now[0] < 1000:
        now[0] += 1
        log.add("x\n")
    assert writes[0] == trial_log.FLUSH_SECONDS
    assert {after - before for before, after in pairwise(writes)} == {303.0}


def test_passwords_of_the_store_and_of_the_text_are_hidden(tmp_path: Path) -> None:
    folder = Storage(tmp_path)
    folder.root = "s3://key:hunter22@host/bucket"
    append(folder, "got hunter22 of http://me:secret1@there/\n")
    assert read(Storage(tmp_path))[1] == "got *** of http://me:***@there/\n"


def test_each_worker_has_a_file_and_the_first_has_the_plain_name() -> None:
    assert [name_of(rank) for rank in range(3)] == [LOG, "log.1.txt", "log.2.txt"]


def test_a_worker_writes_into_its_own_file(tmp_path: Path, in_every_epoch: Also) -> None:
    class Third(Group):
        rank = 2

    in_every_epoch(lambda: print("here"))
    list(run_job(job(tmp_path), lambda device: Third()))
    assert lines(job(tmp_path).folder, "log.2.txt") == ["here", "here"]
    assert lines(job(tmp_path).folder) == []
