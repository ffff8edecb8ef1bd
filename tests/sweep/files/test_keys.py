"""Every key of a sweep's file does something, and what it does is seen in the plan or the table."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from search_spaces.spec import Artifact, Reported
from sweep.files import load
from sweep.files.keys import SweepFile
from sweep.record.record import Record
from sweep.tables import render, table_of
from tests.sweep.files.cases import artifact, planned

BASE = "base: {model: mlp_tiny, epochs: 2}"
PLAIN = f"name: x\n{BASE}\n"

Seen = Callable[[Artifact], Any]


def trials(made: Artifact, *fields: str) -> list[tuple[Any, ...]]:
    """Of every trial that can run, some of its settings."""

    def at(node: Any, path: str) -> Any:
        for step in path.split("."):
            node = node[step] if isinstance(node, dict) else getattr(node, step)
        return node

    configs = [trial.config.model_dump(mode="json") for trial in planned(made).trials]
    return [tuple(at(config, field) for field in fields) for config in configs]


def shown(made: Artifact) -> str:
    return render(table_of(planned(made), Record.from_runs([])), "md")


DOES: dict[str, tuple[str, Seen, Any]] = {
    # Key -> a file that has it, what is looked at, and what is seen there.
    "name": ("name: mine-too\n", lambda made: made.id, "mine/mine-too"),
    "project": ("name: x\nproject: theirs\n", lambda made: made.id, "theirs/x"),
    "title": (f"{PLAIN}title: Two of a kind\n", lambda made: "Two of a kind" in shown(made), True),
    "base": (
        "base: {epochs: 7, optimizer: {lr: 0.2}}\nseeds: 1\n",
        lambda made: trials(made, "epochs", "optimizer.lr"),
        [(7, 0.2)],
    ),
    "compare": (
        f"{PLAIN}seeds: 1\ncompare: {{A: erm, B: {{method: sam, epochs: 3}}}}\n",
        lambda made: trials(made, "method.name", "epochs"),
        [("erm", 2), ("sam", 3)],
    ),
    "columns": (
        f"{PLAIN}seeds: 1\ncolumns: {{size: {{all: , few: {{data.subset: 100}}}}}}\n",
        lambda made: (trials(made, "data.subset"), made.view.columns),
        ([(None,), (100,)], ("size",)),
    ),
    "grid": (
        f"{PLAIN}seeds: 1\ngrid: {{batch_size: [32, 64], optimizer.lr: {{log: [0.1, 1], num: 2}}}}",
        lambda made: trials(made, "batch_size", "optimizer.lr"),
        [(32, 0.1), (32, 1.0), (64, 0.1), (64, 1.0)],
    ),
    "points": (
        f"{PLAIN}seeds: 1\npoints: [{{loss: cross_entropy, epochs: 3}}, {{loss: mse, epochs: 4}}]\n"
        "select: {on: validation_loss}\nmetrics: [test_loss]\n",
        lambda made: [(s["loss"], s["epochs"]) for s in made.experiment.stages[0].settings],
        [("cross_entropy", 3), ("mse", 4)],
    ),
    "seeds": (f"{PLAIN}seeds: 4\n", lambda made: trials(made, "seed"), [(0,), (1,), (2,), (3,)]),
    "select": (
        f"{PLAIN}grid: {{batch_size: [32, 64]}}\n"
        "select: {on: validation_nll, epoch: best_validation, stated: by hand}\n",
        lambda made: (
            made.experiment.selection.on,
            made.experiment.selection.epoch,
            "by hand" in shown(made),
        ),
        ("validation_nll", "best_validation", True),
    ),
    "metrics": (
        f"{PLAIN}metrics: [test_nll, {{name: test_ece, label: E}}]\n",
        lambda made: [metric.label for metric in made.view.metrics],
        ["test NLL", "E"],
    ),
    "then": (
        f"{PLAIN}seeds: 1\ngrid: {{batch_size: [32, 64]}}\nthen: {{seeds: 2, epochs: 9}}\n",
        lambda made: [
            (trial.config.epochs, trial.seed, len(trial.awaits))
            for trial in planned(made).expected
        ],
        [(9, 0, 2), (9, 1, 2)],
    ),
    "presets": (
        f"{PLAIN}presets: {{tiny: {{epochs: 1, seeds: 1}}}}\n",
        lambda made: [(t.config.epochs, t.seed) for t in planned(made, "tiny").trials],
        [(1, 0)],
    ),
    "measures": (
        f"{PLAIN}measures: [{{name: hessian_trace, split: test, samples: 10, every: 2}}]\n",
        lambda made: [
            (request.name, request.split, request.samples, request.every)
            for request in planned(made).measures_of(planned(made).trials[0])
        ],
        [("hessian_trace", "test", 10, 2)],
    ),
    "figures": (
        f"{PLAIN}figures: [{{x: epoch, y: [test_nll]}}, {{x: method}}]\n",
        lambda made: [view.metrics[0].name for view in made.figures],
        ["test_nll", "test_error"],
    ),
    "budget": (
        "base: {epochs: 8}\nseeds: 1\nbudget: gradients\ncompare: {A: erm, B: sam}\n",
        lambda made: trials(made, "epochs"),
        [(8,), (4,)],
    ),
    "printed": (
        f"{PLAIN}compare: {{A: erm}}\nprinted: [{{method: A, test_error: 3.1±0.2}}]\n",
        lambda made: (made.experiment.cells[0].reported, "3.1" in shown(made)),
        ({"test_error": Reported(3.1, 0.2)}, True),
    ),
    "table": (
        f"{PLAIN}compare: {{A: erm}}\ncolumns: {{size: {{all: , few: {{data.subset: 100}}}}}}\n"
        "table: {rows: [size], columns: [method], metrics_down: true, competing: size}\n",
        lambda made: (
            made.view.rows,
            made.view.columns,
            made.view.metrics_down,
            made.view.competing,
        ),
        (("size",), ("method",), True, "size"),
    ),
    "cells": (
        f"{PLAIN}seeds: 1\ncells: [{{key: {{a: b}}, method: sam}}]\n",
        lambda made: [(c.key, c.fields.get("method")) for c in made.experiment.cells],
        [({"a": "b"}, "sam")],
    ),
    "stages": (
        f"{PLAIN}stages: [{{name: one, seeds: 2, batch_size: 32}}]\n",
        lambda made: ([s.name for s in made.experiment.stages], trials(made, "batch_size")),
        (["one"], [(32,), (32,)]),
    ),
}  # fmt: skip
IMPORT = "import"


def test_every_key_is_looked_at_here() -> None:
    known = {field.alias or name for name, field in SweepFile.model_fields.items()}
    assert {*DOES, IMPORT} == known


@pytest.mark.parametrize("key", DOES)
def test_a_key_does_what_it_says(key: str) -> None:
    text, look, expected = DOES[key]
    assert look(artifact(text)) == expected
    if key not in ("name", "base"):  # without it, something else is there
        others = "\n".join(line for line in text.splitlines() if not line.startswith(f"{key}:"))
        assert look(artifact(f"{others}\n")) != expected if key != "presets" else True


def test_measures_and_columns_may_be_of_some_cells() -> None:
    made = artifact(
        f"{PLAIN}seeds: 1\ncompare: {{A: erm, B: sam}}\n"
        "measures: [{name: loss, where: {method: A}}]\n"
        "metrics: [test_error, {name: test_nll, where: {method: [B]}}]\n"
    )
    found = planned(made)
    assert [len(found.measures_of(trial)) for trial in found.trials] == [1, 0]
    error, nll = made.view.metrics
    assert [error.covers(cell.key) for cell in found.cells] == [True, True]
    assert [nll.covers(cell.key) for cell in found.cells] == [False, True]


def test_an_import_brings_parts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from trainables import measures

    monkeypatch.setattr(measures.registry, "_parts", dict(measures.registry._parts))
    (tmp_path / "parts.py").write_text(
        "from trainables.measures.base import Target, registry\n\n\n"
        "@registry.register('of_mine')\ndef of_mine(target: Target) -> float:\n"
        '    """One."""\n    return 1.0\n'
    )
    for written in ("parts.py", "[parts.py]"):
        (tmp_path / "s.yaml").write_text(
            f"import: {written}\nmeasures: [of_mine]\nmetrics: [of_mine]\n"
        )
        assert [m.name for m in load(tmp_path / "s.yaml").experiment.measures] == ["of_mine"]
