"""A result is believed if it says whose it is and nobody has changed it."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from trainables.config import PROTOCOL_VERSION, TrialConfig
from trainables.storage.files import Storage
from trainables.storage.result import OutdatedError, ResultError, TrialResult
from trainables.storage.trial_folder import RESULT, read_result, write_result

CONFIG = TrialConfig(epochs=2)
DONE = TrialResult(
    CONFIG.trial_id,
    "done",
    CONFIG.model_dump(mode="json"),
    {"test_error": 0.1 + 0.2, "odd": float("nan")},
    {"test_error": [0.5, 0.1 + 0.2]},
    {"torch": "1"},
)
Edit = Callable[[dict[str, Any]], Any]


def text(edit: Edit, vouched: bool) -> bytes:
    """The file of `DONE`, edited; not ``vouched``: as it was before there was a checksum."""
    read = json.loads(DONE.to_json())
    if not vouched:
        del read["sha256"], read["protocol"]
    edit(read)
    return json.dumps(read).encode()


def test_it_survives_the_file_to_the_last_bit() -> None:
    content = DONE.to_json().encode()
    found, vouched = TrialResult.verified(content, CONFIG.trial_id)
    assert vouched
    assert found.to_json() == DONE.to_json()
    assert json.loads(content)["protocol"] == PROTOCOL_VERSION


def test_a_file_that_is_only_laid_out_anew_is_believed() -> None:
    pretty = json.dumps(json.loads(DONE.to_json()), indent=2).encode()
    assert TrialResult.verified(pretty, CONFIG.trial_id)[1]


WRONG: list[tuple[Edit, str]] = [
    (lambda r: r.update(trial_id="f" * 16), "it is of trial ffff"),
    (lambda r: r.update(status="failed"), "its status is 'failed'"),
    (lambda r: r["metrics"].update(test_error="abc"), "its test_error is 'abc'"),
    (lambda r: r["metrics"].update(test_error=True), "its test_error is True"),
    (lambda r: r["history"].update(test_error=[0.5, "x"]), "its history of test_error"),
    (lambda r: r.pop("metrics"), "it has no metrics"),
    (lambda r: r["config"].update(seed=5), "its checksum|its configuration is that of trial"),
    (lambda r: r["config"].update(absent=5), "its checksum|its configuration is none"),
]


@pytest.mark.parametrize("vouched", [True, False])
@pytest.mark.parametrize(("edit", "why"), WRONG)
def test_one_that_cannot_be_this_trials_is_refused(edit: Edit, why: str, vouched: bool) -> None:
    with pytest.raises(ResultError, match=why):
        TrialResult.verified(text(edit, vouched), CONFIG.trial_id)


def test_a_number_that_was_edited_is_refused() -> None:
    content = text(lambda r: r["metrics"].update(test_error=0.01), vouched=True)
    with pytest.raises(ResultError, match="its checksum is another one"):
        TrialResult.verified(content, CONFIG.trial_id)


@pytest.mark.parametrize("vouched", [True, False])
def test_one_of_another_protocol_is_refused(vouched: bool) -> None:
    def older(read: dict[str, Any]) -> None:
        read["config"]["protocol"] = 1
        if vouched:
            read["protocol"] = 1

    with pytest.raises(OutdatedError, match="it is of protocol 1"):
        TrialResult.verified(text(older, vouched), CONFIG.trial_id)


@pytest.mark.parametrize(
    "content",
    [DONE.to_json().encode()[:40], b"", b"\xff\xfe", b"[]", b"null", DONE.to_json().encode()[:-1]],
)
def test_half_a_file_is_set_aside_and_named(content: bytes) -> None:
    storage = Storage("memory://half")
    storage.write(RESULT, content)
    said: list[str] = []
    assert read_result(storage, CONFIG.trial_id, notify=said.append) is None
    assert not storage.exists(RESULT)
    (aside,) = storage.names("*bad*")
    assert storage.read(aside) == content
    assert CONFIG.trial_id in said[0]
    assert aside in said[0]
    storage.delete(aside)


def test_what_is_damaged_while_its_trial_runs_does_not_cost_the_training(store: Storage) -> None:
    store.write(RESULT, b"{")
    assert write_result(store, DONE) == DONE
    assert read_result(store, CONFIG.trial_id) is not None


def test_one_without_a_checksum_is_written_again_with_it(store: Storage) -> None:
    store.write(RESULT, text(lambda _: None, vouched=False))
    found = read_result(store, CONFIG.trial_id)
    assert found is not None
    assert found.to_json() == DONE.to_json()
    assert store.read(RESULT) == DONE.to_json().encode()


@pytest.fixture
def store(tmp_path: Any) -> Storage:
    return Storage(tmp_path)
