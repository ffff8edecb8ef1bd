"""Prepared sets: whole or not there, shared by processes, checked, nothing half-written left."""

import errno
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import torch

import trainables.data as data
from trainables.data import store
from trainables.data.base import DataError
from trainables.data.store import Part, Raw, folder, is_prepared, prepared, reporting, verify


def raw(count=20, chunk=8, labels=None):
    pixels = np.random.default_rng(0).integers(0, 256, (count, 3, 4, 5), dtype=np.uint8)
    chunks = (pixels[i : i + chunk] for i in range(0, count, chunk))
    targets = np.arange(count) % 2 if labels is None else labels
    return Raw({"train": Part(pixels.shape, targets, chunks)}, ("a", "b"), "some pictures")


def left(directory: Path) -> list[str]:
    """What is in the directory of prepared sets, but for locks."""
    found = directory / "prepared"
    return sorted(p.name for p in found.iterdir() if p.suffix != ".lock") if found.exists() else []


def test_what_is_read_is_what_was_written(tmp_path):
    dataset = prepared(tmp_path, "some", "some", raw)
    expected = np.concatenate(list(raw().parts["train"].chunks))
    assert torch.equal(dataset.train.inputs, torch.from_numpy(expected))
    assert dataset.train.targets.tolist() == [0, 1] * 10
    assert (dataset.class_names, dataset.source) == (("a", "b"), "some pictures")
    assert left(tmp_path) == ["some-v1"]
    assert sorted(p.name for p in folder(tmp_path, "some").iterdir()) == [
        "manifest.json",
        "train.inputs.npy",
        "train.targets.npy",
    ]


def test_the_files_are_numpys_and_memory_mapped(tmp_path):
    dataset = prepared(tmp_path, "some", "some", raw)
    file = folder(tmp_path, "some") / "train.inputs.npy"
    assert np.array_equal(np.load(file), dataset.train.inputs.numpy())
    maps = Path("/proc/self/maps").read_text()
    assert str(file) in maps


def test_writing_to_a_loaded_set_does_not_reach_the_disk(tmp_path):
    dataset = prepared(tmp_path, "some", "some", raw)
    dataset.train.store[0] = 0
    again = prepared(tmp_path, "some", "some", raw)
    assert again.train.store[0].sum() > 0
    verify(folder(tmp_path, "some"))


def test_the_originals_are_read_once(tmp_path):
    calls = []

    def read():
        calls.append(1)
        return raw()

    first, second = (prepared(tmp_path, "some", "some", read) for _ in range(2))
    assert len(calls) == 1
    assert first.fingerprint == second.fingerprint != ""


def test_the_fingerprint_is_of_the_content(tmp_path):
    one = prepared(tmp_path, "one", "one", raw)
    same = prepared(tmp_path, "same", "same", raw)
    other = prepared(tmp_path, "other", "other", lambda: raw(labels=np.zeros(20, np.int64)))
    assert one.fingerprint == same.fingerprint != other.fingerprint


def test_progress_is_reported(tmp_path):
    seen = []
    with reporting(lambda *done: seen.append(done)):
        prepared(tmp_path, "some", "some", raw)
    assert seen == [("train", 8, 20), ("train", 16, 20), ("train", 20, 20)]


def failing(error):
    def chunks():
        yield np.zeros((8, 3, 4, 5), np.uint8)
        raise error

    return lambda: Raw({"train": Part((20, 3, 4, 5), np.zeros(20), chunks())}, ("a",), "")


def test_a_fault_halfway_leaves_nothing(tmp_path):
    with pytest.raises(DataError, match="row 9 is broken"):
        prepared(tmp_path, "some", "some", failing(DataError("row 9 is broken")))
    assert left(tmp_path) == []
    assert not is_prepared(tmp_path, "some")
    prepared(tmp_path, "some", "some", raw)


@pytest.mark.parametrize("call", ["write", "fsync", "mkdir"])
@pytest.mark.parametrize(
    ("number", "sentence"),
    [
        (errno.ENOSPC, "the disk is full; free some space, or name another data directory"),
        (errno.EDQUOT, "the disk is full"),
        (errno.EROFS, "it is not writable; make it so, or name another data directory"),
        (errno.EACCES, "it is not writable"),
        (errno.EIO, "Input/output error; mend that"),
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
        with pytest.raises(DataError, match=f"cannot prepare 'some-v1' in .*prepared: {sentence}"):
            prepared(tmp_path, "some", "some", raw)
    assert left(tmp_path) == []
    assert len(prepared(tmp_path, "some", "some", raw).train) == 20


def test_a_disk_that_really_fills(tmp_path):
    """A write past the process's file-size limit fails as on a full disk: with an error, midway."""
    script = """
import resource, signal, sys
import numpy as np
from pathlib import Path
from trainables.data.base import DataError
from trainables.data.store import Part, Raw, prepared
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))
pieces = (np.zeros((50, 3, 32, 32), np.uint8) for _ in range(4))
raw = Raw({"train": Part((200, 3, 32, 32), np.zeros(200), pieces)}, ("a",), "")
try:
    prepared(Path(sys.argv[1]), "some", "some", lambda: raw)
except DataError as error:
    print(error)
"""
    done = subprocess.run(
        [sys.executable, "-c", script, str(tmp_path)], capture_output=True, text=True, check=True
    )
    assert "cannot prepare 'some-v1'" in done.stdout
    assert "File too large; mend that, or name another data directory" in done.stdout
    assert left(tmp_path) == []


def test_several_processes_at_once_prepare_it_once(tmp_path):
    script = """
import sys, time
import numpy as np
from pathlib import Path
from trainables.data.store import Part, Raw, prepared
where = Path(sys.argv[1])
def chunks():
    with open(where / "log", "a") as log: log.write("x")
    for _ in range(4):
        time.sleep(0.1)
        yield np.full((5, 3, 8, 8), 7, np.uint8)
raw = Raw({"train": Part((20, 3, 8, 8), np.zeros(20), chunks())}, ("a",), "")
while not (where / "go").exists(): time.sleep(0.01)
dataset = prepared(where, "some", "some", lambda: raw)
print(int((dataset.train.store == 7).all()), len(dataset.train))
"""
    racers = [
        subprocess.Popen([sys.executable, "-c", script, str(tmp_path)], stdout=subprocess.PIPE)
        for _ in range(2)
    ]
    (tmp_path / "go").touch()
    for racer in racers:
        out, _ = racer.communicate(timeout=120)
        assert racer.returncode == 0
        assert out.split() == [b"1", b"20"]
    assert (tmp_path / "log").read_text() == "x"
    assert left(tmp_path) == ["some-v1"]


def test_what_a_killed_process_left_is_cleared(tmp_path):
    script = """
import os, sys, time
import numpy as np
from pathlib import Path
from trainables.data.store import Part, Raw, prepared
def chunks():
    yield np.zeros((5, 3, 8, 8), np.uint8)
    print("halfway", flush=True)
    time.sleep(60)
raw = Raw({"train": Part((20, 3, 8, 8), np.zeros(20), chunks())}, ("a",), "")
prepared(Path(sys.argv[1]), "some", "some", lambda: raw)
"""
    victim = subprocess.Popen(
        [sys.executable, "-c", script, str(tmp_path)], stdout=subprocess.PIPE, text=True
    )
    assert victim.stdout.readline().strip() == "halfway"
    victim.send_signal(signal.SIGKILL)
    victim.communicate()
    assert not is_prepared(tmp_path, "some")
    assert len(left(tmp_path)) == 1
    started = time.monotonic()
    assert len(prepared(tmp_path, "some", "some", raw).train) == 20  # the lock died with it
    assert time.monotonic() - started < 60
    assert left(tmp_path) == ["some-v1"]


@pytest.mark.parametrize("file", ["train.inputs.npy", "train.targets.npy", "manifest.json"])
@pytest.mark.parametrize("damage", ["truncated", "empty", "missing"])
def test_damaged_prepared_files_are_named(tmp_path, file, damage):
    prepared(tmp_path, "some", "some", raw)
    path = folder(tmp_path, "some") / file
    content = path.read_bytes()
    if damage == "missing":
        path.unlink()
    else:
        path.write_bytes(content[: len(content) // 2] if damage == "truncated" else b"")
    if (file, damage) == ("manifest.json", "missing"):  # never finished: prepared anew
        assert len(prepared(tmp_path, "some", "some", raw).train) == 20
        return
    with pytest.raises(DataError) as error:
        prepared(tmp_path, "some", "some", raw)
    message = str(error.value)
    assert str(path) in message
    assert "\n" not in message
    assert f"remove the folder {path.parent} and prepare the data set again" in message


@pytest.mark.parametrize("file", ["train.inputs.npy", "train.targets.npy"])
def test_verify_finds_a_single_changed_bit(tmp_path, file):
    prepared(tmp_path, "some", "some", raw)
    where = folder(tmp_path, "some")
    assert verify(where) == ["train.inputs.npy", "train.targets.npy"]
    content = bytearray((where / file).read_bytes())
    content[-1] ^= 1
    (where / file).write_bytes(content)
    with pytest.raises(DataError, match=f"{file} is damaged \\(its checksum does not match\\)"):
        verify(where)


def test_a_prepared_set_can_be_read_where_nothing_can_be_written(tmp_path, monkeypatch):
    prepared(tmp_path, "some", "some", raw)

    def fail(*_, **__):
        raise OSError(errno.EROFS, os.strerror(errno.EROFS))

    monkeypatch.setattr(Path, "mkdir", fail)
    monkeypatch.setattr(store, "_lock", fail)
    assert len(prepared(tmp_path, "some", "some", raw).train) == 20


def test_the_manifest_says_what_was_prepared_from_what(tmp_path, originals):
    originals.make("parquet", tmp_path)
    data.load("parquet", tmp_path)
    manifest = json.loads((folder(tmp_path, "parquet-cifar10") / "manifest.json").read_text())
    sizes = {
        f"{split}.parquet": (tmp_path / "cifar10" / f"{split}.parquet").stat().st_size
        for split in ("train", "test")
    }
    assert manifest["originals"] == sizes
    assert manifest["splits"] == {"train": [40, 3, 32, 32], "test": [20, 3, 32, 32]}
