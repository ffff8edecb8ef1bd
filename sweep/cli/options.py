"""The options that several commands take: each is declared here, once, in a group.

A command names the groups that it takes, and gets each as one object:

    @app.command("run")
    @option_groups
    def run(sweep: SweepOptions, execution: ExecutionOptions) -> None: ...

Options of one command alone stand in its signature as everywhere in Typer.
"""

from __future__ import annotations

import functools
import inspect
import pkgutil
from collections.abc import Callable, Iterable
from dataclasses import MISSING, dataclass, fields, is_dataclass
from enum import StrEnum
from inspect import Parameter
from pathlib import Path
from typing import Annotated, Any, get_type_hints

import typer

from sweep.cli import complete
from sweep.selection import listed
from trainables.errors import UsageError
from trainables.parse_json import NoJSONError, parse_json


class OutputFormat(StrEnum):
    """How a command prints facts."""

    text = "text"
    json = "json"


class ClaimsFormat(StrEnum):
    """How judged claims are written."""

    terminal = "terminal"
    md = "md"
    html = "html"
    json = "json"


class ExecutorName(StrEnum):
    """What runs trials."""

    ray = "ray"
    serial = "serial"


class ChangedName(StrEnum):
    """What is done with results whose code or data was another."""

    stop = "stop"
    accept = "accept"
    retrain = "retrain"


class OrderName(StrEnum):
    """Which trials are started first (`sweep.run.limits.Order`)."""

    longest = "longest"
    seeds = "seeds"
    random = "random"


class Only(StrEnum):
    """Which trials of a sweep `sweep run` runs, of those that are missing."""

    failed = "failed"


class FigureKind(StrEnum):
    """What `sweep plot` draws beside the figures that an artifact has."""

    printed = "printed"
    cost = "cost"
    curves = "curves"
    grid = "grid"
    search = "search"


TABLE_FORMATS = [
    module.name
    for module in pkgutil.iter_modules([str(Path(__file__).parents[1] / "tables" / "formats")])
]
"""How a table can be written; known without importing one of the formats."""


def _import_parts(context: typer.Context, names: list[str] | None) -> list[str] | None:
    """Before any other option is looked at: it may be the name of what is imported."""
    if not context.resilient_parsing:  # of a shell that completes
        from sweep import own_parts

        own_parts.load(names or ())
    return names


Format = Annotated[OutputFormat, typer.Option("--format", help="text or json.")]
TableFormat = Annotated[
    str,
    typer.Option(
        "--format",
        help=f"How the table is written: {', '.join(TABLE_FORMATS)}, or one of your own.",
    ),
]
SelectionName = Annotated[
    str,
    typer.Option(
        "--selection",
        help=f"How hyper-parameters are chosen. {listed()}.",
        autocompletion=complete.selections,
    ),
]
AllPoints = Annotated[
    bool,
    typer.Option("--all-points", help="A row for each point of a search, not the winner alone."),
]
Where = Annotated[
    list[str] | None,
    typer.Option("--where", help="LABEL=VALUE of the cells that are meant; may be repeated."),
]
Refresh = Annotated[
    bool,
    typer.Option(
        "--refresh", help="Read all of MLflow's store, not what is new: it was edited by hand."
    ),
]
DataDir = Annotated[
    Path | None,
    typer.Option(
        "--data", help="Folder of the data sets [default: $FLATSWEEP_DATA, or the user's cache]."
    ),
]


@dataclass(frozen=True, kw_only=True)
class RecordOptions:
    """Where results and their record are: of every command that reads or writes them."""

    storage: Annotated[
        str,
        typer.Option(
            "--storage",
            envvar="FLATSWEEP_STORAGE",
            help="Folder or URI of results and checkpoints.",
        ),
    ] = "results"
    tracking_uri: Annotated[
        str | None,
        typer.Option("--tracking-uri", help="MLflow store [default: SQLite beside the results]."),
    ] = None


@dataclass(frozen=True, kw_only=True)
class PartsOptions:
    """Parts of one's own: of every command that may show or need some."""

    imports: Annotated[
        list[str] | None,
        typer.Option(
            "--import",
            help="Python file, folder or module with parts of your own; may be repeated "
            "[also: $FLATSWEEP_IMPORT].",
            callback=_import_parts,
            is_eager=True,
        ),
    ] = None


@dataclass(frozen=True, kw_only=True)
class VariantOptions(RecordOptions, PartsOptions):
    """What of a sweep, and at which scale: of every command that takes one."""

    preset: Annotated[
        str,
        typer.Option(
            "--preset",
            help="paper, small, laptop or smoke [default: smoke]; of a file full [default] or "
            "its own.",
            autocompletion=complete.presets,
        ),
    ] = ""
    selection: SelectionName = "paper"
    read: Annotated[
        list[str] | None,
        typer.Option(
            "--read",
            help="NAME=VALUE: another reading of what the paper leaves open; text or code: all "
            "that its text states, or its code has; list: show what there is. May be repeated.",
        ),
    ] = None
    settings: Annotated[
        list[str] | None,
        typer.Option(
            "--set",
            help="FIELD=VALUE of every trial, after the preset, such as epochs=2 or "
            "optimizer.lr=0.1 (JSON or text); the numbers are then none of the paper's. May be "
            "repeated.",
        ),
    ] = None
    where: Where = None
    seeds: Annotated[
        int | None,
        typer.Option(
            "--seeds",
            help="Seeds of every number that is shown, and of searches that have several a point "
            "[default: the artifact's].",
            min=1,
        ),
    ] = None
    workers: Annotated[
        str,
        typer.Option(
            "--workers",
            envvar="FLATSWEEP_WORKERS",
            help="Workers that share each trial, such as 4; 4:sync joins their BatchNorm "
            "statistics. Where that makes other trials of them, `sweep table` needs it too.",
        ),
    ] = "1"


@dataclass(frozen=True, kw_only=True)
class SweepOptions(VariantOptions):
    """Which sweep: of every command that plans, runs or shows one."""

    artifact: Annotated[
        str,
        typer.Argument(
            help="PAPER/NAME of a table or figure, or the file of your own sweep; plan, run, "
            "reproduce, table, claims, report and export take a whole PAPER, too.",
            autocompletion=complete.artifacts,
        ),
    ]


@dataclass(frozen=True, kw_only=True)
class SearchOptions(SweepOptions):
    """Which sweep a search is in: points that are not the paper's are judged on held-out images."""

    selection: SelectionName = "validation"


@dataclass(frozen=True, kw_only=True)
class ExecutionOptions:
    """How trials are run: of every command that starts some. None changes a trial's numbers."""

    executor: Annotated[
        ExecutorName,
        typer.Option(
            "--executor",
            help="ray, or serial: one trial at a time in this process, for a debugger.",
        ),
    ] = ExecutorName.ray
    address: Annotated[
        str | None, typer.Option("--address", help="Ray cluster to join [default: a local one].")
    ] = None
    data: DataDir = None
    cpus: Annotated[
        float, typer.Option("--cpus", help="CPUs of each trial, or of each worker.", min=0)
    ] = 1
    gpus: Annotated[
        float | None,
        typer.Option(
            "--gpus",
            help="GPUs of the same; may be a fraction [default: 1 if there are any].",
            min=0,
        ),
    ] = None
    concurrency: Annotated[
        int | None,
        typer.Option("--concurrency", help="Most trials at once [default: as many as fit].", min=1),
    ] = None
    trial_timeout: Annotated[
        str | None,
        typer.Option(
            "--trial-timeout",
            help="HOURS, or a duration such as 90m: a trial that runs longer has failed; "
            "`sweep plan` suggests one [default: none].",
        ),
    ] = None
    keep_weights: Annotated[
        str,
        typer.Option("--keep-weights", help="Weights kept of each trial: none, last or best."),
    ] = "none"
    changed: Annotated[
        ChangedName,
        typer.Option(
            "--changed",
            help="Results that were made with another version of a part of yours, or of the data: "
            "stop, accept them, or retrain.",
        ),
    ] = ChangedName.stop
    order: Annotated[
        OrderName,
        typer.Option(
            "--order",
            help="Which trials start first: the longest; of every point its first seed (seeds); "
            "random.",
        ),
    ] = OrderName.longest
    fail_fast: Annotated[
        bool, typer.Option("--fail-fast", help="Stop at the first trial that fails.")
    ] = False
    max_hours: Annotated[
        float | None,
        typer.Option(
            "--max-hours",
            help="Stop after so many hours; what runs goes on from its checkpoint the next time.",
            min=0,
        ),
    ] = None
    max_trials: Annotated[
        int | None,
        typer.Option("--max-trials", help="Run at most so many trials, the rest later.", min=1),
    ] = None
    quiet: Annotated[
        bool, typer.Option("--quiet", "-q", help="Tell only what failed, and how it ended.")
    ] = False
    verbose: Annotated[
        bool, typer.Option("--verbose", "-v", help="Tell every report of a trial, with its id.")
    ] = False


def option_groups(command: Callable[..., None]) -> Callable[..., None]:
    """``command`` with the fields of its option groups in place of the groups.

    A group is a parameter whose type is a dataclass; each of its fields becomes a parameter, as
    Typer reads it, and the command is called with an object made of their values.
    """
    hints = get_type_hints(command, include_extras=True)
    groups: dict[str, type[Any]] = {
        name: hint for name, hint in hints.items() if isinstance(hint, type) and is_dataclass(hint)
    }
    own = [
        parameter.replace(kind=Parameter.KEYWORD_ONLY, annotation=hints[name])
        for name, parameter in inspect.signature(command).parameters.items()
        if name not in groups
    ]
    parameters = own + [p for group in groups.values() for p in _parameters(group)]

    @functools.wraps(command)
    def called(**given: Any) -> None:
        made = {
            name: group(**{field.name: given.pop(field.name) for field in fields(group)})
            for name, group in groups.items()
        }
        command(**made, **given)

    called.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
    called.__annotations__ = {p.name: p.annotation for p in parameters}
    return called


def _parameters(group: type[Any]) -> list[Parameter]:
    """The fields of an option group, those of the groups that it extends after its own."""
    hints = get_type_hints(group, include_extras=True)
    known = {field.name: field for field in fields(group)}
    declared = (vars(each).get("__annotations__", {}) for each in group.__mro__)
    return [
        Parameter(
            name,
            Parameter.KEYWORD_ONLY,
            default=Parameter.empty if known[name].default is MISSING else known[name].default,
            annotation=hints[name],
        )
        for name in dict.fromkeys(name for names in declared for name in names)
    ]


def parse_options(
    given: Iterable[str], flag: str = "--option", example: str = "size=128"
) -> dict[str, Any]:
    """``["size=128", "path=here"]`` as ``{"size": 128, "path": "here"}``.

    A value is JSON if it can be, else text.

    Args:
        flag, example: Of the option, for messages.

    Raises:
        UsageError: one that is not of the form name=value.
    """
    options = {}
    for text in given:
        name, equals, value = text.partition("=")
        if not name or not equals:
            raise UsageError(f"{flag} {text!r}: write it as name=value, e.g. {example}")
        try:
            options[name] = parse_json(value)
        except NoJSONError:
            options[name] = value
    return options


def parse_where(given: Iterable[str]) -> dict[str, str]:
    """``["method=NRS"]`` as ``{"method": "NRS"}``.

    Raises:
        UsageError: one that is not of the form LABEL=VALUE, or a label twice.
    """
    found: dict[str, str] = {}
    for pair in given:
        label, equals, entry = pair.partition("=")
        if not equals:
            raise UsageError(f"--where {pair!r}: give LABEL=VALUE, such as method=NRS")
        if label in found:
            raise UsageError(f"--where has {label} twice; a cell has one entry of each label")
        found[label] = entry
    return found


__all__ = [
    "TABLE_FORMATS",
    "AllPoints",
    "ChangedName",
    "ClaimsFormat",
    "DataDir",
    "ExecutionOptions",
    "ExecutorName",
    "FigureKind",
    "Format",
    "Only",
    "OrderName",
    "OutputFormat",
    "PartsOptions",
    "RecordOptions",
    "Refresh",
    "SearchOptions",
    "SelectionName",
    "SweepOptions",
    "TableFormat",
    "VariantOptions",
    "Where",
    "option_groups",
    "parse_options",
    "parse_where",
]
