"""Whether a person's own parts keep what they promise: what `sweep doctor --import` finds."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from typing import TYPE_CHECKING, Literal, NamedTuple

if TYPE_CHECKING:
    from search_spaces.spec import Artifact


class Examined(NamedTuple):
    """A part, and one thing that was found of it.

    Attributes:
        part: ``method my_method``.
        state: ``ok``, ``note``: it could not be checked, or ``broken``.
        words: What was found.
    """

    part: str
    state: Literal["ok", "note", "broken"]
    words: str


def examined() -> Iterator[Examined]:
    """Every part, paper and format of a person's own: what is wrong, or how much was checked."""
    from trainables import conformance
    from trainables.fields import registry_of

    for package, name in conformance.own():
        part = f"{registry_of(package).kind} {name}"
        found = conformance.verdicts(package, name)
        for verdict in found:
            yield Examined(part, "broken" if verdict.broken else "note", verdict.words)
        if not found:
            yield Examined(part, "ok", f"{len(conformance.checks(package))} checks")
    yield from _papers()
    yield from _formats()


def _papers() -> Iterator[Examined]:
    import search_spaces

    for artifact in search_spaces.own_artifacts():
        yield _tried(f"paper's {artifact.id}", partial(_planned, artifact))


def _planned(artifact: Artifact) -> str:
    import search_spaces
    from sweep.plan.expand import plan
    from sweep.record.record import Record
    from sweep.selection import selection

    for preset in search_spaces.PRESETS:
        shrunk = search_spaces.apply(artifact, preset)
        for trial in plan(shrunk, preset, selection("paper"), Record.from_runs([])).trials:
            _ = trial.config
    return "planned at every preset"


def _formats() -> Iterator[Examined]:
    from sweep import own_parts

    for name in own_parts.formats():
        yield _tried(f"format {name}", partial(_rendered, name))


def _rendered(name: str) -> str:
    """A table of nothing but places, as a sweep has before its first trial."""
    import search_spaces
    from sweep.plan.expand import plan
    from sweep.record.record import Record
    from sweep.selection import selection
    from sweep.tables import render, table_of

    nothing = Record.from_runs([])
    artifact = search_spaces.apply(search_spaces.find("nrs/table3"), "smoke")
    table = table_of(plan(artifact, "smoke", selection("paper"), nothing), nothing)
    return f"a table of {len(render(table, name))} characters"


def _tried(part: str, attempt: Callable[[], str]) -> Examined:
    try:
        return Examined(part, "ok", attempt())
    except Exception as error:
        first = (str(error).strip() or repr(error)).splitlines()[0]
        return Examined(part, "broken", f"{type(error).__name__}: {first}")


__all__ = ["Examined", "examined"]
