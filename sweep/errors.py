"""Which errors are a person's to mend: they become one sentence, all others a traceback."""

from __future__ import annotations


def foreseen(error: Exception) -> int | None:
    """Exit code of an error with a clear cause: 2 for usage, 1 for the world; else None."""
    if isinstance(error, ValueError):
        return 2
    # Looked up by name: importing the classes would import torch and ray to print a sentence.
    names = {base.__name__ for base in type(error).__mro__}
    world = {"DataError", "StorageError", "TrackingError", "ResourceError", "StoppedError"}
    return 1 if names & world else None
