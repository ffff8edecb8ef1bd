"""What is to be measured on a trial."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from trainables.errors import UsageError


@dataclass(frozen=True)
class Request:
    """A measure of a trial, recorded under ``label`` (default: the measure's name).

    It is no part of the trial's identity: artifacts that measure different things share trials.

    Attributes:
        name, options: In `trainables.measures`.
        split: The images it is measured on, without augmentation.
        samples: At most so many, the first ones; None: all.
        batch_size: None: the trial's.
        at: Fractions of the training, 1 being its end; each means the nearest epoch's end. Earlier
            ones enter the per-epoch history.
        every: Also after every so many epochs; 0: no. A finished trial that has numbers under
            the label has them all: a curve asked for later needs a label of its own.
    """

    name: str
    options: Mapping[str, Any] = field(default_factory=dict)
    label: str = ""
    split: Literal["train", "validation", "test"] = "train"
    samples: int | None = None
    batch_size: int | None = None
    at: tuple[float, ...] = (1.0,)
    every: int = 0

    def __post_init__(self) -> None:
        if self.every < 0:
            raise UsageError(f"measure {self.name!r}: every = {self.every}; it is at least 0")

    @property
    def key(self) -> str:
        """The name that the numbers are recorded under."""
        return self.label or self.name

    def due(self, epoch: int, epochs: int) -> bool:
        """Whether it is measured when ``epoch`` of ``epochs`` is done."""
        if self.every and epoch % self.every == 0:
            return True
        return epoch in {max(1, round(part * epochs)) for part in self.at}

    @property
    def final_only(self) -> bool:
        """Whether the final weights suffice for it."""
        return self.at == (1.0,) and not self.every

    def within(self, recorded: Mapping[str, Any]) -> bool:
        """Whether metrics ``recorded`` of a trial have it."""
        return any(name == self.key or name.startswith(_parts(self.key)) for name in recorded)


def _parts(key: str) -> tuple[str, ...]:
    return f"{key}/", f"{key}@"
