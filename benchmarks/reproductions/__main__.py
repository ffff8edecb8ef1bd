"""``python -m benchmarks.reproductions``: run what is missing of `docs/results`, item by item.

    python -m benchmarks.reproductions --list            # what there is to do, foreseen, done
    python -m benchmarks.reproductions --foresee         # after timing a few steps of each
    python -m benchmarks.reproductions                   # items 1 to 4: a few nights of two cores
    python -m benchmarks.reproductions --item 3 --hours 8
    python -m benchmarks.reproductions --item gpu -- --gpus 0.25     # options of `sweep run`

It may be stopped at any time and started again: it goes on from its storage or, on another machine,
from the record that is committed. A table is written when it is whole. CIFAR-10 is looked for in
$FLATSWEEP_DATA, as its publisher's files or as cifar10/train.parquet and cifar10/test.parquet.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

from benchmarks.reproductions.items import BY_DEFAULT, ITEMS, Sweep, every
from benchmarks.reproductions.readme import with_table
from benchmarks.reproductions.work import Work, WorkError, default_storage

FOLDER = Path(__file__).parents[2] / "docs" / "results"


def chosen(work: Work, numbers: Sequence[str]) -> Iterator[tuple[str, Sweep]]:
    """The sweeps of these items."""
    return ((number, sweep) for number, sweep in every(work.items) if number in numbers)


def listed(work: Work, numbers: Sequence[str]) -> Iterator[str]:
    """What there is to do, a line for each sweep."""
    for number, sweep in chosen(work, numbers):
        entry = work.ledger.of(sweep)
        state = f"done {entry.done}, {entry.trials} trials" if entry.done else _state(work, sweep)
        hours = "not foreseen" if entry.foreseen is None else f"{entry.foreseen:.1f} hours foreseen"
        yield f"item {number}  {sweep.name:32} {state}; {hours}, {entry.spent:.1f} trained"


def _state(work: Work, sweep: Sweep) -> str:
    if sweep.search:
        return "begun" if work.ledger.of(sweep).waited else "not begun"
    recorded, trials = work.counts(sweep)
    return f"{recorded} of {trials} trials recorded"


def run(work: Work, numbers: Sequence[str]) -> bool:
    """Run and write what is missing of these items; False: the time is over before it is done."""
    for number, sweep in chosen(work, numbers):
        if work.ledger.is_done(sweep):
            continue
        if work.left() == 0:
            return False
        hours = work.foresee(sweep, number)
        said = "" if hours is None else f", {hours:.1f} hours of one core or GPU foreseen"
        print(f"== item {number}: {sweep.name}{said}", file=sys.stderr, flush=True)
        if not work.run(sweep, number):
            return False
        work.write(sweep, number)
        print(f"{work.folder / sweep.name}.md written", file=sys.stderr, flush=True)
    return True


def rendered(work: Work, numbers: Sequence[str]) -> None:
    """Write the files of what is done anew, from the record."""
    for number, sweep in chosen(work, numbers):
        if work.ledger.is_done(sweep):
            work.write(sweep, number)


def put_into_readme(work: Work) -> None:
    """Make item 1's table that of README.md.

    Raises:
        WorkError: it is not done.
    """
    ((_, sweep),) = chosen(work, ["1"])
    if not work.ledger.is_done(sweep):
        raise WorkError("item 1 is not done: README.md keeps the table that it has")
    table = work.folder / f"{sweep.name}.md"
    *_, command = work.ledger.of(sweep).commands
    file = FOLDER.parents[1] / "README.md"
    text = file.read_text(encoding="utf-8")
    link = os.path.relpath(table, file.parent)
    text = with_table(text, table.read_text(encoding="utf-8"), command, link)
    file.write_text(text, encoding="utf-8")


def main(words: Sequence[str] | None = None) -> int:
    """Exit code: 0 (done, or the time was over), 1 (something failed, and was said)."""
    parser = argparse.ArgumentParser(
        "python -m benchmarks.reproductions",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "--item", action="append", choices=[*ITEMS], help="may be repeated [1 to 4]"
    )
    parser.add_argument("--hours", type=float, help="stop after so many, to go on another time")
    parser.add_argument("--list", action="store_true", help="what there is to do, foreseen, done")
    parser.add_argument("--foresee", action="store_true", help="time a few steps, then list")
    parser.add_argument(
        "--render", action="store_true", help="write what is done anew; run nothing"
    )
    parser.add_argument("--readme", action="store_true", help="item 1's table into README.md")
    parser.add_argument("--storage", type=Path, default=default_storage())
    parser.add_argument("--out", type=Path, default=FOLDER, help="folder of the results")
    parser.add_argument("--source", choices=["cifar10", "parquet"], help="CIFAR-10's form [found]")
    parser.add_argument("execution", nargs="*", help="after --: further options of sweep run")
    given = parser.parse_args(words)
    numbers = given.item or BY_DEFAULT
    try:
        work = Work(given.out, given.storage, given.source, given.hours, given.execution)
        if given.readme:
            put_into_readme(work)
            return 0
        work.take_over()
        if given.foresee:
            for number, sweep in chosen(work, numbers):
                work.foresee(sweep, number)
        if given.list or given.foresee:
            print("\n".join(listed(work, numbers)))
        elif given.render:
            rendered(work, numbers)
        elif not run(work, numbers):
            print("the time is over; the same command goes on", file=sys.stderr)
    except WorkError as error:
        print(f"reproductions: {error}", file=sys.stderr)
        return 1
    return 0


__all__ = ["FOLDER", "listed", "main", "rendered", "run"]

if __name__ == "__main__":
    sys.exit(main())
