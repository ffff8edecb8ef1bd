"""`docs/results/README.md`: what came out, in sentences that follow from what was printed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from benchmarks.reproductions.items import BY_DEFAULT, Item, Sweep, every
from benchmarks.reproductions.ledger import Entry, Ledger
from sweep.claims.show import ELSEWHERE
from sweep.tables.formats.md import escape
from sweep.tables.text import format_mean_std

Claim = Mapping[str, Any]
"""A judged claim, as ``sweep claims --format json`` has it."""


@dataclass(frozen=True)
class Said:
    """What is printed of a sweep.

    Attributes:
        table: Its table, as ``sweep table --format json`` has it.
        claims: Its claims, as ``sweep claims --format json`` has them; empty: it has none.
    """

    table: Mapping[str, Any]
    claims: Mapping[str, Any]

    @property
    def judged(self) -> Sequence[Claim]:
        """Its claims."""
        return self.claims.get("claims", ())

    @property
    def seeds(self) -> str:
        """Of how many seeds its numbers are: ``3``, or ``1–3``."""
        counts = sorted({cell["n"] for cell in self.table["cells"]} - {0})
        return "–".join(map(str, dict.fromkeys((*counts[:1], *counts[-1:])))) or "0"


HEAD = """\
# What came out

Real reproductions, run by `python -m benchmarks.reproductions` and judged by `sweep claims`. This
page is made from what these commands print; nothing in it is written by hand. A verdict is drawn
from the spread over seeds, by the rules in [how sentences are judged](../claims.md)."""

GROUPS = (
    ("What reproduces", ("holds", "weak"), "No sentence of a paper holds here yet."),
    ("What does not", ("fails",), "No sentence of a paper fails here."),
    ("What stays open", ("undecided",), "No sentence that was tried is left undecided."),
)
"""A section's head, the verdicts that it has, and what it says where there are none."""

MACHINE = ("hardware", "python", "torch")
UNTRIED = ("not yet", "never judged")

AGAIN = """\
## The same again

```sh
make results
make gpu-results
python -m benchmarks.reproductions --list
```

The first runs what is missing of all above, item by item, and can be stopped at any time: it goes
on from its storage or, on another machine, from the records that lie here, which have every trial
with its settings, provenance, numbers and thinned curves (`sweep sync --from` one of them makes a
record of it). `--item 3` runs one item, `--hours 8` stops after so many hours. The second is
for a GPU: six tables at preset small, on all their networks and data sets. `ledger.json` has the
commands, hours, versions and hardware of each table; a test prints every table again from the
records and finds it equal."""


def text(ledger: Ledger, said: Mapping[str, Said], items: Mapping[str, Item]) -> str:
    """The page.

    Args:
        ledger: Of all sweeps that were begun.
        said: Name of a sweep that is done -> what is printed of it.
        items: That there are.
    """
    done = [(number, sweep) for number, sweep in every(items) if sweep.name in said]
    parts = [HEAD, *_where(ledger, done), _overview(ledger, said, done, items)]
    parts += [_told_apart(sweep, said[sweep.name]) for _, sweep in done]
    parts += [_group(*group, said=said, done=done) for group in GROUPS if done]
    parts += [_untried(said), _left(ledger, items), AGAIN]
    return "\n\n".join(part for part in parts if part) + "\n"


def _where(ledger: Ledger, done: Iterable[tuple[str, Sweep]]) -> Iterator[str]:
    """Of which data and machines the numbers are."""
    if any(sweep.cifar10 is not None for _, sweep in done):
        name = "CIFAR-10 (JPEG)" if ledger.source == "parquet" else "CIFAR-10"
        yield f"Images are those of {name}."
    entries = [ledger.of(sweep).environment for _, sweep in done]
    found = [" and ".join(dict.fromkeys(of.get(name, "") for of in entries)) for name in MACHINE]
    if entries:
        hardware, python, torch = found
        yield f"Run on {hardware}; Python {python}, torch {torch}."


def _overview(
    ledger: Ledger,
    said: Mapping[str, Said],
    done: Sequence[tuple[str, Sweep]],
    items: Mapping[str, Item],
) -> str:
    """A row for each table."""
    if not done:
        return "Nothing is done yet."
    lines = [
        "| item | table | preset | seeds | trials | sentences | hours foreseen, trained |",
        "| :-- | :-- | :-- | --: | --: | :-- | :-- |",
    ]
    for number, sweep in done:
        entry, its = ledger.of(sweep), said[sweep.name]
        counts = Counter(claim["verdict"] for claim in its.judged)
        verdicts = ", ".join(f"{count} {verdict}" for verdict, count in counts.items()) or "–"
        lines.append(
            f"| {number} | {_links(sweep, entry)} | {sweep.preset} | {its.seeds} | {entry.trials} "
            f"| {verdicts} | {_hours(entry.foreseen)}, {_hours(entry.spent)} |"
        )
    lines += ["", "Hours are of one core, or of one GPU."]
    for number, item in items.items():
        own = [sweep for of, sweep in done if of == number]
        lines += ["", f"Item {number}: {item.question}", ""] if own else []
        lines += [_about(sweep, said[sweep.name]) for sweep in own]
    return "\n".join(lines)


def _about(sweep: Sweep, said: Said) -> str:
    """What was left out, and whether a verdict speaks about the paper."""
    lines = [f"- [{sweep.name}]({sweep.name}.md): {escape(said.table['title'])}."]
    lines += [f"  Thinned: {sweep.thinned}."] if sweep.thinned else []
    if said.table["variant"]:
        lines.append(f"  With {escape(said.table['variant'])}.")
    if said.judged:
        lines.append(f"  {_speaks_about(sweep, said)}")
    found = said.table["reproduction"]
    if found and found["compared"]:
        lines.append(f"  {found['inside']} of {found['compared']} printed numbers are inside.")
    return "\n".join(lines)


def _speaks_about(sweep: Sweep, said: Said) -> str:
    if not said.table["comparable"]:
        return f"{ELSEWHERE[0].upper()}{ELSEWHERE[1:]}."
    if sweep.own:
        return f"This project's choice: {sweep.own}. A verdict is of these alone."
    return "It was run as printed, and a verdict speaks about the paper."


def _links(sweep: Sweep, entry: Entry) -> str:
    others = [name for name in entry.files if name != f"{sweep.name}.md"]
    named = [f"[{_short(name, sweep)}]({name})" for name in others]
    return ", ".join([f"[{sweep.name}]({sweep.name}.md)", *named])


def _short(name: str, sweep: Sweep) -> str:
    stem = name.rpartition(".")[0].removeprefix(sweep.name).strip("-")
    return stem or "figure"


def _hours(hours: float | None) -> str:
    return "not known" if hours is None else f"{hours:.2f}"


# -- sentences -------------------------------------------------------------------------------------


def _told_apart(sweep: Sweep, said: Said) -> str:
    """Of a table of methods that no paper says anything of: which are told from the best."""
    cells = [cell for cell in said.table["cells"] if cell["name"] == "test_error"]
    if said.judged or not all("method" in cell["row"] for cell in cells) or not cells:
        return ""
    panels: dict[str, list[Mapping[str, Any]]] = {}
    for cell in cells:
        rest = ", ".join(entry for label, entry in cell["row"].items() if label != "method")
        panels.setdefault(rest, []).append(cell)
    lines = [_panel(rest, of) for rest, of in panels.items()]
    return "\n".join([f"## {sweep.name}: which methods are told apart", "", *lines])


def _panel(rest: str, cells: Sequence[Mapping[str, Any]]) -> str:
    known = [cell for cell in cells if cell["mean"] is not None]
    if not known:
        return f"- {rest}: no method has a number."
    best = min(known, key=lambda cell: cell["mean"])
    number = format_mean_std(best["mean"], best["std"], 2)
    line = f"- {rest}: the best mean test error is {_method(best)}'s, {number} % ({best['n']})."
    alike = [cell for cell in known if cell["bold"]]
    if not alike:
        return f"{line} Too few seeds to tell methods apart."
    erm = [cell for cell in known if _method(cell) == "erm"]
    others = len(known) - len(alike)
    line += f" {others} of {len(known)} methods are told from it"
    if erm:
        line += f", ERM {'is not' if erm[0]['bold'] else 'is one of them'}"
        line += f" ({format_mean_std(erm[0]['mean'], erm[0]['std'], 2)} %)"
    return f"{line}."


def _method(cell: Mapping[str, Any]) -> str:
    return str(cell["row"]["method"])


def _group(
    head: str,
    verdicts: Sequence[str],
    none: str,
    said: Mapping[str, Said],
    done: Sequence[tuple[str, Sweep]],
) -> str:
    found = [
        _sentence(claim, sweep)
        for _, sweep in done
        for claim in said[sweep.name].judged
        if claim["verdict"] in verdicts
    ]
    return "\n".join([f"## {head}", "", *(found or [none])])


def _sentence(claim: Claim, sweep: Sweep) -> str:
    held = "" if claim["held"] is None else f", {claim['held']} of {claim['of']}"
    more = claim["more_seeds"]
    seeds = f"; {more} more seeds of each would decide" if more else ""
    own = f" (this project's choice: {sweep.own})" if sweep.own else ""
    return (
        f"- **{claim['verdict']}**{held}, {claim['runs']} runs ([{sweep.name}]({sweep.name}-claims"
        f".md), {claim['id']}): {escape(claim['sentence'])}{seeds}{own}"
    )


def _untried(said: Mapping[str, Said]) -> str:
    count = sum(claim["verdict"] in UNTRIED for its in said.values() for claim in its.judged)
    return f"{count} more sentences need cells that were not run." if count else ""


def _left(ledger: Ledger, items: Mapping[str, Item]) -> str:
    """What two cores can do and is not done."""
    lines = []
    for number in filter(items.__contains__, BY_DEFAULT):
        names = [s.name for s in items[number].sweeps if not ledger.is_done(s)]
        if names:
            lines.append(f"- item {number}, {items[number].title.lower()}: {', '.join(names)}")
    return "\n".join(["## Not run yet", "", *lines]) if lines else ""
