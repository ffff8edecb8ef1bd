"""What a table says in words and digits, the same in every format that a person reads."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import groupby

from search_spaces.spec import Choice
from sweep.claims.show import ELSEWHERE
from sweep.tables.cells import LEAST_SEEDS, TableCell
from sweep.tables.layout import Table
from sweep.tables.reproduction import Direction

NOTHING = "–"

LABELS = ("searched", "spent")
"""What notes are about that are no changes: a search's."""


def format_number(value: float, digits: int, sign: bool = False) -> str:
    """``value`` with ``digits`` after the point; in scientific notation where these show only 0.

    Args:
        sign: Show a plus sign, too, and never scientific notation.
    """
    spec = "+" if sign else ""
    tiny = value != 0 and abs(value) < 0.5 * 10**-digits
    text = f"{value:{spec}.1e}" if tiny and not sign else f"{value:{spec}.{digits}f}"
    return text.replace("-", "−")


def format_mean_std(mean: float, std: float | None, digits: int) -> str:
    """``1.23 ± 0.04``, or the mean alone."""
    return format_number(mean, digits) + ("" if std is None else f" ± {format_number(std, digits)}")


def value(cell: TableCell) -> str:
    """The measured number without its counts."""
    return (
        NOTHING if cell.mean is None else format_mean_std(cell.mean, cell.std, cell.metric.digits)
    )


def counts(cell: TableCell) -> str:
    """``(3)``: as many seeds as asked; else ``(2/3, 1 diverged)``."""
    n = str(cell.n) if cell.n == cell.asked else f"{cell.n}/{cell.asked}"
    return f"({', '.join((n, *cell.problems))})"


def measured(cell: TableCell) -> str:
    """``1.23 ± 0.04 (3)``: `value` and `counts`."""
    return f"{value(cell)} {counts(cell)}"


def printed(cell: TableCell) -> str:
    """``1.30 ± 0.05 (10)`` with the mark of its footnote; empty if nothing was printed."""
    reported = cell.reported
    if reported is None or reported.mean is None:
        return ""
    text = format_mean_std(reported.mean, reported.std, cell.metric.digits)
    text += "" if reported.n is None else f" ({reported.n})"
    return text + (f" [{cell.mark}]" if cell.mark else "")


def against(cell: TableCell) -> str:
    """`measured` of the other variant that a cell stands beside; empty: there is none."""
    return "" if cell.against is None else measured(cell.against)


def difference(cell: TableCell) -> str:
    """``−0.07, inside ±0.12``: the difference, and Welch's interval where it is known.

    Where it is not, ``−0.07, not comparable: no spread is printed``; of a number whose footnote
    says why, ``not comparable [a]``. What holds of a whole table stands above it alone.
    Between variants it may be ``missing``, and the footnote says how to run what is; or there is
    none, because both show the same trials.
    """
    lacking = f" [{cell.mark}]" if cell.against is not None and cell.mark else ""
    if cell.difference is None and cell.incomparable and cell.incomparable == cell.note:
        return f"not comparable [{cell.mark}]" if cell.mean is not None else ""
    if cell.difference is None:
        return f"missing{lacking}" if lacking else ""
    if cell.same_trials:
        return f"0: the same trials{lacking}"
    text = format_number(cell.difference, cell.metric.digits, sign=True)
    if cell.half_width is not None:
        verdict = "inside" if cell.inside else "outside"
        text += f", {verdict} ±{format_number(cell.half_width, cell.metric.digits)}"
    elif cell.incomparable:
        text += f", not comparable: {cell.incomparable}"
    return text + lacking


def selected(cells: Sequence[TableCell | None]) -> list[tuple[str, int]]:
    """Which point of its search won in each part of a row: (point, how many columns it is of)."""
    points = groupby("" if cell is None else cell.selected for cell in cells)
    return [(point, len(list(same))) for point, same in points]


def header(table: Table) -> list[tuple[str, str]]:
    """What stands above the numbers: (what it is about, text)."""
    lines = [
        ("preset", f"{table.preset}: {table.summary}"),
        ("variant", table.variant),
        ("against", "" if table.against is None else table.against or "the default readings"),
        ("difference", table.difference),
        ("selection", table.selection),
        *((sentence.what, sentence.text) for sentence in table.sentences),
        ("shrunk", "; ".join(note for note in table.notes if not _labelled(note))),
        *(line for note in table.notes if (line := _labelled(note))),
        ("comparison", comparison(table)),
        ("not compared", not_compared(table)),
        ("reproduced", reproduced(table)),
        ("directions", table.directions),
        ("order", order(table)),
        ("baseline", beside_baseline(table)),
    ]
    return [(what, text) for what, text in lines if text]


def _labelled(note: str) -> tuple[str, str] | None:
    """A note that has a line of its own: what it is about, and the rest; None: it has none."""
    what, _, said = note.partition(": ")
    return (what, said) if what in LABELS else None


def comparison(table: Table) -> str:
    """What may be concluded from measured and printed numbers side by side."""
    if not table.any_reported:
        return ""
    if table.comparable:
        return (
            "Δ is measured less printed; inside: the Welch 95 % interval of the difference, from "
            "both spreads, includes 0 (not comparable where a spread or its n is not known)"
        )
    if table.settings:
        return (
            f"{', '.join(table.settings)} set by hand: printed numbers are shown beside, and only "
            "directions (which is better) can be compared, not numbers"
        )
    return (
        "data and network differ from the paper's: printed numbers are shown beside, and only "
        "directions (which is better) can be compared, not numbers"
    )


def not_compared(table: Table) -> str:
    """How many printed numbers are only shown, each kind with the mark of its footnote."""
    shown = [c for _, _, c in table.cells if c.reported is not None]
    apart = Counter(c.mark for c in shown if c.reported is not None and not c.reported.comparable)
    if not apart:
        return ""
    marks = ", ".join(f"{count} with [{mark}]" for mark, count in apart.items())
    return f"{apart.total()} of the {len(shown)} printed numbers, shown only: {marks}"


def reproduced(table: Table) -> str:
    """``4 of 5 printed numbers are inside; not comparable: no spread is printed (1), [a] (2)``."""
    found = table.reproduction
    apart = ", ".join(f"{why} ({count})" for why, count in found.not_comparable.items())
    if not found.compared:
        return f"no printed number can be compared: {apart}" if apart else ""
    said = f"{found.inside} of {found.compared} printed numbers are inside"
    return said + (f"; not comparable: {apart}" if apart else "")


def order(table: Table) -> str:
    """Kendall's tau of the cells that compete; empty: there is no pair of them."""
    found = table.reproduction
    if found.tau is None:
        return ""
    tau = format_number(found.tau, 2, sign=True)
    return f"Kendall's tau {tau} of measured and printed numbers, over these pairs"


def beside_baseline(table: Table) -> str:
    """``on the printed side of ERM: SAM at 3 of 4 places (2 distinguishably)``."""
    found = table.reproduction
    methods = [_direction(each) for each in found.directions]
    return f"on the printed side of {found.baseline}: {', '.join(methods)}" if methods else ""


def _direction(found: Direction) -> str:
    clear = [f"{found.clearly} distinguishably"] if found.clearly else []
    clear += [f"{found.clearly_not} distinguishably not"] if found.clearly_not else []
    said = f"{found.method} at {found.as_printed} of {found.pairs}"
    return said + (f" ({', '.join(clear)})" if clear else "")


def footer(table: Table, bold: str = "bold") -> list[tuple[str, str]]:
    """What stands below the numbers: (what it is about, text).

    How to read the numbers, footnotes, what the paper concludes, how it was interpreted, and where
    the numbers come from.

    Args:
        bold: How numbers that are bold are marked.
    """
    lines = [*below(table, bold), *readings(table)]
    if table.provenance:
        lines.append(("from", ", ".join(f"{k} {v}" for k, v in table.provenance.items())))
    return lines


def below(table: Table, bold: str = "bold") -> list[tuple[str, str]]:
    """How to read the numbers, footnotes, and what the paper concludes: a part of `footer`."""
    reading = "mean ± sample standard deviation (n seeds; n/asked where some gave no number)"
    chosen = [cell for _, _, cell in table.cells if cell.bold]
    if chosen:
        ratio = ", of times their ratios" if any(c.metric.in_proportion for c in chosen) else ""
        reading += (
            f"; {bold}: best, or not distinguishable from the best (Welch{ratio}, 5 % family-wise "
            f"by Holm; fewer than {LEAST_SEEDS} seeds are not compared)"
        )
    lines = [("numbers", reading)]
    lines += [(f"[{mark}]", text) for mark, text in table.footnotes]
    lines += [("paper says", claim) for claim in table.claims]
    lines += list(table.verdicts)
    if table.verdicts and not table.comparable:
        lines.append(("verdicts", ELSEWHERE))
    return lines


def readings(table: Table) -> list[tuple[str, str]]:
    """How what the paper leaves open was read: a part of `footer`."""
    return [("reading", choice_read(choice, table)) for choice in table.choices]


def choice_read(choice: Choice, table: Table) -> str:
    """``step=literal. What is open: how it is read (why)``; without a name where it has none.

    The reason is that of the default: where another value is taken, it says so.
    """
    if not choice.name:
        return f"{choice.what}: {choice.interpretation} ({choice.why})"
    value = table.readings[choice.name]
    why = choice.why if value == choice.default else f"default {choice.default}: {choice.why}"
    return f"{choice.name}={value}. {choice.what}: {choice.interpretation} ({why})"


def spans(table: Table, level: int) -> Iterator[tuple[str, int]]:
    """The columns' heads in line ``level``: (entry, how many columns it stands over)."""
    columns = [column[: level + 1] for column in table.columns]
    start = 0
    for end in range(1, len(columns) + 1):
        if end == len(columns) or columns[end] != columns[start]:
            yield columns[start][-1], end - start
            start = end


def group_starts(table: Table) -> list[bool]:
    """For each row, whether a line is drawn above it, because a group of rows starts there.

    A group is rows that agree in all labels but the innermost. If each row were a group of its
    own, no lines are drawn.
    """
    outer = [row[:-1] for row in table.rows]
    starts = [i > 0 and outer[i] != outer[i - 1] for i in range(len(outer))]
    return starts if not all(starts[1:]) else [False] * len(starts)


def body(table: Table) -> Iterator[tuple[list[str], tuple[TableCell | None, ...], bool]]:
    """Per row: its names, those that repeat the row above left empty; its cells; `group_starts`."""
    previous: tuple[str, ...] = ()
    for row, cells, starts in zip(table.rows, table.grid, group_starts(table), strict=True):
        yield row_names(row, previous), cells, starts
        previous = row


def row_names(row: tuple[str, ...], previous: tuple[str, ...]) -> list[str]:
    """Entries of a row's labels, those that repeat the row above left empty."""
    return ["" if row[: i + 1] == previous[: i + 1] else name for i, name in enumerate(row)]


__all__ = [
    "NOTHING",
    "against",
    "below",
    "beside_baseline",
    "body",
    "choice_read",
    "comparison",
    "counts",
    "difference",
    "footer",
    "format_mean_std",
    "format_number",
    "group_starts",
    "header",
    "measured",
    "not_compared",
    "order",
    "printed",
    "readings",
    "reproduced",
    "row_names",
    "selected",
    "spans",
    "value",
]
