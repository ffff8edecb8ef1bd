"""Commands that go beyond what a sweep says: between its grid's points, and after its trials."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Annotated

import typer

from sweep.cli.options import (
    AllPoints,
    ExecutionOptions,
    SearchOptions,
    SweepOptions,
    TableFormat,
    option_groups,
    parse_options,
)
from sweep.cli.readings import or_list_readings
from sweep.cli.workflow import artifact_of, conclude, plan_sweep, run_sweep, show_table
from trainables.errors import UsageError
from trainables.parse_json import NoJSONError, parse_json


@option_groups
@or_list_readings
def search(
    sweep: SearchOptions,
    execution: ExecutionOptions,
    points: Annotated[
        int, typer.Option(help="Points of each row in all, those of its grid among them.", min=1)
    ] = 16,
    at_once: Annotated[
        int, typer.Option("--round", help="Points proposed at once, from all before.", min=1)
    ] = 4,
    halving: Annotated[
        int | None,
        typer.Option(
            "--halving",
            help="N: of the points begun together the best 1/N go on, after 1/N of the epochs at "
            "the latest; the others are pruned.",
            min=2,
        ),
    ] = None,
    ranges: Annotated[
        list[str] | None,
        typer.Option(
            "--range",
            help="FIELD=LOW:HIGH: wider than the grid, or a further field; may be repeated.",
        ),
    ] = None,
    all_points: AllPoints = False,
    format: TableFormat = "terminal",  # noqa: A002
) -> None:
    """Search every row between its grid's points, with Optuna: as many points for each.

    Example: sweep search compare/methods --preset smoke --points 16 --halving 3
    """
    from functools import partial

    from sweep.run.search import Budget
    from sweep.run.search import search as by_proposals

    budget = Budget(points, at_once, halving or 0)
    runner = partial(by_proposals, budget=budget, ranges=parse_ranges(ranges or ()))
    planned, record = run_sweep(sweep, execution, runner=runner, shown=format)
    shown = [cell for cell in planned.cells if not cell.hidden]
    show_table(planned, record, format, all_points or len(shown) == 1)
    conclude(planned, record)


def parse_ranges(given: Iterable[str]) -> dict[str, tuple[float, float]]:
    """``["method.rho=0.001:1"]`` as ``{"method.rho": (0.001, 1)}``.

    Raises:
        UsageError: one that is not of the form FIELD=LOW:HIGH, or whose ends are no numbers.
    """
    found: dict[str, tuple[float, float]] = {}
    for text in given:
        name, _, ends = text.partition("=")
        low, high = map(_number, ends.partition(":")[::2])
        if not name or low is None or high is None or not low < high:
            raise UsageError(
                f"--range {text!r}: give FIELD=LOW:HIGH, such as method.rho=0.001:1, LOW below HIGH"
            )
        found[name] = low, high
    return found


def _number(text: str) -> float | None:
    """A finite number, whole if it is written so; None: it is none."""
    try:
        value = parse_json(text)
    except NoJSONError:
        return None
    number = isinstance(value, int | float) and not isinstance(value, bool)
    return value if number and math.isfinite(value) else None


@option_groups
@or_list_readings
def measure(
    sweep: SweepOptions,
    execution: ExecutionOptions,
    name: Annotated[str, typer.Option("--measure", help="A name in trainables.measures.")],
    option: Annotated[
        list[str] | None, typer.Option("--option", "-o", help="Of the measure: num_samples=50.")
    ] = None,
    samples: Annotated[int | None, typer.Option(help="First so many training images.")] = None,
    retrain: Annotated[
        bool, typer.Option("--retrain", help="Train trials again whose weights were not kept.")
    ] = False,
) -> None:
    """Measure a quantity on finished trials, from their kept weights, and record it.

    Example: sweep measure nrs/table1 --measure hessian_trace -o num_samples=100
    """
    from sweep.plan import remeasure

    measured = remeasure.with_measure(
        artifact_of(sweep),
        name,
        parse_options(option or ()),
        samples,
    )
    if not retrain:
        planned, record = plan_sweep(sweep, measured)
        remeasure.check_weights(planned, record, sweep.storage)
    done, record = run_sweep(sweep, execution, measured)
    conclude(done, record)


__all__ = ["measure", "search"]
