"""Which code of a person's own a trial is made of, as its result says it."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator, Mapping
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from trainables import registry
from trainables.errors import UsageError
from trainables.own_parts.load import is_ours, loaded
from trainables.own_parts.sources import Source, of_file

if TYPE_CHECKING:
    from trainables.config import Request, TrialConfig

ORIGIN = "parts"
"""The entry of a result's provenance: ``method my_method=0123456789abcdef; model ...``."""


def used(config: TrialConfig, requests: Iterable[Request] = ()) -> dict[str, Source]:
    """The sources of those parts of a trial that are a person's own.

    Args:
        config: The trial.
        requests: What is measured on it.

    Returns:
        ``method my_method`` -> the source, for each of them that is in a file.
    """
    if all(is_ours(part.module) for part in registry.registrations()):
        return {}
    found = {}
    for package, name in _parts(config, requests):
        known = _registry(package)
        source = source_of(known.get(name))
        if source is not None:
            found[f"{known.kind} {name}"] = source
    return found


def to_send(config: TrialConfig, requests: Iterable[Request] = ()) -> tuple[Source, ...]:
    """What a process that trains the trial has to import: of `used` what was imported here."""
    known = loaded()
    return tuple(dict.fromkeys(s for s in used(config, requests).values() if s in known))


def _parts(config: TrialConfig, requests: Iterable[Request]) -> Iterator[tuple[str, str]]:
    yield "data", config.data.source.name
    yield from (("data.augment", each.name) for each in config.data.augmentation)
    yield "models", config.model.name
    yield "tasks", config.loss
    yield "methods", config.method.name
    yield from (("methods", each.name) for each in config.regularizers)
    yield from (("measures", request.name) for request in requests)


def _registry(package: str) -> registry.Registry[Any]:
    from trainables.fields import registry_of

    return registry_of(package)


def source_of(part: Any) -> Source | None:
    """The source that a part comes from: one that was imported, or the file that it is in.

    None: it is this package's, or in no file.
    """
    file = getattr(sys.modules.get(part.__module__), "__file__", None)
    if file is None or is_ours(part.__module__):
        return None
    having = [source for source in loaded() if file in map(str, source.paths)]
    own = [source for source in having if Path(source.root, source.entry) == Path(file)]
    for source in (*own, *having):
        return source
    return _alone(file, registry.registered())


@lru_cache
def _alone(file: str, registered: int) -> Source | None:
    """The source of a file as it is when it is first asked for: soon after it was imported."""
    try:
        return of_file(Path(file))
    except UsageError:  # it is gone
        return None


def origin(config: TrialConfig, requests: Iterable[Request] = ()) -> dict[str, str]:
    """`used` as an entry of a result's provenance; none where all parts are this package's."""
    found = {label: source.digest for label, source in used(config, requests).items()}
    return {ORIGIN: as_text(found)} if found else {}


def made_of(config: TrialConfig, provenance: Mapping[str, str]) -> dict[str, str]:
    """Digests of the code and data that a trial's steps are made with, for its checkpoint."""
    return {**origin(config), "data": provenance["data_digest"]}


def with_measures(
    provenance: Mapping[str, str], config: TrialConfig, requests: Iterable[Request]
) -> dict[str, str]:
    """What ``requests``, which were measured later, change in the provenance of a result."""
    known = from_text(provenance.get(ORIGIN, ""))
    measured = {
        label: source.digest
        for label, source in used(config, requests).items()
        if label.startswith("measure ")
    }
    return {ORIGIN: as_text(known | measured)} if measured else {}


def as_text(digests: Mapping[str, str]) -> str:
    """Label of each part -> digest of its source, as one text."""
    return "; ".join(f"{label}={digest}" for label, digest in digests.items())


def from_text(text: str) -> dict[str, str]:
    """What `as_text` wrote."""
    pairs = (entry.rpartition("=") for entry in text.split("; ") if entry)
    return {label: digest for label, _, digest in pairs}


__all__ = [
    "ORIGIN",
    "as_text",
    "from_text",
    "origin",
    "source_of",
    "to_send",
    "used",
    "with_measures",
]
