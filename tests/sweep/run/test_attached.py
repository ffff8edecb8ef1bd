"""What is attached to a sweep's run: its table, and the figures that there are."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from mlflow import MlflowClient

from search_spaces.spec import CurveView, Epochs
from sweep import tables
from sweep.record.connection import default_uri
from sweep.record.record import Record
from sweep.run import attached
from sweep.run.attached import attachments
from tests.sweep.cases import TINY, sweep

CURVES = CurveView(rows=("method",), metrics=TINY.view.metrics, x=Epochs())


def test_a_table_is_attached_as_markdown_and_html_and_a_figure_as_svg(tmp_path: Path) -> None:
    artifact = replace(TINY, view=CURVES)
    plan, record, _ = sweep(artifact, tmp_path, attachments=attachments)
    client = MlflowClient(default_uri(str(tmp_path / "results")))
    experiments = [e.experiment_id for e in client.search_experiments()]
    (run,) = client.search_runs(experiments, "tags.kind = 'sweep'")
    found = attachments(plan, record)
    assert sorted(found) == ["figure.svg", "table.html", "table.md"]
    for name, text in found.items():
        (file,) = tmp_path.glob(f"results/mlartifacts/**/{run.info.run_id}/**/{name}")
        assert file.read_text() == text
    assert "<svg" in found["figure.svg"]
    assert run.data.tags["mlflow.note.content"] == found["table.md"]


def test_what_has_nothing_to_draw_or_too_much_is_a_table_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plan, record, _ = sweep(replace(TINY, figures=(CURVES, CURVES)), tmp_path)
    assert sorted(attachments(plan, record))[:2] == ["figure-1.svg", "figure-2.svg"]
    empty = Record.from_runs([])
    assert attachments(plan, empty) == tables.attachments(plan, empty)
    monkeypatch.setattr(attached, "LARGEST", 1000)
    assert sorted(attachments(plan, record)) == ["table.html", "table.md"]
    table = replace(plan, artifact=TINY)
    assert sorted(attachments(table, record)) == ["table.html", "table.md"]
