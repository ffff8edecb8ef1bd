"""Checks of the measures, by name, so that tests and mutants share them."""

from measure_checks import (
    architectures,
    curvature,
    fisher,
    guarding,
    landscape,
    networks,
    nso_code,
    predictions,
)

CHECKS = {
    f"{module.__name__.rpartition('.')[2]}.{name}": value
    for module in (predictions, curvature, nso_code, fisher, architectures, landscape, guarding)
    for name, value in vars(module).items()
    if callable(value) and getattr(value, "__module__", "") == module.__name__
    if not name.startswith("_")
}

__all__ = ["CHECKS", "networks"]
