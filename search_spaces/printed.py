"""Printed tables as text: one line per printed row, so that it can be checked against the PDF.

    ResNet18 | NRS | 96.01±0.15 96.47±0.10 78.67±0.17 79.88±0.14

Labels come before the last bar, numbers after it; ``-`` is a number that was not printed.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from search_spaces.spec import Reported
from trainables.errors import UsageError


def rows(text: str, n: int | None = None) -> Iterator[tuple[tuple[str, ...], list[Reported]]]:
    """Labels and numbers of every line of ``text``; each number is a mean over ``n`` runs.

    Raises:
        ValueError: if a line has no labels or something that is not a number.
    """
    for line in filter(None, map(str.strip, text.splitlines())):
        labels, bar, numbers = line.rpartition("|")
        if not bar:
            raise UsageError(f"no labels in {line!r}: write 'label | numbers'")
        yield (
            tuple(label.strip() for label in labels.split("|")),
            [parse_number(item, n) for item in numbers.split()],
        )


def parse_number(text: str, n: int | None = None) -> Reported:
    """A printed number over ``n`` runs: ``93.12±0.08``, ``93.12``, or ``-`` where there is none."""
    if text == "-":
        return Reported(None)
    mean, _, std = text.partition("±")
    return Reported(float(mean), float(std) if std else None, n)


def table(
    text: str, columns: Iterable[tuple[str, ...]], n: int | None = None
) -> Iterator[tuple[tuple[str, ...], tuple[str, ...], Reported]]:
    """Every number of a printed table, as (labels of its row, labels of its column, number).

    Args:
        text: The rows, one per line.
        columns: The labels of the columns, from left to right.
        n: Over how many runs each number is.

    Raises:
        ValueError: a line has more or fewer numbers than there are columns.
    """
    heads = list(columns)
    for labels, numbers in rows(text, n):
        for head, value in zip(heads, numbers, strict=True):
            yield labels, head, value
