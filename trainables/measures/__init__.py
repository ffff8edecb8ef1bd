"""What is measured on a model: predictions, curvature, Fisher information, the landscape.

A quantity a file. ``registry`` holds those a trial or the command line can ask
for by name; adding a file adds its measures.
"""

import importlib
import pkgutil

from trainables.measures.base import Batches, Estimate, LossFn, flatten, measure, registry
from trainables.measures.classification import (
    brier_score,
    expected_calibration_error,
    negative_log_likelihood,
    predict,
    reliability_diagram,
    smoothed_loss,
    summary,
    top_k_error,
)

for _module in pkgutil.iter_modules(__path__):
    importlib.import_module(f"{__name__}.{_module.name}")


def names() -> list[str]:
    """The names `measure` knows."""
    return registry.names()


__all__ = [
    "Batches",
    "Estimate",
    "LossFn",
    "brier_score",
    "expected_calibration_error",
    "flatten",
    "measure",
    "names",
    "negative_log_likelihood",
    "predict",
    "registry",
    "reliability_diagram",
    "smoothed_loss",
    "summary",
    "top_k_error",
]
