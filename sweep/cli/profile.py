"""`sweep profile`: what bounds the trials of an artifact."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING

from sweep.cli.options import DataDir, Format, OutputFormat, SweepOptions, option_groups
from sweep.cli.readings import or_list_readings
from sweep.cli.workflow import plan_sweep, show

if TYPE_CHECKING:
    from sweep.plan.profile import StepCost


@option_groups
@or_list_readings
def profile(
    sweep: SweepOptions,
    data: DataDir = None,
    format: Format = OutputFormat.text,  # noqa: A002
) -> None:
    """What bounds a step of each kind of trial: kernels, copies and waits of a GPU, and its time.

    They are counted on a simulated GPU; the time is of the device that is here.

    Example: sweep profile compare/methods --preset smoke
    """
    from sweep.plan.profile import profile as of_trials

    planned, _ = plan_sweep(sweep)
    notify = partial(print, file=sys.stderr, flush=True)
    found = of_trials(planned.trials, data, notify)
    show([cost.as_dict() for cost in found] if format is OutputFormat.json else text(found))


def text(found: Sequence[StepCost]) -> str:
    """A paragraph for each kind of trial."""
    return "\n\n".join("\n".join(_lines(cost)) for cost in found)


def _lines(cost: StepCost) -> list[str]:
    counted = (
        f"{cost.launches} launches ({cost.fills} of them fills), {cost.copies} copies, "
        f"{cost.waits} waits a step"
    )
    places = [
        f"  {kind}: {', '.join(f'{place} ({times})' for place, times in places.items())}"
        for kind, places in cost.places.items()
    ]
    timed = f"  {1000 * cost.seconds:.2f} ms a step on {cost.device}"
    trials = f"{cost.trials} trial{'s' if cost.trials > 1 else ''}"
    return [f"{cost.kind} ({trials})", f"  {counted}", *places, timed, f"  {cost.bound()}"]


__all__ = ["profile", "text"]
