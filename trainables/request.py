"""What is to be measured on a trial, and when: words only, so that planning needs no torch."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal


@dataclass(frozen=True)
class Request:
    """A measure of a trial, recorded under ``label`` (default: the measure's name).

    Attributes:
        name, options: In `trainables.measures`.
        split: The images it is measured on.
        samples: At most so many, the first ones; None: all.
        batch_size: None: the trial's.
        at: Fractions of the training, 1 being its end; each means the nearest epoch's end.
    """

    name: str
    options: Mapping[str, Any] = field(default_factory=dict)
    label: str = ""
    split: Literal["train", "validation", "test"] = "train"
    samples: int | None = None
    batch_size: int | None = None
    at: tuple[float, ...] = (1.0,)

    @property
    def key(self) -> str:
        return self.label or self.name

    def due(self, epoch: int, epochs: int) -> bool:
        """Whether it is measured when ``epoch`` of ``epochs`` is done."""
        return epoch in {max(1, round(part * epochs)) for part in self.at}

    def within(self, recorded: Mapping[str, Any]) -> bool:
        """Whether metrics ``recorded`` of a trial have it."""
        return any(name == self.key or name.startswith(_parts(self.key)) for name in recorded)


def _parts(key: str) -> tuple[str, ...]:
    return f"{key}/", f"{key}@"
