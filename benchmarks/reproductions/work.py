"""A sweep of `docs/results`, foreseen, run, and written as files; each by commands of `sweep`."""

from __future__ import annotations

import json
import os
import shlex
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from itertools import product
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmarks.report import environment
from benchmarks.reproductions import page
from benchmarks.reproductions.items import ITEMS, Item, Source, Sweep, every
from benchmarks.reproductions.ledger import LIMIT, Ledger, too_large

if TYPE_CHECKING:
    from sweep.record.record import Record

RECORDS = "record-*.parquet"
"""Of an item's trials, so many in each file."""
PART = 250
POINTS = (50, 20, 10, 5, 2)
"""Epochs of each curve that a committed record has: as many of these as fit."""

Call = Callable[..., tuple[int, str, str]]
"""A command of `sweep` by its words: exit code, standard output, standard error."""


class WorkError(Exception):
    """What went wrong, in a sentence."""


def called(*words: str) -> tuple[int, str, str]:
    """In a process of its own, which tells its progress on the terminal."""
    done = subprocess.run(
        [sys.executable, "-m", "sweep", *words], stdout=subprocess.PIPE, text=True, check=False
    )
    return done.returncode, done.stdout, ""


class Work:
    """Sweeps run into one storage, and their files written into one folder.

    Args:
        folder: Of the files.
        storage: Of trials and their record.
        source: In which form CIFAR-10 is here; None: as the folder's results have it, or else as
            it lies in the folder of the data sets.
        hours: After so many no trial is started; None: without end.
        execution: Further options of every command that trains.
        call: What calls a command of `sweep`.
        items: That there are.
    """

    def __init__(
        self,
        folder: Path,
        storage: Path,
        source: Source | None = None,
        hours: float | None = None,
        execution: Sequence[str] = (),
        call: Call = called,
        items: Mapping[str, Item] = ITEMS,
    ) -> None:
        self.folder, self.storage = folder, storage
        self.ledger = Ledger.read(folder)
        if source and self.ledger.source not in (None, source):
            raise WorkError(
                f"the results in {folder} are of {self.ledger.source}: go on with that, or name "
                "another folder (--out)"
            )
        self.source: Source = self.ledger.source or source or found_source()
        self._execution, self._call, self.items = execution, call, items
        self._began, self._hours = time.monotonic(), hours

    # -- commands ----------------------------------------------------------------------------------

    def say(self, *words: str) -> str:
        """What a command that has to succeed says.

        Raises:
            WorkError: it did not.
        """
        code, out, error = self._call(*words, "--storage", str(self.storage))
        if code:
            raise WorkError(f"sweep {shlex.join(words)}: exit {code} {error}".rstrip())
        return out

    def left(self) -> float | None:
        """Hours that are left; None: as many as it takes."""
        if self._hours is None:
            return None
        return max(0.0, self._hours - (time.monotonic() - self._began) / 3600)

    # -- steps -------------------------------------------------------------------------------------

    def take_over(self) -> None:
        """Record what the folder's records have: their trials are not trained again."""
        for file in sorted(self.folder.glob(RECORDS)):
            self.say("sync", "--from", str(file))

    def foresee(self, sweep: Sweep, item: str) -> float | None:
        """Hours of one core that a sweep takes, by timing a few steps; once, before it begins."""
        entry = self.ledger.of(sweep)
        if entry.foreseen is not None or entry.waited:
            return entry.foreseen
        cost = self._plan(sweep, "--time")["estimate"]
        known = cost["from_trials"] or cost["timed"]
        hours = round(cost["device_hours"] * sweep.times, 2) if known else None
        return self.ledger.note(sweep, item, foreseen=hours).foreseen

    def counts(self, sweep: Sweep) -> tuple[int, int]:
        """Of a sweep: trials that are recorded, and all. Of a search of the table's one point."""
        plan = self._plan(sweep)
        return plan["trials"] - plan["missing"] - plan["waiting"], plan["trials"]

    def _plan(self, sweep: Sweep, *more: str) -> dict[str, Any]:
        asked = sweep.asked(self.source)
        found: dict[str, Any] = json.loads(self.say("plan", *asked, *more, "--format", "json"))
        return found

    def run(self, sweep: Sweep, item: str) -> bool:
        """Run what a sweep lacks; whether it is whole.

        Raises:
            WorkError: a trial failed.
        """
        self.ledger.source = self.source
        before, left = time.monotonic(), self.left()
        words = [*sweep.run(self.source), "--storage", str(self.storage), *self._execution]
        words += [] if left is None else ["--max-hours", f"{left:.4f}"]
        code, _, error = self._call(*words)
        waited = self.ledger.of(sweep).waited + (time.monotonic() - before) / 3600
        self.ledger.note(sweep, item, waited=round(waited, 4))
        if code and self.left() != 0:
            raise WorkError(
                f"{sweep.name} is not whole: sweep {shlex.join(words)} {error}".rstrip()
            )
        return not code

    def write(self, sweep: Sweep, item: str) -> None:
        """The files of a sweep that is whole, and what is of all: record, ledger, page.

        Raises:
            WorkError: a command failed, or a file is too large.
        """
        self.folder.mkdir(parents=True, exist_ok=True)
        files = [self._keep(f"{sweep.name}.md", self.table(sweep, "md"))]
        if claims := self.claims(sweep, "md"):
            files.append(self._keep(f"{sweep.name}-claims.md", claims))
        for kind in sweep.figures:
            files += self._draw(sweep, kind)
        shown = json.loads(self.table(sweep, "json"))
        trials, spent = self._trials(sweep, shown)
        self.ledger.note(
            sweep,
            item,
            commands=tuple(
                shlex.join(["sweep", *words])
                for words in (sweep.run(self.source), sweep.table(self.source))
            ),
            spent=round(spent, 4),
            trials=len(trials),
            done=datetime.now(UTC).strftime("%Y-%m-%d"),
            files=tuple(files),
            environment={
                **environment("torch", "numpy", "ray", "mlflow"),
                "commit": shown["provenance"].get("commit", ""),
            },
        )
        self.export(item)
        self.write_page()

    def table(self, sweep: Sweep, format: str) -> str:  # noqa: A002
        """Of what is recorded."""
        return self.say(*sweep.table(self.source), "--format", format)

    def claims(self, sweep: Sweep, format: str) -> str:  # noqa: A002
        """The paper's sentences about it, judged; empty: there are none, or it is a search."""
        from sweep.claims.record import claims_of

        if sweep.search or not claims_of(sweep.artifact):
            return ""
        return self.say("claims", *sweep.asked(self.source), "--format", format)

    def _trials(
        self, sweep: Sweep, shown: Mapping[str, Any] | None = None
    ) -> tuple[list[str], float]:
        """All that were tried for a sweep's table, and the hours that they trained.

        Args:
            shown: The table, as JSON; None: it is asked for.
        """
        from sweep.plan.cost import hours_spent

        table = shown or json.loads(self.table(sweep, "json"))
        record = self._record()
        of = [table[name] for name in ("artifact", "preset", "variant")]
        own = [
            run.trial_id
            for run in record.runs(history=False)
            if any([m.artifact, m.preset, m.variant] == of for m in run.memberships)
        ]
        return own, hours_spent(own, record)

    def _record(self) -> Record:
        from sweep.record.mlflow_store import Tracker, default_uri

        return Tracker(default_uri(str(self.storage))).load()

    def _draw(self, sweep: Sweep, kind: str) -> list[str]:
        name = f"{sweep.name}{f'-{kind}' * bool(kind)}.png"
        of = ["--kind", kind] if kind else []
        out = self.folder / name
        said = self.say("plot", *sweep.asked(self.source), *of, "--out", str(out))
        return [Path(line).name for line in said.splitlines() if line.endswith(".png")]

    def export(self, item: str) -> None:
        """The trials of what is done of an item, with as many epochs of each curve as fit.

        Raises:
            WorkError: a file is too large with two.
        """
        from sweep.record import export

        done = [sweep for sweep in self.items[item].sweeps if self.ledger.is_done(sweep)]
        ids = sorted({trial for sweep in done for trial in self._trials(sweep)[0]})
        record = self._record()
        for old in self.folder.glob(RECORDS.replace("*", f"{item}-*")):
            old.unlink()
        for start in range(0, len(ids), PART):
            file = self.folder / RECORDS.replace("*", f"{item}-{start // PART + 1}")
            places = [(trial, {}) for trial in ids[start : start + PART]]
            for points, layout in product(POINTS, export.Layout):
                export.write(record, file, True, layout, places, points)
                if file.stat().st_size < LIMIT:
                    break
        if large := too_large(self.folder):
            raise WorkError(f"too large to be committed: {', '.join(large)}")

    def write_page(self) -> None:
        """The page that says what came out, from what the commands print."""
        self._keep("README.md", self.page())

    def page(self) -> str:
        """Of the sweeps that are done."""
        done = [(item, sweep) for item, sweep in every(self.items) if self.ledger.is_done(sweep)]
        said = {
            sweep.name: page.Said(
                json.loads(self.table(sweep, "json")),
                json.loads(self.claims(sweep, "json") or "{}"),
            )
            for _, sweep in done
        }
        return page.text(self.ledger, said, self.items)

    def _keep(self, name: str, text: str) -> str:
        (self.folder / name).write_text(text, encoding="utf-8")
        return name


def found_source() -> Source:
    """In which form CIFAR-10 lies in the folder of the data sets: Parquet files, if there are."""
    from trainables.data_folder import data_directory

    there = (data_directory() / "cifar10" / "train.parquet").is_file()
    return "parquet" if there else "cifar10"


def default_storage() -> Path:
    """$FLATSWEEP_STORAGE, or a folder of its own among the results."""
    return Path(os.environ.get("FLATSWEEP_STORAGE", "results/reproductions"))
