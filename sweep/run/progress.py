"""What a person sees while a sweep runs: a live bar, or plain lines where output is no terminal."""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from trainables.masking import mask

if TYPE_CHECKING:
    from sweep.plan.expand import Plan, PlannedTrial
    from sweep.run.loop import SweepObserver
    from trainables.storage.result import TrialResult


def observer(live: bool = True, quiet: bool = False, verbose: bool = False) -> SweepObserver:
    """A live bar on a terminal, plain lines elsewhere; both on standard error.

    Args:
        live: Whether a bar may be drawn: nothing else writes to the terminal, such as a debugger.
        quiet: Only trials that failed are told, and what a person should know.
        verbose: Lines, of every report of a trial.
    """
    if quiet:
        return _Quiet()
    if verbose:
        return _Verbose()
    return _Bar() if live and sys.stderr.isatty() else _Lines()


class _Lines:
    """One line per finished trial."""

    def __init__(self) -> None:
        self._done = self._total = self._unrecorded = 0

    def on_submit(
        self, plan: Plan, todo: Sequence[PlannedTrial], max_concurrent: int, recorded: int
    ) -> None:
        self._done, self._total = 0, len(todo)
        self.message(_opening(plan, todo, max_concurrent, recorded))

    def on_end(self, trial: PlannedTrial, outcome: str, result: TrialResult | None) -> None:
        self._done += 1
        said = f"{_outcome(outcome, result)}{_unrecorded(self._unrecorded)}"
        self.message(f"[{self._done}/{self._total}] {trial.name}: {said}")

    def on_progress(self, trial: PlannedTrial, epoch: int, epochs: int, node: str = "") -> None:
        pass

    def on_retry(self, trial: PlannedTrial) -> None:
        self.message(f"{trial.name}: retrying, its process died")

    def on_unrecorded(self, count: int) -> None:
        self._unrecorded = count

    def message(self, sentence: str) -> None:
        _print(sentence)

    def close(self) -> None:
        pass


class _Quiet(_Lines):
    """One line per trial that failed."""

    def on_submit(
        self, plan: Plan, todo: Sequence[PlannedTrial], max_concurrent: int, recorded: int
    ) -> None:
        pass

    def on_retry(self, trial: PlannedTrial) -> None:
        pass

    def on_end(self, trial: PlannedTrial, outcome: str, result: TrialResult | None) -> None:
        if outcome.startswith("failed"):
            self.message(f"{trial.name}: {outcome}")


class _Verbose(_Lines):
    """One line per report of a trial, with its id."""

    def on_progress(self, trial: PlannedTrial, epoch: int, epochs: int, node: str = "") -> None:
        self.message(f"{trial.trial_id} {trial.name}: epoch {epoch} of {epochs}")


class _Bar:
    """A progress bar: how many trials are in each state, the time left, the latest results."""

    def __init__(self) -> None:
        self._progress: Any = None
        self._task: Any = None
        self._total = self._waiting = self._unrecorded = 0
        self._ended: Counter[str] = Counter()
        self._running: dict[str, float] = {}
        """Id -> fraction of the epochs that are done. Those that have ended are only counted."""
        self._retrying: set[str] = set()

    def on_submit(
        self, plan: Plan, todo: Sequence[PlannedTrial], max_concurrent: int, recorded: int
    ) -> None:
        from rich.progress import (
            BarColumn,
            Progress,
            TextColumn,
            TimeElapsedColumn,
            TimeRemainingColumn,
        )

        self.close()
        self.message(_opening(plan, todo, max_concurrent, recorded))
        self._total, self._waiting = len(todo), len(plan.expected)
        self._ended = Counter()
        self._running, self._retrying = {}, set()
        self._progress = Progress(
            TextColumn("[bold]{task.description}"),
            BarColumn(),
            TextColumn("{task.fields[counts]}"),
            TimeElapsedColumn(),
            TextColumn("so far, about"),
            TimeRemainingColumn(),
            TextColumn("to go"),
            console=_console(),
            transient=True,
        )
        self._task = self._progress.add_task(plan.artifact.id, total=len(todo), counts="")
        self._progress.start()
        self._show()

    def on_progress(self, trial: PlannedTrial, epoch: int, epochs: int, node: str = "") -> None:
        self._running[trial.trial_id] = epoch / epochs
        self._retrying.discard(trial.trial_id)
        self._show()

    def on_retry(self, trial: PlannedTrial) -> None:
        self._retrying.add(trial.trial_id)
        self._show()

    def on_end(self, trial: PlannedTrial, outcome: str, result: TrialResult | None) -> None:
        self._running.pop(trial.trial_id, None)
        self._retrying.discard(trial.trial_id)
        self._ended[outcome.partition(":")[0]] += 1
        self.message(f"{trial.name}: {_outcome(outcome, result)}")
        self._show()
        if self._ended.total() == self._total:
            self.close()

    def on_unrecorded(self, count: int) -> None:
        self._unrecorded = count
        self._show()

    def message(self, sentence: str) -> None:
        if self._progress is not None:
            self._progress.console.print(mask(sentence), markup=False, highlight=False)
        else:
            _print(sentence)

    def close(self) -> None:
        if self._progress is not None:
            self._progress.stop()
            self._progress = None

    def _show(self) -> None:
        if self._progress is not None:
            ended, running = self._ended, self._running
            states = {
                "done": ended["done"],
                "running": len(running) - len(self._retrying),
                "queued": self._total - ended.total() - len(running),
                "retrying": len(self._retrying),
                "waiting": self._waiting,
                **{end: n for end, n in ended.items() if end not in ("done", "waiting")},
            }
            shown = [
                f"{n} {s}" for s, n in states.items() if n or s in ("done", "running", "queued")
            ]
            completed = ended.total() + sum(running.values())
            counts = "  ".join(shown) + _unrecorded(self._unrecorded)
            self._progress.update(self._task, completed=completed, counts=counts)


def _unrecorded(count: int) -> str:
    """What a progress line says of results that MLflow has not taken yet."""
    return f", {count} wait for MLflow" if count else ""


def _print(sentence: str) -> None:
    print(mask(sentence), file=sys.stderr, flush=True)


def _console() -> Any:
    from rich.console import Console

    return Console(stderr=True)


def _opening(plan: Plan, todo: Sequence[PlannedTrial], max_concurrent: int, recorded: int) -> str:
    later = len(plan.expected)
    parts = [
        f"{plan.artifact.id}, preset {plan.preset}: {len(todo)} to run, {max_concurrent} at once"
    ]
    if recorded:
        parts.append(f"{recorded} already recorded")
    if later:
        parts.append(f"{later} more once this stage has its winners")
    return ", ".join(parts)


def _outcome(outcome: str, result: TrialResult | None) -> str:
    if outcome == "waiting":
        return "another driver is at it"
    if result is None or result.status != "done":
        return outcome
    numbers = result.metrics
    seconds = f"{numbers['training_seconds']:.1f} s"
    if "test_error" in numbers:
        return f"test error {100 * numbers['test_error']:.2f} % in {seconds}"
    return f"done in {seconds}"
