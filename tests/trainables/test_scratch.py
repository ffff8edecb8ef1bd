"""Temporary folders that go with their process, however it ends."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from trainables import scratch

MAKER = """
import os, subprocess, sys, time
from trainables.scratch import VARIABLE, Scratch
made = Scratch()
(made.path / "file").write_text("x")
orphan = subprocess.Popen(
    [sys.executable, "-c", "import time; time.sleep(300)"],
    env={**os.environ, VARIABLE: str(made.path)}, start_new_session=True)
print(made.path, orphan.pid, flush=True)
time.sleep(300)
"""


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(scratch, "base", lambda: tmp_path)
    return tmp_path


def test_what_a_killed_process_leaves_is_collected_with_its_orphans(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """While it lives nothing of it is touched, though it has another process's folder's name."""
    maker = subprocess.Popen(
        [sys.executable, "-c", MAKER], stdout=subprocess.PIPE, text=True,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])},
    )  # fmt: skip
    assert maker.stdout is not None
    path, orphan = maker.stdout.readline().split()
    folder = Path(path)
    try:
        assert folder not in scratch.collect()
        assert (folder / "file").exists()
    finally:
        maker.kill()
        maker.wait()
    assert folder in scratch.leftovers()
    assert folder in scratch.collect()
    assert not folder.exists()
    deadline = time.monotonic() + 30
    while _lives(int(orphan)) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not _lives(int(orphan))


def _lives(pid: int) -> bool:
    try:
        return "Z" not in Path(f"/proc/{pid}/stat").read_text().split(")")[1].split()[0]
    except FileNotFoundError:
        return False


def test_a_folder_of_this_process_is_removed_at_its_end_and_is_private(place: Path) -> None:
    with scratch.scratch() as folder:
        assert folder.parent == place
        assert folder.stat().st_mode & 0o077 == 0
        assert scratch.leftovers() == []
    assert list(place.iterdir()) == []


def test_a_folder_is_found_by_others_only_when_it_is_locked(
    place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever collects leftovers in between would take it for one."""
    lock, seen = scratch._try_lock, list[list[Path]]()

    def looked(descriptor: int) -> bool:
        seen.append(list(place.glob(f"{scratch.PREFIX}*")))
        return lock(descriptor)

    monkeypatch.setattr(scratch, "_try_lock", looked)
    with scratch.scratch():
        assert seen == [[]]


def test_what_is_made_again_meanwhile_is_removed_too(
    place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A process that is being killed may still write."""
    folder, remove, again = place / "left", scratch.shutil.rmtree, [True, True, False]

    def made_again(path: Path, **options: object) -> None:
        remove(path)
        if again.pop(0):
            path.mkdir()

    folder.mkdir()
    monkeypatch.setattr(scratch.shutil, "rmtree", made_again)
    monkeypatch.setattr(scratch.time, "sleep", lambda _: None)
    scratch.remove(folder)
    assert not folder.exists()
    assert again == []


def test_who_removes_the_folder_that_it_belongs_to_lives_on(tmp_path: Path) -> None:
    folder = tmp_path / "own"
    folder.mkdir()
    code = "import sys; from pathlib import Path; from trainables import scratch\n"
    done = subprocess.run(
        [sys.executable, "-c", f"{code}scratch.remove(Path(sys.argv[1])); print('on')", folder],
        env={**os.environ, scratch.VARIABLE: str(folder)}, cwd=Path(__file__).parents[2],
        text=True, capture_output=True, check=False,
    )  # fmt: skip
    assert (done.returncode, done.stdout) == (0, "on\n")
    assert not folder.exists()


def test_other_peoples_folders_are_not_taken_for_leftovers(
    place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (place / f"{scratch.PREFIX}other").mkdir()
    (place / "another program's").mkdir()
    assert [path.name for path in scratch.leftovers()] == [f"{scratch.PREFIX}other"]
    monkeypatch.setattr(os, "getuid", lambda: 12345)
    assert scratch.leftovers() == []


def test_a_long_path_is_left_for_the_sake_of_sockets(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Ray's, of at most 107 characters: below the longest folder that is taken one must fit."""
    monkeypatch.setattr(scratch.tempfile, "gettempdir", lambda: str(tmp_path / ("x" * 40)))
    assert scratch.base() == Path("/tmp")
    socket = "/r/session_2026-11-26_12-16-36_821592_1234567/sockets/plasma_store"
    assert scratch.LONGEST + 1 + len(scratch.PREFIX) + 8 + len(socket) <= 107
