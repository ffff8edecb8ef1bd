"""Losses that stand side by side are of one epoch, the one that the caption names."""

from __future__ import annotations

import search_spaces
from sweep.aggregate import SELECTIONS
from sweep.plan.expand import plan
from sweep.record.columns import column_values
from sweep.record.record import Record
from sweep.record.runs import Run
from trainables.execution import Execution
from trainables.train import fit

UNSTEADY = {"epochs": 6, "model": "mlp_tiny", "optimizer.lr": 1.0, "schedule": {"name": "constant"}}


def test_amp_figure8_shows_both_losses_at_the_same_best_epoch() -> None:
    """Trained for real, at a rate at which the best epoch is not the last."""
    artifact = search_spaces.apply(search_spaces.find("amp/figure8"), "smoke")
    trial = plan(artifact, "smoke", SELECTIONS["paper"], Record.from_runs([])).trials[0]
    config = trial.config.replace(**UNSTEADY)
    result = fit(config, Execution(device="cpu", measures=artifact.experiment.measures))
    best = int(result.metrics["best_test/epoch"])
    assert best < config.epochs
    record = Record.from_runs([Run(result.trial_id, "done", result.metrics, result.history)])
    for metric in artifact.view.metrics:
        (shown,) = column_values([result.trial_id], record, metric, artifact.experiment.selection)
        assert shown == result.history[metric.name][best - 1] != result.history[metric.name][-1]
