"""A whole paper in the place of one of its tables or figures: all that can run of it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from trainables.errors import UsageError, unknown

if TYPE_CHECKING:
    from search_spaces.spec import Artifact
    from sweep.cli.options import SweepOptions
    from sweep.plan.cost import CostEstimate
    from sweep.plan.expand import Plan
    from sweep.record.record import Record

Planned = Sequence[tuple["Plan", "Record"]]


def unknown_paper(name: str) -> str:
    """A sentence for a name that is no paper's, with those that there are."""
    import search_spaces

    return unknown("paper", name, [paper.key for paper in search_spaces.papers()])


def rows_of(rows: Iterable[dict[str, Any]], paper: str) -> list[dict[str, Any]]:
    """Those of the rows (each has an ``artifact``) that are of a paper."""
    return [row for row in rows if str(row["artifact"]).partition("/")[0] == paper]


def sweeps_of(options: SweepOptions) -> list[SweepOptions]:
    """The options of each sweep that is asked for: one, or those of a paper that can run.

    Of readings and of --where each artifact has those that it knows; one that has no cell of those
    that are chosen falls out.

    Raises:
        UsageError: a reading or a label that no artifact of the paper has.
    """
    import search_spaces

    paper = search_spaces.paper_of(options.artifact)
    if paper is None:
        return [options]
    found = [artifact for artifact in paper.artifacts if not artifact.experiment.blocked]
    found = _with_cells(options.artifact, found, options.where or ())
    for word in options.read or ():
        if not any(_knows(artifact, word) for artifact in found):
            names = dict.fromkeys(c.name for a in found for c in a.notes.choices if c.name)
            name = word.partition("=")[0]
            raise UsageError(f"{options.artifact}: {unknown('reading', name, names)}")
    return [
        replace(options, artifact=a.id, read=[w for w in options.read or () if _knows(a, w)])
        for a in found
    ]


def _knows(artifact: Artifact, word: str) -> bool:
    from search_spaces.readings import BUNDLES

    name = word.partition("=")[0]
    return word in BUNDLES or any(name == choice.name for choice in artifact.notes.choices)


def _with_cells(paper: str, artifacts: list[Artifact], pairs: Iterable[str]) -> list[Artifact]:
    from sweep.cli.options import parse_where
    from sweep.plan.expand import every_cell

    where = parse_where(pairs)
    keys = {a.id: [cell.key for cell in every_cell(a) if not cell.hidden] for a in artifacts}
    every = [key for found in keys.values() for key in found]
    for label, entry in where.items():
        if not any(label in key for key in every):
            labels = dict.fromkeys(name for key in every for name in key)
            raise UsageError(unknown(f"label of {paper}", label, labels))
        entries = dict.fromkeys(key[label] for key in every if label in key)
        if entry not in entries:
            raise UsageError(unknown(f"{label} of {paper}", entry, entries))
    return [a for a in artifacts if any(where.items() <= key.items() for key in keys[a.id])]


def plan_as_dict(paper: str, planned: Planned, cost: CostEstimate) -> dict[str, Any]:
    """What all need together, and ``artifacts``: of each what `sweep plan` has of it."""
    from sweep.cli import listing
    from sweep.plan.cost import estimate
    from sweep.plan.counts import counts

    plans = [listing.plan_as_dict(plan, record, estimate(plan, record)) for plan, record in planned]
    return {"paper": paper, **counts(planned), "estimate": cost.as_dict(), "artifacts": plans}


def plan_as_text(paper: str, planned: Planned, cost: CostEstimate) -> str:
    """One line per artifact, then what all of them need together."""
    from sweep.plan.counts import counts

    width = max(len(plan.artifact.id) for plan, _ in planned)
    lines = [f"{'artifact':{width}}  trials    done  to run  waiting"]
    for plan, record in planned:
        found = counts([(plan, record)])
        lines.append(
            f"{plan.artifact.id:{width}}  {found['trials']:>6}  {found['done']:>6}  "
            f"{found['missing']:>6}  {found['waiting']:>7}"
        )
    found = counts(planned)
    total = f"{paper}: {found['trials']} trials in all, each counted once: {found['done']} done, "
    total += f"{found['missing']} to run now"
    lines += ["", total + (f", {found['waiting']} once winners are known" * bool(found["waiting"]))]
    return "\n".join([*lines, *cost.lines()])


__all__ = ["plan_as_dict", "plan_as_text", "rows_of", "sweeps_of", "unknown_paper"]
