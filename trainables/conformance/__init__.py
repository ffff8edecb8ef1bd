"""Whether a person's own parts keep what every part promises; `sweep doctor --import` asks.

A check is a function that says in one sentence what is wrong with the part of a name, or nothing.
The parts are built with their defaults and tried on networks and batches of a few numbers.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

from trainables.errors import UsageError
from trainables.fields import registry_of
from trainables.own_parts.load import is_ours

Check = Callable[[str], str]


class Verdict(NamedTuple):
    """What a check says.

    Attributes:
        broken: Whether the part does not keep what it promises; False: that is not known.
        words: A clause; empty: nothing is wrong.
    """

    broken: bool
    words: str


KINDS = {
    "methods": "methods",
    "models": "models",
    "data": "data_sets",
    "data.augment": "augmentations",
    "measures": "measures",
}
"""Package of the parts of a kind -> file here that has their ``CHECKS``."""


def own() -> Iterator[tuple[str, str]]:
    """(package, name) of every registered part that is not this package's."""
    for package in KINDS:
        registry = registry_of(package)
        for name in registry.names():
            if not is_ours(registry.get(name).__module__):
                yield package, name


def checks(package: str) -> Sequence[Check]:
    """What is checked of parts of ``trainables.<package>``."""
    found: Sequence[Check] = importlib.import_module(f"{__name__}.{KINDS[package]}").CHECKS
    return found


def verdicts(package: str, name: str) -> list[Verdict]:
    """What is wrong with a part, or cannot be checked; empty: all is as it is promised.

    What one fault makes several checks say is there once.
    """
    lacking = _required(package, name)
    if lacking:
        words = f"{lacking} has no default, with which it could be checked"
        return [Verdict(False, words)]
    found: list[Verdict] = []
    for check in checks(package):
        verdict = _verdict(check, name)
        told = any(verdict.words.rpartition(": ")[2] in known.words for known in found)
        if verdict.words and not told:
            found.append(verdict)
    return found


def _required(package: str, name: str) -> str:
    options = registry_of(package).schema(name).model_fields.items()
    return ", ".join(option for option, field in options if field.is_required())


def _verdict(check: Check, name: str) -> Verdict:
    try:
        return Verdict(True, check(name))
    except UsageError as error:  # it refuses networks or data as small as ours
        return Verdict(False, f"not checked: {error}")
    except Exception as error:
        first = (str(error).strip() or "no reason given").splitlines()[0]
        tried = (check.__doc__ or check.__name__).splitlines()[0].rstrip(".")
        return Verdict(True, f"{tried}: it raises {type(error).__name__}: {first}")


__all__ = ["Check", "Verdict", "checks", "own", "verdicts"]
