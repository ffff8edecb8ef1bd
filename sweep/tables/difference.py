"""Two variants of a table, one less the other, cell by cell: what `--against` shows."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Set
from dataclasses import replace
from typing import NamedTuple

from sweep.comparison import Sample
from sweep.tables.cells import TableCell, with_difference
from sweep.tables.layout import Table
from sweep.tables.reproduction import NOTHING_PRINTED
from sweep.tables.sentences import Sentence

MARKS = ("a", "b")
"""Of the footnotes that say how trials are run: of the table's own variant, and of the other."""


class ToRun(NamedTuple):
    """What a variant lacks: ids of the trials, and the command that runs them."""

    trials: Set[str]
    command: str

    def lacked_by(self, cell: TableCell) -> bool:
        """Whether a run would add to the cell's number."""
        result = cell.result
        waits = bool(result.waits) or result.provisional
        short = not cell.summary.complete and not self.trials.isdisjoint(result.trial_ids)
        return waits or short


def less(table: Table, against: Table, to_run: tuple[ToRun, ToRun]) -> Table:
    """``table`` with every number beside that of ``against``, and the difference of the two.

    The difference is that of the means, ``table`` less ``against``, with Welch's 95 % interval,
    which needs two seeds on either side. Seeds are not paired. Printed numbers are left out.

    Args:
        table, against: Of two variants of one artifact.
        to_run: What either lacks.
    """
    others = _partners(table, against)
    cells = {id(cell): _less(cell, others.get(id(cell)), to_run) for _, _, cell in table.cells}
    grid = tuple(
        tuple(None if cell is None else cells[id(cell)] for cell in line) for line in table.grid
    )
    marks = {mark for cell in cells.values() for mark in cell.mark.split(", ")}
    names = [each.variant or "the default readings" for each in (table, against)]
    footnotes = (
        (mark, f"trials of {name} are missing: `{lacked.command}` runs them")
        for mark, name, lacked in zip(MARKS, names, to_run, strict=True)
        if mark in marks
    )
    return replace(
        table,
        against=against.variant,
        difference=_sentence(table.readings, against.readings),
        selection=_both(table.selection, against.selection),
        sentences=tuple(
            Sentence(own.field, own.what, _both(own.text, other.text))
            for own, other in zip(table.sentences, against.sentences, strict=True)
        ),
        directions="",
        reproduction=NOTHING_PRINTED,
        footnotes=tuple(footnotes),
        grid=grid,
    )


def _partners(table: Table, against: Table) -> dict[int, TableCell]:
    """For every cell (its id) the one of ``against`` that shows the same place of the paper."""
    places = []
    for each in (table, against):
        found: dict[tuple[tuple[str, str], ...], list[TableCell]] = defaultdict(list)
        for _, _, cell in each.cells:
            found[tuple(cell.result.cell.key.items())].append(cell)
        places.append(found)
    own, other = places
    return {
        id(cell): partner
        for key, cells in own.items()
        for cell, partner in _paired(cells, other.get(key, []))
    }


def _paired(cells: list[TableCell], others: list[TableCell]) -> list[tuple[TableCell, TableCell]]:
    """By the columns' heads; by their order, where a reading calls one otherwise."""
    named = {cell.metric.label: cell for cell in others}
    if len(cells) == len(others) and named.keys() != {cell.metric.label for cell in cells}:
        return list(zip(cells, others, strict=True))
    return [(c, named[c.metric.label]) for c in cells if c.metric.label in named]


def _less(cell: TableCell, other: TableCell | None, to_run: tuple[ToRun, ToRun]) -> TableCell:
    sides = zip(MARKS, (cell, other), to_run, strict=True)
    lacking = [mark for mark, side, lacked in sides if side and lacked.lacked_by(side)]
    cell = replace(
        cell,
        against=other,
        reported=None,
        difference=None,
        half_width=None,
        inside=None,
        incomparable="",
        bold=False,
        mark=", ".join(lacking),
    )
    if other is None or cell.mean is None or other.mean is None or not _same_unit(cell, other):
        return cell
    compared = with_difference(cell, Sample(other.mean, other.std, other.n))
    if cell.same_trials:  # no two samples: there is nothing to tell apart
        return replace(compared, half_width=None, inside=None)
    return compared


def _same_unit(cell: TableCell, other: TableCell) -> bool:
    return cell.metric.unit == other.metric.unit and cell.metric.display(
        0.0
    ) == other.metric.display(0.0)


def _sentence(own: Mapping[str, str], other: Mapping[str, str]) -> str:
    names = [name for name in own if own[name] != other.get(name)]
    one, two = (", ".join(f"{n}={values[n]}" for n in names) for values in (own, other))
    return (
        f"Δ is {one} less {two}, with the Welch 95 % interval of the difference, from both spreads "
        "(none where one of them has fewer than two seeds)"
    )


def _both(own: str, other: str) -> str:
    return own if own == other else f"{own or 'nothing'} (against: {other or 'nothing'})"


__all__ = ["ToRun", "less"]
