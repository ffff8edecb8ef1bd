"""Prepared sets: whole or not there, shared by processes, checked, nothing half-written left."""

import errno
import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

import trainables.data as data
from trainables.data.base import DataError
from trainables.data.prepare import store
from trainables.data.prepare.manifest import verify
from trainables.data.prepare.store import (
    Raw,
    RawSplit,
    is_prepared,
    prepared,
    prepared_folder,
    reporting,
)


def raw(count=20, chunk=8, labels=None):
    pixels = np.random.default_rng(0).integers(0, 256, (count, 3, 4, 5), dtype=np.uint8)
    chunks = (pixels[i : i + chunk] for i in range(0, count, chunk))
    targets = np.arange(count) % 2 if labels is None else labels
    return Raw({"train": RawSplit(pixels.shape, targets, chunks)}, ("a", "b"), "some pictures")


def left(directory: Path) -> list[str]:
    """What is in the directory of prepared sets, but for locks."""
    found = directory / "prepared"
    return sorted(p.name for p in found.iterdir() if p.suffix != ".lock") if found.exists() else []


def test_what_is_read_is_what_was_written(tmp_path):
    dataset = prepared(tmp_path, "some", raw)
    expected = np.concatenate(list(raw().parts["train"].chunks))
    assert torch.equal(dataset.train.inputs, torch.from_numpy(expected))
    assert dataset.train.targets.tolist() == [0, 1] * 10
    assert (dataset.class_names, dataset.source) == (("a", "b"), "some pictures")
    assert left(tmp_path) == ["some-v2"]
    assert sorted(p.name for p in prepared_folder(tmp_path, "some").iterdir()) == [
        "manifest.json",
        "train.inputs.npy",
        "train.targets.npy",
    ]


def test_the_files_are_numpys_and_memory_mapped(tmp_path):
    dataset = prepared(tmp_path, "some", raw)
    file = prepared_folder(tmp_path, "some") / "train.inputs.npy"
    assert np.array_equal(np.load(file), dataset.train.inputs.numpy())
    maps = Path("/proc/self/maps").read_text()
    assert str(file) in maps


def test_writing_to_a_loaded_set_does_not_reach_the_disk(tmp_path):
    dataset = prepared(tmp_path, "some", raw)
    dataset.train.base[0] = 0
    again = prepared(tmp_path, "some", raw)
    assert again.train.base[0].sum() > 0
    verify(prepared_folder(tmp_path, "some"))


def test_the_originals_are_read_once(tmp_path):
    calls = []

    def read():
        calls.append(1)
        return raw()

    first, second = (prepared(tmp_path, "some", read) for _ in range(2))
    assert len(calls) == 1
    assert first.fingerprint == second.fingerprint != ""


def test_the_fingerprint_is_of_the_content(tmp_path):
    one = prepared(tmp_path, "one", raw)
    same = prepared(tmp_path, "same", raw)
    other = prepared(tmp_path, "other", lambda: raw(labels=np.zeros(20, np.int64)))
    assert one.fingerprint == same.fingerprint != other.fingerprint


def test_progress_is_reported(tmp_path):
    seen = []
    with reporting(lambda *done: seen.append(done)):
        prepared(tmp_path, "some", raw)
    assert seen == [("train", 8, 20), ("train", 16, 20), ("train", 20, 20)]


def failing(error):
    def chunks():
        yield np.zeros((8, 3, 4, 5), np.uint8)
        raise error

    return lambda: Raw({"train": RawSplit((20, 3, 4, 5), np.zeros(20), chunks())}, ("a",), "")


def test_a_fault_halfway_leaves_nothing(tmp_path):
    with pytest.raises(DataError, match="row 9 is broken"):
        prepared(tmp_path, "some", failing(DataError("row 9 is broken")))
    assert left(tmp_path) == []
    assert not is_prepared(prepared_folder(tmp_path, "some"))
    prepared(tmp_path, "some", raw)


@pytest.mark.parametrize("call", ["write", "fsync", "mkdir"])
@pytest.mark.parametrize(
    ("number", "sentence"),
    [
        (errno.ENOSPC, "the disk is full; free some space, or name another data directory"),
        (errno.EDQUOT, "the disk is full"),
        (errno.EROFS, "it is not writable; make it so, or name another data directory"),
        (errno.EACCES, "it is not writable"),
        (errno.EIO, "Input/output error; correct that"),
    ],
)
def test_a_full_or_read_only_disk(tmp_path, monkeypatch, call, number, sentence):
    def fail(*_, **__):
        raise OSError(number, os.strerror(number))

    with monkeypatch.context() as patch:
        where = {
            "write": (store._Hashed, "write"),
            "fsync": (os, "fsync"),
            "mkdir": (Path, "mkdir"),
        }
        patch.setattr(*where[call], fail)
        with pytest.raises(DataError, match=f"cannot prepare 'some-v2' in .*prepared: {sentence}"):
            prepared(tmp_path, "some", raw)
    assert left(tmp_path) == []
    assert len(prepared(tmp_path, "some", raw).train) == 20


LABORATORY = """
import json, os, resource, signal, sys, time
from pathlib import Path
import numpy as np
from trainables.data.base import DataError
from trainables.data.prepare.store import RawSplit, Raw, prepared

home = Path(sys.argv[1])

def child(work):
    # A process of its own, forked before torch has computed anything.
    read, write = os.pipe()
    pid = os.fork()
    if pid == 0:
        os.close(read)
        with os.fdopen(write, "w", buffering=1) as out:
            try:
                work(out)
            except DataError as error:
                out.write(str(error))
            out.flush()
            os._exit(0)
    os.close(write)
    return pid, os.fdopen(read)

def raw(chunks):
    pieces = list(range(4))
    return Raw({"train": RawSplit((20, 3, 32, 32), np.zeros(20), chunks(pieces))}, ("a",), "")

def race(out):
    def chunks(pieces):
        with open(home / "race.log", "a") as log:
            log.write("x")
        for _ in pieces:
            time.sleep(0.05)
            yield np.full((5, 3, 32, 32), 7, np.uint8)
    while not (home / "go").exists():
        time.sleep(0.005)
    images = prepared(home / "race", "some", lambda: raw(chunks)).train
    out.write(f"{int((images.base == 7).all())} {len(images)}")

racers = [child(race) for _ in range(4)]
time.sleep(0.1)
(home / "go").touch()
raced = [out.read() for _, out in racers]

def halfway(out):
    def chunks(pieces):
        yield np.zeros((5, 3, 32, 32), np.uint8)
        out.write("halfway\\n")
        time.sleep(300)
    prepared(home / "killed", "some", lambda: raw(chunks))

pid, out = child(halfway)
said = out.readline().strip()
os.kill(pid, signal.SIGKILL)

def full(out):
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (30_000, 30_000))
    prepared(home / "full", "some", lambda: raw(
        lambda pieces: (np.zeros((5, 3, 32, 32), np.uint8) for _ in pieces)))

limited = child(full)[1].read()
for _ in range(6):
    os.wait()
print(json.dumps({"raced": raced, "said": said, "limited": limited}))
"""


@pytest.fixture(scope="module")
def laboratory(tmp_path_factory):
    """What several real processes did in three directories; one start of Python for all."""
    home = tmp_path_factory.mktemp("laboratory")
    done = subprocess.run(
        [sys.executable, "-c", LABORATORY, str(home)], capture_output=True, text=True, check=True
    )
    return home, json.loads(done.stdout)


def test_several_processes_at_once_prepare_it_once(laboratory):
    home, seen = laboratory
    assert seen["raced"] == ["1 20"] * 4
    assert (home / "race.log").read_text() == "x"
    assert left(home / "race") == ["some-v2"]


def test_what_a_killed_process_left_is_cleared(laboratory):
    home, seen = laboratory
    assert seen["said"] == "halfway"
    assert not is_prepared(prepared_folder(home / "killed", "some"))
    assert len(left(home / "killed")) == 1
    assert len(prepared(home / "killed", "some", raw).train) == 20  # the lock is free
    assert left(home / "killed") == ["some-v2"]


def test_a_write_that_really_fails_midway(laboratory):
    """Past the process's file-size limit a write fails as on a full disk: with an error."""
    home, seen = laboratory
    assert "cannot prepare 'some-v2'" in seen["limited"]
    assert "File too large; correct that, or name another data directory" in seen["limited"]
    assert left(home / "full") == []


@pytest.mark.parametrize("file", ["train.inputs.npy", "train.targets.npy", "manifest.json"])
@pytest.mark.parametrize("damage", ["truncated", "empty", "missing"])
def test_damaged_prepared_files_are_named(tmp_path, file, damage):
    prepared(tmp_path, "some", raw)
    path = prepared_folder(tmp_path, "some") / file
    content = path.read_bytes()
    if damage == "missing":
        path.unlink()
    else:
        path.write_bytes(content[: len(content) // 2] if damage == "truncated" else b"")
    if (file, damage) == ("manifest.json", "missing"):  # never finished: prepared anew
        assert len(prepared(tmp_path, "some", raw).train) == 20
        return
    with pytest.raises(DataError) as error:
        prepared(tmp_path, "some", raw)
    message = str(error.value)
    assert str(path) in message
    assert "\n" not in message
    assert f"remove the folder {path.parent} and prepare the data set again" in message


@pytest.mark.parametrize("file", ["train.inputs.npy", "train.targets.npy"])
def test_verify_finds_a_single_changed_bit(tmp_path, file):
    prepared(tmp_path, "some", raw)
    where = prepared_folder(tmp_path, "some")
    assert verify(where) == ["train.inputs.npy", "train.targets.npy"]
    content = bytearray((where / file).read_bytes())
    content[-1] ^= 1
    (where / file).write_bytes(content)
    with pytest.raises(DataError, match=f"{file} is damaged \\(its checksum does not match\\)"):
        verify(where)


def test_a_prepared_set_can_be_read_where_nothing_can_be_written(tmp_path, monkeypatch):
    prepared(tmp_path, "some", raw)

    def fail(*_, **__):
        raise OSError(errno.EROFS, os.strerror(errno.EROFS))

    monkeypatch.setattr(Path, "mkdir", fail)
    monkeypatch.setattr(store, "FileLock", fail)
    assert len(prepared(tmp_path, "some", raw).train) == 20


def test_the_manifest_says_what_was_prepared_from_what(tmp_path, originals):
    originals.make("parquet", tmp_path)
    data.load("parquet", tmp_path)
    manifest = json.loads(
        (prepared_folder(tmp_path, "parquet", set="cifar10") / "manifest.json").read_text()
    )
    sizes = {
        f"cifar10/{split}.parquet": (tmp_path / "cifar10" / f"{split}.parquet").stat().st_size
        for split in ("train", "test")
    }
    assert {name: facts["bytes"] for name, facts in manifest["originals"].items()} == sizes
    assert manifest["splits"] == {"train": [40, 3, 32, 32], "test": [20, 3, 32, 32]}
