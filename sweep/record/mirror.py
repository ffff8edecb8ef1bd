"""An Arrow copy of the record beside the tracking store, so that nothing is asked twice.

Runs that have ended do not change, so the copy grows by those that ended since it was last looked
at: one Parquet file per look, joined to one when they are many. ``index.json`` says which files
count, up to which time of ending, and what the store looked like (`Fingerprint`): where that is
unchanged nothing is asked at all. A run that is written to after its end is named there first
(`Mirror.forget`) and read again at the next look.

The copy is a convenience: lost, damaged or of another version it is made anew, and where it cannot
be written the store is read each time.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import uuid
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from sweep.record.connection import database, mirror_of
from sweep.record.record import Record
from sweep.record.runs import Columns, Run, as_table, of_parquet, schema
from trainables.cache import cache_folder
from trainables.masking import mask
from trainables.parse_json import parse_json
from trainables.storage.files import replacing

if TYPE_CHECKING:
    import pyarrow as pa

VERSION = 1
"""Of the files' layout. A mirror of another one is made anew."""

FILES = 16
"""So many files are joined to one."""

SLACK = 600_000
"""Milliseconds by which the clocks of two drivers may differ: runs that ended so long before the
latest one are looked at again."""

PATIENCE = 60.0
"""Seconds to wait for another process that writes the copy; then the store itself is read."""

Fingerprint = list[int]
"""What a store that is a file looks like: equal, and nothing has been written to it."""


class Source(Protocol):
    """What a mirror is a copy of."""

    def fingerprint(self) -> Fingerprint | None:
        """What the store looks like, without asking it; None: it is no file."""

    def ended(self, since: int) -> Iterable[Run]:
        """The runs that ended at ``since`` (Unix milliseconds) or later, without their curves."""

    def named(self, run_ids: Sequence[str]) -> Iterable[Run]:
        """These runs, as far as they are still there."""

    def curves(self, run_id: str) -> Any:
        """The curves of a run: name -> values."""


@dataclass(frozen=True)
class Index:
    """``index.json``: what the copy is of.

    Attributes:
        files: Names of the Parquet files that count, oldest first.
        ended: The latest end of a run in them, in Unix milliseconds.
        fingerprint: The store's, from before it was read.
        changed: Runs that are to be read again.
    """

    files: tuple[str, ...] = ()
    ended: int = 0
    fingerprint: Fingerprint | None = None
    changed: tuple[str, ...] = ()
    version: int = VERSION

    def of(self, seen: Fingerprint | None) -> bool:
        """Whether the copy is of a store that looks like this, and complete."""
        return (
            bool(self.files) and not self.changed and seen is not None and seen == self.fingerprint
        )

    def of_another(self, seen: Fingerprint | None) -> bool:
        """Whether the copy is of another file than the one that is there now."""
        known = self.fingerprint
        return bool(seen and known and seen[0] != known[0])


@dataclass(frozen=True)
class Mirror:
    """The copy in ``folder``, which need not exist."""

    folder: Path
    source: Source = field(repr=False)

    def record(self, refresh: bool = False) -> Record:
        """The record, up to date.

        Args:
            refresh: Read the whole store: what was edited, deleted or restored by hand is found.
        """
        seen = self.source.fingerprint()
        index = self._index()
        if not refresh and index.of(seen):
            with contextlib.suppress(OSError, ValueError):  # pyarrow's of a damaged file, too
                return self._read(index.files)
        with self._alone() as alone:
            if not alone:
                return Record.of_table(as_table(self.source.ended(0)), self.source.curves)
            return self._updated(Index() if refresh else self._index(), seen)

    def forget(self, run_ids: Iterable[str]) -> None:
        """Read these runs again at the next look: they are about to be written to."""
        run_ids = list(run_ids)
        if not run_ids:
            return
        with self._alone() as alone:
            index = self._index()
            if alone and index.files:
                self._write_index(
                    replace(index, changed=tuple(dict.fromkeys((*index.changed, *run_ids))))
                )

    def _updated(self, index: Index, seen: Fingerprint | None) -> Record:
        """The copy with what is new in the store, written and read."""
        if index.of_another(seen):
            index = Index()
        try:
            known = self._columns(index.files)(["run_id", "ended"]).to_pylist()
        except (OSError, ValueError):
            index, known = Index(), []
        have = {(run["run_id"], run["ended"]) for run in known}
        since = max(0, index.ended - SLACK)
        ended = (r for r in self.source.ended(since) if (r.run_id, r.ended) not in have)
        fresh = as_table(chain(ended, self.source.named(index.changed)))
        files = self._written(index, fresh)
        latest = max([index.ended, *filter(None, fresh["ended"].to_pylist())])
        self._write_index(Index(files, latest, seen))
        self._remove_all_but(files)
        return self._read(files)

    def _written(self, index: Index, fresh: pa.Table) -> tuple[str, ...]:
        """The files that count from now on: those of ``index``, and one of ``fresh``."""
        import pyarrow as pa
        import pyarrow.compute as pc
        import pyarrow.parquet as pq

        before = index.files
        if before and not fresh.num_rows and not index.changed:
            return before
        if len(before) >= FILES or index.changed:
            whole = self._columns(before)(schema().names)
            old = pc.is_in(whole["run_id"], pa.array(index.changed, pa.string()))
            before, fresh = (), pa.concat_tables([whole.filter(pc.invert(old)), fresh])
        name = f"{uuid.uuid4().hex}.parquet"
        pq.write_table(fresh, self.folder / name, compression="zstd", write_page_checksum=True)
        return (*before, name)

    def _read(self, names: Sequence[str]) -> Record:
        return Record(self._columns(names), self.source.curves)

    def _columns(self, names: Sequence[str]) -> Columns:
        return of_parquet([self.folder / name for name in names])

    # -- files ---------------------------------------------------------------------------------

    def _index(self) -> Index:
        try:
            read = parse_json((self.folder / "index.json").read_bytes())
            index = Index(**read | {n: tuple(read[n]) for n in ("files", "changed")})
        except (OSError, ValueError, TypeError, KeyError):
            return Index()
        return index if index.version == VERSION else Index()

    def _write_index(self, index: Index) -> None:
        with replacing(self.folder / "index.json") as temporary:
            temporary.write_text(json.dumps(vars(index)), encoding="utf-8")

    def _remove_all_but(self, kept: Sequence[str]) -> None:
        """Remove files that no longer count; one that is being read stays open to its reader."""
        for path in self.folder.glob("*.parquet"):
            if path.name not in kept:
                path.unlink(missing_ok=True)

    @contextlib.contextmanager
    def _alone(self) -> Iterator[bool]:
        """Within: whether the copy can be written, and no other process does so."""
        import filelock

        lock = filelock.FileLock(self.folder / ".lock", timeout=PATIENCE)
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            lock.acquire()
        except (OSError, filelock.Timeout):
            yield False
            return
        try:
            yield True
        finally:
            lock.release()


def folder_of(uri: str) -> Path:
    """Where the copy of the store at ``uri`` lies: by a SQLite file, else in the user's cache."""
    if file := database(uri):
        return mirror_of(file)
    return cache_folder() / "mirror" / hashlib.sha256(mask(uri).encode()).hexdigest()[:16]


def fingerprint(file: Path) -> Fingerprint | None:
    """Which SQLite file it is, its sizes, times and count of changes; None: there is none."""
    try:
        found = [file.stat().st_ino]
        for path in (file, file.with_name(f"{file.name}-wal")):
            with contextlib.suppress(FileNotFoundError):
                status = path.stat()
                found += [status.st_size, status.st_mtime_ns]
        with file.open("rb") as header:
            # Its bytes 24 to 27: time alone is too coarse to tell two writes apart.
            header.seek(24)
            return [*found, int.from_bytes(header.read(4), "big")]
    except OSError:
        return None


__all__ = ["Fingerprint", "Mirror", "Source", "fingerprint", "folder_of"]
