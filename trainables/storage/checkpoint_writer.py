"""When a trial's checkpoints are written, and by whom: a thread, while the training goes on.

A checkpoint of WRN-28-10 with momentum is 292 MB and 1.6 s of CPU. The training waits for a copy of
the state alone, and the next one is due when what this one has cost is a hundredth of the time.
"""

from __future__ import annotations

import threading
import time
from typing import Any

from torch import Tensor
from torch.utils import _pytree as pytree

from trainables.storage import checkpoint
from trainables.storage.files import Storage
from trainables.storage.trial_folder import CHECKPOINT

SHARE = 0.01
"""Most of a training's time that its checkpoints may cost."""


class CheckpointWriter:
    """Writes the checkpoints of one trial, one at a time and each whole (`checkpoint.save`).

    Args:
        storage: The trial's folder; None: nothing is ever due.
        every: Seconds between two checkpoints, at least; 0: one after every epoch, whatever it
            costs.
    """

    def __init__(self, storage: Storage | None, every: float) -> None:
        self._storage, self._every = storage, every
        self._cost = self._cpu_seconds = 0.0
        self._begun = time.monotonic()
        self._thread: threading.Thread | None = None
        self._error: Exception | None = None

    def cpu_time_beside(self) -> float:
        """CPU time of this process so far, in seconds, without what went into writing."""
        return time.process_time() - self._cpu_seconds

    def due(self) -> bool:
        """Whether it is time for one. Not while the last is being written.

        Raises:
            StorageError: the last one could not be written.
        """
        if self._storage is None or (self._thread is not None and self._thread.is_alive()):
            return False
        self.wait()
        interval = max(self._every, self._cost / SHARE) if self._every else 0.0
        return time.monotonic() - self._begun >= interval

    def write(self, state: dict[str, Any]) -> None:
        """Begin to write ``state`` (as `checkpoint.save`); once this returns, it may change.

        Raises:
            StorageError: the last one could not be written.
        """
        self.wait()
        self._begun = time.monotonic()
        copied, copying = _copied(state), time.monotonic() - self._begun
        self._thread = threading.Thread(target=self._write, args=(copied, copying))
        self._thread.start()

    def wait(self) -> None:
        """Return when all that was begun is written.

        Raises:
            StorageError: it could not be.
        """
        if self._thread is not None:
            self._thread.join()
            self._thread = None
        if self._error is not None:
            error, self._error = self._error, None
            raise error

    def _write(self, state: dict[str, Any], copying: float) -> None:
        assert self._storage is not None
        try:
            checkpoint.save(self._storage, CHECKPOINT, state)
        except Exception as error:
            self._error = error  # for the training's thread to raise
        spent = time.thread_time()
        self._cpu_seconds += spent
        self._cost = copying + spent


def _copied(state: dict[str, Any]) -> dict[str, Any]:
    """A copy that shares no tensor and no container with ``state``; its tensors are on the CPU."""

    def on_host(tensor: Tensor) -> Tensor:
        return tensor.detach().to("cpu", copy=True)

    copied: dict[str, Any] = pytree.tree_map_only(Tensor, on_host, state)
    return copied


__all__ = ["CheckpointWriter"]
