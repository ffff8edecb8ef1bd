"""Quantities of a trained model: predictions, curvature, Fisher information, the landscape.

One file per quantity. ``registry`` holds those that a trial or the command line can request
by name; adding a file adds its measures.
"""

from trainables.measures.base import (
    Batches,
    Estimate,
    Target,
    flatten,
    measure,
    registry,
)
from trainables.measures.curvature.last_layer import last_layer_eigenvalue
from trainables.measures.curvature.nso_code import nso_code_lambda1, nso_code_trace
from trainables.measures.curvature.operator import HessianOperator
from trainables.measures.curvature.spectrum import (
    hessian_eigenvalues,
    hessian_lambda_max,
    hessian_spectrum,
)
from trainables.measures.curvature.trace import (
    hessian_frobenius,
    hessian_trace,
    hessian_trace_of_square,
)
from trainables.measures.distances import distance
from trainables.measures.fisher.log_det import fisher_log_det, fisher_spectrum
from trainables.measures.landscape.sharpness import (
    average_sharpness,
    mean_loss,
    perturbation_gap,
    worst_case_sharpness,
)
from trainables.measures.predictions.classification import (
    brier_score,
    expected_calibration_error,
    negative_log_likelihood,
    predict,
    reliability_diagram,
    smoothed_loss,
    summary,
    top_k_error,
)
from trainables.measures.predictions.input_jacobian import robustness
from trainables.methods.objective import LossFn
from trainables.registry import import_all

import_all(__name__)


def names() -> list[str]:
    """The registered measures, sorted."""
    return registry.names()


__all__ = [
    "Batches",
    "Estimate",
    "HessianOperator",
    "LossFn",
    "Target",
    "average_sharpness",
    "brier_score",
    "distance",
    "expected_calibration_error",
    "fisher_log_det",
    "fisher_spectrum",
    "flatten",
    "hessian_eigenvalues",
    "hessian_frobenius",
    "hessian_lambda_max",
    "hessian_spectrum",
    "hessian_trace",
    "hessian_trace_of_square",
    "last_layer_eigenvalue",
    "mean_loss",
    "measure",
    "names",
    "negative_log_likelihood",
    "nso_code_lambda1",
    "nso_code_trace",
    "perturbation_gap",
    "predict",
    "registry",
    "reliability_diagram",
    "robustness",
    "smoothed_loss",
    "summary",
    "top_k_error",
    "worst_case_sharpness",
]
