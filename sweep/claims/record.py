"""Claims on a record: what the plans of some artifacts have, beside what is printed."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import fields, replace
from typing import TYPE_CHECKING, Any

import search_spaces
from search_spaces import presets
from search_spaces.claim import Claim, Contrast, Every, Property, Text
from sweep.claims import evidence
from sweep.claims.judge import Judged, judge

if TYPE_CHECKING:
    from search_spaces.spec import Artifact
    from sweep.aggregate import CellResult
    from sweep.claims.curves import OfTrial
    from sweep.plan.expand import Plan


def claims_of(artifact: str) -> tuple[Claim, ...]:
    """The claims that an artifact, or a paper by its key, is named by, in the papers' order."""
    return tuple(
        claim
        for paper in search_spaces.papers()
        for claim in paper.claims
        if artifact == paper.key or artifact in claim.artifacts
    )


def needed(claims: Iterable[Claim]) -> tuple[str, ...]:
    """The artifacts whose numbers they are judged on."""
    return tuple(dict.fromkeys(artifact for claim in claims for artifact in claim.judged_on))


def alone(plan: Plan, results: Sequence[CellResult], curve: OfTrial | None = None) -> list[Judged]:
    """The claims that are judged on one artifact alone, and on cells that are shown of it.

    Args:
        curve: Of a trial; see `judge_all`.
    """
    name, keys = plan.artifact.id, [result.cell.key for result in results]

    def shown(claim: Claim) -> bool:
        return all(any(place.key.items() <= key.items() for key in keys) for place in claim.places)

    claims = [c for c in claims_of(name) if needed([c]) == (name,) and shown(c)]
    return judge_all(claims, [(plan, results)], curve=curve)


def judge_all(
    claims: Sequence[Claim],
    results: Sequence[tuple[Plan, Sequence[CellResult]]],
    in_full: bool = False,
    curve: OfTrial | None = None,
) -> list[Judged]:
    """Every claim on the cells of some plans, which are of one preset.

    Numbers may be compared with printed ones where the presets of all of them may.

    Args:
        in_full: As in `sweep.claims.judge.judge`.
        curve: Of a trial (`sweep.record.record.Record.curve`); without it, claims about curves
            over epochs are not yet.
    """
    comparable = all(presets.of(p.artifact, p.preset).comparable for p, _ in results)
    pairing = any(_pairs(claim.predicate) for claim in claims)
    seeds = {t.trial_id: t.seed for plan, _ in results for t in plan.trials} if pairing else None
    found = evidence.measured(
        [(p.artifact, cells) for p, cells in results], comparable, seeds, curve
    )
    on_print = evidence.printed(_as_printed(claims))
    return [judge(claim, found, on_print, in_full) for claim in claims]


def _as_printed(claims: Iterable[Claim]) -> list[Artifact]:
    return [search_spaces.find(artifact) for artifact in needed(claims)]


def _pairs(predicate: Any) -> bool:
    parts = predicate.parts if isinstance(predicate, Every) else (predicate,)
    return any(getattr(part, "paired", False) for part in parts)


def narrowed(claims: Iterable[Claim], where: Mapping[str, str]) -> tuple[Claim, ...]:
    """The claims, and of their comparisons those of the cells that ``where`` chooses.

    A comparison is left out if a cell of it has another entry of a label. A claim of which nothing
    is left is left out, and so is one that is no family of comparisons and is of other cells too.
    """
    found = [_narrowed(claim, where) for claim in claims] if where else claims
    return tuple(claim for claim in found if claim is not None)


def _narrowed(claim: Claim, where: Mapping[str, str]) -> Claim | None:
    predicate = claim.predicate
    if predicate is None or isinstance(predicate, Property | Text):
        return None
    families = [f.name for f in fields(predicate) if f.name in ("family", "gains")]
    if families:
        kept = {
            name: tuple(c for c in getattr(predicate, name) if _agrees(c, where))
            for name in families
        }
        left = replace(predicate, **kept)  # type: ignore[arg-type]
        return replace(claim, predicate=left) if kept["family"] else None
    whole = all(_has(place.key, where) for place in claim.places)
    return claim if whole else None


def _agrees(contrast: Contrast, where: Mapping[str, str]) -> bool:
    return all(_has(place.key, where) for _, place in contrast.terms)


def _has(key: Mapping[str, str], where: Mapping[str, str]) -> bool:
    return all(key.get(label) == entry for label, entry in where.items())


__all__ = ["alone", "claims_of", "judge_all", "narrowed", "needed"]
