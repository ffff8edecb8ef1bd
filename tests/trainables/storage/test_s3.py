"""Storage on an S3 server: moto's, over HTTP, through s3fs as on a real cluster."""

from __future__ import annotations

import threading
import urllib.request
from collections.abc import Iterator

import pytest

from trainables.config import TrialConfig
from trainables.storage import checkpoint
from trainables.storage.files import Storage, StorageError
from trainables.storage.trial_folder import CHECKPOINT, RESULT, WEIGHTS, read_weights
from trainables.train import Execution, Trial, fit

CONFIG = TrialConfig(
    epochs=3, batch_size=64, model={"name": "mlp", "widths": [8]}, data={"subset": 128}, seed=1
)


@pytest.fixture(scope="module")
def endpoint() -> Iterator[str]:
    from moto.server import ThreadedMotoServer

    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()


@pytest.fixture
def root(endpoint: str, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> str:
    """A fresh bucket, found as on a cluster: through the environment alone."""
    import s3fs

    for name, value in {
        "AWS_ENDPOINT_URL": endpoint,
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
        "AWS_DEFAULT_REGION": "us-east-1",
    }.items():
        monkeypatch.setenv(name, value)
    s3fs.S3FileSystem.clear_instance_cache()
    urllib.request.urlopen(  # empty the server
        urllib.request.Request(f"{endpoint}/moto-api/reset", method="POST"), timeout=30
    ).read()
    s3fs.S3FileSystem().mkdir("bucket")
    return "s3://bucket/some/prefix"


def numbers(history: dict[str, list[float]]) -> dict[str, list[float]]:
    return {name: curve for name, curve in history.items() if "seconds" not in name}


def test_files(root: str) -> None:
    store = Storage(root)
    store.check_writable()
    store.write("trials/a/result.json", b"1")
    store.below("trials").write("b/result.json", b"2")
    assert store.names("trials/*/result.json") == ["trials/a/result.json", "trials/b/result.json"]
    assert store.read("trials/b/result.json") == b"2"
    store.write("trials/b/result.json", b"3" * 6_000_000)  # more than a part of an upload
    assert Storage(root).read("trials/b/result.json") == b"3" * 6_000_000
    store.delete("trials/a/result.json")
    store.delete("trials/a/result.json")
    assert not store.exists("trials/a/result.json")
    assert store.names("trials/*/result.json") == ["trials/b/result.json"]
    with pytest.raises(FileNotFoundError):
        store.read("trials/a/result.json")


def test_what_another_process_has_written_since_is_seen(root: str) -> None:
    """Object stores cache listings: a second client must not be answered from the first one's."""
    here, there = Storage(root), Storage(root)
    assert here.names("trials/*/result.json") == []
    written = threading.Thread(target=there.write, args=("trials/a/result.json", b"1"))
    written.start()
    written.join()
    assert here.names("trials/*/result.json") == ["trials/a/result.json"]
    assert here.exists("trials/a/result.json")


def test_a_bucket_that_is_not_there_is_one_sentence(root: str) -> None:
    with pytest.raises(StorageError, match=r"storage 's3://absent/x' cannot be written"):
        Storage("s3://absent/x").check_writable()


def test_a_trial_resumes_from_a_checkpoint_on_s3(root: str) -> None:
    storage = Storage(f"{root}/trials/{CONFIG.trial_id}")
    execution = Execution(device="cpu", keep_weights="last")
    whole = fit(CONFIG, execution)
    interrupted = Trial(CONFIG, execution, storage)
    interrupted.run_epoch()
    interrupted.save()
    interrupted.run_epoch()  # lost
    resumed = Trial(CONFIG, execution, storage)
    assert resumed.epoch == 1
    result = fit(CONFIG, execution, storage)
    assert numbers(result.history) == numbers(whole.history)
    assert storage.exists(RESULT)
    assert not storage.exists(CHECKPOINT)
    kept = read_weights(storage)
    assert kept is not None
    assert kept[0] == CONFIG.epochs
    assert fit(CONFIG, execution, storage).to_json() == result.to_json()  # read, not trained


def test_a_damaged_checkpoint_on_s3_is_never_loaded(root: str) -> None:
    storage = Storage(root)
    checkpoint.save(storage, WEIGHTS, {"epoch": 1})
    storage.write(WEIGHTS, storage.read(WEIGHTS)[:-3])
    with pytest.raises(checkpoint.CheckpointError, match="is damaged"):
        checkpoint.load(storage, WEIGHTS)
