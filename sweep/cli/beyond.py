"""Commands that go beyond what a sweep says: between its grid's points, and after its trials."""

from __future__ import annotations

from typing import Annotated

import typer

from sweep.cli.options import (
    ExecutionOptions,
    SearchOptions,
    SweepOptions,
    TableFormat,
    option_groups,
    parse_options,
    parse_where,
)
from sweep.cli.readings import or_list_readings
from sweep.cli.workflow import artifact_of, conclude, plan_sweep, run_sweep, show_table


@option_groups
@or_list_readings
def search(
    sweep: SearchOptions,
    execution: ExecutionOptions,
    points: Annotated[int, typer.Option(help="Points to try beside the grid's.", min=1)] = 20,
    at_once: Annotated[
        int, typer.Option("--round", help="Points proposed at once, from all before.", min=1)
    ] = 4,
    format: TableFormat = "terminal",  # noqa: A002
) -> None:
    """Search one row between its grid's points, with Optuna.

    Example: sweep search nrs/table1 --where method=NRS --where model=ResNet18 --points 20
    """
    from dataclasses import replace
    from functools import partial

    from sweep.run.search import search as by_proposals

    row = parse_where(sweep.where or ())
    runner = partial(by_proposals, where=row, proposals=points, at_once=at_once)
    planned, record = run_sweep(replace(sweep, where=None), execution, runner=runner, shown=format)
    show_table(planned, record, format)
    conclude(planned, record)


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
