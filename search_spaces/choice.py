"""What a paper leaves open or says twice, and the ways to read it: pure data."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from dataclasses import field as data_field
from typing import Any

from search_spaces.preset import Fields


@dataclass(frozen=True)
class Override:
    """A change of the fields of some cells.

    Attributes:
        where: The cells are those whose key has these entries; empty: all.
        fields: Dotted field of a trial -> value.
    """

    where: Mapping[str, str]
    fields: Fields

    def covers(self, key: Mapping[str, str]) -> bool:
        """Whether it changes the cell with this key."""
        return self.where.items() <= key.items()


@dataclass(frozen=True)
class Lifted:
    """A note of some cells' printed numbers that does not hold any more.

    A number that has no other is comparable then.

    Attributes:
        where: The cells are those whose key has these entries.
        note: The note, or a part of it.
    """

    where: Mapping[str, str]
    note: str


def where(key: Mapping[str, str], **fields: Any) -> Override:
    """``fields`` (with __ for a dot) in the cells that have the entries ``key``."""
    return Override(key, {name.replace("__", "."): value for name, value in fields.items()})


def on(label: str, entries: Iterable[str], **fields: Any) -> tuple[Override, ...]:
    """``fields`` (with __ for a dot) in the cells with one of these entries under ``label``."""
    return tuple(where({label: entry}, **fields) for entry in entries)


def everywhere(**fields: Any) -> tuple[Override, ...]:
    """``fields`` (with __ for a dot) in all cells."""
    return (where({}, **fields),)


@dataclass(frozen=True)
class Reading:
    """One way to read what is ambiguous: what is changed in the artifact's file for it.

    Attributes:
        what: What is run or shown then, in words.
        overrides: Fields of cells, in which no stage changes them any more: they are neither
            searched nor taken over from a winner. A stage from which nothing is taken over then,
            and which no number that is shown comes from, is not run.
        grids: Dotted field -> the values that are tried, in every stage that searches it, or in
            those called ``stages``.
        seeds: How many, in every stage that has more than one; None: as the stage has it.
        measures: Name of a measure -> options. It is recorded under a label of its own; one that
            the artifact does not have is measured, too.
        metrics: Key of a column in the view -> attributes of its metric: another column is read.
        selection: Attributes of the experiment's selection.
        incomparable: The printed numbers of these cells are of something else then: they are
            shown, and compared with nothing. Entries of keys; an empty one: all cells. An entry
            ``metric`` is the key of the column that alone is meant.
        comparable: Why printed numbers were of something else, where they are of just this now.
        stages: See ``grids``.
    """

    what: str
    overrides: tuple[Override, ...] = ()
    grids: Mapping[str, tuple[Any, ...]] = data_field(default_factory=dict)
    seeds: int | None = None
    measures: Mapping[str, Fields] = data_field(default_factory=dict)
    metrics: Mapping[str, Fields] = data_field(default_factory=dict)
    selection: Fields = data_field(default_factory=dict)
    incomparable: tuple[Mapping[str, str], ...] = ()
    comparable: tuple[Lifted, ...] = ()
    stages: tuple[str, ...] = ()


@dataclass(frozen=True)
class Choice:
    """An ambiguity of the paper and how it is interpreted here.

    Attributes:
        what: What is ambiguous.
        interpretation: What is run by default.
        why: The reason for it.
        field: The option that it is about, if any: a dotted field of a trial (``method.rho``),
            an option of a measure (``measure.half``) or of the command line (``--selection``).
        name: By which --read takes it: lower-case words with hyphens, the same in all artifacts
            of a paper.
        default: Name of the value that ``interpretation`` is.
        others: Name of every other value -> its `Reading`.
        source: Where the paper or its authors' code says so.
        text, code: Name of the value that the paper's text states, and of the one that its
            authors' code has; empty: it does not say.
        single: Where there is no other value: why.
    """

    what: str
    interpretation: str
    why: str
    field: str = ""
    name: str = ""
    default: str = ""
    others: Mapping[str, Reading] = data_field(default_factory=dict)
    source: str = ""
    text: str = ""
    code: str = ""
    single: str = ""

    @property
    def values(self) -> tuple[str, ...]:
        """Names of all values, the default first."""
        return (self.default, *self.others)


__all__ = ["Choice", "Lifted", "Override", "Reading", "everywhere", "on", "where"]
