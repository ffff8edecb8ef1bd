"""A small real sweep, kept: its trials, its plan under each rule, its exact tables and reports.

    python tests/golden/make.py train     # train the trials again: runs.jsonl, plans.json, tables
    python tests/golden/make.py           # from the runs that are kept: the tables alone

``train`` fits every trial that the planner asks for under any rule (three dozen small networks on
the handwritten digits, well under a minute) and exports what `fit` returned. So that the tables
show what can go wrong, three outcomes are then doctored (``DOCTORED``), and the "printed" numbers
are made up. The plans are kept too, with their trial ids: the tables stay checkable when the
configuration of a trial, and with it every id, changes. Read the difference before you commit it.
"""

from __future__ import annotations

import json
import shutil
import sys
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from search_spaces.claim import AllBetter, Claim, Place, lower
from search_spaces.spec import (
    Artifact,
    Cell,
    Choice,
    Experiment,
    Metric,
    Notes,
    Preset,
    Reported,
    Selection,
    Stage,
    TableView,
)
from sweep.aggregate import SELECTIONS, CellResult, cells
from sweep.claims import evidence
from sweep.claims.judge import judge
from sweep.claims.show import Report
from sweep.plan.expand import Plan, PlannedStage
from sweep.record.record import Record
from sweep.record.runs import Run, read_runs, write_runs
from sweep.report.page import Page, Section
from sweep.report.pictures import Picture
from sweep.report.write import SUFFIXES as REPORTS
from sweep.report.write import render as render_report
from sweep.tables.layout import Table, build, render

FOLDER = Path(__file__).parent
SUFFIXES = {
    "terminal": "txt",
    "md": "md",
    "latex": "tex",
    "csv": "csv",
    "json": "json",
    "html": "html",
}
PAPER = Preset("paper", "as printed", comparable=True)
SMALL = Preset("small", "smaller than printed")

PRINTED = {
    ("ERM", "16 units"): {"test_error": Reported(9.1, 0.6, 10), "test_nll": Reported(0.33)},
    ("ERM", "64 units"): {"test_error": Reported(4.0, 0.2, 10)},
    ("SAM", "16 units"): {"test_error": Reported(6.0, 0.5, 10)},
    ("SAM", "64 units"): {
        "test_error": Reported(5.5, 0.3, 10),
        "test_nll": Reported(0.9, 0.1, 3, "the smoothed loss", comparable=False),
    },
}

ARTIFACT = Artifact(
    id="golden/table",
    experiment=Experiment(
        base={
            "data.source": "digits",
            "data.validation": 0.2,
            "optimizer.weight_decay": 0.0,
            "schedule.name": "constant",
            "epochs": 8,
            "batch_size": 64,
        },
        cells=tuple(
            Cell(
                {"method": method, "network": f"{units} units"},
                {"method": part, "model": {"name": "mlp", "widths": (units,)}},
                PRINTED.get((method, f"{units} units"), {}),
            )
            for method, part in {
                "ERM": {"name": "erm"},
                "SAM": {"name": "sam"},
                "AMP": {"name": "amp", "epsilon": 0.5, "inner_lr": 1.0},
            }.items()
            for units in (16, 64)
        ),
        stages=(
            # The last learning rate is there to diverge.
            Stage("erm", {"method": "ERM"}, grid={"optimizer.lr": (0.02, 0.2, 1e30)}),
            Stage(
                "sam",
                {"method": "SAM"},
                grid={"method.rho": (0.05, 0.2)},
                after="erm",
                match=("network",),
                inherit=("optimizer.lr",),
            ),
            Stage(
                "amp", {"method": "AMP"}, after="erm", match=("network",), inherit=("optimizer.lr",)
            ),
        ),
        selection=Selection("test_error", "best_test", "made up for this table"),
    ),
    view=TableView(
        rows=("method",),
        columns=("network",),
        metrics=(
            Metric("test_error", "test error %", shown="percent"),
            Metric("test_nll", "test NLL", digits=3),
            Metric("test_error", "gap %", shown="percent", minus="train_error", epoch="last"),
            Metric("training_seconds", "time / ERM", relative_to={"method": "ERM"}),
        ),
    ),
    notes=Notes(
        title="Two small networks on the handwritten digits; the printed numbers are made up",
        choices=(Choice("printed numbers", "made up", "this table tests the tables"),),
        claims=("SAM's error is lower (made up, too)",),
        changes=("epochs: 200 → 8",),
    ),
)

DOCTORED: dict[tuple[str, str, int], str] = {
    ("SAM", "16 units", 1): "diverged",
    ("AMP", "16 units", 2): "failed",
    ("AMP", "64 units", 0): "left out",
}
"""(method, network, seed) -> what its trials are made to look like."""


@dataclass(frozen=True)
class Planned:
    """A planned trial as it is kept: with the id it had, and no configuration."""

    trial_id: str
    stage: str
    cell: Cell
    seed: int
    point: dict[str, Any]


def plans() -> dict[str, Plan]:
    """The kept plan of each selection rule."""
    spots = {tuple(cell.key.values()): cell for cell in ARTIFACT.experiment.cells}
    kept = json.loads((FOLDER / "plans.json").read_text())
    return {
        rule: Plan(
            ARTIFACT,
            PAPER.name,
            SELECTIONS[rule],
            ARTIFACT.experiment.cells,
            tuple(
                PlannedStage(
                    name, tuple(Planned(i, name, spots[tuple(c)], s, p) for i, c, s, p in trials)
                )
                for name, trials in stages.items()
            ),
        )
        for rule, stages in kept.items()
    }


def results(rule: str) -> list[CellResult]:
    """What was measured for each cell of the kept sweep."""
    return cells(plans()[rule], Record.from_runs(read_runs(FOLDER / "runs.jsonl")))


def made(rule: str, preset: Preset = PAPER) -> Table:
    """The kept sweep under a selection rule."""
    return build(ARTIFACT, results(rule), preset, SELECTIONS[rule], {"commit": "golden"})


def table(rule: str, kind: str, preset: Preset = PAPER) -> str:
    """The kept sweep under a selection rule, in one of the formats."""
    return render(made(rule, preset), kind)


def tables() -> dict[str, str]:
    """File name -> the table it must hold: one rule in every format, another in one.

    What a format does with the numbers is the same under every rule; the numbers of every rule
    are tested without kept tables.
    """
    every = {f"paper.{suffix}": table("paper", kind) for kind, suffix in SUFFIXES.items()}
    return every | {
        "paper-small.md": table("paper", "md", SMALL),
        "validation.md": table("validation", "md"),
    }


CLAIM = Claim(
    "golden-01",
    "better",
    "SAM's error is below ERM's (made up, too)",
    ("golden/table",),
    AllBetter(
        tuple(
            lower(
                Place("test_error", {"method": "SAM", **of}),
                Place("test_error", {"method": "ERM", **of}),
            )
            for of in ({"network": "16 units"}, {"network": "64 units"})
        )
    ),
)


def report() -> Page:
    """A report of the kept sweep, whose figure is made up."""
    found = evidence.measured([(ARTIFACT, results("paper"))], comparable=True)
    judged = judge(CLAIM, found, evidence.printed([ARTIFACT]), in_full=True)
    svg = '<svg role="img" aria-label="a made-up figure" width="9pt" height="9pt"></svg>'
    section = Section(
        made("paper"),
        (("trials", "36, each counted once: 33 done (1 diverged), 2 to run (1 failed)"),),
        ("1 not run: AMP / 64 units",),
        (Picture("a made-up figure", svg), Picture("what was searched", svg, "grid")),
    )
    return Page(
        about="golden/table",
        title="golden/table, preset paper",
        summary=(("preset", "paper: as printed"),),
        sections=(section,),
        claims=Report("golden/table", PAPER, (judged,)),
        missing=(("golden/table", section.missing[0]),),
        environment=(("commit", "golden"),),
        commands=(
            "sweep run golden/table --preset paper",
            "sweep report golden/table --preset paper",
        ),
    )


def train() -> None:
    """Fit what the planner asks for, until no stage of any rule is pending; keep runs and plans."""
    from sweep.plan.expand import plan
    from trainables.train import fit

    runs: dict[str, Run] = {}
    kept: dict[str, Any] = {}
    for name, rule in SELECTIONS.items():
        while True:
            record = Record.from_runs(runs.values())
            planned = plan(ARTIFACT, PAPER.name, rule, record)
            if not planned.missing(record):
                break
            for trial in planned.missing(record):
                result = fit(trial.config)
                runs[result.trial_id] = Run(result.trial_id, result.status, result.metrics)
                print(name, trial.stage, *trial.cell.key.values(), trial.seed, result.status)
        kept[name] = {
            stage.name: [
                [t.trial_id, list(t.cell.key.values()), t.seed, dict(t.point)] for t in stage.trials
            ]
            for stage in planned.stages
        }
        for trial in planned.trials:
            _doctor(runs, trial.trial_id, (*trial.cell.key.values(), trial.seed))
    runs = {trial_id: run for trial_id, run in runs.items() if run.error != "left out"}
    write_runs(FOLDER / "runs.jsonl", runs.values())
    lines = json.dumps(kept).replace("[[", "[\n[").replace('], ["', '],\n["')
    (FOLDER / "plans.json").write_text(lines + "\n")


def _doctor(runs: dict[str, Run], trial_id: str, place: tuple[Any, ...]) -> None:
    wanted = DOCTORED.get(place)  # type: ignore[arg-type]
    run = runs[trial_id]
    if wanted == "diverged":
        runs[trial_id] = replace(run, status="diverged", metrics={"epochs_run": 3.0})
    elif wanted == "failed":
        runs[trial_id] = replace(run, status="failed", metrics={}, error="made to look so")
    elif wanted == "left out":
        runs[trial_id] = replace(run, error=wanted)


def main() -> None:
    if sys.argv[1:] == ["train"]:
        train()
    elif sys.argv[1:]:
        sys.exit(f"{sys.argv[1:]}: the only argument there is, is 'train'")
    shutil.rmtree(FOLDER / "tables", ignore_errors=True)
    (FOLDER / "tables").mkdir()
    for name, text in tables().items():
        (FOLDER / "tables" / name).write_text(text, encoding="utf-8")
    for suffix in REPORTS:
        text = render_report(report(), suffix)
        (FOLDER / f"report{suffix}").write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
