"""What nothing refers to is found, and nothing else; it is removed when that is asked for."""

from __future__ import annotations

import json
import os
import time
from dataclasses import replace
from pathlib import Path

import pytest

from sweep.run import garbage
from tests.sweep.called import call
from tests.sweep.cases import TINY, sweep
from trainables import scratch
from trainables.storage.files import Storage
from trainables.storage.trial_folder import CHECKPOINT, RESULT

OLD = 3 * 86400
ASIDE = "checkpoint.bad-01234567.pt"
HALF = f".{RESULT}.{'0' * 32}.tmp"


@pytest.fixture(autouse=True)
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Other programs' folders are none of these tests'."""
    (tmp_path / "tmp").mkdir()
    monkeypatch.setattr(scratch, "base", lambda: tmp_path / "tmp")
    return tmp_path / "tmp"


@pytest.fixture
def storage(tmp_path: Path, offer: None) -> Storage:
    """A finished sweep, and of everything that nothing refers to one old and one young file."""
    plan, _, _ = sweep(TINY, tmp_path)
    storage = Storage(tmp_path / "results")
    done = plan.trials[0].trial_id
    for trial, name in (
        (done, CHECKPOINT), (done, ASIDE), (done, HALF), ("f" * 16, CHECKPOINT), ("e" * 16, RESULT),
    ):  # fmt: skip
        storage.write(f"trials/{trial}/{name}", b"12345")
    storage.write(f".probe-{'1' * 32}", b"")
    age(storage, "**/*", OLD)
    storage.write(f"trials/{'d' * 16}/{CHECKPOINT}", b"at work")
    storage.write(f"trials/{done}/.weights.pt.{'2' * 32}.tmp", b"at work")
    return storage


def age(storage: Storage, pattern: str, seconds: float) -> None:
    then = time.time() - seconds
    for path in Path(storage.root).glob(pattern):
        os.utime(path, (then, then))


def found(storage: Storage, *words: str) -> list[tuple[str, str]]:
    code, out, err = call("gc", "--storage", storage.root, "--format", "json", *words)
    assert code == 0, err
    return sorted((each["kind"], each["name"]) for each in json.loads(out)["garbage"])


def test_what_nothing_refers_to_is_shown_and_removed_when_asked(
    storage: Storage, place: Path
) -> None:
    left = place / f"{scratch.PREFIX}left"
    left.mkdir()
    finished = {name.split("/")[1] for name in storage.names(f"trials/*/{RESULT}")} - {"e" * 16}
    done = next(name.split("/")[1] for name in storage.names(f"trials/*/{ASIDE}"))
    before = {name: storage.read(name) for name in storage.names(f"trials/*/{RESULT}")}
    expected = sorted(
        [
            ("checkpoint", f"trials/{done}/{CHECKPOINT}"),
            ("process", str(left)),
            ("set aside", f"trials/{done}/{ASIDE}"),
            ("temporary", f".probe-{'1' * 32}"),
            ("temporary", f"trials/{done}/{HALF}"),
            ("trial", f"trials/{'e' * 16}"),
            ("trial", f"trials/{'f' * 16}"),
        ]
    )
    assert found(storage) == expected
    assert found(storage) == expected  # showing removes nothing
    assert found(storage, "--remove") == expected
    assert found(storage) == []
    assert not left.exists()
    after = {name: storage.read(name) for name in storage.names(f"trials/*/{RESULT}")}
    assert after == {name: before[name] for name in before if name.split("/")[1] in finished}
    assert storage.exists(f"trials/{'d' * 16}/{CHECKPOINT}")  # somebody may be at work on it
    assert not Path(storage.path(f"trials/{'f' * 16}")).exists()


def test_in_words(storage: Storage) -> None:
    _, out, _ = call("gc", "--storage", storage.root)
    assert f"trials/{'f' * 16}" in out
    assert out.splitlines()[-1].endswith("sweep gc --remove removes them")


def test_trials_stay_where_the_record_is_not_the_storages(storage: Storage, tmp_path: Path) -> None:
    """Asked of another record, which knows none of them, all would be removed."""
    uri = f"sqlite:///{tmp_path}/other.db"
    kinds = {kind for kind, _ in found(storage, "--tracking-uri", uri)}
    assert kinds == {"checkpoint", "set aside", "temporary"}
    _, out, _ = call("gc", "--storage", storage.root, "--tracking-uri", uri)
    assert "the record has no trials" in out


def test_trials_stay_that_a_recorded_sweep_may_need(tmp_path: Path) -> None:
    """Its file is not known, so that nobody can say which trials it has."""
    sweep(replace(TINY, id="mine/other"), tmp_path)
    storage = Storage(tmp_path / "results")
    storage.write(f"trials/{'f' * 16}/{CHECKPOINT}", b"12345")
    age(storage, "**/*", OLD)
    assert found(storage) == []
    _, out, _ = call("gc", "--storage", storage.root)
    assert "trials that are not recorded stay, as mine/other smoke may need them" in out


def test_the_prepared_data_are_never_among_it(
    storage: Storage, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = tmp_path / "results" / "data" / "cifar10"
    data.mkdir(parents=True)
    (data / "images.bin").write_bytes(b"x")
    age(storage, "**/*", OLD)
    assert not any("data" in name for _, name in found(storage))


def test_a_file_that_has_just_gone_is_nobodys_fault(storage: Storage) -> None:
    assert list(garbage._files("temporary", ["gone"], storage, 0)) == []
