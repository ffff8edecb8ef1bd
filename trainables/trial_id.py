"""A trial's name: a hash of everything that decides its numbers, and of nothing else.

It is a function of the configuration's values alone: no file, device, node or library is asked.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from functools import reduce
from typing import TYPE_CHECKING, Any

from trainables.parallel import equivalence

if TYPE_CHECKING:
    from trainables.config import TrialConfig

ADDED: dict[str, Any] = {
    "batchnorm_parts": 1,
    "schedule.watch": "running",
    "optimizer.eps": 1e-8,
}
"""Fields that came after trials were recorded, by dotted name, each with the value that stands for
what was done before: with it the field is left out of a trial's name (see `Registry.register`)."""


DIGITS = 16
"""Hexadecimal digits of a name."""


def canonical(config: TrialConfig) -> str:
    """``config`` as JSON with sorted keys: equal for equal trials, on every machine.

    ``workers`` is in it where they change the numbers (`trainables.parallel.equivalence`).
    """
    fields = config.model_dump(mode="json")
    if not equivalence.change_numbers(config):
        del fields["workers"]
    fields["data"]["source"] = config.data.source.naming("data")
    fields["data"]["augmentation"] = [a.naming("data.augment") for a in config.data.augmentation]
    fields["model"] = config.model.naming("models")
    fields["method"] = config.method.naming("methods")
    fields["regularizers"] = [r.naming("methods") for r in config.regularizers]
    for path, before in ADDED.items():
        *parents, leaf = path.split(".")
        at = reduce(lambda node, key: node[key], parents, fields)
        if at[leaf] == before:
            del at[leaf]
    return _as_json(fields)


def of_seed(canonical: str, seed: int) -> str:
    """What ``canonical`` is with another seed."""
    before, key, after = canonical.rpartition('"seed":')  # no later field has such a key
    return f"{before}{key}{seed}{after.lstrip('0123456789')}"


def of_seeds(canonical: str, seeds: Iterable[int]) -> list[str]:
    """The `trial_id` of ``canonical`` with each of ``seeds``; what precedes them is hashed once."""
    before, key, after = canonical.rpartition('"seed":')
    begun, rest = hashlib.sha256((before + key).encode()), after.lstrip("0123456789")
    found = []
    for seed in seeds:
        digest = begun.copy()
        digest.update(f"{seed}{rest}".encode())
        found.append(digest.hexdigest()[:DIGITS])
    return found


def trial_id(canonical: str) -> str:
    """The first `DIGITS` hexadecimal digits of SHA-256 over ``canonical``."""
    return hashlib.sha256(canonical.encode()).hexdigest()[:DIGITS]


def _as_json(fields: Mapping[str, Any]) -> str:
    return json.dumps(fields, sort_keys=True, separators=(",", ":"))


__all__ = ["ADDED", "canonical", "of_seed", "of_seeds", "trial_id"]
