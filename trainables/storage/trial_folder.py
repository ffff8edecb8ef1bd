"""A trial's folder: a checkpoint while it runs, then its result and, if asked, its weights."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import TYPE_CHECKING

from trainables.config import Request
from trainables.storage.files import Storage
from trainables.storage.result import ResultError, TrialResult

if TYPE_CHECKING:
    from torch import Tensor, nn

CHECKPOINT = "checkpoint.pt"
WEIGHTS = "weights.pt"
RESULT = "result.json"
PRUNED = "pruned.json"
"""The numbers so far of a trial that a search has stopped, beside its checkpoint."""
_TRIALS = "trials"


def ignore(sentence: str) -> None:
    """Tell nobody."""


def trial_folder(storage: Storage, trial_id: str) -> Storage:
    """The folder of one trial in a storage of many."""
    return storage.below(f"{_TRIALS}/{trial_id}")


def trials_with(storage: Storage, name: str) -> set[str]:
    """Ids of the trials in ``storage`` whose folder has a file ``name``."""
    return {path.split("/")[1] for path in storage.names(f"{_TRIALS}/*/{name}")}


def read_result(
    storage: Storage,
    trial_id: str,
    requests: Iterable[Request] = (),
    notify: Callable[[str], None] = ignore,
) -> TrialResult | None:
    """The result in a trial's folder; None if there is none, or it lacks one of ``requests``.

    One that nobody vouches for (`TrialResult.verified`) is none: it is kept beside, under another
    name, and ``notify`` is told. One from before there was a checksum is written again with it.
    """
    if not storage.exists(RESULT):
        return None
    content = storage.read(RESULT)
    try:
        result, vouched = TrialResult.verified(content, trial_id)
    except ResultError as error:
        aside = storage.set_aside(RESULT, content)
        notify(
            f"the result of trial {trial_id} does not count: {error}; it is kept as {aside} and "
            "the trial runs again"
        )
        return None
    if not vouched:
        storage.write(RESULT, result.to_json().encode())
    missing = [r for r in requests if not r.within(result.metrics | result.history)]
    return None if missing and result.status == "done" else result


def write_result(
    storage: Storage, result: TrialResult, notify: Callable[[str], None] = ignore
) -> TrialResult:
    """Write ``result``, and keep what an earlier run of the trial measured in addition."""
    earlier = read_result(storage, result.trial_id, notify=notify)
    if earlier is not None and earlier.status == result.status:
        result = replace(
            result,
            metrics={**earlier.metrics, **result.metrics},
            history={**earlier.history, **result.history},
        )
    storage.write(RESULT, result.to_json().encode())
    return result


def read_pruned(storage: Storage, trial_id: str) -> TrialResult | None:
    """The numbers so far in the folder of a trial that was stopped; None: there are none that
    somebody vouches for, and it is to be trained again, from its checkpoint if that is there."""
    if not storage.exists(PRUNED):
        return None
    try:
        return TrialResult.verified(storage.read(PRUNED), trial_id, ("pruned",))[0]
    except ResultError:
        return None


def write_pruned(storage: Storage, result: TrialResult) -> None:
    """Write the numbers so far of a trial that is stopped; its checkpoint is there already."""
    storage.write(PRUNED, result.to_json().encode())


def tidy(storage: Storage) -> None:
    """Remove from the folder of a trial that has its result what only an unfinished one needs: its
    checkpoint, its numbers so far, and what killed processes have half written."""
    storage.delete(CHECKPOINT)
    storage.delete(PRUNED)
    if storage.local:  # elsewhere a file is whole or absent
        for name in storage.names(".*.tmp"):
            storage.delete(name)


def write_weights(storage: Storage, model: nn.Module, epoch: int) -> None:
    """Write the weights that ``model`` has after ``epoch``."""
    from trainables.storage import checkpoint

    checkpoint.save(storage, WEIGHTS, {"epoch": epoch, "model": model.state_dict()})


def read_weights(storage: Storage) -> tuple[int, dict[str, Tensor]] | None:
    """(epoch, weights) as they were kept, on the CPU; None if none were. Raises CheckpointError."""
    from trainables.storage import checkpoint

    if not storage.exists(WEIGHTS):
        return None
    state = checkpoint.load(storage, WEIGHTS)
    with checkpoint.fitting(storage.path(WEIGHTS)):
        checkpoint.require_form(state, {"epoch": 0, "model": {}})
        return state["epoch"], state["model"]
