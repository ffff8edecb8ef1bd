"""A trial's folder: a checkpoint while it runs, then its result and, if asked, its weights."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import TYPE_CHECKING

from trainables.config import Request
from trainables.storage.files import Storage
from trainables.storage.result import TrialResult

if TYPE_CHECKING:
    import torch
    from torch import Tensor, nn

CHECKPOINT = "checkpoint.pt"
WEIGHTS = "weights.pt"
RESULT = "result.json"
_TRIALS = "trials"


def trial_folder(storage: Storage, trial_id: str) -> Storage:
    """The folder of one trial in a storage of many."""
    return storage.below(f"{_TRIALS}/{trial_id}")


def trials_with(storage: Storage, name: str) -> set[str]:
    """Ids of the trials in ``storage`` whose folder has a file ``name``."""
    return {path.split("/")[1] for path in storage.names(f"{_TRIALS}/*/{name}")}


def read_result(storage: Storage, requests: Iterable[Request] = ()) -> TrialResult | None:
    """The result in a trial's folder; None if there is none, or it lacks one of ``requests``."""
    if not storage.exists(RESULT):
        return None
    result = TrialResult.from_json(storage.read(RESULT))
    missing = [r for r in requests if not r.within(result.metrics | result.history)]
    return None if missing and result.status == "done" else result


def write_result(storage: Storage, result: TrialResult) -> TrialResult:
    """Write ``result``, and keep what an earlier run of the trial measured in addition."""
    earlier = read_result(storage)
    if earlier is not None and earlier.status == result.status:
        result = replace(
            result,
            metrics={**earlier.metrics, **result.metrics},
            history={**earlier.history, **result.history},
        )
    storage.write(RESULT, result.to_json().encode())
    return result


def write_weights(storage: Storage, model: nn.Module, epoch: int) -> None:
    """Write the weights that ``model`` has after ``epoch``."""
    from trainables.storage import checkpoint

    checkpoint.save(storage, WEIGHTS, {"epoch": epoch, "model": model.state_dict()})


def read_weights(storage: Storage, device: torch.device) -> tuple[int, dict[str, Tensor]] | None:
    """(epoch, weights) as they were kept; None if none were."""
    from trainables.storage import checkpoint

    if not storage.exists(WEIGHTS):
        return None
    state = checkpoint.load(storage, WEIGHTS, device)
    return state["epoch"], state["model"]
