"""Oracles: `statistics` and `scipy.stats` for numbers, each format's own parser for text."""

from __future__ import annotations

import csv
import io
import json
import math
import re
import shutil
import statistics
import subprocess
import sys
from dataclasses import replace
from html.parser import HTMLParser
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from markdown_it import MarkdownIt
from scipy import stats

from search_spaces.spec import Artifact, Cell, Choice, Metric, Preset, Reported, Selection, Stage
from sweep.aggregate import CellResult, Summary, selection
from sweep.tables import FORMATS, Table, TableCell, build, render
from sweep.welch import Sample, distinguishable, half_width

PAPER = Preset("paper", "as printed", comparable=True)
SMALL = Preset("small", "tiny networks")
ERROR = Metric("test_error", "test error %", shown="percent")


def summary(values: list[float], asked: int | None = None, **lost: int) -> Summary:
    return Summary(
        mean=statistics.fmean(values) if values else None,
        std=statistics.stdev(values) if len(values) > 1 else None,
        n=len(values),
        asked=asked or len(values) + sum(lost.values()),
        values=tuple(values),
        trial_ids=tuple(f"trial-{i}" for i in range(len(values))),
        **lost,
    )


def table_of(
    numbers: dict[tuple[str, ...], Summary | dict[str, Summary]],
    labels: tuple[str, ...] = ("method",),
    *,
    preset: Preset = PAPER,
    reported: dict[tuple[str, ...], dict[str, Reported]] | None = None,
    hidden: tuple[tuple[str, ...], ...] = (),
    searched: tuple[int, int] = (1, 1),
    **fields: Any,
) -> Table:
    """A table of cells named by their labels' entries; a bare summary is the test error's."""
    results = []
    for key, metrics in numbers.items():
        cell = Cell(
            dict(zip(labels, key, strict=True)),
            reported=(reported or {}).get(key, {}),
            hidden=key in hidden,
        )
        metrics = {"test_error": metrics} if isinstance(metrics, Summary) else metrics
        point = {"optimizer.lr": 0.1}
        done, points = searched
        results.append(CellResult(cell, metrics, "train", point, points, done, ("trial-0",)))
    spec = {
        "id": "paper/table1",
        "title": "A title",
        "metrics": (ERROR,),
        "rows": labels,
        "stages": (Stage("train"),),
        **fields,
    }
    artifact = Artifact(cells=tuple(result.cell for result in results), **spec)
    return build(artifact, results, preset, selection("paper"), {"commit": "abc"})


def cell(table: Table, *row: str, column: int = 0) -> TableCell:
    found = table.grid[table.rows.index(row)][column]
    assert found is not None
    return found


THREE = summary([0.01, 0.02, 0.03])
FOUR = summary([0.03, 0.04, 0.05])

# -- Welch -------------------------------------------------------------------------------------

samples = st.builds(
    Sample,
    st.floats(-10, 10),
    st.floats(1e-3, 10),
    st.integers(2, 20),
)


@given(samples, samples)
@settings(max_examples=300, deadline=None)
def test_welch_agrees_with_scipy(a, b):
    test = stats.ttest_ind_from_stats(*a, *b, equal_var=False)
    se = math.hypot(a.std / math.sqrt(a.n), b.std / math.sqrt(b.n))
    width = half_width(a, b)
    # From the definition: p of a difference that lies exactly on the interval's end is 5 %.
    edge = stats.ttest_ind_from_stats(width, a.std, a.n, 0.0, b.std, b.n, equal_var=False)
    assert edge.pvalue == pytest.approx(0.05, rel=1e-8)
    if abs(test.pvalue - 0.05) > 1e-6:
        assert distinguishable(a, b) is bool(test.pvalue < 0.05)
    assert width > 1.95 * se  # never narrower than the normal distribution's


def test_welch_by_hand():
    # v = 1/4 and 4/4; df = (5/4)² / ((1/4)² / 3 + 1² / 3) = 4.4118; t(0.975, df) = 2.6792
    width = half_width(Sample(0, 1, 4), Sample(0, 2, 4))
    assert width == pytest.approx(
        stats.t.ppf(0.975, 1.5625 / (0.0625 / 3 + 1 / 3)) * math.sqrt(1.25)
    )
    assert width == half_width(Sample(5, 2, 4), Sample(0, 1, 4))


@pytest.mark.parametrize("unknown", [Sample(1, None, 3), Sample(1, 0.1, None), Sample(1, 0.1, 1)])
def test_without_a_spread_there_is_no_verdict(unknown):
    known = Sample(0, 0.1, 3)
    assert half_width(known, unknown) is half_width(unknown, known) is None
    assert distinguishable(known, unknown) is None


def test_samples_without_spread_agree_only_where_equal():
    assert distinguishable(Sample(1, 0.0, 3), Sample(1, 0.0, 3)) is False
    assert distinguishable(Sample(1, 0.0, 3), Sample(2, 0.0, 3)) is True
    assert half_width(Sample(0, 1e-200, 3), Sample(0, 1e-200, 3)) >= 0  # squares underflow


# -- units and comparison ----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("shown", "mean", "std"),
    [
        ("plain", 0.02, 0.01),
        ("percent", 2.0, 1.0),
        ("accuracy", 0.98, 0.01),
        ("accuracy_percent", 98.0, 1.0),
        ("milliseconds", 20.0, 10.0),
    ],
)
def test_mean_and_std_are_in_the_unit_of_the_column(shown, mean, std):
    table = table_of({("erm",): THREE}, metrics=(Metric("test_error", "e", shown=shown),))
    assert cell(table, "erm").mean == pytest.approx(mean)
    assert cell(table, "erm").std == pytest.approx(std)


def test_difference_and_verdict_beside_the_printed_number():
    reported = {
        ("erm",): {"test_error": Reported(2.5, 1.0, 3)},
        ("sam",): {"test_error": Reported(14.0, 1.0, 3)},
        ("amp",): {"test_error": Reported(14.0)},
        ("nrs",): {"test_error": Reported(14.0, 1.0, 3, "another loss", comparable=False)},
        ("nso",): {"test_error": Reported(None)},
    }
    table = table_of(dict.fromkeys(reported, THREE), reported=reported)
    erm, sam, amp, nrs, nso = (cell(table, *key) for key in reported)
    assert (erm.difference, erm.inside) == (pytest.approx(-0.5), True)
    assert erm.half_width == pytest.approx(stats.t.ppf(0.975, 4) * math.sqrt(2 / 3))
    assert (sam.difference, sam.inside) == (pytest.approx(-12.0), False)
    assert (amp.difference, amp.half_width, amp.inside) == (pytest.approx(-12.0), None, None)
    assert (nrs.difference, nrs.inside, nrs.mark) == (None, None, "a")
    assert table.footnotes == (("a", "another loss"),)
    assert nso.reported is nso.difference is None


def test_difference_of_an_accuracy_has_the_sign_of_what_is_shown():
    metric = Metric("test_error", "accuracy %", better="higher", shown="accuracy_percent")
    reported = {("erm",): {"test_error": Reported(97.0, 1.0, 3)}}
    table = table_of({("erm",): THREE}, metrics=(metric,), reported=reported)
    assert cell(table, "erm").difference == pytest.approx(1.0)


@pytest.mark.parametrize("kind", FORMATS)
def test_only_a_comparable_preset_compares(kind):
    numbers, reported = {("erm",): THREE}, {("erm",): {"test_error": Reported(7.25, 0.5, 3)}}
    compared = table_of(numbers, reported=reported)
    beside = table_of(numbers, reported=reported, preset=SMALL)
    assert cell(beside, "erm").difference is cell(beside, "erm").inside is None
    assert "7.25" in render(compared, kind)
    assert "7.25" in render(beside, kind)
    if kind not in ("csv", "json"):
        difference = r"$\Delta$" if kind == "latex" else "Δ"
        assert difference in render(compared, kind)
        assert difference not in render(beside, kind)
        flat = " ".join(render(beside, kind).split())
        assert "only directions (which is better) can be compared" in flat


def test_directions_count_the_pairs_that_come_out_as_printed():
    numbers = {
        ("a",): summary([0.010, 0.011, 0.012]),
        ("b",): summary([0.020, 0.021, 0.022]),
        ("c",): summary([0.0205, 0.0215, 0.0225]),
        ("d",): summary([0.0, 0.1], diverged=1),
    }
    printed = {
        key: {"test_error": Reported(v)} for key, v in zip(numbers, (5, 6, 4, 1), strict=True)
    }
    table = table_of(numbers, reported=printed, preset=SMALL)
    assert table.directions == (
        "1 of 3 pairs come out in the printed order (1 distinguishably), "
        "2 do not (1 distinguishably)"
    )
    assert table.directions in " ".join(render(table, "md").split())


# -- ratios ------------------------------------------------------------------------------------

TIME = Metric("training_seconds", "time / ERM", relative_to={"method": "erm"})


def test_ratio_of_means_with_propagated_spread():
    erm, sam = summary([10.0, 11.0, 12.0]), summary([21.0, 23.0])
    table = table_of({("erm",): {TIME.key: erm}, ("sam",): {TIME.key: sam}}, metrics=(TIME,))
    ratio = cell(table, "sam")
    assert ratio.mean == pytest.approx(2.0)
    assert ratio.std == pytest.approx(2 * math.sqrt((math.sqrt(2) / 22) ** 2 + (1 / 11) ** 2))
    assert (ratio.n, ratio.asked) == (2, 2)
    assert (cell(table, "erm").mean, cell(table, "erm").std) == (1.0, None)


def test_a_scale_multiplies_numbers_and_cancels_in_ratios():
    seconds = {"training_seconds": summary([10.0, 12.0])}
    plain = Metric("training_seconds", "minutes", scale=1 / 60)
    table = table_of({("erm",): seconds}, metrics=(plain,))
    assert cell(table, "erm").mean == pytest.approx(11 / 60)
    assert cell(table, "erm").std == pytest.approx(math.sqrt(2) / 60)
    numbers = {("erm",): {TIME.key: summary([10.0])}, ("sam",): {TIME.key: summary([20.0])}}
    ratio = table_of(numbers, metrics=(replace(TIME, scale=1 / 60),))
    assert cell(ratio, "sam").mean == pytest.approx(2.0)


def test_ratio_to_the_reference_of_the_same_data_and_none_without_one():
    keys = [(m, d) for d in ("c10", "c100") for m in ("erm", "sam")]
    values = [10.0, 20.0, 100.0, 300.0]
    numbers = {k: {TIME.key: summary([v])} for k, v in zip(keys, values, strict=True)}
    numbers["erm", "c100"] = {TIME.key: summary([], diverged=1)}
    table = table_of(numbers, ("method", "data"), metrics=(TIME,))
    assert cell(table, "sam", "c10").mean == 2.0
    lost = cell(table, "sam", "c100")
    assert lost.mean is None
    assert lost.problems == ("nothing to relate it to",)
    assert "– (1, nothing to relate it to)" in render(table)


def test_ratio_reference_may_be_hidden_and_less_specific():
    numbers = {
        ("erm", ""): {TIME.key: summary([10.0])},
        ("amp", "0.5"): {TIME.key: summary([25.0])},
    }
    metric = Metric("training_seconds", "t", relative_to={"method": "erm", "epsilon": ""})
    table = table_of(numbers, ("method", "epsilon"), metrics=(metric,), hidden=(("erm", ""),))
    assert table.rows == (("amp", "0.5"),)
    assert cell(table, "amp", "0.5").mean == 2.5


# -- bold --------------------------------------------------------------------------------------


def bold(table: Table) -> set[str]:
    return {row[-1] for row, _, c in table.cells if c.bold}


def test_bold_is_the_best_and_all_not_distinguishable_from_it():
    numbers = {
        ("best",): summary([0.010, 0.011, 0.012]),
        ("near",): summary([0.011, 0.012, 0.013]),
        ("far",): summary([0.030, 0.031, 0.032]),
        ("wild",): summary([0.010, 0.040, 0.070]),
    }
    assert bold(table_of(numbers)) == {"best", "near", "wild"}
    del numbers["wild",]
    higher = (Metric("test_error", "e", better="higher"),)
    assert bold(table_of(numbers, metrics=higher)) == {"far"}
    neither = (Metric("test_error", "e", better="neither"),)
    assert bold(table_of(numbers, metrics=neither)) == set()


def test_bold_goes_by_what_is_shown():
    """``better`` is about the column: the lowest error is the highest accuracy."""
    numbers = {("a",): summary([0.010, 0.011]), ("b",): summary([0.5, 0.501])}
    accuracy = (Metric("test_error", "acc", better="higher", shown="accuracy_percent"),)
    assert bold(table_of(numbers, metrics=accuracy)) == {"a"}


def test_no_lucky_seed_is_bold():
    numbers = {
        ("lucky",): summary([0.001, 0.0011], diverged=1),
        ("good",): summary([0.010, 0.011, 0.012]),
        ("bad",): summary([0.5, 0.51, 0.52]),
    }
    assert bold(table_of(numbers)) == {"good"}
    assert bold(table_of(numbers, searched=(1, 2))) == set()  # every search is unfinished


def test_a_single_seed_is_bold_only_if_it_is_the_best():
    assert bold(table_of({("a",): summary([0.1]), ("b",): summary([0.2])})) == {"a"}
    assert bold(table_of({("a",): summary([0.1])})) == set()  # nothing to compete with


def test_methods_compete_within_a_network_and_a_column():
    numbers = {
        (network, method, data): summary([x, x + 0.0001])
        for (network, data), (erm, sam) in {
            ("vgg", "c10"): (0.1, 0.2),
            ("resnet", "c10"): (0.02, 0.01),
            ("vgg", "c100"): (0.4, 0.3),
            ("resnet", "c100"): (0.3, 0.2),
        }.items()
        for method, x in (("erm", erm), ("sam", sam))
    }
    table = table_of(
        numbers, ("network", "method", "data"), rows=("network", "method"), columns=("data",)
    )
    found = {(*row, *column[:-1]) for row, column, c in table.cells if c.bold}
    assert found == {
        ("vgg", "erm", "c10"),
        ("resnet", "sam", "c10"),
        ("vgg", "sam", "c100"),
        ("resnet", "sam", "c100"),
    }


# -- arrangement -------------------------------------------------------------------------------


def grid_of(**fields: Any) -> Table:
    keys = [(n, m, d) for d in ("c10", "c100") for m in ("erm", "sam") for n in ("vgg", "resnet")]
    metrics = (ERROR, Metric("test_nll", "NLL"))
    numbers = {key: {"test_error": THREE, "test_nll": FOUR} for key in keys}
    fields = {"rows": ("network", "method"), "columns": ("data",), **fields}
    return table_of(numbers, ("network", "method", "data"), metrics=metrics, **fields)


def test_metrics_are_innermost_across():
    table = grid_of()
    assert table.row_labels == ("network", "method")
    assert table.rows == (("vgg", "erm"), ("vgg", "sam"), ("resnet", "erm"), ("resnet", "sam"))
    assert table.column_labels == ("data", "metric")
    assert table.columns == (
        ("c10", "test error %"),
        ("c10", "NLL"),
        ("c100", "test error %"),
        ("c100", "NLL"),
    )
    assert all(cell is not None for line in table.grid for cell in line)


def test_groups_of_rows_are_set_apart_where_there_are_any():
    table = grid_of(preset=SMALL)  # two networks with two methods each
    alone = grid_of(rows=("network", "method", "data"), columns=(), preset=SMALL)  # data: one each
    alone = replace(alone, rows=alone.rows[::2], grid=alone.grid[::2])
    for kind, mark in (("latex", r"\addlinespace"), ("html", '<tr class="first">')):
        assert render(table, kind).count(mark) == 1
        assert render(alone, kind).count(mark) == 0
    assert render(table).splitlines().count("") == 1
    assert "" not in render(alone).splitlines()


def test_metrics_may_run_down():
    table = grid_of(metrics_down=True)
    assert table.row_labels == ("metric", "network", "method")
    assert table.rows[0] == ("test error %", "vgg", "erm")
    assert table.rows[4] == ("NLL", "vgg", "erm")
    assert table.columns == (("c10",), ("c100",))
    alone = grid_of(rows=("network", "method", "data"), columns=(), metrics_down=True)
    assert alone.columns == (("measured",),)
    for kind in FORMATS:
        assert "measured" in render(alone, kind)


def test_a_label_that_the_artifact_forgot_still_has_its_rows():
    table = grid_of(columns=())
    assert table.row_labels == ("network", "method", "data")
    assert len(table.rows) == 8


def test_two_numbers_in_one_place_are_an_error():
    metrics = (ERROR, Metric("test_nll", ERROR.label))
    with pytest.raises(ValueError, match="two numbers share"):
        table_of({("erm",): {"test_error": THREE, "test_nll": FOUR}}, metrics=metrics)


def test_hidden_cells_are_not_shown():
    table = table_of({("erm",): THREE, ("pilot",): FOUR}, hidden=(("pilot",),))
    assert table.rows == (("erm",),)


# -- formats -----------------------------------------------------------------------------------

NASTY = r"""50% & A_1|B <i>x</i> "q", #1 {x} ~ ^ \ $y$ `c` *s* [l](u) 'a' λ ± é"""


def nasty() -> Table:
    reported = {(NASTY, NASTY): {"test_error": Reported(7.25, None, None, NASTY)}}
    return table_of(
        {(NASTY, NASTY): THREE, ("plain", NASTY): FOUR},
        ("method", "data"),
        rows=("method",),
        columns=("data",),
        title=NASTY,
        reported=reported,
        metrics=(Metric("test_error", NASTY, shown="percent"),),
        choices=(Choice(NASTY, NASTY, NASTY),),
        notes=(NASTY,),
        selection=Selection(stated=NASTY),
    )


def squeezed(text: str) -> str:
    return " ".join(text.split())


class Page(HTMLParser):
    """The text of every cell, and the tags in their order."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.text, self.entries, self.tags, self.titles = "", [], [], []
        self.feed(page)

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.titles += [value for name, value in attrs if name == "title"]
        if tag in ("td", "th"):
            self.entries.append("")

    def handle_data(self, data):
        self.text += data
        if self.entries:
            self.entries[-1] += data


def test_csv_parses_back():
    lines = list(csv.DictReader(io.StringIO(render(nasty(), "csv"))))
    assert [line["method"] for line in lines] == [NASTY, "plain"]
    assert {line["data"] for line in lines} == {line["metric"] for line in lines} == {NASTY}
    first = lines[0]
    assert float(first["mean"]) == pytest.approx(2.0)
    assert (first["n"], first["asked"], first["name"]) == ("3", "3", "test_error")
    assert (first["reported_mean"], first["reported_note"]) == ("7.25", NASTY)
    assert json.loads(first["point"]) == {"optimizer.lr": 0.1}
    assert (first["preset"], first["selection"], first["artifact"]) == (
        "paper", "paper", "paper/table1",
    )  # fmt: skip


def test_json_has_every_cell_as_an_object():
    tree = json.loads(render(nasty(), "json"))
    first = tree["cells"][0]
    assert tree["title"] == tree["notes"][0] == first["row"]["method"] == NASTY
    assert first["column"] == {"data": NASTY, "metric": NASTY}
    assert (first["mean"], first["std"]) == (pytest.approx(2.0), pytest.approx(1.0))
    assert (first["n"], first["asked"], first["bold"]) == (3, 3, True)
    assert first["reported"] == {
        "mean": 7.25, "std": None, "n": None, "note": NASTY, "comparable": True,
    }  # fmt: skip
    assert first["values"] == [0.01, 0.02, 0.03]
    assert first["point"] == {"optimizer.lr": 0.1}
    assert tree["provenance"] == {"commit": "abc"}


def test_html_parses_back():
    page = Page(render(nasty(), "html"))
    assert [entry.strip() for entry in page.entries[:4]] == ["method", NASTY, NASTY, NASTY]
    assert page.entries[4].startswith("2.00 ± 1.00 (3)printed 7.25 [a]")
    assert not {"i", "script", "link", "img"} & set(page.tags)  # nothing injected, nothing loaded
    assert "selected: optimizer.lr = 0.1" in page.titles[0]
    assert "trial-2: 0.03" in page.titles[0]


def test_markdown_parses_back():
    tokens = MarkdownIt().enable("table").parse(render(nasty(), "md"))
    entries = [t for t in tokens if t.type == "inline"]
    texts = [
        "".join({"softbreak": " "}.get(c.type, c.content) for c in entry.children)
        for entry in entries
    ]
    assert texts[0] == f"paper/table1: {NASTY}"
    at = texts.index("method")
    assert texts[at : at + 3] == ["method", f"{NASTY}<br>{NASTY}", NASTY]
    assert texts[at + 3] == "2.00 ± 1.00 (3)<br>printed 7.25 [a]<br>Δ −5.25"
    assert texts[at + 4 : at + 6] == ["plain", "4.00 ± 1.00 (3)"]
    allowed = {"text", "html_inline", "strong_open", "strong_close", "text_special"}
    assert {c.type for entry in entries for c in entry.children} <= allowed
    assert {c.content for e in entries for c in e.children if c.type == "html_inline"} == {"<br>"}


LATEX_SPECIALS = re.compile(r"(?<!\\)[&%#_^~]|[<>|\"±−×λ]")


def test_latex_is_well_formed():
    text = render(nasty(), "latex")
    body = text[text.index(r"\toprule") : text.index(r"\bottomrule")]
    rows = [line for line in body.splitlines() if line.endswith(r" \\")]
    assert len(rows) == 2 + 2 + 2  # heads; measured; printed and difference of the first
    assert {len(re.findall(r"(?<!\\)&", row)) for row in rows} == {1}
    outside = re.sub(r"(?<!\\)\$.*?(?<!\\)\$", "", text)  # mathematics apart
    prose = [line for line in outside.splitlines() if not line.startswith(("%", r"\resizebox"))]
    leftover = [found for line in prose for found in LATEX_SPECIALS.findall(line) if found != "&"]
    assert leftover == []
    depth = 0
    for brace in re.findall(r"(?<!\\)[{}]", text):
        depth += 1 if brace == "{" else -1
        assert depth >= 0
    assert depth == 0
    assert len(re.findall(r"(?<!\\)\$", text)) % 2 == 0
    opened, closed = (re.findall(rf"\\{word}{{(\w+)}}", text) for word in ("begin", "end"))
    assert opened == closed[::-1] or sorted(opened) == sorted(closed)


def test_latex_heads_span_their_columns():
    text = render(grid_of(), "latex")
    assert r"\begin{tabular}{@{}llrrrr@{}}" in text
    assert r" &  & \multicolumn{2}{c}{c10} & \multicolumn{2}{c}{c100} \\" in text
    assert r"\cmidrule(lr){3-4}\cmidrule(lr){5-6}" in text
    assert r"network & method & test error \% & NLL & test error \% & NLL \\" in text
    assert r"\textbf{2.00 $\pm$ 1.00} {\footnotesize (3)}" in text


@pytest.mark.parametrize("width", [40, 60, 90, None])
def test_terminal_never_cuts_a_number(width):
    table = grid_of(preset=SMALL)
    text = render(table, "terminal", width=width)
    assert text.count("2.00 ± 1.00*") == text.count("0.04 ± 0.01*") == 8
    if width:
        assert max(map(len, text.splitlines())) <= width
    assert "…" not in text


def test_terminal_labels_are_literal_and_color_is_asked_for():
    text = render(nasty(), "terminal", width=None, color=False)
    assert NASTY in text
    assert "\x1b" not in text
    assert "\x1b[1m" in render(nasty(), "terminal", color=True)


@pytest.mark.parametrize("kind", FORMATS)
def test_what_is_short_is_said_in_every_format(kind):
    numbers = {
        ("short",): summary([0.01, 0.03], diverged=1),
        ("none",): summary([], failed=2, missing=1),
        ("odd",): summary([0.01], running=1, undefined=1),
    }
    text = render(table_of(numbers, searched=(2, 9)), kind)
    if kind == "json":
        cells = json.loads(text)["cells"]
        assert [(c["n"], c["asked"], c["mean"] is None) for c in cells] == [
            (2, 3, False), (0, 3, True), (1, 3, False),
        ]  # fmt: skip
        assert [c["diverged"] + c["failed"] + c["running"] for c in cells] == [1, 2, 1]
        assert {(c["searched"], c["points"]) for c in cells} == {(2, 9)}
    elif kind == "csv":
        lines = list(csv.DictReader(io.StringIO(text)))
        assert [(x["n"], x["asked"], x["diverged"], x["failed"], x["missing"]) for x in lines] == [
            ("2", "3", "1", "0", "0"), ("0", "3", "0", "2", "1"), ("1", "3", "0", "0", "0"),
        ]  # fmt: skip
        assert [line["mean"] for line in lines][1] == ""
    else:
        plain = Page(text).text if kind == "html" else text
        assert "(2/3, 1 diverged, search 2/9)" in plain
        assert "(0/3, 2 failed, 1 not run, search 2/9)" in plain
        assert "(1/3, 1 running, 1 undefined, search 2/9)" in plain


@pytest.mark.parametrize("kind", ["terminal", "md", "latex", "html"])
def test_the_head_says_how_the_numbers_came_about(kind):
    table = table_of(
        {("erm",): THREE},
        preset=SMALL,
        notes=("epochs: 200 → 20",),
        choices=(Choice("which norm", "the global one", "as printed"),),
        selection=Selection("test_error", "best_test", "by the test set"),
        reported={("erm",): {"test_error": Reported(1.0, note="read off a plot")}},
    )
    text = squeezed(render(table, kind))
    for said in (
        "A title", "small: tiny networks", "lowest test error", "optimistic", "by the test set",
        "epochs: 200", "which norm: the global one (as printed)", "read off a plot", "abc",
    ):  # fmt: skip
        assert said in text


def test_a_tiny_number_is_not_shown_as_zero():
    numbers = {("a",): summary([1e-6, 1e-6]), ("b",): summary([0.0, 0.0])}
    text = render(table_of(numbers, metrics=(Metric("test_error", "e"),)), "terminal")
    assert "1.0e−06 ± 0.00" in text
    assert "0.00 ± 0.00" in text


# -- the golden sweep --------------------------------------------------------------------------

GOLDEN = Path(__file__).parents[1] / "golden"


def golden() -> ModuleType:
    spec = spec_from_file_location("golden_make", GOLDEN / "make.py")
    module = module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


def test_golden_tables():
    """Exact, byte for byte. After a wanted change: ``python tests/golden/make.py``, and read."""
    made = golden().tables()
    kept = {path.name: path.read_text(encoding="utf-8") for path in (GOLDEN / "tables").iterdir()}
    assert sorted(made) == sorted(kept)
    for name, text in made.items():
        assert text == kept[name], name


@pytest.mark.parametrize(
    ("rule", "prefix", "criterion"),
    [
        ("paper", "best_test/", "best_test/test_error"),
        ("validation", "", "validation_error"),
        ("best_validation", "best_validation/", "best_validation/validation_error"),
    ],
)
def test_golden_numbers_in_plain_python(rule, prefix, criterion):
    """The same means, by loops over the kept files and nothing of `sweep`."""
    runs = [json.loads(line) for line in (GOLDEN / "runs.jsonl").read_text().splitlines()]
    done = {run["trial_id"]: run["metrics"] for run in runs if run["status"] == "done"}
    diverged = {run["trial_id"] for run in runs if run["status"] == "diverged"}
    tried: dict[tuple[str, str], dict[str, list[str]]] = {}
    for trials in json.loads((GOLDEN / "plans.json").read_text())[rule].values():
        for trial_id, spot, _, point in trials:
            tried.setdefault(tuple(spot), {}).setdefault(json.dumps(point), []).append(trial_id)
    cells = json.loads((GOLDEN / "tables" / f"{rule}.json").read_text())["cells"]
    compared = 0
    for cell in cells:
        points = tried[cell["row"]["method"], cell["column"]["network"]]
        means = {}
        for point, ids in points.items():
            scores = [math.inf if i in diverged else done.get(i, {}).get(criterion) for i in ids]
            means[point] = math.inf if None in scores else statistics.mean(scores)
        chosen = min(means, key=means.get)
        assert cell["point"] == json.loads(chosen)
        names = {"test_error": (f"{prefix}test_error", 100), "test_nll": (f"{prefix}test_nll", 1)}
        if cell["name"] in names:
            name, scale = names[cell["name"]]
            values = [scale * done[i][name] for i in points[chosen] if i in done]
            assert cell["mean"] == pytest.approx(statistics.mean(values), rel=1e-12)
            assert cell["std"] == pytest.approx(statistics.stdev(values), rel=1e-12)
            assert (cell["n"], cell["asked"]) == (len(values), 3)
            compared += 1
    assert compared == 12


def test_golden_latex_compiles(tmp_path):
    """Where there is a compiler; its structure is tested everywhere."""
    compiler = next(filter(shutil.which, ("pdflatex", "lualatex", "xelatex", "tectonic")), None)
    sources = sorted((GOLDEN / "tables").glob("*.tex"))
    assert len(sources) == 3
    body = "\n".join(path.read_text(encoding="utf-8") for path in sources) + render(
        nasty(), "latex"
    )
    document = tmp_path / "tables.tex"
    document.write_text(  # utf-8: the default of LaTeX since 2018
        "\\documentclass{article}\\usepackage[T1]{fontenc}\\usepackage{booktabs,graphicx}"
        f"\\begin{{document}}\n{body}\\end{{document}}\n"
    )
    if compiler is not None:
        command = [compiler, "-interaction=nonstopmode", "-halt-on-error", document.name]
        command = command if compiler != "tectonic" else [compiler, document.name]
        done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)
        assert done.returncode == 0, done.stdout[-2000:]
        assert document.with_suffix(".pdf").stat().st_size > 1000
        assert "Overfull" not in document.with_suffix(".log").read_text(errors="replace")


def test_unknown_format_is_named():
    with pytest.raises(ValueError, match=r"'pdf'; known: terminal, md, latex, csv, json, html"):
        render(nasty(), "pdf")
