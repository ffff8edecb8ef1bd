"""What a file says of how its numbers are shown: columns, figures, and published numbers."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any, Literal

from search_spaces.printed import parse_number
from search_spaces.spec import (
    Cell,
    CurveView,
    Epochs,
    InName,
    Label,
    MapView,
    Measure,
    Metric,
    Reported,
    TableView,
    Where,
)
from sweep.files.fields import as_tuples
from sweep.files.keys import Column, Figure, Printed, SweepFile
from sweep.files.source import Path_, Source
from trainables.errors import unknown
from trainables.metric_name import CurveName, MetricName
from trainables.storage.result import TOTALS

SHOWN: dict[str, tuple[str, Literal["plain", "percent"], int]] = {
    "error": ("error %", "percent", 2),
    "nll": ("NLL", "plain", 3),
    "ece": ("ECE %", "percent", 2),
    "brier": ("Brier score", "plain", 3),
    "error_top5": ("top-5 error %", "percent", 2),
    "loss": ("loss", "plain", 4),
    "token_nll": ("NLL per token", "plain", 3),
    "perplexity": ("perplexity", "plain", 2),
    "answer_accuracy": ("answers right %", "percent", 2),
    "recall_at_10": ("recall@10 %", "percent", 2),
    "recall_at_10_of_texts": ("recall@10 of texts %", "percent", 2),
}
"""Quantity of a split -> its column's head after the split's name, how it is shown, digits."""

HIGHER = ("answer_accuracy", "recall_at_10", "recall_at_10_of_texts")
"""Those of which more is better."""

WHOLE = (*TOTALS, "epoch", "running_train_loss", "running_train_error")
"""What is recorded of every trial beside the numbers of its splits."""


def metric(column: Column) -> Metric:
    """A column, with what it leaves open as is usual for its number."""
    name = MetricName(column.name)
    head, shown, digits = SHOWN.get(name.quantity, (column.name.replace("_", " "), "plain", 3))
    label = f"{name.data_split} {head}" if name.quantity in SHOWN else head
    better: Literal["lower", "higher", "neither"] = "lower" if name.quantity in SHOWN else "neither"
    if name.quantity in HIGHER:
        better = "higher"
    if column.minus or column.relative_to is not None:
        label = column.name.replace("_", " ") + (f" - {column.minus}" if column.minus else "")
        label += " / " + " ".join(column.relative_to.values()) if column.relative_to else ""
    return Metric(
        column.name,
        column.label or label,
        better=column.better or better,
        shown=column.shown or shown,
        epoch=column.epoch,
        relative_to=column.relative_to,
        minus=column.minus,
        scale=column.scale,
        digits=digits if column.digits is None else column.digits,
        where=None if column.where is None else as_tuples(column.where),
    )


def check(
    keys: SweepFile, cells: Sequence[Cell], measures: Sequence[Measure], source: Source
) -> None:
    """Refuse columns and figures of numbers that nothing records, or of cells that are not there.

    Raises:
        UsageError: with its line.
    """
    columns: list[tuple[Path_, Column]] = [
        *((("metrics", i), column) for i, column in enumerate(keys.metrics)),
        *((("figures", i, "y", j), y) for i, f in enumerate(keys.figures)
          for j, y in enumerate(f.y or ())),
    ]  # fmt: skip
    for at, column in columns:
        for key, name in (("name", column.name), ("minus", column.minus)):
            if name:
                check_metric(name, measures, (*at, key), source)
        for key in ("relative_to", "where"):
            _check_labels(getattr(column, key) or {}, cells, (*at, key), source)
    for i, measure in enumerate(measures):
        _check_labels(measure.where, cells, ("measures", i, "where"), source)
    planes = [measure.key for measure in measures]
    for i, figure in enumerate(keys.figures):
        if figure.over_plane is not None and figure.over_plane not in planes:
            at = ("figures", i, "over_plane")
            raise source.error(at, unknown("measure of the file", figure.over_plane, planes))
    shown = {metric(column).key for column in keys.metrics}
    for i, cell in enumerate(keys.cells):
        for name in cell.printed:
            if name not in shown:
                raise source.error(("cells", i, "printed", name), unknown("metric", name, shown))


def _check_labels(where: Where, cells: Sequence[Cell], at: Path_, source: Source) -> None:
    labels = dict.fromkeys(name for cell in cells for name in cell.key)
    for label, allowed in where.items():
        if label not in labels:
            raise source.error((*at, label), unknown("label", label, labels))
        entries = dict.fromkeys(cell.key[label] for cell in cells if label in cell.key)
        for entry in allowed if isinstance(allowed, list | tuple) else (allowed,):
            if entry not in entries:
                raise source.error((*at, label), unknown(label, entry, entries))


def check_metric(name: str, measures: Sequence[Measure], path: Path_, source: Source) -> None:
    """Raise UsageError, with the line, for the name of a number that nothing records."""
    head = MetricName(CurveName.parse(name).head)
    known = [f"{split}_{what}" for split in ("train", "validation", "test") for what in SHOWN]
    known += [*WHOLE, *(measure.key for measure in measures)]
    if head.label not in known and not any(head.belongs_to(name) for name in known):
        raise source.error(path, unknown("metric", name, known) + "; or what measures have")


def figures_of(
    keys: SweepFile, table: TableView, labels: Sequence[str], source: Source
) -> tuple[CurveView | MapView, ...]:
    """The figures of a file.

    Raises:
        UsageError: one without an x, or with an unknown one; with its line.
    """
    return tuple(
        _figure(figure, table, labels, ("figures", i), source)
        for i, figure in enumerate(keys.figures)
    )


def _figure(
    figure: Figure, table: TableView, labels: Sequence[str], path: Path_, source: Source
) -> CurveView | MapView:
    metrics = table.metrics if figure.y is None else tuple(map(metric, figure.y))
    shared: dict[str, Any] = {
        "metrics": metrics,
        "rows": table.rows,
        "columns": table.columns,
        "metrics_down": table.metrics_down,
        "competing": table.competing,
    }
    given = [name for name in ("x", "in_name", "over_plane") if getattr(figure, name) is not None]
    if len(given) != 1:
        raise source.error(path, "a figure has one of x, in_name and over_plane")
    for i, panel in enumerate(figure.panels):
        if panel not in labels:
            raise source.error((*path, "panels", i), unknown("label", panel, labels))
    if figure.over_plane is not None:
        return MapView(over_plane=figure.over_plane, **shared)
    if figure.in_name is not None:
        return CurveView(x=InName(figure.in_name), panels=tuple(figure.panels), **shared)
    if figure.x == "epoch":
        return CurveView(x=Epochs(), panels=tuple(figure.panels), **shared)
    if figure.x not in labels:
        known = ["epoch", *labels]
        raise source.error((*path, "x"), unknown("x of a figure", figure.x, known))
    x = Label(str(figure.x), figure.called_by)
    return CurveView(x=x, panels=tuple(figure.panels), **shared)


def with_printed(
    cells: Iterable[Cell], keys: SweepFile, metrics: Sequence[Metric], source: Source
) -> tuple[Cell, ...]:
    """The cells with the published numbers of a file.

    Raises:
        UsageError: an entry that fits no cell, or is of no metric; with its line.
    """
    cells = list(cells)
    labels = dict.fromkeys(label for cell in cells for label in cell.key)
    known = {name: m.key for m in metrics for name in (m.label, m.name, m.key)}
    for i, entry in enumerate(keys.printed):
        at: Path_ = ("printed", i)
        where = {label: str(value) for label, value in entry.items() if label in labels}
        numbers = {}
        for name, value in entry.items():
            if name in where:
                continue
            if name not in known:
                raise source.error((*at, name), unknown("label or metric", name, [*labels, *known]))
            numbers[known[name]] = _reported(value, (*at, name), source)
        fitting = [j for j, cell in enumerate(cells) if where.items() <= cell.key.items()]
        if not fitting or not numbers:
            entries = [str(value) for cell in cells for value in cell.key.values()]
            wrong = next((v for v in where.values() if v not in entries), None)
            hint = (
                unknown("entry", wrong, dict.fromkeys(entries)) if wrong else "no number is given"
            )
            raise source.error(at, f"it fits no cell: {hint}" if not fitting else hint)
        for j in fitting:
            cells[j] = replace(cells[j], reported={**cells[j].reported, **numbers})
    return tuple(cells)


def _reported(value: Any, path: Path_, source: Source) -> Reported:
    if isinstance(value, Mapping):
        from pydantic import ValidationError

        try:
            return reported(Printed.model_validate(value))
        except ValidationError:
            raise source.error(path, "write {mean: 3.1, std: 0.2, n: 5, note: ...}") from None
    try:
        return parse_number(str(value))
    except ValueError:
        raise source.error(path, f"{value!r} is no number such as 3.1 or 3.1±0.2") from None


def reported(keys: Printed) -> Reported:
    """A published number."""
    return Reported(**dict(keys))


__all__ = ["check_metric", "figures_of", "metric", "reported", "with_printed"]
