"""One variant of a table less another: by hand, and where either lacks trials."""

from __future__ import annotations

import csv
import io
import json
import math
from dataclasses import replace
from typing import Any

import pytest

from search_spaces.spec import Choice, Metric, Notes, Reading, Reported, Variant
from sweep.aggregate import Summary
from sweep.tables import FORMATS, difference, render, text
from sweep.tables.difference import ToRun
from sweep.tables.layout import Table, TableCell
from tests.sweep.tables.cases import cell, summary, table_of

RULE = Choice("the rule", "a", "why", name="rule", default="a", others={"b": Reading("b")})
COMMANDS = ("sweep run paper/table1 --preset paper", "sweep run paper/table1 --read rule=b")
PLAIN = Metric("test_error", "loss")


def to_run(*lacking: str) -> tuple[ToRun, ToRun]:
    """Trial ``sam`` of the table's own variant (a), of the other (b)."""
    own, other = ({"sam"} if mark in lacking else set[str]() for mark in "ab")
    return ToRun(own, COMMANDS[0]), ToRun(other, COMMANDS[1])


def tables(own: Summary, other: Summary, *lacking: str, **more: Any) -> Table:
    one = table_of({("sam",): own}, metrics=(PLAIN,), notes=Notes("A title", (RULE,)), **more)
    two = table_of({("sam",): other}, metrics=(PLAIN,), notes=Notes("A title", (RULE,)), **more)
    readings = {"rule": "b"}
    two = replace(two, variant=str(Variant(readings)), readings=readings)
    return difference.less(one, two, to_run(*lacking))


def of(table: Table) -> TableCell:
    return cell(table, "sam")


def trials(own: Summary, name: str) -> Summary:
    return replace(own, trial_ids=tuple(f"{name}{i}" for i in range(own.n)))


def test_the_interval_by_hand() -> None:
    """Means 2 and 5, both s = 1 with n = 3: df = 4, t(0.975, 4) = 2.776445, t sqrt(2 / 3)."""
    own, other = trials(summary([1.0, 2.0, 3.0]), "a"), trials(summary([4.0, 5.0, 6.0]), "b")
    found = of(tables(own, other))
    assert found.difference == -3.0
    assert math.isclose(found.half_width or 0, 2.7764451051977987 * math.sqrt(2 / 3), rel_tol=1e-12)
    assert found.inside is False
    assert text.difference(found) == "−3.00, outside ±2.27"
    assert text.measured(found) == "2.00 ± 1.00 (3)"
    assert text.against(found) == "5.00 ± 1.00 (3)"


def test_unequal_spreads_by_hand() -> None:
    """s² / n = 1 / 3 and 1: df = (4 / 3)² / ((1 / 3)² / 2 + 1² / 1) = 32 / 19."""
    own, other = trials(summary([1.0, 2.0, 3.0]), "a"), trials(summary([2.0, 4.0]), "b")
    width = of(tables(own, other)).half_width
    assert width is not None
    # The share of Student's density beyond ±t is 5 %, by Simpson's rule in its angle.
    df, t = 32 / 19, width / math.sqrt(4 / 3)
    steps, top = 20_000, math.atan(t / math.sqrt(df))
    ys = [math.cos(i * top / steps) ** (df - 1) for i in range(steps + 1)]
    inner = top / steps / 3 * (ys[0] + 4 * sum(ys[1::2]) + 2 * sum(ys[2:-1:2]) + ys[-1])
    whole = math.sqrt(math.pi) * math.gamma(df / 2) / math.gamma((df + 1) / 2)
    assert math.isclose(2 * inner / whole, 0.95, rel_tol=1e-9)


def test_no_interval_of_one_seed() -> None:
    found = of(tables(trials(summary([1.0]), "a"), trials(summary([4.0, 5.0, 6.0]), "b")))
    assert found.difference == -4.0
    assert found.half_width is found.inside is None
    assert text.difference(found) == "−4.00"


def test_the_same_trials_have_no_difference_to_tell() -> None:
    own = summary([1.0, 2.0, 3.0])
    found = of(tables(own, own))
    assert (found.difference, found.half_width) == (0.0, None)
    assert text.difference(found) == "0: the same trials"


@pytest.mark.parametrize(
    ("own", "other", "lacking"),
    [
        (summary([], missing=3), summary([4.0, 5.0]), "a"),
        (summary([4.0, 5.0]), summary([], failed=2), "b"),
        (summary([], missing=2), summary([], missing=2), "ab"),
    ],
)
def test_what_a_variant_lacks_is_missing_and_the_command_is_there(
    own: Summary, other: Summary, lacking: str
) -> None:
    table = tables(own, other, *lacking)
    found = of(table)
    assert found.difference is None
    assert text.difference(found) == f"missing [{', '.join(lacking)}]"
    said = " ".join(line for _, line in table.footnotes)
    for mark, command in zip("ab", COMMANDS, strict=True):
        assert (f"`{command}` runs them" in said) == (mark in lacking)
    for name in ("terminal", "md", "html", "latex"):
        assert "missing" in render(table, name)


def test_of_seeds_that_are_not_all_there_it_is_said_too() -> None:
    own, other = trials(summary([1.0, 2.0], missing=1), "a"), trials(summary([4.0, 5.0]), "b")
    table = tables(own, other, "a")
    assert text.difference(of(table)).endswith(" [a]")
    assert text.difference(of(table)).startswith("−3.00, ")
    assert [mark for mark, _ in table.footnotes] == ["a"]


def test_what_has_diverged_is_not_missing() -> None:
    table = tables(summary([], diverged=2), trials(summary([4.0, 5.0]), "b"))
    assert text.difference(of(table)) == ""
    assert table.footnotes == ()


def test_what_is_printed_is_left_out_and_nothing_is_bold() -> None:
    reported = {("sam",): {"test_error": Reported(3.0, 1.0, 3, "a slip")}}
    own, other = trials(summary([1.0, 2.0]), "a"), trials(summary([4.0, 5.0]), "b")
    table = tables(own, other, reported=reported)
    assert not any(c.reported or c.bold or c.mark for _, _, c in table.cells)
    header = dict(text.header(table))
    assert {"comparison", "not compared", "directions"}.isdisjoint(header)


def test_the_header_says_what_is_taken_from_what() -> None:
    table = tables(trials(summary([1.0, 2.0]), "a"), trials(summary([4.0, 5.0]), "b"))
    header = dict(text.header(table))
    assert header["against"] == "--read rule=b"
    assert header["difference"].startswith("Δ is rule=a less rule=b, with the Welch 95 % interval")
    for name in FORMATS:
        shown = render(table, name)
        assert "rule=b" in shown
        assert "against" in shown


def test_columns_are_paired_though_a_reading_calls_one_otherwise() -> None:
    """By their heads; by their order where the heads are others."""
    numbers = {"test_error": summary([1.0]), "test_nll": summary([2.0])}
    own = (PLAIN, Metric("test_nll", "NLL"))
    one = table_of({("sam",): numbers}, metrics=own)
    for other in (own[::-1], (Metric("test_error", "worst loss"), own[1])):
        two = table_of({("sam",): numbers}, metrics=other)
        two = replace(two, readings={"rule": "b"}, variant="--read rule=b")
        found = difference.less(one, two, to_run())
        assert [c.against.metric.name for _, _, c in found.cells if c.against] == [
            "test_error", "test_nll",
        ]  # fmt: skip


def test_numbers_of_other_units_stand_beside_each_other_without_a_difference() -> None:
    one = table_of({("sam",): summary([0.1, 0.2])}, metrics=(PLAIN,))
    two = table_of(
        {("sam",): summary([0.1, 0.3])}, metrics=(Metric("test_error", "loss", shown="accuracy"),)
    )
    found = of(difference.less(one, replace(two, readings={"rule": "b"}), to_run()))
    assert found.against is not None
    assert found.difference is None


def test_programs_get_both_numbers() -> None:
    own, other = trials(summary([1.0, 2.0, 3.0]), "a"), trials(summary([4.0, 5.0, 6.0]), "b")
    table = tables(own, other)
    tree = json.loads(render(table, "json"))
    (entry,) = tree["cells"]
    assert (tree["variant"], tree["against"]) == ("", "--read rule=b")
    assert entry["against"]["mean"] == 5.0
    assert entry["against"]["n"] == 3
    assert entry["difference"] == -3.0
    (line,) = csv.DictReader(io.StringIO(render(table, "csv")))
    assert (line["against_variant"], line["against_mean"]) == ("--read rule=b", "5.0")
    assert float(line["half_width"]) == entry["half_width"]
