"""Selection rules by name: how a grid point is chosen, and at which epoch numbers are read."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from dataclasses import dataclass

from search_spaces.spec import Artifact, Epoch, Selection


@dataclass(frozen=True)
class SelectionRule:
    """How hyper-parameters are chosen and at which epoch numbers are read.

    Attributes:
        name: As given on the command line.
        given: The criterion; None takes the artifact's own, the paper's.
        needs_validation: Whether trials of a search must hold out validation data.
    """

    name: str
    given: Selection | None = None

    @property
    def needs_validation(self) -> bool:
        return self.given is not None

    def criterion(self, artifact: Artifact) -> Selection:
        return artifact.selection if self.given is None else self.given

    def sentence(self, artifact: Artifact) -> str:
        """What a table says about its selection."""
        rule = self.criterion(artifact)
        ranked = artifact.selection.ranks
        searched = ranked or any(len(list(stage.points())) > 1 for stage in artifact.stages)
        if ranked:
            what = f"every point that was tried, in the order of mean {rule.on} over seeds"
        elif searched:
            what = f"the grid point with the lowest mean {rule.on} over seeds"
        else:
            what = "nothing is selected"
        sentence = f"{self.name}: {what}; numbers at the {EPOCH_WORDS[rule.epoch]}"
        if rule.epoch == "best_test" or (searched and rule.on.startswith("test_")):
            best = "the first is chosen" if ranked else "chosen"
            sentence += f" ({best} on the test set, so optimistic)"
        if self.given is None and rule.stated:
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
        SelectionRule("paper"),
        SelectionRule("validation", Selection("validation_error", "last")),
        SelectionRule("best_validation", Selection("validation_error", "best_validation")),
    )
}


def selection(name: str) -> SelectionRule:
    """The rule called ``name``. Raises ValueError that lists the known ones and the nearest."""
    if name in SELECTIONS:
        return SELECTIONS[name]
    near = difflib.get_close_matches(str(name), SELECTIONS, n=1)
    hint = f" (did you mean {near[0]!r}?)" if near else ""
    raise ValueError(f"unknown selection rule {name!r}{hint}; known: {', '.join(SELECTIONS)}")


__all__ = ["EPOCH_WORDS", "SELECTIONS", "SelectionRule", "selection"]
