"""`sweep claims`: the sentences of a paper, or of a table or figure, judged on the record."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from sweep.cli.options import parse_where
from sweep.cli.workflow import artifact_of, plan_sweep, plan_sweeps
from trainables.errors import UsageError

if TYPE_CHECKING:
    from sweep.claims.show import Report
    from sweep.cli.options import SweepOptions


def judged(options: SweepOptions, refresh: bool = False) -> Report:
    """The claims of the paper or artifact that the options name.

    Raises:
        UsageError: there is none of that name, it has no claims, or --where chooses none.
    """
    import search_spaces
    from search_spaces import presets
    from sweep import aggregate
    from sweep.claims.record import claims_of, judge_all, narrowed, needed
    from sweep.claims.show import Report

    paper = search_spaces.paper_of(options.artifact)
    if paper is None:
        search_spaces.find(options.artifact)
    everything = claims_of(options.artifact)
    if not everything:
        raise UsageError(f"{options.artifact}: no claim of a paper is about it")
    where = parse_where(options.where or ())
    claims = narrowed(everything, where)
    if not claims:
        said = ", ".join(f"{label}={entry}" for label, entry in where.items())
        raise UsageError(f"--where {said}: no comparison of these claims is between such cells")
    ids = needed(claims)
    whole = replace(options, where=None)  # what a comparison is with may be another cell
    if paper is not None:
        planned = [each for each in plan_sweeps(whole, refresh) if each[0].artifact.id in ids]
    else:
        sweeps = (replace(whole, artifact=name) for name in ids)
        planned = [plan_sweep(each, None, refresh) for each in sweeps if _can_run(each)]
    results = [(plan, aggregate.cells(plan, record)) for plan, record in planned]
    name = options.preset or presets.SMOKE.name
    preset = presets.of(planned[0][0].artifact, name) if planned else presets.PRESETS[name]
    return Report(options.artifact, preset, judge_all(claims, results, in_full=True))


def _can_run(options: SweepOptions) -> bool:
    return not artifact_of(options).experiment.blocked


__all__ = ["judged"]
