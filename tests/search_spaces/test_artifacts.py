"""What holds for every artifact of every paper, and for whoever adds one."""

from __future__ import annotations

import re
import subprocess
import sys
from dataclasses import fields

import pytest

import search_spaces
from search_spaces import presets, printed
from search_spaces.spec import Artifact, CurveView, Label, Metric, Reported
from sweep.plan.expand import every_cell
from trainables import measures
from trainables.config import TrialConfig, merge

ARTIFACTS = search_spaces.artifacts()
RUNNABLE = [a for a in ARTIFACTS if not a.experiment.blocked]
every_artifact = pytest.mark.parametrize("artifact", ARTIFACTS, ids=lambda a: a.id)
every_runnable = pytest.mark.parametrize("artifact", RUNNABLE, ids=lambda a: a.id)
every_preset = pytest.mark.parametrize("preset", search_spaces.PRESETS)

IDS = """
nrs: table1 table2 table3 figure1
amp: table1 table2 figure2 figure4 figure6 figure7 figure8 claim_cost inner_steps appendix_e
infomcr: table1 table2 table3 figure2 figure3 figure4 claim_time claim_stage_ablation
nso: table2 table3 table4 table5 table6 figure2 figure2_bert figure2_gcn figure3 figure4 figure5
nso: figure6
fa: figure1
compare: methods tasks
"""


def test_the_promised_artifacts_are_there() -> None:
    promised = {
        f"{paper}/{name}"
        for paper, _, names in (line.partition(": ") for line in IDS.strip().splitlines())
        for name in names.split()
    }
    known = {artifact.id for artifact in ARTIFACTS}
    assert promised <= known
    assert len(known) == len(ARTIFACTS)
    assert list(ARTIFACTS) == RUNNABLE


def test_importing_needs_neither_torch_nor_ray() -> None:
    heavy = "torch", "ray", "mlflow", "numpy", "pandas"
    code = (
        "import sys, search_spaces; search_spaces.artifacts()\n"
        "for a in search_spaces.artifacts():\n"
        "    for p in search_spaces.PRESETS: search_spaces.apply(a, p)\n"
        f"print([name for name in {heavy} if name in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60
    )
    assert done.stdout.strip() == "[]"


def test_an_unknown_artifact_names_the_nearest_and_all() -> None:
    with pytest.raises(ValueError, match="did you mean 'nrs/table1'") as caught:
        search_spaces.find("nrs/tabel1")
    assert all(artifact.id in str(caught.value) for artifact in ARTIFACTS)


def test_an_unknown_preset_names_the_nearest_and_all() -> None:
    with pytest.raises(ValueError, match=r"'smok' \(did you mean 'smoke'\?\); known: paper, small"):
        presets.find("smok")


# -- shape ---------------------------------------------------------------------------------------


@every_artifact
def test_no_two_cells_share_a_place(artifact: Artifact) -> None:
    keys = [frozenset(cell.key.items()) for cell in artifact.experiment.cells]
    assert len(set(keys)) == len(keys)
    shown = [c for c in artifact.experiment.cells if not c.hidden]
    view = artifact.view
    apart = (*view.rows, *view.columns)
    if isinstance(view, CurveView):
        apart += view.panels + ((view.x.name,) if isinstance(view.x, Label) else ())
    places = [tuple(c.key.get(label) for label in apart) for c in shown]
    assert len(set(places)) == len(places)


@every_artifact
def test_printed_numbers_are_of_metrics_that_are_shown(artifact: Artifact) -> None:
    keys = [metric.key for metric in artifact.view.metrics]
    assert len(set(keys)) == len(keys)
    assert {name for cell in artifact.experiment.cells for name in cell.reported} <= set(keys)
    for cell in artifact.experiment.cells:
        for number in cell.reported.values():
            assert number.comparable or number.note, "say why it cannot be compared"


@every_artifact
def test_stages_cover_every_cell_and_start_from_earlier_ones(artifact: Artifact) -> None:
    cells = list(artifact.experiment.cells)
    names = [stage.name for stage in artifact.experiment.stages]
    assert len(set(names)) == len(names)
    for cell in cells:
        assert any(stage.covers(cell) for stage in artifact.experiment.stages), cell.key
    for index, stage in enumerate(artifact.experiment.stages):
        assert any(stage.covers(cell) for cell in cells), stage.name
        assert stage.seeds > 0
        if stage.after is None:
            assert not stage.inherit
            continue
        parent = artifact.experiment.stages[names.index(stage.after)]
        assert names.index(stage.after) < index
        assert stage.inherit
        for cell in filter(stage.covers, cells):
            match = tuple(cell.key) if stage.match is None else stage.match
            agreeing = [
                c
                for c in filter(parent.covers, cells)
                if all(c.key.get(label) == cell.key.get(label) for label in match)
            ]
            assert len(agreeing) == 1, (stage.name, cell.key)


@every_artifact
def test_every_choice_has_a_reading_and_a_reason(artifact: Artifact) -> None:
    assert artifact.experiment.selection.stated
    for choice in artifact.notes.choices:
        assert choice.what
        assert choice.interpretation
        assert choice.why
    assert len({choice.what for choice in artifact.notes.choices}) == len(artifact.notes.choices)


PARTS = [
    "Retina",
    "SVHN",
    "VGG16",
    "ViT",
    "PyramidNet",
    "DenseNet",
    "USAM",
    "ASAM",
    "RSAM",
    "BSAM",
    "RMP",
    "MixUp",
    "cutout",
    "confusion",
]


@every_runnable
def test_readings_are_those_of_this_table(artifact: Artifact) -> None:
    """What is shared between tables says nothing that is another table's."""
    shown = [cell for cell in artifact.experiment.cells if not cell.hidden]
    readings = {choice.what: choice.interpretation for choice in artifact.notes.choices}
    seeds = {artifact.experiment.last_stage(cell).seeds for cell in shown}
    if "number of runs" in readings:
        assert seeds == {int(readings["number of runs"])}
    if "± over ten runs" in readings:
        assert seeds == {10}
    said = " ".join(f"{what}: {reading}" for what, reading in readings.items())
    shows = " ".join(f"{label}: {entry}" for c in shown for label, entry in c.key.items()).lower()
    for part in PARTS:
        assert not re.search(rf"\b{part}", said, re.IGNORECASE) or part.lower() in shows, part
    assert "NLL" not in said or any("NLL" in metric.label for metric in artifact.view.metrics)
    assert "±" not in said or max(seeds) > 1


@every_runnable
@every_preset
def test_every_configuration_is_valid(artifact: Artifact, preset: str) -> None:
    shrunk = search_spaces.apply(artifact, preset)
    seen: set[str] = set()
    for stage in shrunk.experiment.stages:
        point = next(stage.points())
        for cell in filter(stage.covers, every_cell(shrunk)):
            given = {**shrunk.experiment.base, **cell.fields, **stage.fields, **point}
            if repr(given) not in seen:
                TrialConfig(**merge({}, given))
                seen.add(repr(given))
    for measure in shrunk.experiment.measures:
        measures.registry.resolve(measure.name, measure.options)
        assert all(0 < at <= 1 for at in measure.at)


@every_runnable
def test_grids_are_of_fields_and_options_that_exist(artifact: Artifact) -> None:
    for stage in artifact.experiment.stages:
        cell = next(c for c in every_cell(artifact) if stage.covers(c))
        for point in stage.points():
            TrialConfig(
                **merge({}, {**artifact.experiment.base, **cell.fields, **stage.fields, **point})
            )


# -- presets -------------------------------------------------------------------------------------


@every_artifact
def test_preset_paper_changes_nothing(artifact: Artifact) -> None:
    assert search_spaces.apply(artifact, "paper") == artifact


@every_runnable
@pytest.mark.parametrize("preset", ["small", "laptop", "smoke"])
def test_a_shrunk_artifact_says_so(artifact: Artifact, preset: str) -> None:
    shrunk = search_spaces.apply(artifact, preset)
    assert not shrunk.presets.get(preset, presets.PRESETS[preset]).comparable
    if artifact.id != "amp/figure6":  # two spirals are small as they are
        changed = [f.name for f in fields(artifact) if f.name != "notes"]
        differs = any(getattr(shrunk, name) != getattr(artifact, name) for name in changed)
        assert differs == bool(shrunk.notes.changes)
    assert [c.key for c in shrunk.experiment.cells] == [c.key for c in artifact.experiment.cells]
    for before, after in zip(artifact.experiment.stages, shrunk.experiment.stages, strict=True):
        assert after.seeds <= before.seeds
        assert set(after.grid) <= set(before.grid)


WITHOUT_FILES = {
    *("digits", "spirals", "matrix_sensing"),
    *("captioned_digits", "ego_graphs", "paraphrases", "word_problems"),
}


@every_runnable
def test_smoke_needs_no_download_and_few_trials(artifact: Artifact) -> None:
    """About a minute a table on two cores: at most 80 trials of about 1.5 seconds.

    Every method on every task (compare/tasks) is about 90 of them.
    """
    shrunk = search_spaces.apply(artifact, "smoke")
    if artifact.experiment.fan_out:  # as many as there are registered parts
        shrunk = shrunk.with_experiment(cells=tuple(every_cell(shrunk)))
    trials = set()
    for stage in shrunk.experiment.stages:
        for cell in filter(stage.covers, shrunk.experiment.cells):
            for point in stage.points():
                given = merge(
                    {}, {**shrunk.experiment.base, **cell.fields, **stage.fields, **point}
                )
                source = given["data"]["source"]
                name = source if isinstance(source, str) else source["name"]
                assert name in WITHOUT_FILES
                trials |= {(repr(given), seed) for seed in range(stage.seeds)}
    assert len(trials) <= (90 if artifact.experiment.only_fitting else 80)


# -- printed text --------------------------------------------------------------------------------


def test_a_printed_line_is_labels_and_numbers() -> None:
    ((labels, numbers),) = printed.rows("\n  ResNet18 | NRS | 96.01±0.15 24.0 - \n", n=3)
    assert labels == ("ResNet18", "NRS")
    assert numbers == [Reported(96.01, 0.15, 3), Reported(24.0, None, 3), Reported(None)]


def test_a_line_without_labels_and_a_short_line_are_errors() -> None:
    with pytest.raises(ValueError, match="no labels in '1 2'"):
        list(printed.rows("1 2"))
    with pytest.raises(ValueError, match="shorter"):
        list(printed.table("a | 1", [("x",), ("y",)]))


def test_metrics_are_shown_in_their_unit() -> None:
    assert Metric("e", "", shown="accuracy_percent").display(0.25) == 75
    assert Metric("e", "", shown="accuracy").display(0.25) == 0.75
    assert Metric("e", "", shown="percent").display(0.25) == 25
    assert Metric("e", "", shown="milliseconds").display(0.25) == 250
    assert Metric("e", "", scale=0.5).display(0.25) == 0.125


def test_a_metrics_key_says_what_is_read() -> None:
    assert Metric("a", "").key == "a"
    assert Metric("a", "", minus="b").key == "a-b"
    assert Metric("a", "", epoch="mean").key == "a@mean"
    assert Metric("a", "", relative_to={"method": "erm"}).key == "a/ratio"
