"""A strength of 0 is allowed, and a table says which of its cells ran with one."""

from __future__ import annotations

from typing import Any

import pytest

from search_spaces.spec import Artifact, Cell, Experiment, Metric, Notes, Stage, TableView
from sweep.aggregate import SELECTIONS, cells
from sweep.plan.expand import plan
from sweep.record.record import Record
from sweep.record.runs import Run
from sweep.tables.layout import render, table_of
from sweep.tables.strengths import sentence
from trainables import methods
from trainables.config import TrialConfig
from trainables.needs import OffAtZero, declared

NOT_STRENGTHS = {
    "asam.eta": "0 is the authors' of NSO: nothing is added to the scales",
    "adversarial.step": "of the attack, which epsilon bounds",
    "bsam.delta": "prior precision",
    "bsam.damping": "added to the precision",
    "rsam.lam": "how far the authors' code goes back",
}
"""Options that may be 0 and that switch nothing off."""


def test_every_option_that_may_be_zero_is_a_strength_or_says_why_not() -> None:
    zero = set()
    for name in methods.names():
        schema = methods.registry.schema(name)
        strengths = {option for option, _ in declared(schema, OffAtZero)}
        for option, field in schema.model_fields.items():
            bounds = [mark for mark in field.metadata if getattr(mark, "ge", None) == 0]
            whole = any(getattr(mark, "le", None) == 1 for mark in field.metadata)
            if bounds and not whole and option not in strengths:
                zero.add(f"{name}.{option}")
    assert zero == set(NOT_STRENGTHS)


@pytest.mark.parametrize("name", methods.names())
def test_a_configuration_names_its_strengths_of_zero(name: str) -> None:
    strengths = [option for option, _ in declared(methods.registry.schema(name), OffAtZero)]
    extra: dict[str, Any] = {"start": 0.3} if name == "infomcr" else {}
    assert TrialConfig(method={"name": name, **extra}).switched_off == []
    for option in strengths:
        off = TrialConfig(method={"name": name, **extra, option: 0})
        assert off.switched_off == [f"{option} of {name}"]


def test_a_table_names_them() -> None:
    artifact = Artifact(
        id="p/table",
        experiment=Experiment(
            cells=(
                Cell({"method": "NRS"}, {"method": {"name": "nrs", "epsilon": 0.0}}),
                Cell({"method": "SAM"}, {"method": "sam", "regularizers": ({"name": "l2_sp"},)}),
                Cell({"method": "L2"}, {"regularizers": ({"name": "l2_sp", "lam": 0.0},)}),
                Cell({"method": "unseen"}, {"method": {"name": "sam", "rho": 0.0}}, hidden=True),
            ),
            stages=(Stage("train", seeds=2),),
        ),
        view=TableView(metrics=(Metric("test_error", "error"),), rows=("method",)),
        notes=Notes(""),
    )
    planned = plan(artifact, "paper", SELECTIONS["paper"], Record.from_runs([]))
    runs = [Run(t.trial_id, "done", {"test_error": 0.1}) for t in planned.trials]
    results = cells(planned, Record.from_runs(runs))
    said = sentence(planned, results)
    assert said == "epsilon of nrs = 0 in NRS; lam of l2_sp = 0 in L2"
    table = table_of(planned, Record.from_runs(runs))
    for kind in ("terminal", "md", "latex", "html", "json"):
        shown = " ".join(render(table, kind).replace("\\_", "_").split())
        assert "epsilon of nrs = 0 in NRS" in shown, kind
