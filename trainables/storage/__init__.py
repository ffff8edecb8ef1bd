"""Files that outlive a process: checkpoints, results and weights of trials."""

from trainables.storage.files import Storage, StorageError

__all__ = ["Storage", "StorageError"]
