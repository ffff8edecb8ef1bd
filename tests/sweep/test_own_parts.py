"""Parts of one's own in the commands: methods, papers and formats, from wherever they are named."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

import search_spaces
from sweep import own_parts
from sweep.tables import FORMATS
from tests.sweep.called import call
from trainables.own_parts.load import forget_all

METHOD = '''
from dataclasses import dataclass

from trainables.methods.base import Method, Output, registry
from trainables.registry import Positive


@registry.register({name!r})
@dataclass(kw_only=True)
class Mine(Method):
    """The gradient, ``factor`` times."""

    factor: Positive = 1.0

    def step(self, objective):
        loss, logits = objective.accumulate(self.factor)
        return Output(loss, logits, objective=None)
'''
PAPER = """
from search_spaces.spec import Artifact, Cell, Experiment, Metric, Notes, Paper, Stage, TableView

TABLE = Artifact(
    id="{key}/table",
    experiment=Experiment(
        base={{"model": "mlp_tiny", "epochs": 1, "data.subset": 100, "batch_size": 32}},
        cells=(Cell({{"method": "erm"}}, {{"method": "erm"}}),),
        stages=(Stage("train", seeds=1),),
    ),
    view=TableView(rows=("method",), metrics=(Metric("test_error", "test error"),)),
    notes=Notes("Of my own"),
)
PAPER = Paper("{key}", "Mine", "nowhere", (TABLE,))


def loud(table):
    return "".join(f"{{row}} {{cell.mean}}!\\n" for row, _, cell in table.cells)


FORMATS = {{"loud": loud}}
"""
GRID = (
    "grid", "method=mine_here", "method.factor=0.5,1", "model=mlp_tiny", "data.subset=100",
    "epochs=1", "batch_size=32", "--seeds", "1", "--executor", "serial",
)  # fmt: skip


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "mine.py").write_text(METHOD.format(name="mine_here"))
    (tmp_path / "paper.py").write_text(PAPER.format(key="ours"))
    yield tmp_path
    forget_all()
    search_spaces.add([])


def test_a_method_is_listed_run_and_shown() -> None:
    code, out, _ = call("list", "methods", "--import", "mine.py", "--format", "json")
    assert (code, [r["title"] for r in json.loads(out) if r["name"] == "mine_here"]) == (
        0, ["The gradient, ``factor`` times."],
    )  # fmt: skip
    code, out, _ = call(*GRID, "--import", "mine.py", "--all-points", "--format", "json")
    assert code == 0
    assert len(json.loads(out)["cells"]) == 2


def test_what_the_environment_names_is_imported_too(monkeypatch: pytest.MonkeyPatch) -> None:
    """Several, beside what the option names."""
    monkeypatch.setenv(own_parts.VARIABLE, os.pathsep.join(["mine.py", "paper.py", ""]))
    Path("more.py").write_text(METHOD.format(name="more_here"))
    names = [r["name"] for r in json.loads(
        call("list", "methods", "--import", "more.py", "--format", "json")[1]
    )]  # fmt: skip
    assert {"mine_here", "more_here"} <= set(names)
    assert search_spaces.find("ours/table").notes.title == "Of my own"


def test_an_installed_package_offers_its_module(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By an entry point; a folder of the same name that lies here is another thing."""
    site = folder / "site"
    (site / "theirs-1.0.dist-info").mkdir(parents=True)
    (site / "theirs-1.0.dist-info" / "METADATA").write_text("Name: theirs\nVersion: 1.0\n")
    (site / "theirs-1.0.dist-info" / "entry_points.txt").write_text(
        "[flatsweep]\nwhatever = theirs_module\n"
    )
    (site / "theirs_module.py").write_text(METHOD.format(name="theirs_here"))
    (folder / "theirs_module").mkdir()
    monkeypatch.syspath_prepend(str(site))
    own_parts._installed.cache_clear()
    try:
        assert "theirs_here: " in call("list", "methods")[1]
    finally:
        own_parts._installed.cache_clear()


def test_a_paper_and_a_format_of_ones_own() -> None:
    run = ("reproduce", "ours/table", "--preset", "paper", "--executor", "serial")
    code, out, _ = call(*run, "--import", "paper.py", "--format", "loud")
    assert code == 0
    assert out.startswith("('erm',) ")
    assert out.endswith("!\n")
    forget_all()
    code, _, error = call("table", "ours/table")
    assert (code, error[:35]) == (2, "sweep: unknown artifact 'ours/table'"[:35])
    code, _, error = call("table", "nrs/table3", "--format", "loud")
    assert (code, error[:35]) == (2, "sweep: unknown table format 'loud';")


def test_the_parts_of_a_sweeps_file_bring_their_format_and_a_folder(folder: Path) -> None:
    """Of which the command knows once it has read the file, and says what it lacks before it
    trains."""
    (folder / "parts").mkdir()
    for name in ("mine.py", "paper.py"):
        (folder / name).rename(folder / "parts" / name)
    (folder / "s.yaml").write_text(
        "import: parts\nbase: {model: mlp_tiny, epochs: 1, data.subset: 100, batch_size: 32}\n"
        "compare: {mine: mine_here}\nseeds: 1\n"
    )
    words = ("reproduce", "s.yaml", "--executor", "serial")
    assert call(*words, "--format", "lout")[2].startswith("sweep: unknown table format 'lout' (did")
    assert not list(folder.rglob("result.json"))
    code, out, _ = call(*words, "--format", "loud")
    assert (code, out[:9]) == (0, "('mine',)")


@pytest.mark.parametrize(
    ("file", "text", "said"),
    [
        ("paper.py", PAPER.format(key="nrs"), "there is a paper 'nrs' already: give yours another"),
        ("mine.py", METHOD.format(name="sam"), "mine.py: method 'sam' is one of flatsweep's own: "),
        ("mine.py", "FORMATS = {'csv': str}\n", "there is a format of tables 'csv' already: give"),
    ],
)
def test_a_name_of_ours_is_refused_before_anything_is_there(
    file: str, text: str, said: str, folder: Path
) -> None:
    (folder / file).write_text(text)
    for words in (("list",), ("doctor",), ("run", "nrs/table3")):
        code, out, error = call(*words, "--import", file)
        assert (code, out, error.count("\n")) == (2, "", 1)
        assert said in error
        forget_all()
    assert sorted(path.name for path in folder.iterdir()) == ["mine.py", "paper.py"]


def test_broken_code_ends_with_its_own_traceback(folder: Path) -> None:
    (folder / "mine.py").write_text("import math\n\nmath.sqrt(-1)\n")
    code, out, error = call("run", "nrs/table3", "--import", "mine.py")
    assert (code, out) == (2, "")
    assert error.startswith("sweep: mine.py cannot be imported:\n")
    assert f'File "{folder / "mine.py"}", line 3, in <module>' in error
    assert "results" not in [path.name for path in folder.iterdir()]


def test_formats_are_those_that_there_are() -> None:
    assert frozenset(FORMATS) == own_parts.BUILT_IN


FAULTS = """
import torch

from trainables.measures.base import registry


@registry.register("drawn_here")
def drawn_here(target):
    '''A number.'''
    return float(torch.rand(()))
"""


def test_the_doctor_examines_what_is_imported(folder: Path) -> None:
    """A line each, of methods, papers and formats too; one that is broken is exit code 1."""
    code, out, _ = call("doctor", "--import", "mine.py", "--import", "paper.py")
    lines = [
        line for line in out.splitlines() if "_here" in line or "ours/" in line or "loud" in line
    ]
    assert lines == [
        "ok     method mine_here: 10 checks",
        "ok     paper's ours/table: planned at every preset",
        f"ok     format loud: {lines[-1].rpartition(': ')[2]}",
    ]
    assert code == 0
    (folder / "mine.py").write_text(METHOD.format(name="mine_here") + FAULTS)
    (folder / "paper.py").write_text(
        PAPER.format(key="ours").replace("mlp_tiny", "no_such").replace("cell.mean", "cell.men")
    )
    code, out, _ = call("doctor", "--import", "mine.py", "--import", "paper.py")
    assert code == 1
    broken = [line for line in out.splitlines() if line.startswith("BROKEN")]
    assert [line.partition(": ")[0] for line in broken] == [
        "BROKEN measure drawn_here", "BROKEN paper's ours/table", "BROKEN format loud",
    ]  # fmt: skip
    assert broken[0].endswith(
        "its noise is not drawn from target.generator: two measurements with one differ"
    )
    assert "unknown model 'no_such'" in broken[1]


def test_the_doctor_says_nothing_of_parts_where_there_are_none() -> None:
    _, out, _ = call("doctor")
    assert "method" not in out
