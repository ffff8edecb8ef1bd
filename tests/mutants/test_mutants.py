"""Each deliberate fault is noticed by the checks that are meant for it.

By default one fault of each source file is tried; ``make mutants`` tries all.
"""

from __future__ import annotations

from typing import Any

import pytest

from tests.mutants import devices, measures, methods, sweep, tasks
from tests.mutants.engine import Change, Mutant, noticed, sample

KINDS = {
    "methods": methods,
    "measures": measures,
    "tasks": tasks,
    "sweep": sweep,
    "devices": devices,
}


def cases() -> list[Any]:
    everywhere = [mutant for kind in KINDS.values() for mutant in kind.MUTANTS]
    always = sample(everywhere)
    return [
        pytest.param(
            kind, mutant, id=str(mutant), marks=() if mutant in always else pytest.mark.mutant
        )
        for kind, module in KINDS.items()
        for mutant in module.MUTANTS
    ]


@pytest.mark.parametrize("kind", KINDS)
def test_every_mutant_changes_the_code_as_it_is(kind: str) -> None:
    """Those that are not in the sample, too."""
    mutants = KINDS[kind].MUTANTS
    assert len({(m.target, m.old, m.new, m.nth) for m in mutants}) == len(mutants)
    for mutant in mutants:
        Change.of(mutant)


@pytest.mark.parametrize(("kind", "mutant"), cases())
@pytest.mark.filterwarnings("ignore")
def test_a_mutant_is_noticed(kind: str, mutant: Mutant) -> None:
    assert noticed(mutant, KINDS[kind].checks(mutant)), "every check passes with this fault"


SOON = {"mixup", "sam", "plan.cost", "record.record"}
"""Whose checks are run without a fault by default; all of them are tests of other files, too."""


def named(*names: str) -> list[Any]:
    return [pytest.param(n, marks=() if n in SOON else pytest.mark.mutant) for n in names]


METHODS = sorted({name for mutant in methods.MUTANTS for name in mutant.about})


def test_what_is_run_by_default_or_left_out_is_there() -> None:
    assert {*METHODS, *sweep.ABOUT} >= SOON
    files = {file for about in (*sweep.ABOUT.values(), sweep.ABOUT_TABLES) for file in about}
    texts = [(sweep.TESTS / f"{file}.py").read_text(encoding="utf-8") for file in files]
    assert all(any(f"def {name}(" in text for text in texts) for name in sweep.LEFT_OUT)


@pytest.mark.parametrize("name", named(*METHODS))
@pytest.mark.filterwarnings("ignore")
def test_without_a_fault_the_checks_of_methods_pass(name: str) -> None:
    """Or noticing would mean nothing."""
    for check in methods.of_method(name):
        check()


@pytest.mark.parametrize("name", named(*sweep.ABOUT, "tables"))
def test_without_a_fault_the_checks_of_sweeps_pass(name: str) -> None:
    for check in sweep.of_module(name):
        check()
