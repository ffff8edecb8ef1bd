"""README's table becomes item 1's."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks.reproductions.readme import with_table

ROOT = Path(__file__).parents[2]
ROWS = ["| method | error |", "| :-- | --: |", "| sam | 3 |"]
TABLE = "\n".join(["### compare: all", "", "- preset: laptop", "", *ROWS, "", "- from"])
LINK = "docs/results/x.md"


def test_rows_and_lead_are_others_and_all_else_stays() -> None:
    before = (ROOT / "README.md").read_text(encoding="utf-8")
    after = with_table(before, TABLE, "sweep table x", LINK)
    old, new = before.splitlines(), after.splitlines()
    start = new.index("<!-- demo table -->")
    assert new[start + 1 : start + 5] == [*ROWS, "<!-- /demo table -->"]
    lead = f"This is the table that `sweep table x` prints ([all that is said of it]({LINK})):"
    assert [line for line in new if line not in old] == [lead, *ROWS]
    gone = [line for line in old if line not in new]
    assert all(line.startswith(("| ", "This is the table that")) for line in gone)
    assert with_table(after, TABLE, "sweep table x", LINK) == after


def test_without_a_place_or_a_table_it_says_so() -> None:
    with pytest.raises(ValueError, match="two marks"):
        with_table("nothing", TABLE, "x", "y")
    before = (ROOT / "README.md").read_text(encoding="utf-8")
    with pytest.raises(ValueError, match="no table"):
        with_table(before, "no rows", "x", "y")
