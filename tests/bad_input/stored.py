"""What a trial leaves in storage: checkpoints, results, weights, damaged or of something else."""

from __future__ import annotations

import functools
import hashlib
import json
import tempfile
from pathlib import Path
from typing import Any

import torch
from hypothesis import strategies as st

from tests.bad_input.engine import FaultError, Kind, copied
from tests.bad_input.odd import byte_changes, changed_bytes, changed_tree, tree_changes
from trainables.config import Request, TrialConfig
from trainables.storage import checkpoint
from trainables.storage.files import Storage
from trainables.storage.result import TrialResult, _checksum
from trainables.storage.trial_folder import CHECKPOINT, RESULT, WEIGHTS
from trainables.train import Execution, Trial, fit

CONFIG = TrialConfig(
    data={"source": "digits", "subset": 80, "validation": 0},
    model="mlp_tiny",
    method={"name": "sam", "rho": 0.1},
    epochs=2,
    batch_size=32,
)
EXECUTION = Execution(device="cpu", keep_weights="last")
MEASURED = Execution(device="cpu", measures=(Request("loss", label="again"),))


@functools.cache
def done() -> Path:
    """The folder of a trial that has ended, with its checkpoint after the first epoch beside."""
    folder = Path(tempfile.mkdtemp(prefix="bad-input-trial-"))
    trial = Trial(CONFIG, EXECUTION, Storage(folder))
    trial.run_epoch()
    trial.save()
    (folder / "kept").write_bytes((folder / CHECKPOINT).read_bytes())
    fit(CONFIG, EXECUTION, Storage(folder))
    return folder


def clean() -> TrialResult:
    return TrialResult.from_json((done() / RESULT).read_bytes())


def numbers(result: TrialResult) -> dict[str, float]:
    return {n: v for n, v in result.metrics.items() if n.startswith(("test_", "train_error"))}


odd_tensors = st.sampled_from(
    [
        *(torch.zeros(0), torch.zeros(3, 3), torch.full((16, 64), torch.nan), torch.tensor(1)),
        *(torch.zeros(16, 64, dtype=torch.int64), torch.zeros(16, 64, dtype=torch.complex64)),
    ]
)


@functools.cache
def _state(name: str) -> Any:
    return checkpoint.from_bytes((done() / name).read_bytes(), name)


def _with_tensors(name: str) -> st.SearchStrategy[bytes]:
    """The state in a file with some values changed, under a checksum that is right."""
    change = st.tuples(
        st.lists(st.integers(0, 30), min_size=1, max_size=5), st.just("replace"), odd_tensors
    )
    made = st.one_of(tree_changes, st.lists(change, min_size=1, max_size=2))
    return made.map(lambda changes: _signed(changed_tree(_state(name), changes)))


def _signed(state: Any) -> bytes:
    import io

    out = io.BytesIO()
    torch.save(state, out)
    return hashlib.sha256(out.getvalue()).digest() + out.getvalue()


def _changed(name: str) -> st.SearchStrategy[bytes]:
    """Bytes of the file that were changed; half of them under a checksum that is right."""

    def make(case: tuple[Any, bool]) -> bytes:
        content = (done() / name).read_bytes()
        changes, signed = case
        if not signed:
            return changed_bytes(content, changes)
        payload = changed_bytes(content[32:], changes)
        return hashlib.sha256(payload).digest() + payload

    return st.tuples(byte_changes, st.booleans()).map(make)


def _try_checkpoint(content: bytes, folder: Path) -> str:
    """It goes on from it or starts anew, and keeps what it did not go on from."""
    (folder / CHECKPOINT).write_bytes(content)
    notes: list[str] = []
    trial = Trial(CONFIG, EXECUTION, Storage(folder), notify=notes.append)
    if notes and content not in [path.read_bytes() for path in folder.rglob("*") if path.is_file()]:
        raise FaultError("the checkpoint is lost")
    while not trial.finished:
        trial.run_epoch()
    result = trial.finish()
    if notes and numbers(result) != numbers(clean()):
        raise FaultError(f"other numbers: {numbers(result)}")
    return " ".join(notes)


results = st.deferred(
    lambda: st.one_of(
        byte_changes.map(lambda made: changed_bytes((done() / RESULT).read_bytes(), made)),
        tree_changes.map(lambda made: _as_result(changed_tree(_read_result(), made))),
        st.integers(1, 5).map(lambda n: b"[" * 10**n),
    )
)


def _read_result() -> dict[str, Any]:
    read: dict[str, Any] = json.loads((done() / RESULT).read_bytes())
    del read["sha256"]
    return read


def _as_result(tree: Any) -> bytes:
    if isinstance(tree, dict):
        tree = {**tree, "sha256": _checksum(tree)}
    return json.dumps(tree).encode()


def _try_result(content: bytes, folder: Path) -> str:
    """It counts, or the trial runs again and it is kept."""
    (folder / RESULT).write_bytes(content)
    from trainables.storage.trial_folder import read_result

    notes: list[str] = []
    found = read_result(Storage(folder), CONFIG.trial_id, notify=notes.append)
    if found is None:
        kept = [path.read_bytes() for path in folder.rglob("*") if path.is_file()]
        if not notes or content not in kept:
            raise FaultError("the result is lost")
        return " ".join(notes)
    found.to_json()
    return ""


def _try_weights(content: bytes, folder: Path) -> str:
    """They are measured, or the trial is trained again."""
    copied(done(), folder)
    (folder / WEIGHTS).write_bytes(content)
    found = fit(CONFIG, MEASURED, Storage(folder))
    if numbers(found) != numbers(clean()):
        raise FaultError(f"other numbers: {numbers(found)}")
    return "" if (folder / WEIGHTS).exists() else WEIGHTS


KINDS = (
    Kind("checkpoints, changed values", st.deferred(lambda: _with_tensors("kept")),
         _try_checkpoint, lambda _: [CHECKPOINT, "checkpoint"]),
    Kind("checkpoints, changed bytes", st.deferred(lambda: _changed("kept")),
         _try_checkpoint, lambda _: [CHECKPOINT, "checkpoint"]),
    Kind("results", results, _try_result, lambda _: ["result"], 2.5),
    Kind("weights, changed values", st.deferred(lambda: _with_tensors(WEIGHTS)), _try_weights),
    Kind("weights, changed bytes", st.deferred(lambda: _changed(WEIGHTS)), _try_weights),
)  # fmt: skip

__all__ = ["KINDS"]
