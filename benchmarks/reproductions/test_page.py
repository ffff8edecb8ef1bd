"""The page's sentences follow from what is printed, each in the section of its verdict."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from benchmarks.reproductions import page
from benchmarks.reproductions.items import ITEMS
from benchmarks.reproductions.ledger import Entry, Ledger
from benchmarks.reproductions.page import Said

COMPARE, AMP = ITEMS["1"].sweeps[0], ITEMS["4"].sweeps[0]


def claim(verdict: str, **more: Any) -> dict[str, Any]:
    return {
        "id": f"amp-{verdict}", "verdict": verdict, "held": 2, "of": 3, "runs": 6,
        "more_seeds": None, "sentence": f"a sentence that {verdict}", **more,
    }  # fmt: skip


def cell(method: str, mean: float | None, bold: bool = False, n: int = 3) -> dict[str, Any]:
    return {
        "name": "test_error", "row": {"budget": "equal time", "method": method}, "mean": mean,
        "std": 0.5, "n": n, "bold": bold,
    }  # fmt: skip


def said(cells: list[dict[str, Any]], *claims: dict[str, Any], **more: Any) -> Said:
    table = {
        "cells": cells,
        "title": "A title",
        "variant": "",
        "comparable": False,
        "reproduction": None,
        **more,
    }
    return Said(table, {"claims": list(claims)} if claims else {})


def text(its: dict[str, Said]) -> str:
    entry = Entry(
        "1", foreseen=1.5, spent=2.25, trials=24, done="2026-01-02",
        environment={"hardware": "a machine", "python": "3", "torch": "2"},
    )  # fmt: skip
    ledger = Ledger(Path(), "parquet", dict.fromkeys(its, entry))
    return page.text(ledger, its, ITEMS)


def section(whole: str, head: str) -> str:
    return whole.partition(f"## {head}\n")[2].partition("\n## ")[0]


@pytest.mark.parametrize(
    ("verdict", "head"),
    [
        ("holds", "What reproduces"),
        ("weak", "What reproduces"),
        ("fails", "What does not"),
        ("undecided", "What stays open"),
    ],
)
def test_a_sentence_stands_under_its_verdict_alone(verdict: str, head: str) -> None:
    whole = text({AMP.name: said([cell("ERM", 4.0)], claim(verdict, more_seeds=5))})
    assert whole.count(f"a sentence that {verdict}") == 1
    line = section(whole, head)
    assert f"**{verdict}**, 2 of 3, 6 runs" in line
    assert "5 more seeds of each would decide" in line
    assert f"1 {verdict} |" in whole
    assert "a verdict is of this data" in whole.lower()


def test_what_was_not_tried_is_counted_and_not_shown() -> None:
    whole = text({AMP.name: said([cell("ERM", 4.0)], claim("not yet"), claim("never judged"))})
    assert "2 more sentences need cells that were not run." in whole
    assert "a sentence that" not in whole
    assert "No sentence of a paper holds here yet." in whole


def test_of_what_ran_as_printed_a_verdict_speaks_about_the_paper() -> None:
    found = {"inside": 3, "compared": 4}
    its = said([cell("ERM", 4.0)], claim("holds"), comparable=True, reproduction=found)
    whole = text({AMP.name: its})
    assert "a verdict speaks about the paper" in whole
    assert "3 of 4 printed numbers are inside." in whole


def test_of_what_the_paper_does_not_print_no_verdict_speaks_about_it() -> None:
    (spirals,) = (s for s in ITEMS["3"].sweeps if s.artifact == "amp/figure6")
    whole = text({spirals.name: said([cell("ERM", 4.0)], claim("fails"), comparable=True)})
    assert "speaks about the paper" not in whole
    assert f"This project's choice: {spirals.own}. A verdict is of these alone." in whole
    assert f"(this project's choice: {spirals.own})" in section(whole, "What does not")


@pytest.mark.parametrize(
    ("cells", "sentence"),
    [
        (
            [cell("erm", 4.0), cell("sam", 3.0, True), cell("nso", 3.2, True)],
            "equal time: the best mean test error is sam's, 3.00 ± 0.50 % (3). 1 of 3 methods are"
            " told from it, ERM is one of them (4.00 ± 0.50 %).",
        ),
        (
            [cell("erm", 3.1, True), cell("sam", 3.0, True), cell("fa", None)],
            "0 of 2 methods are told from it, ERM is not (3.10 ± 0.50 %).",
        ),
        ([cell("erm", 4.0), cell("sam", 3.0)], "Too few seeds to tell methods apart."),
        ([cell("erm", None)], "equal time: no method has a number."),
    ],
)
def test_methods_are_told_apart_by_what_the_table_has_in_bold(
    cells: list[dict[str, Any]], sentence: str
) -> None:
    assert sentence in text({COMPARE.name: said(cells)})


def test_each_table_has_a_row_with_its_seeds_trials_and_hours() -> None:
    whole = text({COMPARE.name: said([cell("erm", 3.1, n=2), cell("sam", 3.0)])})
    assert "| laptop | 2–3 | 24 | – | 1.50, 2.25 |" in whole
    assert "Images are those of CIFAR-10 (JPEG)." in whole
    assert "Run on a machine; Python 3, torch 2." in whole


def test_what_is_left_is_named() -> None:
    left = section(text({COMPARE.name: said([cell("erm", 3.1)])}), "Not run yet")
    assert COMPARE.name + "," not in left
    assert all(sweep.name in left for sweep in (*ITEMS["2"].sweeps, *ITEMS["4"].sweeps))
    assert "gpu" not in left


def test_before_anything_is_done_it_says_so() -> None:
    whole = page.text(Ledger(Path()), {}, ITEMS)
    assert "Nothing is done yet." in whole
    assert "make results" in whole
