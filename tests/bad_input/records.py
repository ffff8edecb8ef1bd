"""A record that somebody tampered with: rows of the database, its file, the mirror beside it."""

from __future__ import annotations

import functools
import json
import sqlite3
from pathlib import Path
from typing import Any

from hypothesis import strategies as st

from tests.bad_input.commands import template
from tests.bad_input.engine import FaultError, Kind, command, copied
from tests.bad_input.odd import byte_changes, changed_bytes, changed_tree, tree_changes, words

DATABASE = "results/mlflow.db"
TABLES = ("runs", "tags", "params", "metrics", "latest_metrics", "experiments", "experiment_tags",
          "alembic_version")  # fmt: skip
READS = (("status",), ("status", "--format", "json"), ("table", "sweep.yaml"),
         ("table", "sweep.yaml", "--format", "json"), ("plan", "sweep.yaml"),
         ("export", "out.csv"), ("export", "out.jsonl", "--history"),
         ("plot", "sweep.yaml", "--out", "out.svg"))  # fmt: skip
reads = st.tuples(st.sampled_from(READS), st.booleans())

cells = st.one_of(
    words, st.none(), st.integers(-(2**63), 2**63 - 1), st.floats(), st.binary(max_size=8),
    st.sampled_from(["done", "diverged", "failed", "running", "[]", '[["a"]]', "[1, 2, 3, 4, 5]",
                     '["mine/sweep", "full", "paper", "", "train"]', "FINISHED", "deleted"]),
)  # fmt: skip
edits = st.tuples(
    st.lists(
        st.tuples(
            st.sampled_from(TABLES), st.integers(0, 200), st.integers(0, 20),
            st.sampled_from(["update", "update", "update", "delete", "all"]), cells,
        ),
        min_size=1, max_size=3,
    ),
    reads,
)  # fmt: skip


def _edit(file: Path, table: str, row: int, column: int, what: str, value: Any) -> None:
    if isinstance(value, str):
        value = value.encode("utf-8", "surrogatepass").decode("utf-8", "replace")
    with sqlite3.connect(file) as opened:
        ids = [found for (found,) in opened.execute(f"SELECT rowid FROM {table}")]
        columns = [found[1] for found in opened.execute(f"PRAGMA table_info({table})")]
        if not ids:
            return
        at, name = ids[row % len(ids)], columns[column % len(columns)]
        try:
            if what == "delete":
                opened.execute(f"DELETE FROM {table} WHERE rowid = ?", (at,))
            elif what == "all":
                opened.execute(f"UPDATE {table} SET {name} = ?", (value,))
            else:
                opened.execute(f"UPDATE {table} SET {name} = ? WHERE rowid = ?", (value, at))
        except sqlite3.IntegrityError:
            pass  # the database itself refuses that
    opened.close()


def _try_edits(case: Any, folder: Path) -> str:
    made, (line, mirrored) = case
    _laid_out(folder, mirrored)
    for edit in made:
        _edit(folder / DATABASE, *edit)
    return _read(line, folder)


def _laid_out(folder: Path, mirrored: bool) -> None:
    copied(template(), folder)
    if not mirrored:
        for path in (folder / f"{DATABASE}.mirror").iterdir():
            path.unlink()


def _read(line: tuple[str, ...], folder: Path) -> str:
    """What a command says that only reads; it must leave the rows as they are.

    An empty file is a store that is to be made.
    """
    before = _rows(folder / DATABASE)
    sentence = command(*line).sentence
    if before and _rows(folder / DATABASE) != before:
        raise FaultError("what was read was changed")
    return sentence


def _rows(file: Path) -> Any:
    try:
        opened = sqlite3.connect(f"file:{file}?mode=ro", uri=True)
        opened.text_factory = bytes
        try:
            return [[*map(repr, opened.execute(f"SELECT * FROM {t}"))] for t in TABLES]
        finally:
            opened.close()
    except sqlite3.Error:
        return file.read_bytes()


damaged = st.tuples(byte_changes, reads)


def _try_database(case: Any, folder: Path) -> str:
    made, (line, mirrored) = case
    _laid_out(folder, mirrored)
    content = changed_bytes((folder / DATABASE).read_bytes(), made)
    (folder / DATABASE).write_bytes(content)
    return _read(line, folder)


@functools.cache
def mirror_files() -> tuple[str, ...]:
    """Index first, then the Parquet file."""
    found = (template() / f"{DATABASE}.mirror").iterdir()
    return tuple(sorted(path.name for path in found if not path.name.startswith(".")))


mirrors = st.deferred(
    lambda: st.one_of(
        st.tuples(st.sampled_from(mirror_files()), byte_changes),
        st.tuples(st.just("index.json"), st.one_of(tree_changes, st.integers(1, 5))),
    )
)


def _try_mirror(case: Any, folder: Path) -> str:
    """It is a convenience: whatever is in it, what is shown is what the database has."""
    name, made = case
    copied(template(), folder)
    file = folder / f"{DATABASE}.mirror" / name
    if isinstance(made, int):
        content = b"[" * 10**made
    elif made and isinstance(made[0][0], list):
        content = json.dumps(changed_tree(json.loads(file.read_bytes()), made)).encode()
    else:
        content = changed_bytes(file.read_bytes(), made)
    file.write_bytes(content)
    found = command("status", "--format", "json")
    if found.sentence or found.out != clean_status():
        raise FaultError(f"shown was {found}")
    return ""


@functools.cache
def clean_status() -> str:
    return command("status", "--format", "json", "--storage", str(template() / "results")).out


def _try_restored(case: Any, folder: Path) -> str:
    """Rows that are gone come back from storage with the next run, which trains nothing."""
    from unittest import mock

    copied(template(), folder)
    made, _ = case
    for edit in made:
        _edit(folder / DATABASE, *edit)
    before = sorted(path.name for path in folder.rglob("result.json"))
    with mock.patch("sweep.run.serial.SerialExecutor.run", return_value=None):
        sentence = command("run", "sweep.yaml", "--executor", "serial").sentence
    if sorted(path.name for path in folder.rglob("result.json")) != before:
        raise FaultError("a result is lost")
    return sentence


exported = st.deferred(lambda: st.tuples(st.sampled_from([".jsonl", ".parquet"]), byte_changes))


@functools.cache
def exports() -> dict[str, bytes]:
    found = {}
    for suffix in (".jsonl", ".parquet"):
        file = template() / f"exported{suffix}"
        if suffix == ".jsonl":
            made = command("export", str(file), "--history", "--storage",
                           str(template() / "results"))  # fmt: skip
            assert made.code == 0, made
        else:
            from sweep.record.record import Record

            Record.read(template() / "exported.jsonl").write(file)
        found[suffix] = file.read_bytes()

    return found


def _try_exported(case: Any, folder: Path) -> str:
    from sweep.record.record import Record

    suffix, made = case
    (folder / f"record{suffix}").write_bytes(changed_bytes(exports()[suffix], made))
    found = Record.read(folder / f"record{suffix}")
    list(found.runs()), found.sweeps(), found.metric_names()
    return ""


KINDS = (
    Kind("a tampered database", edits, _try_edits, weight=0.15),
    Kind("a damaged database", damaged, _try_database, weight=0.15),
    Kind("a tampered database, run again", edits, _try_restored, weight=0.15),
    Kind("a tampered mirror", mirrors, _try_mirror, weight=0.15),
    Kind("exported records", exported, _try_exported, lambda case: [f"record{case[0]}"], 2.5),
)

__all__ = ["KINDS"]
