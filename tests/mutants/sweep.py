"""Faults in planning and reading: the tests of the module that has one must notice.

They are the tests that need no fixture, loaded anew for each mutant and run one by one.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from functools import partial
from importlib.util import module_from_spec, spec_from_file_location
from inspect import signature
from pathlib import Path
from types import ModuleType
from typing import Any

from hypothesis import Phase, settings

from tests.mutants.engine import Mutant
from tests.mutants.faults import sweep_planning, sweep_reading

MUTANTS = [*sweep_reading.MUTANTS, *sweep_planning.MUTANTS]
TESTS = Path(__file__).parents[1] / "sweep"

ABOUT: dict[str, tuple[str, ...]] = {
    "aggregate": ("test_golden", "test_aggregate", "test_tables", "test_spreads"),
    "record.columns": ("test_golden", "test_aggregate", "test_tables"),
    "selection": ("test_golden", "test_aggregate", "test_held_out"),
    "record.record": ("test_golden", "test_record"),
    "tables.welch": ("test_golden", "test_welch"),
    "plan.expand": ("test_plan", "test_held_out", "test_budget"),
    "plan.held_out": ("test_held_out",),
    "plan.budget": ("test_budget",),
    "plan.cost": ("test_estimate",),
    "plan.proposals": ("test_search",),
    "run.search": ("test_search",),
    "figures.data": ("test_figures",),
}
ABOUT_TABLES = ("test_golden", "test_tables", "test_table_formats")


def checks(mutant: Mutant) -> Iterator[Callable[[], object]]:
    """Every test that is about the module of the mutant: those with drawn cases last."""
    return of_module(mutant.module.removeprefix("sweep."))


def of_module(name: str) -> Iterator[Callable[[], object]]:
    for file in ABOUT.get(name, ABOUT_TABLES):
        module: list[ModuleType] = []
        yield lambda file=file, module=module: module.append(load(file))  # fails by itself, too
        tests = {key: test for key, test in vars(module[0]).items() if key.startswith("test_")}
        for key in sorted(tests, key=lambda key: hasattr(tests[key], "hypothesis")):
            yield from (partial(tests[key], **arguments) for arguments in cases(tests[key]))


def load(name: str) -> ModuleType:
    """A file of tests, anew. What is found is not shrunk: that there is something is enough."""
    spec = spec_from_file_location(f"faulty_{name}", TESTS / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = module_from_spec(spec)
    sys.modules[spec.name] = module
    before = settings.get_current_profile_name()
    settings.register_profile("mutants", phases=(Phase.explicit, Phase.generate), database=None)
    settings.load_profile("mutants")
    try:
        spec.loader.exec_module(module)
    finally:
        settings.load_profile(before)
    return module


def cases(test: Any) -> Iterator[dict[str, Any]]:
    marks = [mark for mark in getattr(test, "pytestmark", []) if mark.name == "parametrize"]
    needed = {} if hasattr(test, "hypothesis") else signature(test).parameters
    if len(marks) > 1 or test.__name__ == "test_importing_the_reading_side_is_light":
        return
    names: Any = marks[0].args[0] if marks else ()
    names = (names,) if isinstance(names, str) else tuple(names)
    if set(needed) != set(names):
        return
    for values in marks[0].args[1] if marks else [()]:
        yield dict(zip(names, values if len(names) != 1 else (values,), strict=True))
