r"""Tables as LaTeX, for ``\usepackage{booktabs,graphicx}``: ``table.tex.jinja``."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence

from jinja2 import Environment, PackageLoader, StrictUndefined

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
    return (
        _environment()
        .get_template("table.tex.jinja")
        .render(
            table=table,
            header=text.header(table),
            footer=text.footer(table),
            label=re.sub(r"[^A-Za-z0-9]+", "-", table.artifact),
            text=text,
            each=_each,
        )
    )


def _each(words: Callable[[TableCell], str], cells: Sequence[TableCell | None]) -> list[str]:
    return ["" if cell is None else words(cell) for cell in cells]


def _environment() -> Environment:
    """Jinja with delimiters that LaTeX does not use."""
    made = Environment(
        loader=PackageLoader("sweep.tables", "formats"),
        undefined=StrictUndefined,
        block_start_string="<%",
        block_end_string="%>",
        variable_start_string="<<",
        variable_end_string=">>",
        comment_start_string="<#",
        comment_end_string="#>",
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    made.filters |= {"tex": escape, "sentence": lambda plain: escape(plain.rstrip(".")) + "."}
    return made


def escape(plain: str) -> str:
    """Text as LaTeX shows it literally; symbols that its fonts lack become mathematics."""
    plain = " ".join(plain.split())
    return _SPECIAL_PATTERN.sub(lambda match: _SPECIAL.get(match[0], match[0] + "{}"), plain)


__all__ = ["escape", "render"]
