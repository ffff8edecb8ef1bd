"""Storage and checkpoints: whole or absent, on a local disk and on an fsspec filesystem."""

from __future__ import annotations

import errno
import os
import threading
from pathlib import Path

import pytest
import torch

from trainables.storage import checkpoint, files
from trainables.storage.files import Storage, StorageError


@pytest.fixture(params=["local", "memory"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Storage:
    root = str(tmp_path / "with a space") if request.param == "local" else f"memory://{tmp_path}"
    return Storage(root)


def test_what_is_written_is_read_and_listed(store: Storage) -> None:
    store.write("trials/a/result.json", b"1")
    store.below("trials").write("b/result.json", b"2")
    assert store.read("trials/b/result.json") == b"2"
    assert store.names("trials/*/result.json") == ["trials/a/result.json", "trials/b/result.json"]
    store.delete("trials/a/result.json")
    store.delete("trials/a/result.json")
    assert not store.exists("trials/a/result.json")
    with pytest.raises(FileNotFoundError):
        store.read("trials/a/result.json")


def test_a_write_that_dies_leaves_the_old_file_and_no_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = Storage(tmp_path)
    store.write("file", b"old")

    def power_cut(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(files.os, "fsync", power_cut)
    with pytest.raises(StorageError, match="No space left on device"):
        store.write("file", b"new, and much longer")
    monkeypatch.undo()
    assert store.read("file") == b"old"
    assert os.listdir(tmp_path) == ["file"]


def test_a_root_that_is_a_file_is_said_before_work_starts(tmp_path: Path) -> None:
    (tmp_path / "taken").write_text("")
    with pytest.raises(StorageError, match=r"cannot be written \(.*\); free it or name another"):
        Storage(tmp_path / "taken").check_writable()


def test_an_unknown_protocol_is_an_error_that_names_it() -> None:
    with pytest.raises(StorageError, match="nosuch://bucket"):
        Storage("nosuch://bucket")


def test_a_checkpoint_comes_back_as_it_was(store: Storage) -> None:
    state = {"weights": {"w": torch.arange(3.0)}, "epoch": 3, "history": {"loss": [1.0, 0.5]}}
    checkpoint.save(store, "checkpoint.pt", state)
    loaded = checkpoint.load(store, "checkpoint.pt")
    assert torch.equal(loaded["weights"].pop("w"), state["weights"].pop("w"))
    assert loaded == state


@pytest.mark.parametrize("kept", [0, 31, 200, -1])
def test_a_damaged_checkpoint_is_never_loaded(store: Storage, kept: int) -> None:
    checkpoint.save(store, "checkpoint.pt", {"epoch": 3})
    store.write("checkpoint.pt", store.read("checkpoint.pt")[:kept] + b"x")
    with pytest.raises(checkpoint.CheckpointError, match="is damaged"):
        checkpoint.load(store, "checkpoint.pt")


@pytest.mark.parametrize(
    "name", ["a%20b", "a b", "50%", "a?b", "a#b", "a[x]", "a*b", "a::b", "s3::c", "é", "{a}"]
)
def test_a_folder_may_have_any_name(name: str, tmp_path: Path) -> None:
    store = Storage(tmp_path / name)
    store.check_writable()
    store.below("trials/a").write("result.json", b"1")
    assert store.names("trials/*/result.json") == ["trials/a/result.json"]
    assert (tmp_path / name / "trials" / "a" / "result.json").read_bytes() == b"1"
    assert store.names("*") == ["trials"]


def test_what_cannot_be_read_is_one_sentence_with_the_path(tmp_path: Path) -> None:
    store = Storage(tmp_path)
    (tmp_path / "result.json").mkdir()
    with pytest.raises(StorageError, match=rf"{tmp_path}/result\.json' cannot be read \(Is a dir"):
        store.read("result.json")


@pytest.mark.parametrize("number", [errno.EACCES, errno.EIO, errno.ESTALE])
@pytest.mark.parametrize("done", ["read", "exists", "delete", "names"])
def test_what_the_system_refuses_is_one_sentence(
    done: str, number: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise OSError(number, os.strerror(number))

    store = Storage(tmp_path)
    for name in ("cat_file", "exists", "rm_file"):
        monkeypatch.setattr(type(store._fs), name, refuse)
    monkeypatch.setattr(Path, "glob", refuse)
    with pytest.raises(StorageError, match=rf"{tmp_path}.*{os.strerror(number)}"):
        getattr(store, done)("x")


@pytest.mark.parametrize(
    "root",
    ["/proc/nope", "ftp://127.0.0.1:1/x", "http://127.0.0.1:1/x", "nosuch://x/y", "s3://A!/x"],
)
def test_what_cannot_be_reached_is_one_sentence(root: str) -> None:
    with pytest.raises(StorageError) as caught:
        Storage(root).check_writable()
    assert str(caught.value).startswith(f"storage {root!r} ")
    assert str(caught.value).count(root) == 1


def test_a_store_that_does_not_answer_is_left(monkeypatch: pytest.MonkeyPatch) -> None:
    hangs = threading.Event()
    monkeypatch.setattr(files, "ANSWER_SECONDS", 0.05)
    monkeypatch.setattr(files.fsspec.core, "url_to_fs", lambda _: hangs.wait())
    with pytest.raises(StorageError, match="storage 'ftp://slow/x' does not answer within"):
        Storage("ftp://slow/x")
    hangs.set()
