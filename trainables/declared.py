"""What parts say of a configuration, kept on disk for as long as their code is the same.

To complete, check and price a configuration its method, model and data set are asked, and importing
them imports torch: seconds, before a table is shown that trains nothing. Their answers depend on
the question and on their code alone. So each is kept under both, and asked for once on a machine:

    @kept
    def names(package: str) -> list[str]: ...

A question's arguments are JSON or frozen dataclasses of data, its answer is JSON. Where the parts
are imported anyway, they are asked.
"""

from __future__ import annotations

import atexit
import contextlib
import dataclasses
import hashlib
import importlib
import json
import platform
import sqlite3
import sys
import zlib
from collections.abc import Callable, Mapping, Sequence
from functools import cache, cached_property, wraps
from pathlib import Path
from typing import Any, ParamSpec, TypeVar

import pydantic

from trainables import config, registry
from trainables.cache import cache_folder
from trainables.config import Component, TrialConfig

Question = ParamSpec("Question")
Answer = TypeVar("Answer")

ROOT = Path(__file__).parents[1]
PACKAGES = ("trainables", "search_spaces", "sweep")
"""Each imports those before it, and no others."""
PARTS = ("methods", "models", "data", "data.augment", "tasks")
"""Packages below ours whose parts a configuration is made of."""

PENDING = 500
"""So many answers are written at once."""

FILES = 8
"""So many versions of the code have their answers kept."""


def kept(function: Callable[Question, Answer]) -> Callable[Question, Answer]:
    """Keep the answers of ``function``, as above.

    What it raises is not kept.
    """
    known: dict[str, str] = {}
    name = f"{function.__module__}.{function.__qualname__}"

    @wraps(function)
    def ask(*arguments: Question.args, **options: Question.kwargs) -> Answer:
        bound = [name, config.PROTOCOL_VERSION, *arguments, *sorted(options.items())]
        question = json.dumps(bound, sort_keys=True, default=_described)
        here = f"{registry.registered()} {question}"
        if here not in known:
            known[here] = _answer(function, question, arguments, options)
        answer: Answer = json.loads(known[here])
        return answer

    ask.cache_clear = known.clear  # type: ignore[attr-defined]  # as functools.cache has it
    return ask


def _described(value: Any) -> Any:
    return repr(value) if dataclasses.is_dataclass(value) else list(value)


def _answer(
    function: Callable[..., Any], question: str, arguments: Any, options: Mapping[str, Any]
) -> str:
    store = _store(function.__module__.partition(".")[0])
    if not _imported() and (found := store.find(question)) is not None:
        return found
    answer = json.dumps(function(*arguments, **options), default=list)
    if not _foreign():
        store.keep(question, answer)
    return answer


@kept
def names(package: str) -> list[str]:
    """The parts that are registered in ``trainables.<package>``."""
    found: list[str] = importlib.import_module(f"{__package__}.{package}").names()
    return found


@kept
def resolve(package: str, name: str, options: Mapping[str, Any]) -> dict[str, Any]:
    """`Registry.resolve` of ``trainables.<package>``."""
    found = importlib.import_module(f"{__package__}.{package}").registry.resolve(name, options)
    return dict(found)


@kept
def of_task(loss: str) -> dict[str, Any]:
    """What the task says of its numbers: ``records`` and ``selected`` (`trainables.tasks.Task`)."""
    task = importlib.import_module(f"{__package__}.tasks").get(loss)
    return {"records": task.records, "selected": task.selected}


@kept
def _completed(fields: Mapping[str, Any]) -> dict[str, Any]:
    made = TrialConfig(**fields)
    return {
        "fields": made.fields_as_json(),
        "canonical": made.canonical,
        "switched_off": made.switched_off,
    }


def configuration(fields: Mapping[str, Any]) -> TrialConfig:
    """``TrialConfig(**fields)``.

    Raises:
        UsageError: in one sentence, naming field, value and what is allowed.
    """
    answer = _completed(fields)
    return TrialConfig.completed(answer["fields"], answer["canonical"], answer["switched_off"])


@kept
def goes_together(fields: Mapping[str, Any]) -> bool:
    """Whether data, model, loss and method of ``TrialConfig(**fields)`` can go together.

    Raises:
        UsageError: those three of plain training (ERM) cannot.
    """
    from trainables.compatibility import misfits
    from trainables.parallel import equivalence

    plain = TrialConfig(**config.merge(fields, {"method": {"name": "erm"}}))
    method = Component.model_validate(fields["method"]).resolved("methods")
    trial = plain.model_copy(update={"method": method})
    over_workers = Component(**method.model_dump() | equivalence.options(trial))
    return not misfits(plain.model_copy(update={"method": over_workers}))


def replaced(made: TrialConfig, **overrides: Any) -> TrialConfig:
    """``made.replace(**overrides)``."""
    return configuration(made.fields_with(overrides))


# -- the code --------------------------------------------------------------------------------------


def _imported() -> bool:
    return any(f"{__package__}.{package}" in sys.modules for package in PARTS)


def _foreign() -> bool:
    """Whether a part is registered whose code is not this package's: `_code` does not know it."""
    modules = (sys.modules.get(f"{__package__}.{package}") for package in PARTS)
    return not all(
        module.registry.origins() <= {str(__package__)} for module in modules if module is not None
    )


@cache
def _code(package: str = PACKAGES[0]) -> str:
    """Digest of all that answers a question of ``package``: its files, those of the packages that
    it may import, and what reads annotations."""
    digest = hashlib.sha256(f"{platform.python_version()} {pydantic.VERSION}".encode())
    for name in PACKAGES[: PACKAGES.index(package) + 1]:
        for path in sorted((ROOT / name).rglob("*.py")):
            digest.update(f"{path.relative_to(ROOT)}\0".encode())
            digest.update(path.read_bytes())
    return digest.hexdigest()


# -- the file --------------------------------------------------------------------------------------


class _Store:
    """Answers in a SQLite file; compressed, so that a damaged one is noticed (Adler-32).

    Nothing depends on it: what cannot be read is asked again, what cannot be written is not kept.
    """

    def __init__(self, file: Path, code: str) -> None:
        self._file, self._code = file.absolute(), code
        self._pending: dict[bytes, bytes] = {}
        atexit.register(self.write)

    def find(self, question: str) -> str | None:
        """The answer, as JSON; None: it is not kept."""
        with contextlib.suppress(sqlite3.Error, OSError, zlib.error, ValueError):
            row = self._reader.execute(
                "SELECT answer FROM answers WHERE question = ?", [self._key(question)]
            ).fetchone()
            return zlib.decompress(row[0]).decode() if row else None
        return None

    def keep(self, question: str, answer: str) -> None:
        """Keep it, now or with the next ones."""
        self._pending[self._key(question)] = zlib.compress(answer.encode(), 1)
        if len(self._pending) >= PENDING:
            self.write()

    def write(self) -> None:
        """Write what is pending."""
        rows, self._pending = list(self._pending.items()), {}
        if not rows:
            return
        with contextlib.suppress(sqlite3.Error, OSError):
            try:
                self._insert(rows)
            except sqlite3.OperationalError:  # locked, or no place
                pass
            except sqlite3.DatabaseError:  # damaged: all of it is asked again
                self._file.unlink()
                self._insert(rows)

    @cached_property
    def _reader(self) -> sqlite3.Connection:
        return sqlite3.connect(f"{self._file.as_uri()}?mode=ro", uri=True, check_same_thread=False)

    def _insert(self, rows: Sequence[tuple[bytes, bytes]]) -> None:
        self._file.parent.mkdir(parents=True, exist_ok=True)
        self._remove_old_ones()
        with contextlib.closing(sqlite3.connect(self._file, timeout=5)) as database, database:
            database.execute(
                "CREATE TABLE IF NOT EXISTS answers (question BLOB PRIMARY KEY, answer BLOB)"
            )
            database.executemany("INSERT OR REPLACE INTO answers VALUES (?, ?)", rows)

    def _remove_old_ones(self) -> None:
        """All but the `FILES` last written: other code may be at work, too, in turns with this."""
        others = [f for f in self._file.parent.glob("*.sqlite") if f != self._file]
        for other in sorted(others, key=_written)[: 1 - FILES]:
            other.unlink(missing_ok=True)

    def _key(self, question: str) -> bytes:
        return hashlib.sha256(f"{self._code}\0{question}".encode()).digest()[:16]


def _written(file: Path) -> int:
    return file.stat().st_mtime_ns if file.exists() else 0


@cache
def _store(package: str) -> _Store:
    """The answers of functions of ``package``."""
    return _Store(cache_folder() / "declared" / f"{_code()[:16]}.sqlite", _code(package))


__all__ = [
    "configuration",
    "goes_together",
    "kept",
    "names",
    "replaced",
    "resolve",
]
