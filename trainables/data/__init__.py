"""Data sets by name, prepared once and shared by all trials of a process.

    data = load("cifar10", directory)      # a Dataset; a DataError says what is missing
    parts = splits.split(data, config.data, seed)

A new data set is a new file in this folder with a function registered in it.
"""

from __future__ import annotations

import os
from dataclasses import replace
from typing import Any

from trainables.data.base import DataError, Dataset, Images, content, registry
from trainables.data_folder import data_directory, prepared_content
from trainables.registry import import_all

import_all(__name__)

_loaded: dict[tuple[Any, ...], Dataset] = {}


def names() -> list[str]:
    """The registered data sets."""
    return registry.names()


def build(name: str, **options: Any) -> Dataset:
    """Read data set ``name`` anew. `load` reads it once and then returns the same object."""
    return registry.build(name, **options)


def load(name: str, directory: str | os.PathLike[str] | None = None, **options: Any) -> Dataset:
    """Data set ``name`` from ``directory``; the same object whenever the arguments are the same.

    Args:
        name: A registered name.
        directory: Where data sets lie; None: $FLATSWEEP_DATA or ~/.cache/flatsweep/data.
        options: Options of the data set; see the function that is registered for it.

    Raises:
        UsageError: an unknown name or option, or a value out of range.
        DataError: files missing or damaged, named with the remedy.
    """
    where = data_directory(directory)
    complete = registry.resolve(name, options)
    key = (name, str(where.absolute()), repr(sorted(complete.items())))
    if key not in _loaded:
        dataset = registry.build(name, directory=where, **complete)
        own = registry.get(name).__module__.partition(".")[0] != __name__.partition(".")[0]
        if own and not dataset.fingerprint:  # what it reads may change; ours are computed
            dataset = replace(dataset, fingerprint=content(dataset))
        _loaded[key] = dataset
    return _loaded[key]


def digest_now(name: str, directory: str | os.PathLike[str] | None = None, **options: Any) -> str:
    """`Dataset.digest` of what a trial would be trained on now; "" where that cannot be told.

    What is prepared, and whose originals are what they were, is not read.
    """
    from trainables.data.prepare.store import changes

    where = data_directory(directory)
    try:
        complete = registry.resolve(name, options)
        found = prepared_content(name, complete, where)
        if found is not None and not changes(found[0], where):
            return found[1]
        return load(name, directory, **options).digest
    except DataError:
        return ""


def is_ready(name: str, directory: str | os.PathLike[str] | None = None) -> bool:
    """Whether data set ``name`` can be loaded: it is computed, prepared, or its files are there."""
    from trainables.data.prepare.catalog import Availability, status

    state = status(name, data_directory(directory)).state
    return state not in (Availability.MISSING, Availability.INCOMPLETE)


def forget() -> None:
    """Drop the data sets that `load` keeps, so that it reads them anew."""
    _loaded.clear()


__all__ = [
    "DataError",
    "Dataset",
    "Images",
    "build",
    "data_directory",
    "digest_now",
    "is_ready",
    "load",
    "names",
    "registry",
]
