"""What a report says of records of which that is known."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

import search_spaces
from sweep.record.record import Record
from sweep.report import Section, report_of
from sweep.report.page import _reproduced
from sweep.report.pictures import in_page
from tests.sweep.report.cases import TOGETHER, planned, report, whole
from tests.sweep.tables.test_reproduction import with_reasons
from tests.sweep.test_from_a_file import BLOCKED

pytestmark = TOGETHER


def less(record: Record, count: int = 0, failed: int = 0) -> Record:
    """Without ``count`` of the trials of the last stage, and with others of them failed."""
    found = planned("infomcr/table1", record)
    last = [trial.trial_id for trial in found.stages[-1].trials]
    gone, broken = last[:count], last[count : count + failed]
    runs = [
        replace(run, status="failed", metrics={}) if run.trial_id in broken else run
        for run in record.runs()
        if run.trial_id not in gone
    ]
    return Record.from_runs(runs)


def test_the_summary_of_a_whole_record() -> None:
    page = report("infomcr/table1")
    said = dict(page.summary)
    assert page.title == "infomcr/table1, preset smoke"
    assert said["paper"].startswith(search_spaces.paper_of("infomcr").title)
    assert said["preset"].startswith("smoke: handwritten digits")
    one, other = page.sections[0].table.reproduction.pairs  # by numbers that the ids make up
    kept = (one.sign > 0) + (other.sign > 0)
    assert said["reproduced"] == (
        f"no printed number can be compared; {kept} of 2 pairs come out in the printed order"
    )
    assert "to run" not in said["trials"]
    assert "left" not in said
    assert not [said for what, said in page.missing if what == page.about]
    assert dict(page.environment) == {"commit": "abc", "torch": "2.15"}


def test_claims_are_counted_by_their_verdict() -> None:
    page = report("infomcr/table1")
    assert page.claims is not None
    counted = dict(page.summary)["claims"]
    assert sum(int(part.split()[0]) for part in counted.split(", ")) == len(page.claims.judged)


@pytest.fixture
def undrawn(monkeypatch: pytest.MonkeyPatch) -> None:
    """Reports without pictures, which take most of the time."""
    monkeypatch.setattr("sweep.report.page.pictures_of", lambda *_, **__: ())


@pytest.mark.usefixtures("undrawn")
def test_trials_are_counted_once_and_their_hours_added() -> None:
    record = whole("infomcr/table1")
    found = planned("infomcr/table1", record)
    runs = [
        replace(run, metrics={**run.metrics, "training_seconds": 36.0}, ended=86_400_000 * day)
        for day, run in enumerate(record.runs(), 1)
    ]
    twice = report_of("infomcr", [found, found], Record.from_runs(runs))
    size = len(found.trials)
    said = dict(twice.summary)
    assert said["trials"] == f"{size}, each counted once: {size} done"
    assert said["spent"] == f"{size * 36 / 3600:.2f} device hours of training"
    assert said["recorded"].startswith("1970-01-02 to 1970-")


@pytest.mark.usefixtures("undrawn")
def test_what_is_missing_is_named_with_its_cells() -> None:
    record = less(whole("infomcr/table1"), count=1, failed=2)
    said = dict(report("infomcr/table1", record).summary)
    assert said["trials"] == "24, each counted once: 21 done, 3 to run (2 failed)"
    found = report_of("infomcr/table1", [planned("infomcr/table1", record)], record)
    reasons = dict(said.split(": ", 1) for _, said in found.missing)
    assert set(reasons) == {"1 failed, 1 not run", "1 failed"}  # no number, and one of two
    assert all("/ yes" in cells for cells in reasons.values())


def test_nothing_is_recorded_and_that_is_said() -> None:
    empty = Record.from_runs([])
    found = report("infomcr/table1", empty)
    assert dict(found.summary)["left"] == "not known before trials of each network are recorded"
    lacking = [said for what, said in found.missing if what == "infomcr/table1"]
    assert lacking[0].startswith("2 not run: digits, for CIFAR-10 / cnn_tiny, for CNN / no; ")
    assert lacking[1].startswith("2 not run, waits for stage tune: digits, for CIFAR-10 / cnn_tiny")
    assert len(lacking) == 2
    assert any(what == "infomcr-11" and "not judged yet" in said for what, said in found.missing)
    assert found.environment == ()
    assert found.sections[0].pictures == ()


def test_tables_and_figures_of_a_paper_that_cannot_run_are_named(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    paper = search_spaces.paper_of("fa")
    assert paper is not None
    lost = replace(paper.artifacts[0].with_experiment(blocked="its data are lost"), id="fa/lost")
    more = replace(paper, artifacts=(*paper.artifacts, lost))
    monkeypatch.setattr(search_spaces, "paper_of", {"fa": more}.get)
    record = Record.from_runs([])
    found = report_of("fa", [planned("fa/figure1", record)], record)
    cannot = [line for line in found.missing if line[1].startswith("cannot run: ")]
    assert cannot == [("fa/lost", "cannot run: its data are lost")]


def test_a_figure_has_its_picture_with_words() -> None:
    (section,) = report("amp/figure8").sections
    assert section.pictures
    first = section.pictures[0]
    assert first.svg.startswith('<svg role="img" aria-label="amp/figure8: ')
    assert first.text.startswith("amp/figure8: ")
    assert "Mean ± sample std over n seeds" in first.text


def test_an_svg_in_a_page_has_ids_of_its_own_and_no_metadata() -> None:
    document = (
        '<?xml version="1.0"?>\n<svg width="3pt"><metadata>http://x</metadata><defs>'
        '<style type="text/css">*{a:b}</style><path id="p"/></defs>'
        '<use xlink:href="#p" clip-path="url(#c)"/><clipPath id="c"/></svg>'
    )
    assert in_page(document, 'a "b" & c', "x-") == (
        '<svg role="img" aria-label="a &quot;b&quot; &amp; c" width="3pt"><defs>'
        '<style type="text/css">svg *{a:b}</style><path id="x-p"/></defs>'
        '<use xlink:href="#x-p" clip-path="url(#x-c)"/><clipPath id="x-c"/></svg>'
    )


RENDER = """
import sys
for name in sys.argv[3].split():
    sys.modules[name] = None  # importing it is an error
import search_spaces
from sweep.plan import plan
from sweep.record import Record
from sweep.report import render, report_of
from sweep.selection import selection

record = Record.read(sys.argv[2])
artifact = search_spaces.apply(search_spaces.find(sys.argv[1]), "smoke")
page = report_of(sys.argv[1], [plan(artifact, "smoke", selection("paper"), record)], record)
print(render(page))
"""


@pytest.mark.parametrize("name", ["infomcr/table1", "amp/figure8"])
def test_a_report_is_a_function_of_the_record_alone(name: str, tmp_path: Path) -> None:
    """Without torch, Ray or MLflow; what parts answer was kept by a process that has them."""
    file = tmp_path / "record.parquet"
    whole(name).write(file)

    def rendered(blocked: str) -> str:
        command = [sys.executable, "-c", RENDER, name, str(file), blocked]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        return done.stdout

    free = rendered("")
    assert rendered(BLOCKED) == free
    assert f"<h1>{name}, preset smoke</h1>" in free


def test_of_many_cells_the_first_are_named_and_the_others_counted() -> None:
    record = Record.from_runs([])
    (section,) = report_of("nrs", [planned("nrs/table1", record)], record).sections
    waiting = section.missing[0]
    assert waiting.startswith("2 not run, search 0/2: vgg_tiny, for VGG16 / Baseline / ")
    assert waiting.count(";") == 6
    lacking = [c for _, _, c in section.table.cells if c.problems == ("2 not run", "search 0/2")]
    assert waiting.endswith(f"; and {len(lacking) - 6} more")


def test_numbers_of_all_tables_are_added_where_they_may_be_compared() -> None:
    table = with_reasons()
    section = Section(table, (), (), ())
    assert dict(_reproduced([section, section]))["reproduced"].startswith(
        "2 of 4 printed numbers are inside, 12 are not comparable"
    )
    assert _reproduced([]) == ()
