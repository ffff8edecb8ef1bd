"""A request to measure something on a trial."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from trainables.errors import UsageError
from trainables.metric_name import MetricName


@dataclass(frozen=True)
class Request:
    """What is to be measured on a trial, when, and on which images.

    It does not enter the trial's id, so that artifacts which measure different things share trials.

    Attributes:
        name, options: Of a measure in `trainables.measures`.
        label: The name that the numbers are recorded under; default: the measure's.
        split: The split whose images it is measured on, without augmentation.
        samples: How many of the images, from the first on, at most; None: all.
        batch_size: Images per batch; None: the trial's, or 1000 on validation and test images.
        at: When, as fractions of the training: 1 is its end, and any other the end of the nearest
            epoch. Numbers from before the end are in the history, one per epoch.
        every: Measure also after every ``every`` epochs; 0: do not. A finished trial that has any
            number under the label counts as measured, so a curve that is requested later needs
            another label.
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
        """Whether it is to be measured when ``epoch`` of ``epochs`` is done."""
        if self.every and epoch % self.every == 0:
            return True
        return epoch in {max(1, round(part * epochs)) for part in self.at}

    @property
    def final_only(self) -> bool:
        """Whether the weights at the end of training are enough to measure it."""
        return self.at == (1.0,) and not self.every

    def within(self, recorded: Mapping[str, Any]) -> bool:
        """Whether it is among the numbers ``recorded`` of a trial."""
        return any(MetricName(name).belongs_to(self.key) for name in recorded)
