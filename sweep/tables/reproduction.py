"""Does a table come out as printed: cell by cell, in the order of its methods, against a baseline?

A printed number is *inside* where the 95 % interval of measured less printed includes 0, *outside*
where it does not, and else *not comparable* (`TableCell.reproduced`). Order and directions are of
pairs of competing cells of one column (`sweep.tables.cells`), whatever the preset:

    Kendall's tau = (pairs in the printed order - pairs in the other one) / pairs

A preset may run the same trials for several cells of the paper: what shows the same trials counts
once.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import combinations
from typing import Any

from search_spaces import presets
from search_spaces.spec import Experiment, Reported
from sweep.comparison import Estimate, Sample, compare
from sweep.tables.cells import TableCell, as_rival, by_ratio, groups_of


@dataclass(frozen=True)
class Pair:
    """Two competing cells, printed with different numbers.

    Attributes:
        one, other: The cells.
        printed: The printed difference, ``one`` less ``other``.
        found: The measured one.
    """

    one: TableCell
    other: TableCell
    printed: float
    found: Estimate

    @property
    def sign(self) -> int:
        """1: in the printed order; -1: in the other one; 0: neither."""
        product = self.printed * self.found.value
        return (product > 0) - (product < 0)

    @property
    def clear(self) -> bool:
        """Whether the two are told apart."""
        return self.found.distinguishable is True


@dataclass(frozen=True)
class Direction:
    """Where a method lies beside the baseline, of all places that print both.

    Attributes:
        method: Its entry.
        pairs: At how many places.
        as_printed: At how many of them on the side that is printed; ``clearly`` so, where the two
            are told apart, and ``clearly_not``.
    """

    method: str
    pairs: int
    as_printed: int
    clearly: int
    clearly_not: int


@dataclass(frozen=True)
class Reproduction:
    """How far a table comes out as printed.

    Attributes:
        inside, compared: How many printed numbers are inside, of how many that are compared.
        not_comparable: Why others are not -> how many.
        pairs: Of competing cells.
        tau: Kendall's, over the pairs; None: there is none.
        baseline: The entry that the others are held against; empty: there is none.
        directions: Of each method against it.
        shared: Whether several places show the same pair of trials.
    """

    inside: int = 0
    compared: int = 0
    not_comparable: Mapping[str, int] = field(default_factory=dict)
    pairs: tuple[Pair, ...] = ()
    tau: float | None = None
    baseline: str = ""
    directions: tuple[Direction, ...] = ()
    shared: bool = False


NOTHING_PRINTED = Reproduction()
"""Of a table that is beside no printed numbers."""


def with_reasons(cells: Iterable[TableCell], whole: str) -> list[TableCell]:
    """``cells``, those with a printed number and no verdict with the reason for that.

    Args:
        whole: Why no number of the table is compared; empty: they may be.
    """
    return [
        replace(cell, incomparable=whole or _why(cell, cell.reported))
        if cell.reported is not None and cell.inside is None
        else cell
        for cell in cells
    ]


def _why(cell: TableCell, printed: Reported) -> str:
    if not printed.comparable:
        return printed.note or "of something else"
    if cell.mean is None:
        return "no number yet"
    if printed.std is None:
        return "no spread is printed"
    if printed.n is None or printed.n < 2:
        return "printed of one run" if printed.n else "the printed n is not known"
    return "one seed"


def reproduction(cells: Sequence[TableCell], compared: str, experiment: Experiment) -> Reproduction:
    """How far ``cells`` of a table come out as printed.

    Args:
        compared: The label whose entries compete (`sweep.tables.cells.competing_label`).
        experiment: Says which of them is the baseline: the first that ERM trains.
    """
    verdicts: dict[Any, bool] = {}
    for cell in cells:
        if cell.reported is not None and cell.inside is not None:
            verdicts[_trials(cell)] = cell.inside and verdicts.get(_trials(cell), True)
    apart = Counter(_footnote(c) for c in cells if c.reproduced == "not comparable")
    pairs, shared = _pairs(cells, compared)
    baseline = _baseline(cells, compared, experiment)
    return Reproduction(
        inside=sum(verdicts.values()),
        compared=len(verdicts),
        not_comparable=dict(apart),
        pairs=tuple(pairs),
        tau=sum(pair.sign for pair in pairs) / len(pairs) if pairs else None,
        baseline=baseline,
        directions=tuple(_directions(pairs, compared, baseline)),
        shared=shared,
    )


def _footnote(cell: TableCell) -> str:
    """Why it is not compared, by its mark where that is what its footnote says."""
    return f"[{cell.mark}]" if cell.mark and cell.incomparable == cell.note else cell.incomparable


def _trials(cell: TableCell) -> tuple[str, tuple[str, ...]]:
    return cell.metric.key, cell.result.trial_ids


def _pairs(cells: Sequence[TableCell], compared: str) -> tuple[list[Pair], bool]:
    """Every pair of competing cells once, and whether several places show the same pair of trials.

    There is none where the paper prints places of the same trials in one order and in the other,
    or where both cells are the same trials.
    """
    found: dict[Any, list[Pair]] = defaultdict(list)
    for members in groups_of(cells, compared).values():
        rivals = [
            (cells[i], rival)
            for i in members
            if (rival := as_rival(cells[i])) is not None and _ranks(cells[i].reported)
        ]
        for one, other in combinations(rivals, 2):
            first, second = sorted((one, other), key=lambda each: _trials(each[0]))
            ids = _trials(first[0]), _trials(second[0])
            pair = _pair(first, second)
            if pair.printed != 0 and ids[0] != ids[1]:
                found[ids].append(pair)
    shared = any(len(places) > 1 for places in found.values())
    return [p[0] for p in found.values() if all(p[0].printed * o.printed > 0 for o in p)], shared


def _pair(one: tuple[TableCell, Sample], other: tuple[TableCell, Sample]) -> Pair:
    (a, of_a), (b, of_b) = one, other
    assert a.reported is not None
    assert b.reported is not None
    printed = (a.reported.mean or 0.0) - (b.reported.mean or 0.0)
    log = by_ratio(a.metric, (of_a, of_b))
    return Pair(a, b, printed, compare(of_a, of_b, log=log))


def _ranks(reported: Reported | None) -> bool:
    return reported is not None and reported.mean is not None and reported.comparable


def _baseline(cells: Sequence[TableCell], compared: str, experiment: Experiment) -> str:
    """The first entry that is trained by ERM, where not all are."""
    plain = [cell for cell in cells if _by_erm(cell, experiment)]
    return plain[0].result.cell.key.get(compared, "") if 0 < len(plain) < len(cells) else ""


def _by_erm(cell: TableCell, experiment: Experiment) -> bool:
    method = presets.setting({**experiment.base, **cell.result.cell.fields}, "method")
    return method is None or presets.shown(method) == "erm"


def _directions(pairs: Iterable[Pair], compared: str, baseline: str) -> Iterable[Direction]:
    places: dict[str, list[Pair]] = defaultdict(list)
    for pair in pairs:
        entries = [cell.result.cell.key.get(compared, "") for cell in (pair.one, pair.other)]
        if baseline in entries:
            entries.remove(baseline)
            places[entries[0]].append(pair)
    for method, found in places.items():
        kept = [pair for pair in found if pair.sign > 0]
        other = [pair for pair in found if pair.sign < 0]
        yield Direction(method, len(found), len(kept), _clear(kept), _clear(other))


def directions(found: Reproduction) -> str:
    """How many pairs of competing cells come out in the printed order; empty: there is none."""
    if not found.pairs:
        return ""
    same = [pair for pair in found.pairs if pair.sign > 0]
    other = [pair for pair in found.pairs if pair.sign <= 0]
    return (
        f"{len(same)} of {len(found.pairs)} pairs come out in the printed order "
        f"({_clear(same)} distinguishably), {len(other)} do not ({_clear(other)} distinguishably)"
        + ("; places that show the same trials count once" if found.shared else "")
    )


def _clear(pairs: Iterable[Pair]) -> int:
    return sum(pair.clear for pair in pairs)


__all__ = [
    "NOTHING_PRINTED",
    "Direction",
    "Pair",
    "Reproduction",
    "directions",
    "reproduction",
    "with_reasons",
]
