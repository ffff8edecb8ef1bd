"""Where trials keep what must outlive a process: files, checkpoints, results, weights."""

from trainables.storage.files import Storage, StorageError

__all__ = ["Storage", "StorageError"]
