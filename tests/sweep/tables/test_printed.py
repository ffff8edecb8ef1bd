"""Which printed numbers are compared with measured ones at preset paper, and which only shown."""

from __future__ import annotations

import csv
import io
import json
from collections import Counter

import pytest

import search_spaces
from search_spaces.nso.protocol import NOT_UNDONE, STAND_INS
from search_spaces.presets import AS_PRINTED
from search_spaces.spec import Artifact
from sweep.aggregate import CellResult, selection
from sweep.tables.cells import competing_label
from sweep.tables.layout import Table, build, render
from tests.sweep.tables.cases import summary

RETINA = STAND_INS["Retina"]
BOTH = f"{NOT_UNDONE}; {RETINA}"
CNN = "a CNN of our own is run; the paper's is in its Appendix E, which is lost"
OTHER_SET = "of the set the code loads"
PLACEHOLDER = "a placeholder, not measured"
UNJITTED = "unjitted JAX, unknown processor"

COMPARED: dict[str, tuple[int, dict[str, int]]] = {
    "nrs/table1": (60, {}),
    "nrs/table2": (12, {}),
    "nrs/table3": (3, {}),
    "amp/table1": (90, {"the smoothed loss": 6}),
    "amp/table2": (36, {}),
    "amp/figure7": (24, {}),
    "amp/figure8": (36, {}),
    "amp/claim_cost": (1, {}),
    "infomcr/table1": (8, {CNN: 4}),
    "infomcr/table2": (12, {}),
    "infomcr/table3": (6, {}),
    "infomcr/claim_time": (1, {"on two RTX 2080 Ti": 2}),
    "nso/table2": (36, {RETINA: 18}),
    "nso/table3": (
        49,
        {
            RETINA: 10,
            "printed so, but above every other method and against the text: likely a slip": 1,
        },
    ),
    "nso/table4": (24, {}),
    "nso/table5": (27, {}),
    "nso/table6": (50, {RETINA: 10, NOT_UNDONE: 30, BOTH: 6}),
    "fa/figure1": (
        14,
        {
            PLACEHOLDER: 1,
            UNJITTED: 5,
            OTHER_SET: 14,
            f"{PLACEHOLDER}; {OTHER_SET}": 1,
            f"{UNJITTED}; {OTHER_SET}": 5,
        },
    ),
}
"""How many are compared; how many are only shown, by the reason that stands under the table."""


def measured(artifact: Artifact) -> Table:
    """A complete table at preset paper, whatever the numbers: every seed of every cell is there."""
    number = summary([0.2, 0.3, 0.4])
    results = [
        CellResult(
            cell, {m.key: number for m in artifact.view.metrics}, "s", {}, 1, 1, (f"trial-{i}",)
        )
        for i, cell in enumerate(artifact.experiment.cells)
    ]
    return build(artifact, results, AS_PRINTED, selection("paper"))


PRINTING = [a for a in search_spaces.artifacts() if any(c.reported for c in a.experiment.cells)]


def test_every_artifact_with_printed_numbers_is_listed() -> None:
    assert sorted(artifact.id for artifact in PRINTING) == sorted(COMPARED)


@pytest.mark.parametrize("artifact", PRINTING, ids=lambda a: a.id)
def test_what_is_compared_and_what_is_only_shown(artifact: Artifact) -> None:
    cells = [cell for _, _, cell in measured(artifact).cells if cell.reported is not None]
    compared = sum(cell.difference is not None for cell in cells)
    shown = Counter(cell.note for cell in cells if cell.difference is None)
    assert (compared, dict(shown)) == COMPARED[artifact.id]


def test_stand_ins_are_never_compared() -> None:
    """By what is run, not by labels: these parts stand in for what no one can run again."""
    for artifact in PRINTING:
        for cell in artifact.experiment.cells:
            fields = {**artifact.experiment.base, **cell.fields}
            parts = [fields.get(key, "") for key in ("data.source", "model", "method")]
            names = {part if isinstance(part, str) else part["name"] for part in parts}
            if names & {"retina", "cnn", "rsam", "bsam"}:
                assert not any(number.comparable for number in cell.reported.values()), cell.key


@pytest.mark.parametrize("kind", ["terminal", "md", "latex", "html"])
def test_the_header_counts_what_is_not_compared(kind: str) -> None:
    text = " ".join(render(measured(search_spaces.find("nso/table6")), kind).split())
    plain = text.replace("{}", "").replace("\\", "")
    counted = "46 of the 96 printed numbers, shown only: 10 with [a], 30 with [b], 6 with [c]"
    assert counted in plain.replace("\\", "")
    assert NOT_UNDONE in plain
    complete = render(measured(search_spaces.find("nrs/table1")), kind)
    assert "shown only" not in complete


def test_programs_read_it_of_every_number() -> None:
    table = measured(search_spaces.find("infomcr/table1"))
    cells = json.loads(render(table, "json"))["cells"]
    stand_in = [c for c in cells if c["column"]["model"] == "CNN"]
    assert {(c["reported"]["comparable"], c["reported"]["note"]) for c in stand_in} == {
        (False, CNN)
    }
    lines = list(csv.DictReader(io.StringIO(render(table, "csv"))))
    assert Counter((row["reported_comparable"], row["difference"] == "") for row in lines) == {
        ("False", True): 4,
        ("True", False): 8,
        ("", True): 2,
    }


def test_stand_ins_count_in_no_direction() -> None:
    """With the regulariser and without differ in print; the stand-ins' pair is not counted."""
    table1 = search_spaces.find("infomcr/table1")
    cnn = table1.with_experiment(
        cells=tuple(c for c in table1.experiment.cells if c.key["model"] == "CNN")
    )
    assert measured(cnn).directions == ""
    rest = table1.with_experiment(
        cells=tuple(c for c in table1.experiment.cells if c.key["model"] == "ResNet-20")
    )
    assert "of 1 pairs" in measured(rest).directions


@pytest.mark.parametrize("artifact", search_spaces.artifacts(), ids=lambda a: a.id)
def test_what_competes_is_how_it_was_trained(artifact: Artifact) -> None:
    """Neither bold nor a direction holds one data set or network against another."""
    label = competing_label(artifact.view, artifact.experiment)
    if len({cell.key.get(label) for cell in artifact.experiment.cells}) > 1:
        assert label not in {"dataset", "model", "task", "varied"}
