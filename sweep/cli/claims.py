"""`sweep claims`: the sentences of a paper, or of a table or figure, judged on the record."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Annotated

import typer

from sweep.cli.options import ClaimsFormat, Refresh, SweepOptions, option_groups, parse_where
from sweep.cli.workflow import artifact_of, plan_sweep, plan_sweeps, show
from trainables.errors import UsageError

if TYPE_CHECKING:
    from search_spaces.claim import Claim
    from sweep.claims.show import Report


@option_groups
def claims(
    sweep: SweepOptions,
    refresh: Refresh = False,
    format: Annotated[ClaimsFormat, typer.Option("--format")] = ClaimsFormat.terminal,  # noqa: A002
) -> None:
    """What a paper says (PAPER), or says of a table or figure, judged on the record.

    Example: sweep claims nrs --preset small
    """
    from sweep.tables.claims import FORMATS

    show(FORMATS[format](judged(sweep, refresh)).rstrip("\n"))


def judged(options: SweepOptions, refresh: bool = False) -> Report:
    """The claims of the paper or artifact that the options name.

    Raises:
        UsageError: there is none of that name, it has no claims, or --where chooses none.
    """
    import search_spaces
    from sweep.claims.record import claims_of

    if search_spaces.paper_of(options.artifact) is None:
        search_spaces.find(options.artifact)
    if not claims_of(options.artifact):
        raise UsageError(f"{options.artifact}: no claim of a paper is about it")
    report = judged_if_any(options, refresh)
    if report is None:
        said = ", ".join(options.where or ())
        raise UsageError(f"--where {said}: no comparison of these claims is between such cells")
    return report


def judged_if_any(options: SweepOptions, refresh: bool = False) -> Report | None:
    """`judged`; None where no claim is about what the options name, or --where chooses none."""
    from sweep.claims.record import claims_of, narrowed

    found = narrowed(claims_of(options.artifact), parse_where(options.where or ()))
    return _report(options, found, refresh) if found else None


def _report(options: SweepOptions, found: tuple[Claim, ...], refresh: bool) -> Report:
    import search_spaces
    from search_spaces import presets
    from sweep import aggregate
    from sweep.claims.record import judge_all, needed
    from sweep.claims.show import Report

    ids = needed(found)
    whole = replace(options, where=None)  # what a comparison is with may be another cell
    if search_spaces.paper_of(options.artifact) is not None:
        planned = [each for each in plan_sweeps(whole, refresh) if each[0].artifact.id in ids]
    else:
        sweeps = (replace(whole, artifact=name) for name in ids)
        planned = [plan_sweep(each, None, refresh) for each in sweeps if _can_run(each)]
    results = [(plan, aggregate.cells(plan, record)) for plan, record in planned]
    name = options.preset or presets.SMOKE.name
    preset = presets.of(planned[0][0].artifact, name) if planned else presets.PRESETS[name]
    curve = planned[0][1].curve if planned else None
    return Report(options.artifact, preset, judge_all(found, results, in_full=True, curve=curve))


def _can_run(options: SweepOptions) -> bool:
    return not artifact_of(options).experiment.blocked


__all__ = ["claims", "judged", "judged_if_any"]
