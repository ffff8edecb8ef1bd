"""What is known of each sweep of `docs/results`: when it was run, by what, and what it took."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import cast

from benchmarks.reproductions.items import Source, Sweep

FILE = "ledger.json"
LIMIT = 1_000_000
"""Bytes that a committed file may have."""


@dataclass(frozen=True)
class Entry:
    """A sweep that was begun.

    Attributes:
        item: Its number.
        commands: By which it is run, and printed.
        foreseen: Hours of one core (or GPU) that `sweep plan --time` foresaw before it began; None:
            it could not tell.
        spent: Hours that its trials have trained.
        waited: Hours that the commands took, on all cores.
        trials: That it needs.
        done: The day on which its table was written; empty: it is not done.
        files: That were written of it.
        environment: Where and with what it was run: hardware, cores, versions.
    """

    item: str
    commands: tuple[str, ...] = ()
    foreseen: float | None = None
    spent: float = 0.0
    waited: float = 0.0
    trials: int = 0
    done: str = ""
    files: tuple[str, ...] = ()
    environment: dict[str, str] = field(default_factory=dict)


@dataclass
class Ledger:
    """The entries of a folder's ``ledger.json``.

    Attributes:
        folder: Of the results.
        source: In which form the CIFAR-10 is that they are of; empty: nothing was run yet.
        entries: By the sweep's name.
    """

    folder: Path
    source: Source | None = None
    entries: dict[str, Entry] = field(default_factory=dict)

    @classmethod
    def read(cls, folder: Path) -> Ledger:
        """Of ``folder``; empty where there is none."""
        file = folder / FILE
        if not file.exists():
            return cls(folder)
        found = json.loads(file.read_text(encoding="utf-8"))
        entries = {
            name: Entry(**{**of, "commands": tuple(of["commands"]), "files": tuple(of["files"])})
            for name, of in found["sweeps"].items()
        }
        return cls(folder, cast("Source | None", found["source"]), entries)

    def write(self) -> None:
        """Into its folder."""
        self.folder.mkdir(parents=True, exist_ok=True)
        kept = {name: asdict(entry) for name, entry in self.entries.items()}
        text = json.dumps({"source": self.source, "sweeps": kept}, indent=1) + "\n"
        (self.folder / FILE).write_text(text, encoding="utf-8")

    def of(self, sweep: Sweep, item: str = "") -> Entry:
        """What is known of a sweep."""
        return self.entries.get(sweep.name, Entry(item))

    def note(self, sweep: Sweep, item: str, **changes: object) -> Entry:
        """Change what is known of a sweep, and write it."""
        self.entries[sweep.name] = replace(self.of(sweep, item), **changes)  # type: ignore[arg-type]
        self.write()
        return self.entries[sweep.name]

    def is_done(self, sweep: Sweep) -> bool:
        """Whether its table was written."""
        return bool(self.of(sweep).done)


def too_large(folder: Path) -> list[str]:
    """Files of a folder that may not be committed, with their size."""
    return [
        f"{file.name} ({file.stat().st_size:,} bytes)"
        for file in sorted(folder.iterdir())
        if file.stat().st_size >= LIMIT
    ]
