"""Selection rules by name: how a grid point is chosen, and at which epoch numbers are read.

The rules are what `--help` lists, so this module imports nothing that takes time.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from trainables.errors import UsageError, unknown
from trainables.metric_name import MetricName

if TYPE_CHECKING:
    from search_spaces.spec import Artifact, Epoch, Selection


@dataclass(frozen=True)
class SelectionRule:
    """How hyper-parameters are chosen and at which epoch numbers are read.

    Attributes:
        name: As given on the command line.
        words: What it does, for `--help`.
        on: The recorded metric a grid point is chosen by; "" takes the artifact's own criterion
            and epoch, the paper's.
        epoch: At which the criterion and all other numbers are read.
    """

    name: str
    words: str
    on: str = ""
    epoch: Epoch = "last"

    @property
    def needs_validation(self) -> bool:
        """Whether it looks at images that are held out of the training ones."""
        return MetricName(self.on).data_split == "validation"

    def criterion(self, artifact: Artifact) -> Selection:
        """The metric and the epoch by which grid points of ``artifact`` are compared."""
        from search_spaces.spec import Selection

        return Selection(self.on, self.epoch) if self.on else artifact.experiment.selection

    def shown_as(self, artifact: Artifact) -> str:
        """Its name where it is shown: a person's own criterion is no paper's."""
        return "as written" if artifact.own and not self.on else self.name

    def sentence(self, artifact: Artifact) -> str:
        """What a table says about its selection."""
        rule = self.criterion(artifact)
        experiment = artifact.experiment
        searched = any(len(list(stage.points())) > 1 for stage in experiment.stages)
        if searched:
            what = f"the grid point with the lowest mean {rule.on} over seeds"
        else:
            what = "nothing is selected"
        sentence = f"{self.shown_as(artifact)}: {what}; numbers at the {EPOCH_WORDS[rule.epoch]}"
        judged = MetricName(rule.on).data_split if searched else None
        if rule.epoch == "best_test" or judged == "test":
            sentence += " (chosen on the test set, so optimistic)"
        if not self.on and rule.stated:
            sentence += f". As stated: {rule.stated}"
        return sentence


EPOCH_WORDS: Mapping[Epoch, str] = {
    "last": "last epoch",
    "best_test": "epoch with the lowest test error",
    "best_validation": "epoch with the lowest validation error",
}

SELECTIONS: Mapping[str, SelectionRule] = {
    rule.name: rule
    for rule in (
        SelectionRule("paper", "as the paper did"),
        SelectionRule(
            "validation", "on held-out images, numbers at the last epoch", "validation_error"
        ),
        SelectionRule(
            "best_validation",
            "on held-out images, numbers at their best epoch",
            "validation_error",
            "best_validation",
        ),
        SelectionRule(
            "best_test",
            "on the test images, numbers at their best epoch (optimistic; trains as paper does)",
            "test_error",
            "best_test",
        ),
    )
}


def listed() -> str:
    """Every rule with what it does, in one line."""
    return "; ".join(f"{rule.name}: {rule.words}" for rule in SELECTIONS.values())


def selection(name: str) -> SelectionRule:
    """The rule called ``name``.

    Raises:
        UsageError: there is none; the message lists all, and the one with the nearest name.
    """
    if name in SELECTIONS:
        return SELECTIONS[name]
    raise UsageError(unknown("selection rule", name, SELECTIONS))


__all__ = ["EPOCH_WORDS", "SELECTIONS", "SelectionRule", "listed", "selection"]
