"""Oracle: each format's own parser."""

from __future__ import annotations

import csv
import io
import json
import re
import tomllib
from dataclasses import replace
from fnmatch import fnmatch
from html.parser import HTMLParser
from pathlib import Path

import pytest
from markdown_it import MarkdownIt

import search_spaces
from search_spaces.spec import Choice, Metric, Notes, Reported, Selection
from sweep.aggregate import SELECTIONS, cells
from sweep.plan.expand import Plan, PlannedStage, every_cell
from sweep.record.record import Record
from sweep.tables import formats, layout, text
from sweep.tables.formats.latex import escape
from sweep.tables.layout import FORMATS, build, render
from tests.sweep.tables.cases import NASTY, SMALL, THREE, grid_of, nasty, summary, table_of
from tests.sweep.tables.test_winners import far_from, recorded


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
    assert page.titles[0].splitlines()[1:] == [NASTY, "trial-0: 1", "trial-1: 2", "trial-2: 3"]


def test_templates_are_installed_with_the_code():
    folder = Path(formats.__path__[0])
    beside = {file.name for file in folder.iterdir() if file.is_file() and file.suffix != ".py"}
    assert beside == {"grid.html.jinja", "table.html.jinja", "table.tex.jinja"}
    project = tomllib.loads((folder.parents[2] / "pyproject.toml").read_text())
    packed = project["tool"]["setuptools"]["package-data"][formats.__name__]
    assert all(any(fnmatch(name, pattern) for pattern in packed) for name in beside)


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
    assert (
        texts[at + 3]
        == "2.00 ± 1.00 (3)<br>printed 7.25 [a]<br>Δ −5.25, not comparable: no spread is printed"
    )
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


def test_latex_shows_hyphens_and_quotes_as_they_are():
    assert escape("--preset ''x''") == "-{}-preset '{}'x'{}'"
    assert escape("a---b, 1-2, it's – —") == "a-{}-{}-b, 1-2, it's -- ---"


def test_latex_heads_span_their_columns():
    text = render(grid_of(), "latex")
    assert r"\begin{tabular}{@{}llrrrr@{}}" in text
    assert r" &  & \multicolumn{2}{c}{c10} & \multicolumn{2}{c}{c100} \\" in text
    assert r"\cmidrule(lr){3-4}\cmidrule(lr){5-6}" in text
    assert r"network & method & test error \% & NLL & test error \% & NLL \\" in text
    assert r"\textbf{2.00 $\pm$ 1.00} {\scriptsize (3)}" in text


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
        notes=Notes(
            "A title",
            (Choice("which norm", "the global one", "as printed"),),
            changes=("epochs: 200 → 20",),
        ),
        rule=Selection("test_error", "best_test", "by the test set"),
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


def test_unknown_format_is_named():
    with pytest.raises(ValueError, match=r"'pdf'; known: csv, html, json, latex, md, terminal"):
        render(nasty(), "pdf")


@pytest.mark.parametrize("artifact", search_spaces.artifacts(), ids=lambda artifact: artifact.id)
def test_every_artifact_has_a_table_before_anything_has_run(artifact):
    artifact = search_spaces.apply(artifact, "smoke")
    places = tuple(every_cell(artifact))
    stages = tuple(PlannedStage(stage.name, ()) for stage in artifact.experiment.stages)
    plan = Plan(artifact, "smoke", SELECTIONS["paper"], places, stages)
    results = cells(plan, Record.from_runs([]))
    table = build(artifact, results, search_spaces.PRESETS["smoke"], plan.selection)
    shown = [place for place in places if not place.hidden]
    metrics = artifact.view.metrics
    assert len(table.cells) == sum(m.covers(place.key) for place in shown for m in metrics)
    for kind in ("terminal", "latex", "html"):
        assert render(table, kind).count("not run)") == len(table.cells)


def test_tooltips_are_in_the_unit_of_the_column():
    """Per cent, accuracies, milliseconds; ratios to what the column is relative to."""
    seconds = {"test_error": THREE, "training_seconds": summary([2.0, 4.0])}
    half = {"test_error": THREE, "training_seconds": summary([1.0, 2.0])}
    metrics = (
        Metric("test_error", "accuracy %", better="higher", shown="accuracy_percent"),
        Metric("training_seconds", "ms", shown="milliseconds"),
        Metric("training_seconds", "time / ERM", relative_to={"method": "ERM"}),
    )
    numbers = {
        key: {**given, metrics[2].key: given["training_seconds"]}
        for key, given in ((("ERM",), seconds), (("SAM",), half))
    }
    table = table_of(numbers, metrics=metrics)
    titles = [title.splitlines() for title in Page(render(table, "html")).titles]
    assert titles[0][1:] == ["accuracy %", "trial-0: 99", "trial-1: 98", "trial-2: 97"]
    assert titles[1][1:] == ["ms", "trial-0: 2000", "trial-1: 4000"]
    assert titles[5][1:] == ["time / ERM", "trial-0: 0.333333", "trial-1: 0.666667"]
    for _, _, found in table.cells:
        assert found.mean == pytest.approx(sum(found.values) / len(found.values))
    alone = table_of({("SAM",): numbers["SAM",]}, metrics=metrics[2:])
    assert Page(render(alone, "html")).titles == ["selected: optimizer.lr = 0.1"]


def test_a_caption_is_one_line_and_all_else_is_a_note_below():
    table = table_of({("erm",): THREE}, preset=SMALL, notes=Notes("A title", changes=("a → b",)))
    lines = render(table, "latex").splitlines()
    (caption,) = [line for line in lines if "caption" in line and not line.startswith("%")]
    assert caption == r"\caption{A title.}"
    note = lines[lines.index(r"\end{tabular}}") :]
    for said in ("preset: small: tiny networks.", r"shrunk: a $\to$ b.", "from: commit abc."):
        assert said in note


SELECTED = """\
name: x
base: {model: mlp_tiny, epochs: 2}
compare:
  A: {method: erm, grid: {optimizer.lr: [0.1, 0.2]}}
  B: {method: sam, optimizer.lr: 0.1}
  C: {method: sam, grid: {optimizer.lr: [0.1, 0.2], method.rho: [0.05, 0.1]}}
metrics: [test_error, test_nll]
"""


def test_the_point_that_won_stands_under_each_row_that_was_searched():
    found, record = recorded(SELECTED, far_from(0.2))
    table = layout.table_of(found, record)
    for row, won in (("A", "lr = 0.2"), ("B", ""), ("C", "lr = 0.2, rho = 0.05")):
        assert {c.selected for names, _, c in table.cells if names == (row,)} == {won}
    latex = render(table, "latex")
    assert latex.count(r"\quad {\scriptsize selected} & \multicolumn{2}{r}") == 2
    assert r"\multicolumn{2}{r}{\scriptsize lr = 0.2, rho = 0.05} \\" in latex
    entries = [entry.strip() for entry in Page(render(table, "html")).entries]
    at = [i for i, entry in enumerate(entries) if entry == "selected"]
    assert [entries[i + 1].splitlines()[0] for i in at] == ["lr = 0.2", "lr = 0.2, rho = 0.05"]
    rows = [line for line in render(table, "md").splitlines() if line.startswith("| selected")]
    assert rows == [f"| selected | {won} | {won} |" for won in ("lr = 0.2", "lr = 0.2, rho = 0.05")]
    every = layout.table_of(found, record, all_points=True)
    assert not any(cell.selected for _, _, cell in every.cells)


def test_rows_whose_cells_have_other_winners_name_each_over_its_columns():
    points = ["lr = 1", "lr = 1", "", "lr = 2"]
    cells_ = [replace(table_of({("a",): THREE}).grid[0][0], selected=won) for won in points]
    assert text.selected([*cells_, None]) == [("lr = 1", 2), ("", 1), ("lr = 2", 1), ("", 1)]
