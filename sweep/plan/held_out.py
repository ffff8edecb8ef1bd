"""Which images are held out of training: the same for all cells that are compared.

Cells on one data set are compared. A rule that looks at held-out images takes them from every cell
whose number is chosen by them, and then from all others on the same data, so that no method is
trained on more images than its rivals. What an artifact itself holds out stays as it is, and is
what the others then hold out, too.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pydantic import ValidationError

from search_spaces.spec import Artifact, Cell, Fields, Stage
from sweep.selection import SelectionRule
from trainables import declared
from trainables.config import Data, TrialConfig, merge
from trainables.errors import UsageError
from trainables.registry import explain

if TYPE_CHECKING:
    from sweep.plan.expand import Plan, PlannedTrial

FRACTION = 0.1
"""Held out where the artifact holds out nothing of a data set."""

BRING_THEIR_OWN = ("arrays", "folder", "parquet")
"""Data sets of a person's own files, which may have validation images among them: then these are
taken (`trainables.data.splits.split`). A plan reads no data, and cannot tell."""


@dataclass(frozen=True)
class HeldOut:
    """What a selection rule adds to trials that hold out nothing.

    Attributes:
        rule: The rule.
        overrides: Data set -> fields by which a trial holds out of it the images that the artifact
            itself holds out of it in other cells or stages.
        throughout: Data sets of which every cell that is shown holds images out, because the
            number of one of them is chosen by such images.
    """

    rule: SelectionRule
    overrides: Mapping[str, Fields]
    throughout: frozenset[str]

    @classmethod
    def of(cls, artifact: Artifact, cells: Iterable[Cell], rule: SelectionRule) -> HeldOut:
        """What ``rule`` adds to the trials of an artifact with these cells.

        Raises:
            UsageError: cells on one data set hold different images out, and the rule compares them
                on the same ones.
        """
        if not rule.needs_validation:
            return cls(rule, {}, frozenset())
        throughout: set[str] = set()
        shown: dict[str, dict[str, tuple[Cell, Data]]] = {}
        elsewhere: dict[str, Data] = {}
        for cell in cells:
            for stage in filter(lambda stage: stage.covers(cell), artifact.experiment.stages):
                data = _data(artifact, cell, stage)
                source = _source_key(data)
                if stage is not artifact.experiment.last_stage(cell):
                    if data.validation:
                        elsewhere.setdefault(source, data)
                    continue
                if (
                    rule.epoch == "best_validation"
                    or len(list(stage.without(cell.fixed).points())) > 1
                ):
                    throughout.add(source)
                if data.validation:
                    shown.setdefault(source, {}).setdefault(_split_key(data), (cell, data))
        for source in throughout & shown.keys():
            _refuse_several(artifact, rule, list(shown[source].values()))
        first = {source: next(iter(found.values()))[1] for source, found in shown.items()}
        overrides = {
            source: {"data.validation": data.validation, "data.split_seed": data.split_seed}
            for source, data in (elsewhere | first).items()
        }
        return cls(rule, overrides, frozenset(throughout))

    def taken_from(self, config: TrialConfig, searched: bool, shown: bool) -> TrialConfig:
        """``config``, with images held out if the rule needs that and it holds out none.

        Args:
            searched: Whether a winner is sought among it and others.
            shown: Whether its numbers may be a cell's.
        """
        if config.data.validation or not self.rule.needs_validation:
            return config
        source = _source_key(config.data)
        if not (searched or (shown and source in self.throughout)):
            return config
        return declared.replaced(
            config, **self.overrides.get(source, {"data.validation": FRACTION})
        )


def _data(artifact: Artifact, cell: Cell, stage: Stage) -> Data:
    fields = merge({}, artifact.experiment.fields(cell, stage))
    try:
        return Data(**fields.get("data", {}))
    except ValidationError as error:
        raise UsageError(explain(error, "data")) from None


def _source_key(data: Data) -> str:
    options = declared.resolve("data", data.source.name, data.source.options)
    return json.dumps({"name": data.source.name, **options})


def _split_key(data: Data) -> str:
    return data.model_dump_json(include={"validation", "split_seed"})


def _refuse_several(
    artifact: Artifact, rule: SelectionRule, found: Sequence[tuple[Cell, Data]]
) -> None:
    if len(found) > 1:
        (one, here), (other, there) = found[:2]
        raise UsageError(
            f"{artifact.id} cannot be compared under --selection {rule.name}: of one data set "
            f"{' / '.join(one.key.values())} holds out {amount(here.validation)} (split_seed "
            f"{here.split_seed}) and {' / '.join(other.key.values())} {amount(there.validation)} "
            f"(split_seed {there.split_seed}); hold out the same, or try --selection paper"
        )


def amount(validation: float) -> str:
    """``data.validation``, a fraction below 1 or a number of images, in words."""
    if not validation:
        return "nothing"
    if validation < 1:
        return f"{100 * validation:g} % of the training images"
    return f"{int(validation):,} images"


def sentence(planned: Plan) -> str:
    """How many images are held out, and from which cells if not from all."""
    shown: dict[float, list[Cell]] = {}
    before: dict[float, list[str]] = {}
    for stage in planned.stages:
        for trial in stage.points():
            held = trial.settings.data.validation
            if not trial.final:
                before.setdefault(held, []).append(stage.name)
            elif not trial.cell.hidden:
                shown.setdefault(held, []).append(trial.cell)
    if len(shown) == 1:
        held = next(iter(shown))
        said = f"{amount(held)}, from every cell" if held else "nothing"
    else:
        said = "; ".join(f"{amount(held)} from {_which(held, shown)}" for held in shown)
    for held, stages in before.items():
        if held not in shown:
            names = ", ".join(dict.fromkeys(stages))
            said += f"; {amount(held)} in the search before ({names})"
    if planned.artifact.own and any(map(_may_bring_its_own, planned.trials)):
        said += "; where the data set has validation images of its own, these instead"
    return said


def _may_bring_its_own(trial: PlannedTrial) -> bool:
    data = trial.config.data
    return bool(data.validation) and data.source.name in BRING_THEIR_OWN


def _which(held: float, shown: Mapping[float, Sequence[Cell]]) -> str:
    """The cells that hold ``held`` out: by the label that tells them from others, or one by one."""
    cells = shown[held]
    others = [cell for amount, cells in shown.items() if amount != held for cell in cells]
    for label in cells[0].key:
        here = dict.fromkeys(cell.key.get(label, "") for cell in cells)
        if not here.keys() & {cell.key.get(label, "") for cell in others}:
            return f"{label} {', '.join(here)}"
    return ", ".join(dict.fromkeys(" / ".join(cell.key.values()) for cell in cells))


__all__ = ["FRACTION", "HeldOut", "amount", "sentence"]
