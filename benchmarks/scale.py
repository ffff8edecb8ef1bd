"""What a hundred thousand trials cost beside training: ``python -m benchmarks.scale [NAME ...]``.

One figure per name, each run alone by it; without one, all but those that need Ray:

- ``commands``: `plan`, `table`, `status`, `list` of a small record (to reach: 1.5 s);
- ``missing``: what is missing of N trials of which 99 % are recorded (10,000: 5 s, 1 GB);
- ``plan``: a plan of N trials, none of them recorded (100,000: 10 s);
- ``table``: a table over N recorded trials (100,000: 3 s), and `status` (1 s);
- ``tracking``: a trial of 200 epochs with twelve curves in MLflow (0.05 s of CPU, 0.05 MB);
- ``ray``: ``--trials`` trials that do nothing, through Ray (50 ms each, the driver's memory flat);
- ``stock``: ``--trials`` of them through stock Ray Tune with Ray's MLflow callback;
- ``busy``: ``--slots`` trials of 10 s at a time, for ten minutes (90 % busy);
- ``soak``: 5,000 short trials: what the driver holds after the first and after the last thousand.

With ``--save`` what was measured takes the place of the same with as many trials in the saved file.
Commands are timed as fresh processes, with imports. Nothing else should run on the machine.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmarks.report import RESULTS, environment, publish
from benchmarks.study import CURVES, ID, numbers, planned, record, study

SIZES = (1_000, 10_000, 100_000)
EPOCHS = 200
if TYPE_CHECKING:
    from benchmarks.driver import Holding

Row = dict[str, Any]


@dataclass(frozen=True)
class Options:
    """Sizes of what is measured; the defaults are those of the figures that are saved.

    Attributes:
        sizes: Trials of the studies of ``missing``, ``plan`` and ``table``.
        trials: Of ``ray``, ``stock`` and ``soak``; None: 1,000, of ``soak`` 5,000.
        tracked: Trials of ``tracking`` before the first one that counts, and those that count;
            of ``commands`` no more are tracked.
        slots, seconds: Trials of ``busy`` at a time, and how long each takes.
        minutes: How long they are given, once all have started.
    """

    sizes: Sequence[int] = SIZES
    trials: int | None = None
    tracked: Sequence[int] = (100, 900)
    slots: int = 16
    seconds: float = 10.0
    minutes: float = 10.0


@dataclass(frozen=True)
class Ran:
    """A command that has ended: its wall seconds, and the most memory that it had, in GB."""

    seconds: float
    memory: float


WATCH = """
import os, sys, time
began = time.perf_counter()
pid = os.posix_spawn(sys.argv[1], sys.argv[1:], os.environ)
_, status, usage = os.wait4(pid, 0)
print(time.perf_counter() - began, usage.ru_maxrss, file=sys.stderr)
sys.exit(os.waitstatus_to_exitcode(status))
"""
"""Runs a command. A small process does so: a child's peak of memory counts its parent's, too."""


def command(*arguments: str, cache: Path) -> Ran:
    """``python -m`` with these arguments; what is kept from run to run is kept in ``cache``."""
    variables = {**os.environ, "XDG_CACHE_HOME": str(cache)}
    variables.pop("MLFLOW_TRACKING_URI", None)
    watched = [sys.executable, "-S", "-c", WATCH, sys.executable, "-m", *arguments]
    run = subprocess.run(watched, env=variables, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    *said, last = run.stderr.decode().splitlines()
    if run.returncode:
        raise RuntimeError(f"failed: {' '.join(arguments)}: {' '.join(said[-3:])}")
    seconds, kilobytes = map(float, last.split())
    return Ran(seconds, kilobytes / 1e6)


# -- planning and reading ---------------------------------------------------------------------


def commands(options: Options) -> list[Row]:
    """Fresh processes on the record of the demo, whose trials are tracked for real."""
    rows = []
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        trials = tracked_demo(folder / "results", sum(options.tracked))
        sweep = ("compare/methods", "--preset", "smoke")
        storage = ("--storage", str(folder / "results"))
        for name, arguments in {
            "status": storage, "table": sweep + storage, "plan": sweep + storage, "list": (),
        }.items():  # fmt: skip
            for call in ("first", "second"):
                ran = command("sweep", name, *arguments, cache=folder / name)
                what = f"`{name}` of a small record, {call} call"
                rows.append(row(what, f"{ran.seconds:.2f} s", "<= 1.5 s", trials))
    return rows


def missing(options: Options) -> list[Row]:
    """`plan` where 1 % are missing; the trials are in a mirror, and were not tracked."""
    return [
        row("what is missing, 99 % recorded", used(on_study(size, "plan", storage)),
            "<= 5 s, 1 GB" if size == 10_000 else "", size)
        for size, storage in studies(options, lambda size: size - size // 100)
    ]  # fmt: skip


def plan(options: Options) -> list[Row]:
    """`plan` of a study of which nothing is recorded."""
    return [
        row("plan", used(on_study(size, "plan", storage)),
            "<= 10 s" if size == 100_000 else "", size)
        for size, storage in studies(options, lambda size: 0)
    ]  # fmt: skip


def table(options: Options) -> list[Row]:
    """`table` and `status` of a study that is recorded whole, in a mirror (it was not tracked)."""
    return [
        row(what, used(on_study(size, what, storage)), goal if size == 100_000 else "", size)
        for size, storage in studies(options, lambda size: size)
        for what, goal in (("table", "<= 3 s"), ("status", "<= 1 s"))
    ]


def studies(options: Options, recorded: Callable[[int], int]) -> Iterator[tuple[int, Path]]:
    """Every size, and a storage with the record of so many trials of its study."""
    for size in options.sizes:
        with tempfile.TemporaryDirectory() as name:
            storage = Path(name) / "results"
            record(size, recorded(size), storage)
            yield size, storage


def used(ran: Ran) -> str:
    """Time and memory of a command."""
    return f"{ran.seconds:.2f} s, {ran.memory:.2f} GB"


def on_study(size: int, what: str, storage: Path) -> Ran:
    """The second call of a command: the first may fill caches."""
    named = ("benchmarks.study", str(size), what, ID, "--preset", "paper")
    sweep = ("sweep", "status") if what == "status" else named  # it looks at no artifact
    arguments = (*sweep, "--storage", str(storage))
    return [command(*arguments, cache=storage / "cache") for _ in range(2)][1]


# -- tracking ---------------------------------------------------------------------------------


def tracking(options: Options) -> list[Row]:
    """Marginal cost of a trial: of those that follow the first ones, which make the tables."""
    from sweep.record.mlflow_store import Tracker, default_uri
    from sweep.run.loop import Tags
    from trainables.storage.result import TrialResult

    first, counted = options.tracked
    made = planned(study(100 * -(-(first + counted) // 100)))
    history = {name: [1 / (i + 1) + 0.1 for i in range(EPOCHS)] for name in CURVES}
    with tempfile.TemporaryDirectory() as name:
        tracker = Tracker(default_uri(name))
        tags = Tags(made, tracker.start_sweep(ID, made.preset, "paper", "a study"))

        def track(trials: Sequence[Any]) -> tuple[float, float]:
            """CPU seconds, and bytes of the database afterwards."""
            results = [
                TrialResult(t.trial_id, "done", {}, numbers(t), history, {"commit": "0" * 40})
                for t in trials
            ]
            began = time.process_time()
            for trial, result in zip(trials, results, strict=True):
                tracker.write(trial, result, tags.of(trial))
            files = Path(name).glob("mlflow.db*")
            return time.process_time() - began, sum(
                file.stat().st_size for file in files if file.is_file()
            )

        trials = made.trials
        _, before = track(trials[:first])
        seconds, after = track(trials[first : first + counted])
    what = f"tracking {EPOCHS} epochs of {len(CURVES)} curves"
    return [
        row(f"{what}, CPU", f"{seconds / counted:.3f} s a trial", "<= 0.05 s", counted),
        row(f"{what}, SQLite", f"{(after - before) / counted / 1e6:.3f} MB", "<= 0.05 MB", counted),
    ]


def tracked_demo(storage: Path, most: int) -> int:
    """Track made-up results of the demo's trials, at ``most`` so many; how many there are."""
    import search_spaces
    from benchmarks.study import TOTALS
    from sweep.plan.expand import plan as expand
    from sweep.record.mlflow_store import Tracker, default_uri
    from sweep.record.record import Record
    from sweep.run.loop import Tags
    from sweep.selection import selection
    from trainables.storage.result import TrialResult

    demo = search_spaces.apply(search_spaces.find("compare/methods"), "smoke")
    made = expand(demo, "smoke", selection("paper"), Record.from_runs([]))
    storage.mkdir(parents=True)
    tracker = Tracker(default_uri(str(storage)))
    tags = Tags(made, tracker.start_sweep(demo.id, "smoke", "paper", demo.notes.title))
    trials = made.trials[:most]
    for trial in trials:
        metrics = {"test_error": 0.1, **TOTALS}
        result = TrialResult(trial.trial_id, "done", {}, metrics, {"test_error": [0.2, 0.1]})
        tracker.write(trial, result, tags.of(trial))
    return len(trials)


# -- Ray --------------------------------------------------------------------------------------


def ray(options: Options) -> list[Row]:
    """Wall time a trial, and the driver's memory while they run."""
    from benchmarks.driver import nothing_through_ray

    trials = options.trials or 1000
    gauge = nothing_through_ray(trials)
    early, late = early_and_late(gauge.seen)
    wall = f"{1000 * gauge.wall / trials:.1f} ms a trial"
    memory = f"{early.memory / 1e9:.2f} -> {late.memory / 1e9:.2f} GB"
    return [
        row("no-op trials through Ray", wall, "<= 50 ms", trials),
        row("no-op trials, the driver's memory", memory, "flat", trials),
    ]


def soak(options: Options) -> list[Row]:
    """What the driver holds while many short trials run."""
    from benchmarks.driver import nothing_through_ray

    trials = options.trials or 5000
    early, late = early_and_late(nothing_through_ray(trials).seen)
    shown = {
        "memory": f"{early.memory / 1e9:.2f} -> {late.memory / 1e9:.2f} GB",
        "descriptors": f"{early.descriptors} -> {late.descriptors}",
        "processes, Ray's too": f"{early.processes} -> {late.processes}",
    }
    return [row(f"soak: the driver's {k}", value, "flat", trials) for k, value in shown.items()]


def early_and_late(seen: Mapping[int, Holding]) -> tuple[Holding, Holding]:
    """What the driver held after the first fifth of the trials, and after the last one."""
    last = max(seen)
    return seen[min(done for done in seen if done >= last / 5)], seen[last]


def stock(options: Options) -> list[Row]:
    """Stock Ray Tune: a process a trial, Ray's MLflow callback."""
    from benchmarks.orchestration import stock as through_tune

    trials = options.trials or 1000
    with tempfile.TemporaryDirectory() as name:
        wall = f"{1000 * through_tune(trials, Path(name)) / trials:.0f} ms a trial"
    return [row("no-op trials, stock Tune", wall, "", trials)]


def busy(options: Options) -> list[Row]:
    """Which part of the slots' time trials use, from when all run until none waits."""
    from benchmarks.driver import busy_share, waiting_through_ray

    slots, seconds = options.slots, options.seconds
    trials = slots * (1 + math.ceil(60 * options.minutes / seconds))
    share = busy_share(waiting_through_ray(slots, seconds, trials).results, slots)
    what = f"{slots} slots, trials of {seconds:g} s for {options.minutes:g} min: busy"
    return [row(what, f"{100 * share:.1f} %", ">= 90 %", trials)]


# -- the table --------------------------------------------------------------------------------

FIGURES: dict[str, Callable[[Options], list[Row]]] = {
    "commands": commands, "missing": missing, "plan": plan, "table": table, "tracking": tracking,
    "ray": ray, "stock": stock, "busy": busy, "soak": soak,
}  # fmt: skip
NOTES = (
    "Figures are run one by one (`python -m benchmarks.scale NAME --save`): each has its own date.",
    "Commands are fresh processes, imports included; of a study the second call is shown.",
    "Records of studies are written as the mirror of a real, empty SQLite store; those of the "
    "small record and of tracking are tracked by MLflow.",
    "The driver's memory, descriptors and processes: after a fifth of the trials -> after all.",
)
QUICK = ("commands", "missing", "plan", "table", "tracking")


def row(what: str, measured: str, goal: str, trials: int) -> Row:
    return {"what": what, "measured": measured, "to reach": goal, "trials": trials}


def with_saved(found: dict[str, list[Row]]) -> dict[str, list[Row]]:
    """The rows ``found``, and before them the saved ones that none of them replaces, by figure."""
    file = RESULTS / "scale.json"
    saved = json.loads(file.read_text())["rows"] if file.exists() else []
    new = {_place(line): line for lines in found.values() for line in lines}
    merged: dict[str, list[Row]] = {}
    for line in [*(line for line in saved if _place(line) not in new), *new.values()]:
        merged.setdefault(line["figure"], []).append(line)
    return merged


def _place(line: Row) -> tuple[Any, ...]:
    return line["figure"], line["what"], line["trials"]


def measured(names: Sequence[str], options: Options) -> dict[str, list[Row]]:
    """The rows of these figures, each with the day and the machine."""
    found = {}
    for name in names:
        print(f"-- {name}", flush=True)
        here = environment()
        stamp = {"figure": name, "date": here["date"], "hardware": here["hardware"]}
        found[name] = [stamp | line for line in FIGURES[name](options)]
    return found


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("figures", nargs="*", metavar="NAME")
    parser.add_argument("--sizes", type=int, nargs="+", default=SIZES, help="of studies")
    parser.add_argument("--trials", type=int, help="of ray, stock and soak")
    parser.add_argument("--tracked", type=int, nargs=2, default=Options.tracked)
    parser.add_argument("--slots", type=int, default=Options.slots)
    parser.add_argument("--seconds", type=float, default=Options.seconds)
    parser.add_argument("--minutes", type=float, default=Options.minutes)
    parser.add_argument("--save", action="store_true", help="keep the numbers in results/")
    given = vars(parser.parse_args())
    names, save = given.pop("figures") or QUICK, given.pop("save")
    if unknown := set(names) - FIGURES.keys():
        parser.error(f"unknown: {', '.join(unknown)}; known: {', '.join(FIGURES)}")
    os.environ.setdefault("MLFLOW_LOGGING_LEVEL", "ERROR")
    found = measured(names, Options(**given))
    found = with_saved(found) if save else found
    publish(
        "scale",
        "What a hundred thousand trials cost beside training",
        [line for name in FIGURES for line in found.get(name, ())],
        "ray", "mlflow", "torch", "pyarrow",
        notes=NOTES,
        save=save,
    )  # fmt: skip


if __name__ == "__main__":
    main()
