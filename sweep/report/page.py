"""What a report says: a function of plans, of the record, and of claims that were judged on it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import search_spaces
from search_spaces import presets
from sweep.claims import show
from sweep.plan.cost import estimate_all, hours_spent
from sweep.plan.counts import counts
from sweep.report.pictures import Picture, pictures_of
from sweep.tables import Table, table_of
from sweep.tables.cell_names import cell_names

if TYPE_CHECKING:
    from sweep.plan.expand import Plan
    from sweep.record.record import Record

Lines = tuple[tuple[str, str], ...]
"""What each is about, and what is said."""


@dataclass(frozen=True)
class Section:
    """A table or figure of the report.

    Attributes:
        table: Its numbers, beside the printed ones.
        trials: How many there are, how they ended, what they took.
        missing: What is missing of the numbers.
        pictures: Its figures.
    """

    table: Table
    trials: Lines
    missing: tuple[str, ...]
    pictures: tuple[Picture, ...]


@dataclass(frozen=True)
class Page:
    """A report.

    Attributes:
        about: The paper, table, figure or sweep.
        title: In a line.
        summary: What it comes to.
        sections: One for each table or figure.
        claims: The paper's sentences, judged; None: there are none.
        missing: What is missing, of all sections.
        environment: Where the numbers come from.
        commands: By which they, and this page, are made again.
    """

    about: str
    title: str
    summary: Lines
    sections: tuple[Section, ...]
    claims: show.Report | None
    missing: Lines
    environment: Lines
    commands: tuple[str, ...]


def report_of(
    about: str,
    plans: Sequence[Plan],
    record: Record,
    claims: show.Report | None = None,
    commands: Iterable[str] = (),
) -> Page:
    """The report of what is recorded of some plans, which are of one preset.

    Args:
        about: A paper, a table or figure, or a person's own sweep.
        plans: Of its tables and figures.
        record: What is known of their trials.
        claims: Sentences that are judged on it.
        commands: By which all of this is made.
    """
    sections = tuple(_section(plan, record) for plan in plans)
    every = [trial.trial_id for plan in plans for trial in plan.trials]
    return Page(
        about=about,
        title=f"{about}, preset {plans[0].preset}",
        summary=(
            *_named(plans[0], sections),
            *_reproduced(sections),
            *_judged(claims),
            *_trials(plans, record),
        ),
        sections=sections,
        claims=claims,
        missing=(*_lacking(sections), *_blocked(about), *_not_yet(claims)),
        environment=tuple(record.provenance(every).items()),
        commands=tuple(commands),
    )


def _section(plan: Plan, record: Record) -> Section:
    table = table_of(plan, record)
    return Section(table, _trials([plan], record), _missing(table), pictures_of(plan, record))


# -- the summary -----------------------------------------------------------------------------------


def _named(plan: Plan, sections: Sequence[Section]) -> Lines:
    paper = search_spaces.paper_of(plan.artifact.paper)
    preset = presets.of(plan.artifact, plan.preset)
    lines = [("paper", f"{paper.title}, {paper.venue}")] if paper else []
    lines.append(("preset", f"{preset.name}: {preset.summary}"))
    variants = dict.fromkeys(section.table.variant for section in sections)
    lines += [("variant", variant) for variant in variants if variant]
    return tuple(lines)


def _reproduced(sections: Iterable[Section]) -> Lines:
    """Over all tables: how many numbers are inside, how many pairs in the printed order."""
    found = [s.table.reproduction for s in sections if s.table.any_reported]
    if not found:
        return ()
    inside, compared = sum(f.inside for f in found), sum(f.compared for f in found)
    apart = sum(sum(f.not_comparable.values()) for f in found)
    pairs = [pair for f in found for pair in f.pairs]
    said = "no printed number can be compared"
    if compared:
        said = f"{inside} of {compared} printed numbers are inside"
        said += f", {apart} are not comparable" if apart else ""
    if pairs:
        kept = sum(pair.sign > 0 for pair in pairs)
        said += f"; {kept} of {len(pairs)} pairs come out in the printed order"
    return (("reproduced", said),)


def _judged(claims: show.Report | None) -> Lines:
    if claims is None:
        return ()
    verdicts = Counter(each.finding.verdict for each in claims.judged)
    return (("claims", ", ".join(f"{count} {verdict}" for verdict, count in verdicts.items())),)


def _trials(plans: Sequence[Plan], record: Record) -> Lines:
    """How many trials there are, how they ended, when, and what they took and will take."""
    found = counts((plan, record) for plan in plans)
    ids = list(dict.fromkeys(trial.trial_id for plan in plans for trial in plan.trials))
    ends = Counter(record.statuses(ids))
    said = f"{found['trials']}, each counted once: {found['done']} done"
    said += f" ({ends['diverged']} diverged)" if ends["diverged"] else ""
    said += f", {found['missing']} to run" if found["missing"] else ""
    said += f" ({ends['failed']} failed)" if ends["failed"] else ""
    said += f", {found['waiting']} once winners are known" if found["waiting"] else ""
    lines = [
        ("trials", said),
        ("spent", f"{hours_spent(ids, record):.2f} device hours of training"),
    ]
    if found["missing"] or found["waiting"]:
        left = estimate_all(plans, record)
        known = left.from_trials > 0 and not left.unknown_trials
        lines.append(("left", f"about {left.device_hours:.2f} device hours" if known else UNKNOWN))
    times = [ended for trial_id in ids if (ended := record.ended(trial_id))]
    if times:
        days = dict.fromkeys(_day(when) for when in (min(times), max(times)))
        lines.append(("recorded", " to ".join(days)))
    return tuple(lines)


UNKNOWN = "not known before trials of each network are recorded"


def _day(milliseconds: int) -> str:
    return datetime.fromtimestamp(milliseconds / 1000, UTC).strftime("%Y-%m-%d")


# -- what is missing -------------------------------------------------------------------------------


def _missing(table: Table) -> tuple[str, ...]:
    """``3 not run: ERM, SAM``: why numbers are short, each with the cells where they are."""
    name = cell_names(cell.result.cell for _, _, cell in table.cells)
    found: dict[str, dict[str, None]] = {}
    for _, _, cell in table.cells:
        if cell.problems:
            found.setdefault(", ".join(cell.problems), {})[name(cell.result.cell)] = None
    every = len({name(cell.result.cell) for _, _, cell in table.cells})
    return tuple(f"{why}: {_where(cells, every)}" for why, cells in found.items())


NAMED = 6
"""Cells of which so many are named; of more, the others are counted."""


def _where(cells: Mapping[str, None], every: int) -> str:
    if len(cells) == every > 1:
        return f"all {every} cells"
    first, more = list(cells)[:NAMED], len(cells) - NAMED
    return "; ".join(first) + (f"; and {more} more" if more > 0 else "")


def _lacking(sections: Iterable[Section]) -> Lines:
    return tuple((s.table.artifact, said) for s in sections for said in s.missing)


def _blocked(about: str) -> Lines:
    """Tables and figures of a paper that cannot run."""
    paper = search_spaces.paper_of(about)
    artifacts = paper.artifacts if paper else ()
    return tuple((a.id, f"cannot run: {why}") for a in artifacts if (why := a.experiment.blocked))


def _not_yet(claims: show.Report | None) -> Lines:
    judged = claims.judged if claims else ()
    return tuple(
        (each.claim.id, f"not judged yet: {each.finding.note}")
        for each in judged
        if each.finding.verdict == "not yet"
    )


__all__ = ["Lines", "Page", "Section", "report_of"]
