"""Whether a table comes out as printed, where that is known. Oracle: `scipy.stats`."""

from __future__ import annotations

import csv
import io
import json
from dataclasses import replace

import pytest
from scipy import stats

import search_spaces
from search_spaces.presets import AS_PRINTED
from search_spaces.spec import Metric, Reported
from sweep.tables.cells import TableCell, competing_label
from sweep.tables.layout import FORMATS, Table, render
from sweep.tables.reproduction import reproduction
from sweep.tables.text import header
from tests.sweep.tables.cases import ERROR, SMALL, THREE, cell, summary, table_of

PEOPLE = sorted({*FORMATS} - {"csv", "json"})


def printed(**values: float) -> dict[tuple[str, ...], dict[str, Reported]]:
    return {(name,): {"test_error": Reported(value, 1.0, 3)} for name, value in values.items()}


def of_means(**means: float) -> dict[tuple[str, ...], object]:
    return {
        (name,): summary([m / 100 - 1e-3, m / 100, m / 100 + 1e-3]) for name, m in means.items()
    }


def trained_by(cell: TableCell, method: str) -> TableCell:
    place = replace(cell.result.cell, fields={"method": method})
    return replace(cell, result=replace(cell.result, cell=place))


def with_methods(table: Table) -> Table:
    """Every row is trained by the method of its name."""
    cells = [trained_by(c, c.result.cell.key["method"]) for _, _, c in table.cells]
    experiment = search_spaces.find("nrs/table1").experiment  # its base has no method
    assert "method" not in experiment.base
    return replace(table, reproduction=reproduction(cells, "method", experiment))


# -- cells -----------------------------------------------------------------------------------------

REASONS = {
    ("inside",): Reported(2.5, 1.0, 3),
    ("outside",): Reported(14.0, 1.0, 3),
    ("bare",): Reported(14.0),
    ("once",): Reported(14.0, 1.0, 1),
    ("unknown",): Reported(14.0, 1.0),
    ("another",): Reported(14.0, 1.0, 3, "another loss", comparable=False),
    ("none",): Reported(14.0, 1.0, 3),
    ("single",): Reported(14.0, 1.0, 3),
    ("unprinted",): None,
}


def with_reasons(**more: object) -> Table:
    numbers = dict.fromkeys(REASONS, THREE)
    numbers["none",] = summary([], failed=3)
    numbers["single",] = summary([0.02], missing=2)
    reported = {key: {"test_error": value} for key, value in REASONS.items() if value}
    return table_of(numbers, reported=reported, **more)


def test_a_printed_number_is_inside_outside_or_not_comparable_for_a_reason() -> None:
    table = with_reasons()
    found = {row[0]: (c.reproduced, c.incomparable) for row, _, c in table.cells}
    assert found == {
        "inside": ("inside", ""),
        "outside": ("outside", ""),
        "bare": ("not comparable", "no spread is printed"),
        "once": ("not comparable", "printed of one run"),
        "unknown": ("not comparable", "the printed n is not known"),
        "another": ("not comparable", "another loss"),
        "none": ("not comparable", "no number yet"),
        "single": ("not comparable", "one seed"),
        "unprinted": ("", ""),
    }


def test_the_header_counts_them() -> None:
    said = dict(header(with_reasons()))["reproduced"]
    assert said == (
        "1 of 2 printed numbers are inside; not comparable: no spread is printed (1), printed of "
        "one run (1), the printed n is not known (1), [a] (1), no number yet (1), one seed (1)"
    )


def test_at_another_preset_nothing_is_compared_and_the_header_says_it_once() -> None:
    table = with_reasons(preset=SMALL)
    assert {c.incomparable for _, _, c in table.cells} == {"preset small", ""}
    assert dict(header(table))["reproduced"] == (
        "no printed number can be compared: preset small (8)"
    )
    for kind in PEOPLE:
        assert "not comparable" not in " ".join(render(table, kind).split())


@pytest.mark.parametrize("kind", PEOPLE)
def test_every_format_says_it_of_a_cell(kind: str) -> None:
    flat = " ".join(render(with_reasons(), kind).split()).replace("\\", "")
    assert "not comparable: no spread is printed" in flat
    assert "not comparable [a]" in flat
    assert flat.count("not comparable: one seed") == 1


def test_programs_read_it_of_a_cell_and_of_the_table() -> None:
    tree = json.loads(render(with_reasons(), "json"))
    cells = {c["row"]["method"]: (c["reproduced"], c["incomparable"]) for c in tree["cells"]}
    assert cells["inside"] == ("inside", "")
    assert cells["bare"] == ("not comparable", "no spread is printed")
    assert (tree["reproduction"]["inside"], tree["reproduction"]["compared"]) == (1, 2)
    assert tree["reproduction"]["not_comparable"]["[a]"] == 1
    lines = {
        line["method"]: line for line in csv.DictReader(io.StringIO(render(with_reasons(), "csv")))
    }
    assert (lines["outside"]["reproduced"], lines["outside"]["incomparable"]) == ("outside", "")
    assert lines["another"]["incomparable"] == "another loss"


def test_nothing_is_said_of_a_table_without_printed_numbers() -> None:
    table = table_of({("erm",): THREE})
    assert not {"reproduced", "order", "baseline"} & dict(header(table)).keys()
    assert json.loads(render(table, "json"))["reproduction"] is None


def test_places_of_the_same_trials_count_once_and_are_inside_only_if_all_are() -> None:
    keys = [("erm", "c10"), ("erm", "c100")]
    numbers = dict.fromkeys(keys, THREE)
    same = dict.fromkeys(keys, "one")
    for values, inside in (((2.0, 2.5), 1), ((2.0, 14.0), 0), ((14.0, 2.0), 0)):
        reported = {
            key: {"test_error": Reported(value, 1.0, 3)}
            for key, value in zip(keys, values, strict=True)
        }
        shown = {"labels": ("method", "data"), "columns": ("data",), "reported": reported}
        once = table_of(numbers, trials=same, **shown).reproduction
        assert (once.inside, once.compared) == (inside, 1)
        assert table_of(numbers, **shown).reproduction.compared == 2


# -- order -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("measured", [(1, 2, 3, 4), (4, 3, 2, 1), (2, 1, 4, 3), (3, 1, 4, 2)])
def test_tau_is_kendalls_over_the_methods_of_a_column(measured: tuple[int, ...]) -> None:
    names = ("a", "b", "c", "d")
    table = table_of(
        of_means(**dict(zip(names, measured, strict=True))),
        reported=printed(**dict(zip(names, (5, 6, 7, 8), strict=True))),
    )
    expected = stats.kendalltau((5, 6, 7, 8), measured).statistic
    assert table.reproduction.tau == pytest.approx(expected)
    said = dict(header(table))["order"]
    assert f"{expected:+.2f}".replace("-", "−") in said
    assert len(table.reproduction.pairs) == 6


def test_pairs_that_are_printed_alike_have_no_order_and_equal_means_keep_none() -> None:
    tied = table_of(of_means(a=1, b=2, c=3), reported=printed(a=5, b=5, c=6))
    assert len(tied.reproduction.pairs) == 2
    assert tied.reproduction.tau == 1.0
    equal = table_of(of_means(a=1, b=1, c=3), reported=printed(a=5, b=6, c=7))
    assert equal.reproduction.tau == pytest.approx(2 / 3)
    assert equal.directions.startswith("2 of 3 pairs")


def test_a_place_that_is_printed_alike_does_not_undo_one_that_is_not() -> None:
    """Of the same two sets of trials: one data set has an order in print, the other has none."""
    numbers = {(m, d): summary([0.01 * (m == "b") + 0.01]) for m in "ab" for d in ("c10", "c100")}
    values = {("a", "c10"): 5.0, ("b", "c10"): 5.0, ("a", "c100"): 5.0, ("b", "c100"): 6.0}
    reported = {key: {"test_error": Reported(value)} for key, value in values.items()}
    trials = {(m, d): m for m, d in numbers}
    labels = ("method", "data")
    table = table_of(numbers, labels, columns=("data",), reported=reported, trials=trials)
    assert (len(table.reproduction.pairs), table.reproduction.tau) == (1, 1.0)


def test_times_are_told_apart_by_their_ratio() -> None:
    """7.01 ± 3.60 s and 0.26 s, which the difference of the means would not tell apart."""
    slow, fast = summary([3.0, 8.0, 10.03]), summary([0.25, 0.26, 0.27])
    name, seconds = "training_seconds", (Metric("training_seconds", "seconds"),)
    numbers = {("a",): {name: slow}, ("b",): {name: fast}}
    reported = {("a",): {name: Reported(2.0)}, ("b",): {name: Reported(1.0)}}
    table = table_of(numbers, metrics=seconds, reported=reported)
    assert "(1 distinguishably), 0 do not" in table.directions


# -- against the baseline --------------------------------------------------------------------------


def test_each_method_lies_on_a_side_of_the_baseline() -> None:
    table = table_of(
        of_means(erm=5, sam=4, amp=6, nrs=4.95), reported=printed(erm=5, sam=4, amp=4, nrs=4)
    )
    found = with_methods(table).reproduction
    assert found.baseline == "erm"
    assert {
        (d.method, d.pairs, d.as_printed, d.clearly, d.clearly_not) for d in found.directions
    } == {
        ("sam", 1, 1, 1, 0),
        ("amp", 1, 0, 0, 1),
        ("nrs", 1, 1, 0, 0),
    }
    assert dict(header(with_methods(table)))["baseline"] == (
        "on the printed side of erm: sam at 1 of 1 (1 distinguishably), "
        "amp at 0 of 1 (1 distinguishably not), nrs at 1 of 1"
    )


def test_a_table_in_which_nothing_is_trained_by_erm_has_no_baseline() -> None:
    table = table_of(of_means(sam=4, amp=6), reported=printed(sam=4, amp=4.5))
    found = with_methods(table).reproduction
    assert (found.baseline, found.directions) == ("", ())
    assert "baseline" not in dict(header(with_methods(table)))


BASELINES = {
    "nrs/table1": "Baseline",
    "nrs/table2": "Baseline",
    "nrs/table3": "Baseline",
    "amp/table1": "ERM",
    "amp/table2": "ERM",
    "amp/figure7": "ERM",
    "amp/figure8": "ERM",
    "amp/claim_cost": "ERM",
    "infomcr/table1": "no",
    "infomcr/table2": "no",
    "infomcr/table3": "no",
    "nso/table2": "SGD",
    "nso/table3": "SGD",
    "nso/table6": "SGD",
    "fa/figure1": "0.0",
}


@pytest.mark.parametrize("name", BASELINES)
def test_the_baseline_of_a_paper_is_what_it_calls_so(name: str) -> None:
    artifact = search_spaces.apply(search_spaces.find(name), AS_PRINTED)
    label = competing_label(artifact.view, artifact.experiment)
    one = cell(table_of({("erm",): THREE}), "erm")
    shown = [each for each in artifact.experiment.cells if not each.hidden]
    cells = [replace(one, result=replace(one.result, cell=each)) for each in shown]
    assert reproduction(cells, label, artifact.experiment).baseline == BASELINES[name]


def test_another_variant_beside_it_is_no_reproduction() -> None:
    from sweep.tables.difference import ToRun, less

    table = with_reasons()
    nothing = ToRun(set(), "")
    shown = less(table, replace(table, variant="--read a=b"), (nothing, nothing))
    assert not {"reproduced", "order", "baseline"} & dict(header(shown)).keys()
    assert {c.reproduced for _, _, c in shown.cells} == {""}
    assert ERROR.label in render(shown, "md")
