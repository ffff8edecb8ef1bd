"""A claim, a record and what is printed: the verdict."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from random import Random
from typing import Any

from search_spaces.claim import (
    AllBetter,
    Approximates,
    ArgBest,
    BestBalance,
    BestMean,
    BetterIn,
    Claim,
    Dearer,
    Diverges,
    Equal,
    Every,
    MeanDifference,
    Place,
    Property,
    Ratio,
    Reduction,
    Some,
    Text,
    Throughout,
    UpTo,
    places,
)
from sweep.claims import costs, families, numbers, power
from sweep.claims.criteria import resampled
from sweep.claims.curves import Close, spelt_out
from sweep.claims.evidence import Entry, Evidence
from sweep.claims.families import Read
from sweep.claims.finding import Finding, Verdict


@dataclass(frozen=True)
class Judged:
    """A claim with what becomes of it.

    Attributes:
        finding: On the record.
        printed: On what the paper prints; None: it does not print all of the numbers, or nobody
            asked.
        runs: How many trials the numbers are of.
    """

    claim: Claim
    finding: Finding
    printed: Finding | None
    runs: int


def judge(claim: Claim, evidence: Evidence, printed: Evidence, in_full: bool = False) -> Judged:
    """The verdict on what is recorded.

    A number that is missing, diverged or still searched makes the claim ``not yet``.

    Args:
        claim: What is said.
        evidence: What is recorded.
        printed: What the papers print.
        in_full: Say also what is to be said of the printed numbers, how likely the claim was to
            hold, and how many seeds would do.
    """
    finding = _decide(claim, evidence, printed, in_full)
    read = _reader(claim, evidence)
    runs = {trial for place in claim.places for trial in read(place).trials}
    said = on_print(claim, printed) if in_full else None
    known = said is not None and said.verdict not in ("not yet", "never judged")
    return Judged(claim, finding, said if known else None, len(runs))


ROUNDINGS, SURVIVE = 100, 0.95


def on_print(claim: Claim, printed: Evidence) -> Finding:
    """The verdict on what is printed; ``undecided`` where the printed digits decide it.

    Of a unit test it is what the test shows of the sentence.

    Means and stds are drawn within half a last digit: a verdict stands that 95 % of the draws give.
    """
    if isinstance(claim.predicate, Property):
        return Finding(claim.predicate.shows, note=_unit_test(claim.predicate))
    found = _decide(claim, printed, printed, False)
    if found.verdict not in ("holds", "fails") or not _rounds(claim.predicate):
        return found
    draw, read = Random(0), _reader(claim, printed)
    other = 0
    for _ in range(ROUNDINGS):
        unrounded = _unrounded(claim.predicate, read, draw)
        again = _finding(claim.predicate, unrounded, unrounded, printed, False)
        other += again.verdict != found.verdict
        if other > (1 - SURVIVE) * ROUNDINGS:
            note = f"it {found.verdict} as printed, and rounding decides that"
            return replace(found, verdict="undecided", note=note)
    return found


def _rounds(predicate: Any) -> bool:
    """Whether it compares means with their spreads: resamples are wide enough for roundings."""
    parts = predicate.parts if isinstance(predicate, Every) else (predicate,)
    families = AllBetter | Equal | ArgBest | BetterIn | MeanDifference | BestMean | UpTo
    return all(isinstance(part, families) for part in parts)


def _unrounded(predicate: Any, read: Read, draw: Random) -> Read:
    drawn: dict[object, Entry] = {}
    for place in places(predicate):
        entry = read(place)
        if entry.identity in drawn or entry.sample is None:
            continue
        mean, std, *_ = entry.sample
        of_mean, of_std = (draw.uniform(-0.5, 0.5) * digit for digit in entry.rounding)
        wide = None if std is None else max(std + of_std, std / 10)
        sample = entry.sample._replace(mean=mean + of_mean, std=wide)
        drawn[entry.identity] = replace(entry, sample=sample)
    return lambda place: drawn[read(place).identity]


def _reader(claim: Claim, evidence: Evidence) -> Read:
    first = claim.artifacts[0] if claim.artifacts else ""
    return lambda place: evidence.entry(place, first)


def _unit_test(predicate: Property) -> str:
    return f"a unit test: {predicate.test}"


def _decide(claim: Claim, evidence: Evidence, printed: Evidence, with_power: bool) -> Finding:
    predicate = claim.predicate
    if isinstance(predicate, Property):
        return Finding("never judged", note=_unit_test(predicate))
    if isinstance(predicate, Text):
        return Finding("never judged", note="about the paper's text")
    if predicate is None:
        return Finding("not yet", note=f"needs {claim.needs}")
    read, first = _reader(claim, evidence), claim.artifacts[0]
    truth = _truth(read, _reader(claim, printed)) if evidence.comparable else read
    spelt = spelt_out(predicate, lambda place: evidence.points(place, first))
    found = _known(spelt, read, truth, evidence, with_power)
    if found.verdict == "not yet" and claim.needs:
        return Finding("not yet", note=f"needs {claim.needs}")
    return found


def _known(
    predicate: Any, read: Read, truth: Read, evidence: Evidence, with_power: bool
) -> Finding:
    """The verdict, or that numbers lack; what waits for one number alone says so itself."""
    lacking = "" if isinstance(predicate, Some | Diverges) else _lacking(predicate, read)
    if lacking:
        return Finding("not yet", note=lacking)
    try:
        return _finding(predicate, read, truth, evidence, with_power)
    except ValueError:  # of a logarithm
        return Finding("undecided", note="a mean is not positive, and has no logarithm")


def _lacking(predicate: Any, read: Read) -> str:
    """How many numbers are not complete, and why; empty: all are."""
    entries = {repr(entry.identity): entry for entry in map(read, places(predicate))}.values()
    lacking = [e.lacking or "not run" for e in entries if e.lacking or e.sample is None]
    if not lacking:
        return ""
    return f"{len(lacking)} of {len(entries)} numbers lack: {'; '.join(dict.fromkeys(lacking))}"


def _truth(read: Read, printed: Read) -> Read:
    """The printed effects and spreads at the number of seeds at hand, where all is printed."""

    def true(place: Place) -> Entry:
        own, said = read(place), printed(place)
        if own.sample is None or said.sample is None:
            return replace(own, sample=None)
        return replace(own, sample=said.sample._replace(n=own.sample.n))

    return true


def _finding(
    predicate: Any, read: Read, truth: Read, evidence: Evidence, with_power: bool
) -> Finding:
    match predicate:
        case Every(parts):
            return _every(
                [_finding(part, read, truth, evidence, with_power) for part in parts],
            )
        case AllBetter():
            found = families.all_better(predicate, read, evidence.comparable)
            if not with_power or predicate.paired:
                return found
            return _with_power(found, predicate, read, truth, evidence)
        case Some(parts):
            return _some([_known(part, read, truth, evidence, with_power) for part in parts])
        case Equal():
            margin = _margin(predicate, read, truth, evidence)
            if predicate.of_means and evidence.of_print:
                return families.equal_means(predicate, read, margin)
            found = families.equal(predicate, read, margin)
            return _with_power(found, predicate, read, truth, evidence) if with_power else found
        case ArgBest():
            return families.arg_best(predicate, read)
        case BestBalance():
            return families.best_balance(predicate, read)
        case BetterIn():
            return families.better_in(predicate, read)
        case MeanDifference():
            return numbers.mean_difference(predicate, read, evidence.comparable)
        case BestMean():
            return numbers.best_mean(predicate, read, evidence.comparable)
        case Reduction():
            return numbers.reduction(predicate, read, evidence.comparable)
        case UpTo():
            return numbers.up_to(predicate, read, evidence.comparable)
        case Close():
            return numbers.close(predicate, read)
        case Ratio():
            return costs.ratio(predicate, read)
        case Dearer():
            return costs.dearer(predicate, read)
        case Diverges():
            return costs.diverges(predicate, read)
        case Throughout() | Approximates():
            return Finding("not yet", note="no curve of it is recorded")
        case _:
            return resampled(predicate, read)


def _margin(predicate: Equal, read: Read, truth: Read, evidence: Evidence) -> float:
    """As the claim has it; of one with gains, elsewhere a share of them, printed or measured."""
    if predicate.margin is not None and (evidence.comparable or not predicate.gains):
        return predicate.margin
    known = evidence.comparable and _all_there(truth, predicate)
    return families.margin_of(predicate, truth if known else read)


def _all_there(read: Read, predicate: Any) -> bool:
    return all(read(place).sample is not None for place in places(predicate))


def _with_power(
    finding: Finding,
    predicate: AllBetter | Equal,
    read: Read,
    truth: Read,
    evidence: Evidence,
) -> Finding:
    """With the power of the run at hand, were the printed effects true (or the measured ones)."""
    of = "printed" if evidence.comparable and _all_there(truth, predicate) else "measured"
    family = families.comparisons(
        predicate.family, truth if of == "printed" else read, predicate.log
    )
    if not family or not power.known(family):
        of, family = "measured", families.comparisons(predicate.family, read, predicate.log)
    if not family or not power.known(family):
        return finding
    probability: Callable[[int], float]
    if isinstance(predicate, AllBetter):

        def probability(extra: int) -> float:
            return power.of_all_better(family, extra)
    else:
        margin = _margin(predicate, read, truth, evidence)
        judged = [families.pooled(family)] if predicate.pooled else family

        def probability(extra: int) -> float:
            return power.of_equal(judged, margin, predicate.one_sided, extra)

    decided = finding.verdict in ("holds", "fails")
    return replace(
        finding,
        power=probability(0),
        power_of=of,
        more_seeds=None if decided else power.more_seeds(probability),
    )


def _every(parts: Iterable[Finding]) -> Finding:
    """Holds if all do, fails if one does; weak if none is less than that."""
    found = list(parts)
    verdicts = [part.verdict for part in found]
    verdict: Verdict = "undecided"
    if "fails" in verdicts:
        verdict = "fails"
    elif "not yet" in verdicts:
        verdict = "not yet"
    elif all(v == "holds" for v in verdicts):
        verdict = "holds"
    elif all(v in ("holds", "weak") for v in verdicts):
        verdict = "weak"
    worst = min(found, key=lambda part: part.verdict == "holds")
    seeds = [part.more_seeds for part in found if part.more_seeds is not None]
    return replace(
        worst,
        verdict=verdict,
        held=sum(part.held or 0 for part in found),
        of=sum(part.of or 0 for part in found),
        more_seeds=max(seeds, default=None),
        note="; ".join(dict.fromkeys(part.note for part in found if part.note)),
    )


def _some(parts: Iterable[Finding]) -> Finding:
    """Holds if one does, and then that is what is said; fails if all do."""
    found = list(parts)
    held = next((part for part in found if part.verdict == "holds"), None)
    if held is not None:
        return held
    verdicts = {part.verdict for part in found}
    verdict: Verdict = "undecided"
    if "not yet" in verdicts:
        verdict = "not yet"
    elif verdicts == {"fails"}:
        verdict = "fails"
    notes = dict.fromkeys(part.note for part in found if part.note)
    return replace(found[-1], verdict=verdict, note="; ".join(notes))


__all__ = ["Judged", "judge", "on_print"]
