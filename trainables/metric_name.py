"""Names that numbers of a trial are recorded under: their one grammar, written and read.

    name    = [epoch "/"] label ["@" number] {"/" part} ["_std_error"]
    epoch   = "best_test" | "best_validation"
    label   = text {":" option ":" value}
    part    = number | any text without "/"

    test_error                        of the last epoch; the label is ``split_quantity``
    best_test/test_error              of the epoch with the lowest test error
    best_test/epoch                   that epoch, counted from 1
    fisher_spectrum/log_det           a part of what a measure finds
    fisher_log_det:half:true          of the same measure with another option
    hessian_trace_std_error           standard error of an estimate
    perturbation_gap/0.02/hessian     of a curve: x = 0.02
    landscape_2d/-1.000/0.500         of a map: x = -1, y = 0.5

A number in a name is kept as it is spelt: two spellings of one number are two names.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal, get_args

Epoch = Literal["last", "best_test", "best_validation"]
"""At which epoch a number is read; of the last one, names say nothing."""

Split = Literal["train", "validation", "test"]
"""Which of its images a number of every epoch is of."""

NUMBER = r"[-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?"
"""Pattern of a number in a name or a cell's label."""

_STD_ERROR = "_std_error"
_SAMPLE = "sample"
_BEST: dict[str, Epoch] = {"test": "best_test", "validation": "best_validation"}
_OF_SPLIT = re.compile(rf"({'|'.join(get_args(Split))})_([^/@]+)")
_PREFIX = re.compile(rf"({'|'.join(_BEST.values())})/(?=.)", re.DOTALL)
_IN_LABEL = re.compile(rf"(.+)@({NUMBER})", re.DOTALL)
_NUMBER = re.compile(NUMBER)
_UNTRACKED = re.compile(r"[^\w.-]+")


class MetricName(str):
    """A name of a recorded number: a string that can say what it is made of.

    The names that it writes are plain strings, as records and checkpoints hold them.
    ``MetricName.of(name.label, *name.parts, at=name.at, epoch=name.epoch,
    std_error=name.is_std_error) == name`` for every name.
    """

    __slots__ = ()

    @staticmethod
    def of(
        label: str,
        *parts: str,
        at: str = "",
        epoch: Epoch = "last",
        std_error: bool = False,
    ) -> str:
        """The name that is made so.

        Args:
            label: Of the metric or measure.
            parts: What follows it: names of parts, numbers of a curve or map.
            at: A number that follows the label itself, after an ``@``.
            epoch: Whose number it is.
            std_error: Whether it is the standard error of the number that is named otherwise so.
        """
        prefix = "" if epoch == "last" else f"{epoch}/"
        label = f"{label}@{at}" if at else label
        return prefix + "/".join((label, *parts)) + (_STD_ERROR if std_error else "")

    # -- what it is made of --------------------------------------------------------------------

    @property
    def epoch(self) -> Epoch:
        """At which epoch its number is read."""
        match = _PREFIX.match(self)
        return next(e for e in _BEST.values() if e == match[1]) if match else "last"

    @property
    def is_std_error(self) -> bool:
        """Whether its number is the standard error of an estimate."""
        return self.endswith(_STD_ERROR) and self != _STD_ERROR

    @property
    def label(self) -> str:
        """What the number is of: a metric, or what is measured."""
        return self._head[0]

    @property
    def at(self) -> str:
        """The number after the ``@`` that follows the label; empty: there is none."""
        return self._head[1]

    @property
    def parts(self) -> tuple[str, ...]:
        """What follows the label."""
        return tuple(self._bare.split("/")[1:])

    @property
    def _bare(self) -> str:
        """Without its epoch, and without the ending of a standard error."""
        match = _PREFIX.match(self)
        bare = self[match.end() :] if match else str(self)
        return bare.removesuffix(_STD_ERROR) if self.is_std_error else bare

    @property
    def _head(self) -> tuple[str, str]:
        head = self._bare.partition("/")[0]
        match = _IN_LABEL.fullmatch(head)
        return (match[1], match[2]) if match else (head, "")

    @property
    def data_split(self) -> Split | None:
        """Of a number that every epoch has: the images that it is of; None: it is another one."""
        match = _OF_SPLIT.fullmatch(self.label)
        return next(s for s in get_args(Split) if s == match[1]) if match else None

    @property
    def quantity(self) -> str:
        """Of a number that every epoch has: what it is, such as ``error``; else empty."""
        match = _OF_SPLIT.fullmatch(self.label)
        return match[2] if match else ""

    def belongs_to(self, label: str) -> bool:
        """Whether it is ``label``, a part of it, or a point of its curve or map."""
        return self == label or self.startswith((f"{label}/", f"{label}@"))

    # -- further names -------------------------------------------------------------------------

    def at_epoch(self, epoch: Epoch) -> str:
        """The name under which its number of ``epoch`` is recorded."""
        return str(self) if epoch == "last" else f"{epoch}/{self}"

    def relabelled(self, old: str, new: str) -> str:
        """The name with the label ``new`` in place of ``old``, which it begins with."""
        return new + self.removeprefix(old)

    def with_label(self, old: str, new: str) -> str:
        """The name with the label ``new`` if it has ``old``, of whichever epoch; else as it is.

        So also for a standard error, and for what a column calls a curve (`CurveName`).
        """
        match = _PREFIX.match(self)
        start = match.end() if match else 0
        if not MetricName(self._bare).belongs_to(old):
            return str(self)
        return self[:start] + new + self[start + len(old) :]

    @property
    def std_error(self) -> str:
        """The name of its standard error."""
        return f"{self}{_STD_ERROR}"


def label_of_options(label: str, options: Mapping[str, Any]) -> str:
    """The label of what ``label`` is with other ``options``: ``LABEL:OPTION:VALUE``.

    Of a value that is neither a word nor a number stays what a tracking store takes in a name.
    """
    texts = {n: v if isinstance(v, str) else json.dumps(v) for n, v in sorted(options.items())}
    return ":".join([label, *(f"{n}:{_UNTRACKED.sub('_', v)}" for n, v in texts.items())])


def best(split: str) -> Epoch:
    """The epoch at which the error on a split is least. Raises KeyError: there is none such."""
    return _BEST[split]


def of_split(split: str, quantity: str) -> str:
    """The name of a number that every epoch has, of the images of a split."""
    return f"{split}_{quantity}"


def join(*parts: str) -> str:
    """The name of a part of a part; an empty one is the whole, and adds nothing."""
    return "/".join(filter(None, parts))


def place(*coordinates: float) -> str:
    """The part that a point of a curve or map is: its place, three digits after the point."""
    return join(*(f"{x:.3f}" for x in coordinates))


def sample_place(*coordinates: float) -> str:
    """The part of a map that a sample is, in the plane that the map is of."""
    return join(_SAMPLE, place(*coordinates))


def is_number(text: str) -> bool:
    """Whether ``text`` is a number as names have it."""
    return _NUMBER.fullmatch(text) is not None


@dataclass(frozen=True)
class CurveName:
    """The names of the points of a curve: ``gap`` or ``gap@/hessian``, an ``@`` where x stands.

    A point of ``gap`` is recorded as ``gap/0.1`` or ``gap@0.1``, x being 0.1; one of
    ``gap@/hessian`` as ``gap/0.1/hessian``.

    Attributes:
        head, tail: What stands before x and after it.
    """

    head: str
    tail: str = ""

    @classmethod
    def parse(cls, name: str) -> CurveName:
        """The curve that a column calls ``name``."""
        head, _, tail = name.partition("@")
        return cls(head, tail)

    def __str__(self) -> str:
        return f"{self.head}@{self.tail}" if self.tail else self.head

    def points(self, names: Iterable[str]) -> list[tuple[float, str]]:
        """Those of ``names`` that are its points: (x, name), by x."""
        pattern = re.compile(rf"{re.escape(self.head)}[@/]({NUMBER}){re.escape(self.tail)}")
        return sorted((float(m[1]), name) for name in names if (m := pattern.fullmatch(name)))


@dataclass(frozen=True)
class MapName:
    """The names of what is recorded over a plane.

    A value is recorded as ``LABEL/X/Y``. Where the samples lie in the same plane, the class of
    each of them is recorded as ``LABEL/sample/X/Y``.

    Attributes:
        label: What is recorded.
    """

    label: str

    def points(self, names: Iterable[str]) -> Iterator[tuple[float, float, str]]:
        """Those of ``names`` that are values: (x, y, name)."""
        return self._found(names, ())

    def samples(self, names: Iterable[str]) -> Iterator[tuple[float, float, str]]:
        """Those of ``names`` that are classes of samples: (x, y, name)."""
        return self._found(names, (_SAMPLE,))

    def _found(
        self, names: Iterable[str], before: tuple[str, ...]
    ) -> Iterator[tuple[float, float, str]]:
        for name in names:
            parts = MetricName(name).parts if name.startswith(f"{self.label}/") else ()
            place = parts[len(before) :]
            if parts[: len(before)] == before and len(place) == 2 and all(map(is_number, place)):
                yield float(place[0]), float(place[1]), name


__all__ = [
    "NUMBER",
    "CurveName",
    "Epoch",
    "MapName",
    "MetricName",
    "Split",
    "best",
    "is_number",
    "join",
    "label_of_options",
    "of_split",
    "place",
    "sample_place",
]
