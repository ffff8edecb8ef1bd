"""Faults in planning and reading: the tests of the module that has one must notice.

They are the tests that need no fixture, loaded anew for each mutant and run one by one.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from types import ModuleType

from hypothesis import Phase, settings

from tests.mutants.cases import Check, of_file
from tests.mutants.engine import Mutant
from tests.mutants.faults import (
    leases,
    sweep_claims,
    sweep_figures,
    sweep_files,
    sweep_planning,
    sweep_reading,
    sweep_search,
    sweep_seen,
)

MUTANTS = [
    *sweep_reading.MUTANTS,
    *sweep_planning.MUTANTS,
    *sweep_files.MUTANTS,
    *sweep_seen.MUTANTS,
    *leases.MUTANTS,
    *sweep_claims.MUTANTS,
    *sweep_figures.MUTANTS,
    *sweep_search.MUTANTS,
]
TESTS = Path(__file__).parents[1] / "sweep"

ABOUT: dict[str, tuple[str, ...]] = {
    "aggregate": ("tables/test_golden", "test_aggregate", "tables/test_tables", "test_spreads"),
    "record.columns": ("tables/test_golden", "test_aggregate", "tables/test_tables"),
    "selection.rules": ("tables/test_golden", "test_aggregate", "plan/test_held_out"),
    "selection.winner": ("tables/test_golden", "test_aggregate", "plan/test_held_out"),
    "record.record": ("tables/test_golden", "record/test_record", "record/test_mirror"),
    "record.curves": ("record/test_curves",),
    "record.mirror": ("record/test_mirror",),
    "tables.averages": ("tables/test_averages",),
    "tables.sentences": ("plan/test_held_out", "tables/test_sentences"),
    "tables.difference": ("tables/test_difference",),
    "tables.reproduction": ("tables/test_reproduction", "tables/test_tables"),
    "comparison": ("test_comparison",),
    "claims.families": ("claims/test_families",),
    "claims.evidence": ("claims/test_families", "claims/test_curves", "claims/test_record"),
    "claims.curves": ("claims/test_curves", "claims/test_record"),
    "claims.costs": ("claims/test_costs",),
    "claims.criteria": ("claims/test_criteria",),
    "claims.numbers": ("claims/test_numbers",),
    "claims.power": ("claims/test_power",),
    "claims.judge": ("claims/test_families", "claims/test_printed"),
    "plan.expand": (
        "plan/test_expand",
        "plan/test_held_out",
        "plan/test_budget",
        "run/test_search",
    ),
    "plan.held_out": ("plan/test_held_out",),
    "plan.variant": ("plan/test_variant",),
    "plan.budget": ("plan/test_budget",),
    "plan.cost": ("plan/test_cost",),
    "plan.axes": ("plan/test_axes",),
    "plan.proposals": ("plan/test_proposals",),
    "plan.halving": ("plan/test_halving",),
    "plan.searched_rows": ("plan/test_searched_rows", "run/test_search"),
    "plan.tried": ("plan/test_tried",),
    "plan.study": ("plan/test_tried",),
    "run.search": ("run/test_search",),
    "run.row_search": ("run/test_search",),
    "run.loop": ("run/test_search",),
    "figures.search": ("figures/test_search",),
    "figures.data": ("figures/test_figures",),
    "figures.grid": ("figures/test_grid",),
    "figures.drawing": ("figures/test_figures", "figures/test_curves"),
    "figures.curves": ("figures/test_curves",),
    "figures.scatter": ("figures/test_scatter",),
    "figures.places": ("figures/test_scatter",),
    "figures.kinds": ("figures/test_scatter",),
    "figures.page": ("figures/test_scatter", "figures/test_grid", "figures/test_figures"),
    "trainables.settings_file": ("../trainables/test_settings_file",),
    "record.export": ("record/test_export",),
    "run.limits": ("run/test_limits",),
    "files.ranges": ("files/test_ranges",),
    "files.load": ("files/test_load",),
    "files.write": ("files/test_write",),
    "plan.points": ("plan/test_points", "tables/test_winners"),
    "cli.status": ("cli/test_status",),
    "run.live": ("cli/test_status", "run/test_live"),
    "plan.where": ("plan/test_where", "files/test_write"),
    "tables.winners": ("tables/test_winners",),
    "trainables.storage.lease": ("../trainables/storage/test_lease",),
}
ABOUT |= dict.fromkeys(
    [f"files.{name}" for name in ("build", "fields", "shown", "spaces", "stages")],
    ("files/test_build", "files/test_load", "cli/test_own", "files/test_write"),
)
ABOUT_TABLES = ("tables/test_golden", "tables/test_tables", "tables/test_formats")
LEFT_OUT = {"test_all_cells_of_an_artifact_hold_out_the_same_of_a_data_set"}
"""It plans every artifact four times over, which takes longer than all that is left."""


def checks(mutant: Mutant) -> Iterator[Check]:
    """Every test that is about the module of the mutant."""
    return of_module(mutant.module.removeprefix("sweep."))


def of_module(name: str) -> Iterator[Check]:
    for file in ABOUT.get(name, ABOUT_TABLES):
        module: list[ModuleType] = []
        yield lambda file=file, module=module: module.append(load(file))  # fails by itself, too
        yield from of_file(module[0], LEFT_OUT)


def load(name: str) -> ModuleType:
    """A file of tests, anew. What is found is not shrunk: that there is something is enough."""
    spec = spec_from_file_location(f"faulty_{Path(name).stem}", TESTS / f"{name}.py")
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
