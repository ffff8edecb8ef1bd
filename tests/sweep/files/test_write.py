"""What is written of an artifact is read as the same trials, without the paper's file."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import search_spaces
from search_spaces.spec import Artifact
from sweep.files.write import starter, text, text_of
from sweep.plan.where import chosen
from tests.sweep.files.cases import artifact, ids, planned

ROOT = Path(__file__).parents[3]
RUNNABLE = [a for a in search_spaces.artifacts() if not a.experiment.blocked]


def same(one: Artifact, other: Artifact, preset: str) -> None:
    """Both plan the same trials; what is shown, measured and selected is the same, too.

    What the paper's sentences say of its numbers is not written: they are about the paper.
    """
    found = search_spaces.apply(one, preset)
    assert ids(planned(other)) == ids(planned(one, preset))
    assert other.experiment.measures == found.experiment.measures
    assert other.experiment.selection == found.experiment.selection
    shown = other.figures[0] if found.view.kind == "figure" else other.view
    assert shown == replace(found.view, averages=(), judged=())
    assert other.notes.title == found.notes.title


def named(written: str) -> set[str]:
    return {a.id for a in search_spaces.artifacts() if a.id in written}


@pytest.mark.parametrize("made", RUNNABLE, ids=lambda a: a.id)
def test_every_artifact_is_written_as_printed(made: Artifact) -> None:
    written = text_of(search_spaces.apply(made, "paper"), "mine")
    assert named(written) == set()
    same(made, artifact(written), "paper")


@pytest.mark.parametrize("made", RUNNABLE[::4], ids=lambda a: a.id)
@pytest.mark.parametrize("preset", ["small", "laptop", "smoke"])
def test_an_artifact_is_written_as_a_preset_runs_it(made: Artifact, preset: str) -> None:
    same(made, artifact(text_of(search_spaces.apply(made, preset), "mine")), preset)


WITHOUT = """
import json
import sys
from pathlib import Path

import search_spaces

folder, *papers = sys.argv[1:]
for paper in papers:
    sys.modules[f"search_spaces.{paper}"] = None  # importing it is an error
search_spaces._modules = list
from sweep.files import load
from tests.sweep.files.cases import ids, planned

assert search_spaces.papers() == ()
found = {str(file): ids(planned(load(file))) for file in Path(folder).glob("*/*.yaml")}
print(json.dumps({
    name: sorted([trial, sorted(awaits)] for trial, awaits in trials)
    for name, trials in found.items()
}))
"""


@pytest.mark.parametrize("preset", ["smoke", pytest.param("paper", marks=pytest.mark.slow)])
def test_no_papers_file_is_needed(preset: str, tmp_path: Path) -> None:
    """By any artifact that runs, in a process that cannot import a paper."""
    expected = {}
    for made in RUNNABLE:
        file = tmp_path / f"{made.id}.yaml"
        file.parent.mkdir(exist_ok=True)
        file.write_text(text_of(search_spaces.apply(made, preset), "mine"))
        trials = ids(planned(made, preset))
        expected[str(file)] = sorted([trial, sorted(awaits)] for trial, awaits in trials)
    papers = sorted({made.id.partition("/")[0] for made in RUNNABLE})
    command = [sys.executable, "-c", WITHOUT, str(tmp_path), *papers]
    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == expected
    assert all(expected.values())


def test_some_cells_are_written_with_those_that_they_start_from() -> None:
    made = search_spaces.find("nrs/table1")
    some = chosen(made, {"method": "NRS", "dataset": "Cifar10"})
    found = artifact(text_of(some, "mine"))
    assert ids(planned(found)) == ids(planned(some, "paper"))
    assert ids(planned(found)) < ids(planned(made, "paper"))
    shown = [c for c in found.experiment.cells if not c.hidden]
    assert {(c.key["method"], c.key["dataset"]) for c in shown} == {("NRS", "Cifar10")}
    assert {c.key["method"] for c in found.experiment.cells if c.hidden} == {"Baseline"}


def test_the_file_to_start_from_runs_as_it_is() -> None:
    made = artifact(starter("mine"))
    assert made.id == "mine/mine"
    assert len(ids(planned(made))) == (3 + 9) * 3
    assert len(ids(planned(made, "smoke"))) == 3 + 9


def test_a_file_is_written_from_a_file() -> None:
    made = artifact(starter("mine"))
    assert ids(planned(artifact(text_of(made, "other")))) == ids(planned(made))


# -- files that are drawn --------------------------------------------------------------------------

LRS = st.lists(st.sampled_from([0.05, 0.1, 0.2, 1e-5]), min_size=1, max_size=3, unique=True)
RHOS = st.lists(st.sampled_from([0.01, 0.1]), min_size=1, unique=True)
ROWS = st.fixed_dictionaries(
    {},
    optional={
        "epochs": st.integers(1, 3),
        "grid": st.fixed_dictionaries({"optimizer.lr": LRS}),
        "points": st.just([{"batch_size": 32}, {"batch_size": 64, "optimizer.momentum": 0.5}]),
        "seeds": st.integers(1, 2),
        "budget": st.sampled_from(["epochs", "gradients", "time"]),
        "hidden": st.booleans(),
    },
)
SAM = st.fixed_dictionaries({"method": st.just("sam"), "grid": st.fixed_dictionaries({
    "method.rho": RHOS,
})})  # fmt: skip
NAMES = st.sampled_from(["A", "a b", "1", "*x", "yes", "é"])
FILES = st.fixed_dictionaries(
    {"base": st.fixed_dictionaries({"model": st.just("mlp_tiny"), "optimizer.weight_decay": LRS.map(
        min)})},
    optional={
        "compare": st.dictionaries(NAMES, ROWS | SAM, min_size=1, max_size=3),
        "columns": st.just({"data": {"X": {"data.subset": 100}, "Y": {}}}),
        "grid": st.fixed_dictionaries({"optimizer.lr": LRS}),
        "seeds": st.integers(1, 2),
        "then": st.sampled_from([{"seeds": 3}, {"epochs": 4}, {"seeds": 1, "epochs": 4}]),
        "select": st.sampled_from([{"on": "validation_nll"}, {"epoch": "best_validation"}]),
        "metrics": st.just(["test_error", {"name": "test_nll", "digits": 1}]),
        "measures": st.just([{"name": "hessian_trace", "samples": 10}]),
    },
)  # fmt: skip


@given(FILES)
@settings(max_examples=40, deadline=None)
def test_a_file_that_is_drawn_is_written_and_read_as_the_same(keys: dict[str, Any]) -> None:
    made = artifact(text({"name": "x", **keys}))
    again = artifact(text_of(made, "y"))
    same(made, again, "full")
    assert [c.budget for c in again.experiment.cells] == [c.budget for c in made.experiment.cells]
    assert again.experiment.stages == made.experiment.stages
    assert replace(again, notes=made.notes, id=made.id).view == made.view
