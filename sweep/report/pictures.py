"""The figures of a sweep as SVG that can stand in a page, each with what it shows in words."""

from __future__ import annotations

import re
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING

from trainables.errors import UsageError

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from sweep.plan.expand import Plan
    from sweep.record.record import Record


@dataclass(frozen=True)
class Picture:
    """A figure.

    Attributes:
        text: What it shows, for those who do not see it.
        svg: An ``svg`` element that calls itself by ``text``.
        kind: As `sweep plot --kind` takes it; empty: the artifact's own.
    """

    text: str
    svg: str
    kind: str = ""


def pictures_of(plan: Plan, record: Record) -> tuple[Picture, ...]:
    """Every figure that there is of ``plan``, as far as ``record`` has something to draw."""
    from sweep.figures.kinds import KINDS

    kinds = (None, *KINDS)  # its own first
    figures = [(figure, kind or "") for kind in kinds for figure in _figures(plan, record, kind)]
    name = re.sub(r"\W+", "-", plan.artifact.id)
    return tuple(_picture(figure, f"{name}-{i}-", kind) for i, (figure, kind) in enumerate(figures))


def _figures(plan: Plan, record: Record, kind: str | None) -> Iterator[Figure]:
    from sweep.figures import figures_of

    try:
        yield from figures_of(plan, record, kind)
    except UsageError:  # it has none of that kind, or nothing to draw yet
        return


def _picture(figure: Figure, prefix: str, kind: str) -> Picture:
    text = " ".join(f"{figure.get_suptitle()}. {figure.get_supxlabel()}".split())
    return Picture(text, in_page(_drawn(figure), text, prefix), kind)


def _drawn(figure: Figure) -> str:
    from sweep.figures import save

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "figure.svg"
        save(figure, path)
        return path.read_text(encoding="utf-8")


def in_page(document: str, text: str, prefix: str) -> str:
    """The ``svg`` element of an SVG document, as a page may have several of them.

    Args:
        document: As matplotlib writes it.
        text: What it is called by for those who do not see it.
        prefix: Of its ids, which would else be those of another one, too.
    """
    element = document[document.index("<svg") :]
    element = re.sub(r"<metadata>.*?</metadata>\s*", "", element, flags=re.S)
    element = re.sub(r'(\bid="|href="#|url\(#)', rf"\g<1>{prefix}", element)
    element = element.replace('<style type="text/css">*{', '<style type="text/css">svg *{')
    return element.replace("<svg ", f'<svg role="img" aria-label="{escape(text)}" ', 1)


__all__ = ["Picture", "in_page", "pictures_of"]
