"""What a user changes in an artifact: the part of a sweep's name that is empty by default."""

from __future__ import annotations

import json
import shlex
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Variant:
    """Readings that are not the default, fields that are set, and workers that share trials.

    Attributes:
        readings: Name of a choice -> the value that is taken.
        settings: Dotted field of a trial -> its value in all of them.
        workers: How many share a trial, as --workers takes it; empty: that makes no other trials.
    """

    readings: Mapping[str, str] = field(default_factory=dict)
    settings: Mapping[str, Any] = field(default_factory=dict)
    workers: str = ""

    def options(self) -> list[str]:
        """``["--read step=literal", "--set epochs=2"]``, sorted: what makes it on a command line.

        A value in which a shell would see more than one word is quoted.
        """
        given = [("--read", reading(name, value)) for name, value in self.readings.items()]
        given += [("--set", f"{name}={as_text(value)}") for name, value in self.settings.items()]
        given += [("--workers", self.workers)] if self.workers else []
        return sorted(f"{option} {shlex.quote(word)}" for option, word in given)

    def __str__(self) -> str:
        return " ".join(self.options())


def reading(name: str, value: str) -> str:
    """``name=value``, as --read takes it."""
    return f"{name}={value}"


def as_text(value: Any) -> str:
    """A value as --set takes it: text as it is, all else as JSON."""
    return value if isinstance(value, str) else json.dumps(value, sort_keys=True)


__all__ = ["Variant", "as_text", "reading"]
