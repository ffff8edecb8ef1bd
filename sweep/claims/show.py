"""What is said of judged claims, in words and in fields, the same in every format."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from search_spaces.spec import Preset
from sweep.claims.finding import Finding
from sweep.claims.judge import Judged

NOTHING = "–"
ELSEWHERE = "a verdict is of this data and this network, not of the paper's"
"""Said of a preset whose numbers may not be compared with printed ones."""


@dataclass(frozen=True)
class Report:
    """Claims that were judged together.

    Attributes:
        about: Of which paper or artifact.
        preset: At which scale.
        judged: In the paper's order.
    """

    about: str
    preset: Preset
    judged: Sequence[Judged]

    @property
    def head(self) -> tuple[str, ...]:
        """What stands above: of what the verdicts are, and how many of each there are."""
        counts = Counter(each.finding.verdict for each in self.judged)
        of = f"preset {self.preset.name}: {self.preset.summary}"
        if not self.preset.comparable:
            of += f"; {ELSEWHERE}"
        evaluated = sum(
            each.finding.verdict not in ("not yet", "never judged") for each in self.judged
        )
        return (
            of,
            ", ".join(f"{count} {verdict}" for verdict, count in counts.items()),
            f"{evaluated} claims are judged, and not corrected against each other",
            "weak: every mean has the claimed direction and their average is told from 0, which is"
            " the usual good outcome of many comparisons with few seeds",
            "power: how likely a run with these seeds was to let the claim hold, were the printed"
            " (or else the measured) effects the true ones",
        )


def fields(judged: Judged) -> dict[str, Any]:
    """What programs read of a claim."""
    claim, found = judged.claim, judged.finding
    return {
        "id": claim.id,
        "verdict": found.verdict,
        "held": found.held,
        "of": found.of,
        "margin": found.margin,
        "effect": found.effect,
        "interval": None if found.low is None else [found.low, found.high],
        "p": found.p,
        "printed": None if judged.printed is None else judged.printed.verdict,
        "more_seeds": found.more_seeds,
        "runs": judged.runs,
        "power": found.power,
        "power_of": found.power_of,
        "log": found.log,
        "test": found.test,
        "margin_at": found.margin_at,
        "margin_p": found.margin_p,
        "kind": claim.kind,
        "source": claim.source,
        "artifacts": list(claim.artifacts),
        "sentence": claim.sentence,
        "note": found.note,
    }


COLUMNS = (
    *("id", "verdict", "held", "margin", "effect", "interval", "p", "printed", "power"),
    *("more seeds", "runs", "claim"),
)


def short(judged: Judged) -> str:
    """``weak, 18 of 20: NRS improves ...``: a claim in a line."""
    found = judged.finding
    held = f", {found.held} of {found.of}" if found.held is not None and found.of else ""
    why = f" ({found.note})" if found.verdict == "not yet" and found.note else ""
    return f"{found.verdict}{held}: {judged.claim.sentence}{why}"


def words(judged: Judged) -> dict[str, str]:
    """The `COLUMNS` of a claim as people read them."""
    found = judged.finding
    seeds = NOTHING if found.more_seeds is None else f"+{found.more_seeds}"
    undecided = found.power is not None and found.verdict in ("undecided", "weak")
    if undecided and found.more_seeds is None:
        seeds = "over 200"
    margin = NOTHING if found.margin is None else f"{_number(found.margin)} ({found.margin_at}"
    if found.margin is not None:
        margin += f", p {_p(found.margin_p, found.test)})" if found.margin_p is not None else ")"
    return {
        "id": judged.claim.id,
        "verdict": found.verdict,
        "held": NOTHING if found.held is None else f"{found.held} of {found.of}",
        "margin": margin,
        "effect": NOTHING if found.effect is None else _amount(found.effect, found.log),
        "interval": _interval(found),
        "p": NOTHING if found.p is None else _p(found.p, found.test),
        "printed": NOTHING if judged.printed is None else judged.printed.verdict,
        "power": NOTHING if found.power is None else f"{100 * found.power:.0f} %",
        "more seeds": seeds,
        "runs": str(judged.runs),
        "claim": judged.claim.sentence + (f" [{found.note}]" if found.note else ""),
    }


def _interval(found: Finding) -> str:
    if found.low is None or found.high is None:
        return NOTHING
    return f"[{_amount(found.low, found.log)}, {_amount(found.high, found.log)}]"


def _amount(value: float, log: bool) -> str:
    """A difference, or the ratio that a logarithm is of."""
    return f"×{math.exp(value):.3g}" if log else _number(value)


def _number(value: float) -> str:
    return f"{value:+.3g}".replace("-", "−")


def _p(p: float, test: str) -> str:
    """With the test that it is of: Welch's, or paired by seed."""
    return (f"{p:.1e}" if p < 0.001 else f"{p:.3f}") + (f", {test}" if test else "")


__all__ = ["COLUMNS", "ELSEWHERE", "NOTHING", "Report", "fields", "short", "words"]
