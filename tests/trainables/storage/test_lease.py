"""Leases of trials among drivers that share a folder: each of these drivers is told apart by name.

The file system's clock is moved by moving the times of files back.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from types import SimpleNamespace

import pytest

from trainables.storage import lease
from trainables.storage.files import Storage
from trainables.storage.lease import BEAT, STALE, Driver, Leases, driving


@contextmanager
def folder() -> Iterator[Path]:
    """No fixture: mutants call each test."""
    with TemporaryDirectory() as made:
        yield Path(made)


@contextmanager
def drivers(count: int) -> Iterator[tuple[Path, list[Leases]]]:
    """So many drivers at work, and the folder of their leases."""
    with folder() as root, ExitStack() as stack:
        storage = Storage(root)
        yield root / "leases", [stack.enter_context(driving(storage)) for _ in range(count)]


def aged(file: Path, seconds: float) -> None:
    """As if the file had last been touched so long before."""
    then = file.stat().st_mtime - seconds
    os.utime(file, (then, then))


def heart(at: Path, driver: Leases) -> Path:
    return at / f"{driver.owner}.driver"


def elsewhere(at: Path, driver: Leases) -> None:
    """Make ``driver`` one of another machine, of which only the heartbeat is known."""
    away = replace(Driver.here(), host="other", machine="other", pid=2**22 + 1)  # none has it here
    heart(at, driver).write_text(json.dumps(asdict(away)))


def test_a_trial_is_one_drivers_until_it_is_released() -> None:
    with drivers(2) as (_, (one, two)):
        assert one.claim("a")
        assert one.claim("a")  # it has it; the trial's process may have died and started again
        assert not two.claim("a")
        assert two.claim("b")
        assert one.held_by_others(["a", "b", "c"]) == {"b": Driver.here()}
        two.release("a")  # which it has not
        assert not two.claim("a")
        one.release("a")
        assert two.claim("a")
        assert not one.claim("a")


def test_of_many_that_ask_at_once_one_gets_it() -> None:
    with drivers(8) as (_, all_of_them), ThreadPoolExecutor(8) as pool:
        for trial in map(str, range(50)):
            assert sum(pool.map(lambda d, t=trial: d.claim(t), all_of_them)) == 1


def test_of_many_that_find_a_stale_one_one_gets_it() -> None:
    with drivers(8) as (at, (gone, *others)), ThreadPoolExecutor(8) as pool:
        for trial in map(str, range(50)):
            assert gone.claim(trial)
        elsewhere(at, gone)
        aged(heart(at, gone), STALE + 1)
        for trial in map(str, range(50)):
            assert sum(pool.map(lambda d, t=trial: d.claim(t), others)) == 1
        assert {file.name for file in at.iterdir()} == {
            *map(str, range(50)),
            *(heart(at, driver).name for driver in (gone, *others)),
        }


@pytest.mark.parametrize(("age", "free"), [(STALE - 1, False), (STALE + 1, True)])
@pytest.mark.parametrize("clock", [-86_400.0, 0.0, 86_400.0])
def test_a_lease_is_free_two_minutes_after_the_last_heartbeat_by_the_file_systems_clock(
    age: float, free: bool, clock: float
) -> None:
    """A machine's own clock may be a day off: neither driver asks it."""
    with drivers(2) as (at, (one, two)), pytest.MonkeyPatch.context() as patch:
        patch.setattr(lease.time, "time", lambda: 1e9 + clock)
        assert one.claim("a")
        elsewhere(at, one)
        aged(heart(at, one), age)
        assert ("a" not in two.held_by_others(["a"])) == free
        assert two.claim("a") == free


def test_a_driver_of_this_machine_that_was_killed_is_not_waited_for() -> None:
    code = (
        f"import sys, os; sys.path.insert(0, {str(Path(__file__).parents[3])!r})\n"
        "from trainables.storage.lease import *\nfrom trainables.storage.files import Storage\n"
        "with driving(Storage(sys.argv[1])) as leases:\n"
        "    assert leases.claim('a')\n    os._exit(9)\n"
    )
    with folder() as root:
        assert subprocess.run([sys.executable, "-c", code, root]).returncode == 9
        left = {file.name.rpartition(".")[2] for file in (root / "leases").iterdir()}
        assert left == {"a", "driver"}
        with driving(Storage(root)) as leases:
            assert [file.name for file in (root / "leases").iterdir()] == [f"{leases.owner}.driver"]
            assert leases.claim("a")
        assert not (root / "leases").exists()  # what the killed one had left is gone, too


def test_the_heart_beats_and_comes_back_after_it_was_taken_for_dead() -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(lease, "BEAT", 0.01)
        with drivers(2) as (at, (one, two)):
            one.claim("a")
            for wrong in (lambda: aged(heart(at, one), 1e6), heart(at, one).unlink):
                wrong()
                looks = 0
                while not two.held_by_others(["a"]) and (looks := looks + 1) < 1000:
                    time.sleep(0.01)
                assert two.held_by_others(["a"])
    assert STALE >= 5 * BEAT  # a few may be late, and NFS may tell of one a minute later


def test_drivers_that_end_leave_nothing() -> None:
    with folder() as root:
        with driving(Storage(root)) as one:
            with driving(Storage(root)) as two:
                assert one.claim("a")
                assert two.claim("b")
            assert "a" in Leases(Storage(root), "third").held_by_others(["a", "b"])
            assert "b" not in Leases(Storage(root), "third").held_by_others(["a", "b"])
        assert list(root.iterdir()) == []


def test_a_lease_whose_owner_is_not_written_yet_is_held_for_two_minutes() -> None:
    with drivers(1) as (at, (one,)):
        (at / "a").touch()
        assert not one.claim("a")
        aged(at / "a", STALE + 1)
        assert one.claim("a")


def test_what_was_taken_over_is_not_removed_by_who_had_it() -> None:
    """A driver that slept for an hour, and wakes."""
    with drivers(3) as (at, (one, two, three)):
        one.claim("a")
        elsewhere(at, one)
        aged(heart(at, one), STALE + 1)
        assert two.claim("a")
        one.release("a")
        assert not three.claim("a")


def test_one_alone_of_two_that_found_a_stale_one_removes_it() -> None:
    """The second asks when the first has looked, and is about to remove what it has seen."""
    with drivers(3) as (at, (gone, one, two)), pytest.MonkeyPatch.context() as patch:
        gone.claim("a")
        elsewhere(at, gone)
        aged(heart(at, gone), STALE + 1)
        text, looks, second = lease._text, list[Path](), list[bool]()

        def look(file: Path) -> str | None:
            found = text(file)
            looks.append(file)
            if len(looks) == 2:  # to claim it, and to remove it
                second.append(two.claim("a"))
            return found

        patch.setattr(lease, "WAIT", 0.0)
        patch.setattr(lease, "_text", look)
        assert [one.claim("a"), *second] == [True, False]
        assert text(at / "a") == one.owner


REMOVING = ".a.removed"
"""Who removes lease a has made this file."""


@pytest.mark.parametrize(("age", "free"), [(STALE - 1, False), (STALE + 1, True)])
def test_who_was_killed_while_it_removed_a_lease_is_waited_for_two_minutes(
    age: float, free: bool
) -> None:
    with drivers(2) as (at, (one, two)), pytest.MonkeyPatch.context() as patch:
        patch.setattr(lease, "WAIT", 0.0)
        one.claim("a")
        elsewhere(at, one)
        aged(heart(at, one), STALE + 1)
        (at / REMOVING).touch()
        aged(at / REMOVING, age)
        assert two.claim("a") == free
        assert (at / REMOVING).exists() != free


def test_what_killed_drivers_were_removing_goes_when_the_next_begins() -> None:
    with drivers(1) as (at, _):
        for name, age in ((REMOVING, STALE - 1), (".b.removed", STALE + 1), (".now.0", STALE + 1)):
            (at / name).touch()
            aged(at / name, age)
        with driving(Storage(at.parent)):
            assert [file.name for file in at.glob(".*")] == [REMOVING]


def test_a_release_waits_until_another_one_has_looked() -> None:
    with drivers(2) as (at, (one, two)), pytest.MonkeyPatch.context() as patch:
        one.claim("a")
        (at / REMOVING).touch()
        looked = SimpleNamespace(sleep=lambda _: (at / REMOVING).unlink())
        patch.setattr(lease, "time", looked)
        one.release("a")
        assert two.claim("a")


@pytest.mark.parametrize(("seconds", "ended"), [(lease.CLOCK - 1, False), (lease.CLOCK + 1, True)])
def test_a_process_id_that_is_used_again_is_another_driver(seconds: float, ended: bool) -> None:
    here = Driver.here()
    for started in (here.started - seconds, here.started + seconds):
        assert replace(here, started=started).ended == ended


def test_who_stays_in_a_block_for_long_is_waited_for_no_more() -> None:
    with drivers(2) as (_, (one, two)), pytest.MonkeyPatch.context() as patch:
        patch.setattr(lease, "PATIENCE", 0.0)
        with one.alone("a"), two.alone("a"):
            assert not two.claim("a")
        assert two.claim("a")


def test_others_wait_until_a_block_of_one_name_is_left() -> None:
    """Each adds one to a number that it reads first: none is lost."""
    with drivers(4) as (at, all_of_them), ThreadPoolExecutor(4) as pool:
        number = at.parent / "number"
        number.write_text("0")

        def add(driver: Leases) -> None:
            for _ in range(10):
                with driver.alone("number"):
                    number.write_text(str(int(number.read_text()) + 1))

        list(pool.map(add, all_of_them))
        assert number.read_text() == "40"


def test_where_there_is_no_atomic_creation_every_trial_is_free() -> None:
    with folder() as root:
        storage = Storage(f"memory://{root}")
        with driving(storage) as one, driving(storage) as two:
            assert one.claim("a")
            assert two.claim("a")
            assert two.held_by_others(["a"]) == {}
        assert storage.names("*/*") == []
        assert list(root.iterdir()) == []


def test_where_no_file_can_be_made_trials_are_run_all_the_same() -> None:
    with folder() as root:
        (root / "leases").write_text("a file where a folder should be")
        with driving(Storage(root)) as leases:
            assert leases.claim("a")
            assert leases.held_by_others(["a"]) == {}
