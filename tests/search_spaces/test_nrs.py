"""What NRS's paper lacks: its control arms, five readings side by side, and the value 0.2."""

from __future__ import annotations

import pytest

import search_spaces
from search_spaces.nrs import controls, protocol
from search_spaces.spec import Artifact
from sweep.plan.expand import PlannedTrial, plan
from sweep.record.record import Record
from sweep.selection import SELECTIONS
from sweep.tables.sentences import sentences
from trainables import measures


def planned(name: str) -> list[PlannedTrial]:
    found = plan(search_spaces.find(name), "paper", SELECTIONS["paper"], Record.from_runs([]))
    return [t for stage in found.stages for t in (*stage.trials, *stage.expected)]


def test_arms_differ_from_one_another_in_what_they_are_called_by() -> None:
    trials = {t.cell.key["method"]: t for t in planned("nrs/controls") if t.seed == 0}
    plain = {name: t.config.model_dump() for name, t in trials.items()}
    baseline, half = plain["Baseline"], plain["Baseline, half the weight decay"]
    assert 2 * half["optimizer"].pop("weight_decay") == baseline["optimizer"].pop("weight_decay")
    assert half == baseline
    nrs = trials["NRS"].config
    assert nrs.method.options["epsilon"] == protocol.EPSILON
    assert nrs.method.options["alpha"] == protocol.ALPHA
    assert nrs.replace(**{"method.epsilon": 0.0}) == trials["NRS, epsilon 0"].config
    assert nrs.replace(**{"method.alpha": 0.0}) == trials["NRS, alpha 0"].config
    rpr = trials["RPR"].config.method.options
    assert rpr == {name: nrs.method.options[name] for name in rpr}
    # BatchNorm sees the same parts of a batch in all arms.
    assert {t.config.batchnorm_parts for n, t in trials.items() if "Baseline" in n} == {4}
    assert {t.config.rules[0].own_parts for n, t in trials.items() if "Baseline" not in n} == {4}


def test_every_arm_is_measured_in_the_same_neighborhood() -> None:
    (measure,) = search_spaces.find("nrs/controls").experiment.measures
    options = measures.registry.resolve(measure.name, measure.options)
    assert not options["own"]
    assert (options["epsilon"], options["scale"]) == (protocol.EPSILON, "relative")


def test_readings_are_all_that_the_table_has_and_each_is_measured_in_its_own() -> None:
    trials = [t.config.method.options for t in planned("nrs/readings") if t.seed == 0]
    (choice,) = (c for c in search_spaces.find("nrs/table1").notes.choices if c.name == "step-8")
    assert (choice.default, *choice.others) == controls.SCALES
    found = {(o["scale"], o["epsilon"]) for o in trials if o["epsilon"]}
    assert found == {(s, e) for s in controls.SCALES for e in protocol.EPSILONS}
    assert [o["epsilon"] for o in trials].count(0.0) == 1
    (measure,) = search_spaces.find("nrs/readings").experiment.measures
    assert measure.options == {"own": True}


def test_figure_1_extended_is_figure_1_and_epsilon_02() -> None:
    before = {t.trial_id for t in planned("nrs/figure1")}
    added = [t for t in planned("nrs/figure1_extended") if t.trial_id not in before]
    assert before < {t.trial_id for t in planned("nrs/figure1_extended")}
    assert {t.config.method.options["epsilon"] for t in added} == {0.2}
    assert len(added) == 2 * len(protocol.ALPHAS) * protocol.SEEDS


PERTURBING = [a for a in search_spaces.artifacts() if a.paper == "nrs"]


@pytest.mark.parametrize("artifact", PERTURBING, ids=lambda a: a.id)
def test_that_step_8_is_unverified_stands_above_the_numbers(artifact: Artifact) -> None:
    found = plan(artifact, "paper", SELECTIONS["paper"], Record.from_runs([]))
    (said,) = (s for s in sentences(found, []) if s.field == "caveat")
    assert "step 8 of Algorithm 1" in said.text
    assert "not verified" in said.text
