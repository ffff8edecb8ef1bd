"""Faults in the tasks: each names the test that must notice, as ``file.test``."""

from __future__ import annotations

from collections.abc import Iterator
from importlib import import_module

from tests.mutants.cases import Check, cases
from tests.mutants.engine import Mutant
from tests.mutants.faults import tasks

MUTANTS = tasks.MUTANTS
TESTS = "tests.trainables.tasks"


def checks(mutant: Mutant) -> Iterator[Check]:
    """Every case of the tests that the mutant names."""
    for name in mutant.about:
        file, _, test = name.partition(".")
        yield from cases(getattr(import_module(f"{TESTS}.test_{file}"), f"test_{test}"))
