"""What this package is measured beside: Ray Tune as its documentation shows it."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sweep.ray_executor.session import local_ray, session

if TYPE_CHECKING:
    from ray.tune import ResultGrid


def tuned(
    train: Callable[[dict[str, Any]], None], trials: int, folder: Path, address: str = "local"
) -> tuple[float, float, ResultGrid]:
    """(Unix time of start and of end, results) of ``trials`` calls of ``train``, once Ray is up.

    A process a trial, and Ray's own MLflow callback with a SQLite database.
    """
    from ray import tune
    from ray.air.integrations.mlflow import MLflowLoggerCallback

    uri = f"sqlite:///{folder / 'stock.db'}"
    try:
        with local_ray(print) if address == "local" else session(address, print):
            started = time.time()
            found = tune.Tuner(
                tune.with_resources(train, {"cpu": 1}),
                param_space={"seed": tune.grid_search(list(range(trials)))},
                run_config=tune.RunConfig(
                    storage_path=str(folder / "stock"),
                    verbose=0,
                    callbacks=[MLflowLoggerCallback(tracking_uri=uri, experiment_name="stock")],
                ),
            ).fit()
            ended = time.time()
    finally:
        os.environ.pop("MLFLOW_TRACKING_URI", None)  # the callback sets it for the whole process
    return started, ended, found
