"""The sweep of `rho_on_digits.yaml` from Python, and one trial alone.

python examples/own_sweep.py smoke
"""

from __future__ import annotations

import sys
from pathlib import Path

from sweep import experiment
from trainables import fit
from trainables.config import TrialConfig


def main(preset: str, storage: str = "results") -> None:
    """Run the sweep at ``preset``, in this process, and print what came out."""
    file = Path(__file__).with_name("rho_on_digits.yaml")
    study = experiment.load(file, preset=preset, storage=storage)
    print(f"{study.plan().size} trials")
    table = study.run(executor="serial").table()
    print(table)  # a notebook shows it as HTML, by table._repr_html_()
    frame = table.pandas()  # or .arrow(): one row per number of the table
    print(frame[["method", "metric", "mean", "n", "point"]].to_string(index=False))

    trials = study.trials()  # in Arrow: settings, provenance and metrics as columns
    print(f"{trials.num_rows} trials with {trials.num_columns} columns")
    numbers = study.record().numbers()  # all that is recorded: trial, metric, value
    print(f"{numbers.num_rows} numbers are recorded")

    config = TrialConfig(model="mlp_tiny", method={"name": "sam", "rho": 0.1}, epochs=1)
    print(f"one trial: test error {fit(config).metrics['test_error']:.3f}")


if __name__ == "__main__":
    main(*sys.argv[1:] or ["full"])
