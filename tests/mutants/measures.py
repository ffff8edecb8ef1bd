"""Faults in the measures: each names the check that must notice."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from measure_checks import CHECKS

from tests.mutants.engine import Mutant
from tests.mutants.faults import measures_curvature, measures_landscape

MUTANTS = [*measures_curvature.MUTANTS, *measures_landscape.MUTANTS]


def checks(mutant: Mutant) -> Iterator[Callable[[], object]]:
    """The check that the mutant names."""
    for name in mutant.about:
        yield CHECKS[name]
