"""``sweep status``, ``logs`` and ``cancel``: what runs, seen and stopped from anywhere."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

import typer

from sweep.cli.options import (
    Format,
    OutputFormat,
    RecordOptions,
    Refresh,
    SweepOptions,
    option_groups,
)
from sweep.cli.readings import or_list_readings
from sweep.cli.workflow import (
    find_whole,
    mention_without_record,
    plan_sweep,
    show,
    tracker_of,
)
from trainables.errors import FlatsweepError, UsageError

if TYPE_CHECKING:
    from sweep.run.live import LiveSweep
    from trainables.storage.files import Storage

FOLLOW_SECONDS = 2.0
"""Between two looks at a log that is followed."""

ID_LENGTH = 16
"""Of a whole trial id."""


class CancelError(FlatsweepError):
    """Nothing was cancelled; the message says why."""


@dataclass(frozen=True, kw_only=True)
class StatusOptions(SweepOptions):
    """Which sweep, if one."""

    artifact: Annotated[
        str,
        typer.Argument(
            help="PAPER/NAME of a table or figure, the file of your own sweep, or a paper "
            "[default: all].",
            metavar="ARTIFACT",
            show_default=False,
        ),
    ] = ""


@option_groups
@or_list_readings
def status(
    sweep: StatusOptions,
    trials: Annotated[
        bool, typer.Option("--trials", help="A line for every trial, those that are done too.")
    ] = False,
    refresh: Refresh = False,
    format: Format = OutputFormat.text,  # noqa: A002
) -> None:
    """How far sweeps are: all, and which run now; or one, cell by cell and trial by trial.

    From any machine that reaches --storage and --tracking-uri. A trial is queued, waiting (for the
    winner of an earlier stage), running, retrying, done, diverged, pruned or failed.

    Example: sweep status nrs/table1 --preset small
    """
    import search_spaces
    from sweep.cli import papers
    from sweep.cli import status as statuses
    from sweep.files import SUFFIXES
    from sweep.run.live import drivers
    from trainables.storage.files import Storage

    named = "/" in sweep.artifact or sweep.artifact.endswith(SUFFIXES)
    if sweep.artifact and not named and search_spaces.paper_of(sweep.artifact) is None:
        raise UsageError(papers.unknown_paper(sweep.artifact))
    mention_without_record(sweep)
    if not sweep.artifact or search_spaces.paper_of(sweep.artifact):
        record = tracker_of(sweep).load(refresh)
        found = drivers(Storage(sweep.storage))
        rows = statuses.rows(record, found)
        if sweep.artifact:
            rows = papers.rows_of(rows, sweep.artifact)
            found = [one for one in found if one.paper == sweep.artifact]
        show(rows if format is OutputFormat.json else statuses.rows_text(rows, found))
        return
    planned, record = plan_sweep(sweep, refresh=refresh)
    one = statuses.of_sweep(planned, record, drivers(Storage(sweep.storage)))
    show(statuses.as_dict(one) if format is OutputFormat.json else statuses.as_text(one, trials))


@option_groups
def logs(
    record: RecordOptions,
    trial: Annotated[str, typer.Argument(help="A trial's id, or how it begins.", metavar="TRIAL")],
    follow: Annotated[
        bool, typer.Option("--follow", "-f", help="Go on until the trial ends, or Ctrl-C.")
    ] = False,
) -> None:
    """What a trial printed, and the traceback of its failure; each worker's after the other.

    The last 256 KiB of it are kept in the trial's folder of the storage, wherever it ran, and are
    written at least every ten seconds while it prints. `sweep status ARTIFACT` has the ids.

    Example: sweep logs 3fa81c --follow
    """
    from sweep.run.live import drivers
    from trainables.storage import trial_log
    from trainables.storage.files import Storage
    from trainables.storage.trial_folder import trial_folder

    storage = Storage(record.storage)
    trial_id = _trial(trial, storage, drivers(storage))
    folder = trial_folder(storage, trial_id)
    names = [name for name in folder.names("*.txt") if name.startswith("log.")]
    names = sorted(names, key=lambda name: (name != trial_log.LOG, len(name), name))
    if not follow:
        for name in names:
            left_out, text = trial_log.read(folder, name)
            if len(names) > 1:
                print(f"-- {name} --")
            if left_out:
                print(f"[{left_out} earlier characters are left out]")
            sys.stdout.write(text if text.endswith("\n") or not text else f"{text}\n")
        if not names:
            print(f"trial {trial_id} has printed nothing so far", file=sys.stderr)
        return
    _follow(lambda: trial_log.read(folder), lambda: _goes_on(trial_id, storage, folder))


def _follow(read: Callable[[], tuple[int, str]], goes_on: Callable[[], bool]) -> None:
    """Print a log, and what it gets, as long as its trial goes on."""
    seen, going = 0, True
    while True:
        going = goes_on()  # asked before the last look
        left_out, text = read()
        sys.stdout.write(text[max(0, seen - left_out) :])
        sys.stdout.flush()
        seen = max(seen, left_out + len(text))
        if not going:
            return
        time.sleep(FOLLOW_SECONDS)


def _goes_on(trial_id: str, storage: Storage, folder: Storage) -> bool:
    """Whether a driver that is alive may print more of the trial."""
    from sweep.run.live import drivers
    from trainables.storage.trial_folder import RESULT

    alive = [one for one in drivers(storage) if one.alive]
    known = [one.trials[trial_id] for one in alive if trial_id in one.trials]
    if any(now.state in ("running", "retrying") for now in known):
        return True
    return bool(alive) and not known and not folder.exists(RESULT)


def _trial(beginning: str, storage: Storage, found: Iterable[LiveSweep]) -> str:
    """The id of the one trial that begins so, of those that have a folder or run."""
    running = {trial_id for one in found for trial_id in one.trials}
    pattern = f"trials/{beginning}/*" if len(beginning) == ID_LENGTH else "trials/*/*"
    stored = {name.split("/")[1] for name in storage.names(pattern)}
    meant = sorted(t for t in running | stored if t.startswith(beginning))
    if not meant:
        raise UsageError(
            f"no trial {beginning!r} has run or runs in {storage.root}; "
            "`sweep status ARTIFACT --trials` lists the ids"
        )
    if len(meant) > 1:
        several = ", ".join(meant[:4]) + (", ..." if len(meant) > 4 else "")
        raise UsageError(f"{len(meant)} trials begin with {beginning!r}: {several}")
    return meant[0]


@option_groups
def cancel(
    record: RecordOptions,
    target: Annotated[
        str,
        typer.Argument(
            help="A trial's id, or how it begins; or PAPER/NAME or a file: its running sweep "
            "[default: the sweep that runs].",
            metavar="TRIAL",
            show_default=False,
        ),
    ] = "",
    preset: Annotated[
        str, typer.Option("--preset", help="Of the sweep, if it runs at several.")
    ] = "",
) -> None:
    """Stop a trial, or a running sweep, from any machine that reaches --storage.

    What is cancelled can be run again: the next `sweep run` goes on from its checkpoints.

    Example: sweep cancel nrs/table1
    """
    import search_spaces
    from sweep.files import SUFFIXES
    from sweep.run.live import drivers
    from trainables.storage.files import Storage

    storage = Storage(record.storage)
    working = [one for one in drivers(storage) if not one.ended]
    paper = search_spaces.paper_of(target)
    whole = not target or paper is not None or "/" in target or target.endswith(SUFFIXES)
    if paper is not None:
        working = [one for one in working if one.paper == target]
    elif target and whole:
        name = find_whole(target).id if ":search" not in target else target
        working = [one for one in working if one.artifact == name]
    if preset:
        working = [one for one in working if one.preset == preset]
    alive = _alive(working, target if whole else "", storage)
    if whole and len({one.sweep for one in alive}) > 1:
        several = "; ".join(sorted({one.sweep for one in alive}))
        raise UsageError(f"several sweeps run ({several}): name one, and its --preset")
    print(_cancelled(storage, alive, "" if whole else target))


def _alive(working: Sequence[LiveSweep], name: str, storage: Storage) -> list[LiveSweep]:
    """The drivers that can be asked; where there is none, the error says what there was."""
    alive = [one for one in working if one.alive]
    if not alive and working:
        last = working[-1]
        raise CancelError(
            f"the driver of {last.sweep} on {last.node} (process {last.pid}) {last.heard()}: "
            "there is nothing to cancel; `sweep run` continues"
        )
    if not alive:
        raise CancelError(f"{f'no sweep of {name}' if name else 'no sweep'} runs in {storage.root}")
    return alive


def _cancelled(storage: Storage, asked: Sequence[LiveSweep], trial_id: str) -> str:
    """What those drivers say that did as they were asked."""
    from sweep.run.cancel import ANSWER_SECONDS, answer, ask, withdraw

    requests = [(one, ask(storage, one, trial_id)) for one in asked]
    until = time.monotonic() + ANSWER_SECONDS
    done: list[str] = []
    refused: list[str] = []
    for one, request in requests:
        said = answer(storage, one, request, max(0.0, until - time.monotonic()))
        if said is None:
            withdraw(storage, one, request)
            refused.append(f"the driver on {one.node} (process {one.pid}) does not answer")
        else:
            (done if said.done else refused).append(said.said)
    if not done:
        raise CancelError("; ".join(refused))
    return "\n".join(done)


__all__ = ["CancelError", "StatusOptions", "cancel", "logs", "status"]
