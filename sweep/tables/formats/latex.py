r"""Tables as LaTeX, for ``\usepackage{booktabs,graphicx}``."""

from __future__ import annotations

import re

from sweep.tables import text
from sweep.tables.cells import TableCell
from sweep.tables.layout import Table

_SPECIAL = {
    "\\": r"\textbackslash{}", "{": r"\{", "}": r"\}", "$": r"\$", "&": r"\&", "%": r"\%",
    "#": r"\#", "_": r"\_", "~": r"\textasciitilde{}", "^": r"\textasciicircum{}",
    "<": r"\textless{}", ">": r"\textgreater{}", "|": r"\textbar{}", '"': r"\textquotedbl{}",
    "±": r"$\pm$", "−": r"$-$", "×": r"$\times$", "·": r"$\cdot$", "→": r"$\to$", "≤": r"$\le$",
    "≥": r"$\ge$", "≈": r"$\approx$", "∞": r"$\infty$", "√": r"$\surd$", "²": r"$^2$",
    "³": r"$^3$", "‖": r"$\|$", "–": "--", "—": "---", "…": r"\ldots{}", "’": "'", "‘": "`",
    "“": "``", "”": "''", "°": r"$^\circ$", "½": r"$\frac12$", "Δ": r"$\Delta$",
    "α": r"$\alpha$", "β": r"$\beta$", "γ": r"$\gamma$", "δ": r"$\delta$", "ε": r"$\epsilon$",
    "ζ": r"$\zeta$", "η": r"$\eta$", "θ": r"$\theta$", "κ": r"$\kappa$", "λ": r"$\lambda$",
    "μ": r"$\mu$", "ρ": r"$\rho$", "σ": r"$\sigma$", "τ": r"$\tau$", "φ": r"$\phi$",
    "Σ": r"$\Sigma$",
}  # fmt: skip
_LIGATURES = "-'`"  # two of them in a row would become a dash or a quotation mark
_SPECIAL_PATTERN = re.compile(
    "|".join([*map(re.escape, _SPECIAL), *(f"{mark}(?={mark})" for mark in _LIGATURES)])
)


def render(table: Table) -> str:
    r"""A ``table`` environment: caption, booktabs rules, notes below.

    What was printed, and the difference, stand in lines of their own under each row, so that a
    column stays as wide as its numbers; a table wider than the page is scaled to fit.
    """
    labels, columns = len(table.row_labels), len(table.columns)
    said = " ".join(f"{what.capitalize()}: {_sentence(line)}" for what, line in text.header(table))
    notes = [f"{escape(what)}: {_sentence(line)}" for what, line in text.footer(table)]
    return "\n".join(
        [
            r"% needs \usepackage{booktabs,graphicx}",
            r"\begin{table}",
            r"\centering\footnotesize",
            rf"\caption{{{_sentence(table.title)} {said}}}",
            r"\smallskip",
            rf"\label{{tab:{re.sub(r'[^A-Za-z0-9]+', '-', table.artifact)}}}",
            r"\resizebox{\ifdim\width>\linewidth\linewidth\else\width\fi}{!}{%",
            rf"\begin{{tabular}}{{@{{}}{'l' * labels}{'r' * columns}@{{}}}}",
            r"\toprule",
            *_head(table),
            r"\midrule",
            *_body(table),
            r"\bottomrule",
            r"\end{tabular}}",
            r"\par\medskip\begin{minipage}{\linewidth}\scriptsize\raggedright",
            *notes,
            r"\end{minipage}",
            r"\end{table}",
            "",
        ]
    )


def _sentence(plain: str) -> str:
    return escape(plain.rstrip(".")) + "."


def _head(table: Table) -> list[str]:
    """A line a column label, equal neighbors under one rule; the last line names the rows."""
    lines = []
    depth, offset = len(table.column_labels), len(table.row_labels)
    for level in range(depth):
        last = level == depth - 1
        entries = list(map(escape, table.row_labels)) if last else [""] * offset
        rules, at = [], offset + 1
        for name, width in text.spans(table, level):
            name = escape(name)
            entries.append(name if last else rf"\multicolumn{{{width}}}{{c}}{{{name}}}")
            if not last and name:
                rules.append(rf"\cmidrule(lr){{{at}-{at + width - 1}}}")
            at += width
        lines.append(_row(entries))
        lines += ["".join(rules)] if rules else []
    return lines


def _body(table: Table) -> list[str]:
    lines: list[str] = []
    previous: tuple[str, ...] = ()
    starts = text.group_starts(table)
    for row, cells, start in zip(table.rows, table.grid, starts, strict=True):
        if start:
            lines.append(r"\addlinespace")
        names = map(escape, text.row_names(row, previous))
        lines.append(_row([*names, *map(_measured, cells)]))
        printed = ["" if cell is None else text.printed(cell) for cell in cells]
        differences = ["" if cell is None else text.difference(cell) for cell in cells]
        for name, entries in (("printed", printed), ("Δ", differences)):
            if any(entries):
                label = rf"\quad {{\scriptsize {escape(name)}}}"
                small = [rf"{{\scriptsize {escape(e)}}}" if e else "" for e in entries]
                lines.append(_row([*[""] * (len(row) - 1), label, *small]))
        previous = row
    return lines


def _measured(cell: TableCell | None) -> str:
    if cell is None:
        return ""
    number = escape(text.value(cell))
    number = rf"\textbf{{{number}}}" if cell.bold else number
    return rf"{number} {{\scriptsize {escape(text.counts(cell))}}}"


def _row(entries: list[str]) -> str:
    return " & ".join(entries) + r" \\"


def escape(plain: str) -> str:
    """Text as LaTeX shows it literally; symbols that its fonts lack become mathematics."""
    plain = " ".join(plain.split())
    return _SPECIAL_PATTERN.sub(lambda match: _SPECIAL.get(match[0], match[0] + "{}"), plain)


__all__ = ["escape", "render"]
