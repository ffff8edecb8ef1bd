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
    print(table)
    frame = table.pandas()  # one row per number
    print(frame[["method", "metric", "mean", "n", "point"]].to_string(index=False))

    config = TrialConfig(model="mlp_tiny", method={"name": "sam", "rho": 0.1}, epochs=1)
    print(f"one trial: test error {fit(config).metrics['test_error']:.3f}")


if __name__ == "__main__":
    main(*sys.argv[1:] or ["full"])
