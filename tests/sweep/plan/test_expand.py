"""The planner: what is shared, what is added, what waits; with artifacts made up by hypothesis."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import search_spaces
from search_spaces.spec import (
    Artifact,
    Cell,
    Experiment,
    Measure,
    Metric,
    Notes,
    Selection,
    Stage,
    TableView,
)
from sweep.aggregate import SELECTIONS, cells
from sweep.plan.expand import Plan, every_cell, plan
from sweep.record.record import Record
from sweep.record.runs import Run
from sweep.tables import layout
from trainables.config import PROTOCOL_VERSION

PAPER, VALIDATION = SELECTIONS["paper"], SELECTIONS["validation"]
EMPTY = Record.from_runs([])
ERROR = Metric("test_error", "error %", shown="percent")


def artifact(
    methods: Iterable[str] = ("erm", "sam"), seeds: int = 2, **changes: object
) -> Artifact:
    made = Artifact(
        id="test/table",
        experiment=Experiment(
            base={"epochs": 1, "data.validation": 0},
            cells=tuple(Cell({"method": name}, {"method": {"name": name}}) for name in methods),
            stages=(Stage("train", seeds=seeds),),
        ),
        view=TableView(rows=("method",), metrics=(ERROR,)),
        notes=Notes("a table"),
    )
    return made.with_experiment(**changes)


def staged() -> Artifact:
    """A baseline's learning rate is searched; sam starts from the winner and searches rho."""
    return artifact(
        stages=(
            Stage("baseline", {"method": "erm"}, grid={"optimizer.lr": (0.1, 0.2, 0.4)}, seeds=2),
            Stage(
                "sam",
                {"method": "sam"},
                grid={"method.rho": (0.05, 0.1)},
                seeds=2,
                after="baseline",
                match=(),
                inherit=("optimizer.lr",),
            ),
        )
    )


def planned(made: Artifact, record: Record = EMPTY, selection: object = PAPER) -> Plan:
    return plan(made, "paper", selection, record)  # type: ignore[arg-type]


def ids(made: Artifact) -> set[str]:
    return {trial.trial_id for trial in planned(made).trials}


def finished(made: Artifact, error: float = 0.5, **errors: float) -> Record:
    """A record in which every known trial is done; ``errors``: by learning rate."""
    return Record.from_runs(
        Run(
            t.trial_id,
            "done",
            {"test_error": errors.get(f"lr{t.config.optimizer.lr}", error), "validation_error": 1},
        )
        for t in planned(made).trials
    )


METHODS = st.lists(
    st.sampled_from(["erm", "sam", "asam", "amp", "nso"]), min_size=1, max_size=4, unique=True
)
SEEDS = st.integers(1, 3)


@settings(max_examples=30, deadline=None)
@given(METHODS, SEEDS)
def test_no_trial_is_planned_twice_and_every_cell_has_its_seeds(
    methods: list[str], seeds: int
) -> None:
    trials = planned(artifact(methods, seeds)).trials
    assert len({t.trial_id for t in trials}) == len(trials) == len(methods) * seeds


def test_a_trial_is_named_by_its_row_its_point_and_its_seed() -> None:
    cells = (Cell({"method": "sam", "batch size": "128"}, {"method": {"name": "sam"}}),)
    stage = Stage("train", grid={"method.rho": (0.05, 0.1)}, seeds=1)
    names = [trial.name for trial in planned(artifact(cells=cells, stages=(stage,))).trials]
    assert names == [f"sam · batch size=128 · rho={rho} · seed 0" for rho in (0.05, 0.1)]


def test_cells_of_equal_settings_share_their_trials() -> None:
    twice = tuple(Cell({"method": "erm", "row": row}, {"method": {"name": "erm"}}) for row in "ab")
    found = planned(artifact(cells=twice, seeds=2).with_view(rows=("method", "row")))
    assert len(found.stages[0].trials) == 4
    assert [trial.seed for trial in found.trials] == [0, 1]


@settings(max_examples=30, deadline=None)
@given(METHODS, METHODS, SEEDS)
def test_artifacts_share_the_trials_they_both_need(
    one: list[str], two: list[str], seeds: int
) -> None:
    assert ids(artifact(one, seeds)) & ids(artifact(two, seeds)) == ids(
        artifact([name for name in one if name in two], seeds)
    )


@settings(max_examples=30, deadline=None)
@given(METHODS, SEEDS)
def test_a_further_seed_adds_only_its_own_trials(methods: list[str], seeds: int) -> None:
    fewer, more = ids(artifact(methods, seeds)), ids(artifact(methods, seeds + 1))
    assert fewer < more
    assert len(more - fewer) == len(methods)


@settings(max_examples=30, deadline=None)
@given(st.permutations(["erm", "sam", "asam", "amp"]))
def test_order_changes_nothing(methods: list[str]) -> None:
    assert ids(artifact(methods)) == ids(artifact(sorted(methods)))


def test_a_changed_protocol_version_shares_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    before = ids(artifact())
    plain = planned(artifact()).trials[0].config
    canonical = plain.canonical
    ours = f'"protocol":{PROTOCOL_VERSION}'
    assert ours in canonical
    import hashlib

    raised = canonical.replace(ours, f'"protocol":{PROTOCOL_VERSION + 1}')
    assert hashlib.sha256(raised.encode()).hexdigest()[:16] not in before


def test_a_registered_name_becomes_a_cell() -> None:
    from trainables import methods

    made = artifact(
        base={"schedule.name": "step", "schedule.milestones": (0.5,)},
        cells=(Cell({"budget": "all"}),),
        fan_out={"method": "methods"},
        seeds=1,
    )
    assert [c.key["method"] for c in planned(made).cells] == methods.names()


def test_a_stage_waits_for_every_trial_of_the_one_before() -> None:
    first = planned(staged())
    assert [(s.name, len(s.trials), s.pending) for s in first.stages] == [
        ("baseline", 6, 0),
        ("sam", 0, 4),
    ]
    assert first.size == 10
    runs = [Run(t.trial_id, "done", {"test_error": 0.1}) for t in first.trials]
    assert planned(staged(), Record.from_runs(runs[:-1])).stages[1].pending == 4
    runs[0] = Run(runs[0].trial_id, "running", {})
    assert planned(staged(), Record.from_runs(runs)).stages[1].pending == 4
    runs[0] = Run(runs[0].trial_id, "done", {"test_error": 0.1})
    assert planned(staged(), Record.from_runs(runs)).stages[1].pending == 0


def test_the_seeds_of_a_point_share_its_settings_those_that_wait_too() -> None:
    found = [list(stage.points()) for stage in planned(staged()).stages]
    assert [[trial.point for trial in stage] for stage in found] == [
        [{"optimizer.lr": rate} for rate in (0.1, 0.2, 0.4)],
        [{"method.rho": rho} for rho in (0.05, 0.1)],
    ]


@pytest.mark.parametrize(("match", "distinct"), [((), 4), (("data",), 8)])
def test_pending_trials_are_one_where_they_wait_for_the_same_winner(
    match: tuple[str, ...], distinct: int
) -> None:
    """Two rows of equal settings: one winner for both, or each its own."""
    base, sam = staged().experiment.stages
    rows = [("erm", "a", 0), ("erm", "b", 5), ("sam", "a", 0), ("sam", "b", 0)]
    made = staged().with_experiment(
        cells=tuple(
            Cell({"method": m, "data": d}, {"method": {"name": m}, "data.validation": held})
            for m, d, held in rows
        ),
        stages=(base, replace(sam, match=match)),
    )
    found = planned(made)
    assert found.stages[1].pending == 8
    assert len(found.expected) == distinct
    assert found.size == 12 + distinct


def test_trials_that_wait_for_pending_ones_are_told_apart() -> None:
    """Two final rows of equal settings start from the winners of two searches, pending too."""
    base, sam = staged().experiment.stages
    keys = {("erm", ""): 0, ("sam", "a"): 0, ("sam", "b"): 5, ("last", "a"): 0, ("last", "b"): 0}
    found = planned(
        staged().with_experiment(
            cells=tuple(
                Cell(
                    {"method": m, "data": d},
                    {"method": {"name": "erm" if m == "erm" else "sam"}, "data.validation": held},
                )
                for (m, d), held in keys.items()
            ),
            stages=(
                base,
                sam,
                Stage(
                    "last",
                    {"method": "last"},
                    fields={"epochs": 2},
                    seeds=2,
                    after="sam",
                    match=("data",),
                    inherit=("method.rho",),
                ),
            ),
        )
    )
    assert [len(stage.expected) for stage in found.stages] == [0, 8, 4]
    assert len(found.expected) == 8 + 4


def test_a_final_training_that_repeats_the_winner_is_not_counted_again() -> None:
    """The search's seed is the first of the final ones, and nothing else differs."""
    made = artifact(
        ["sam"],
        stages=(
            Stage("tune", grid={"method.rho": (0.05, 0.1)}, seeds=1),
            Stage("final", seeds=3, after="tune", inherit=("method.rho",)),
        ),
    )
    found = planned(made)
    assert found.stages[1].pending == 3
    assert [trial.seed for trial in found.expected] == [1, 2]
    assert found.size == 2 + 2 == planned(made, finished(made)).size


def test_a_stage_waits_for_a_failed_trial_of_the_one_before() -> None:
    """It may win once it is tried again: what started from the rest would have been for nothing."""
    runs = [Run(t.trial_id, "done", {"test_error": 0.1}) for t in planned(staged()).trials]
    runs[-1] = Run(runs[-1].trial_id, "failed")
    record = Record.from_runs(runs)
    waiting = planned(staged(), record)
    assert (waiting.stages[1].trials, waiting.stages[1].pending) == ((), 4)
    assert [trial.trial_id for trial in waiting.missing(record)] == [runs[-1].trial_id]
    (sam,) = [cell for cell in cells(waiting, record) if cell.cell.key["method"] == "sam"]
    assert sam.waits == "waits for stage baseline, 1 failed"
    assert (sam.point, sam.metrics["test_error"].asked) == (None, 2)
    assert cells(planned(staged()), EMPTY)[1].waits == "waits for stage baseline"


def test_a_table_says_why_a_cell_waits() -> None:
    runs = [Run(t.trial_id, "done", {"test_error": 0.1}) for t in planned(staged()).trials]
    record = Record.from_runs([*runs[:-1], Run(runs[-1].trial_id, "failed")])
    found = planned(staged(), record)
    preset = search_spaces.PRESETS["paper"]
    table = layout.build(staged(), cells(found, record), preset, found.selection)
    reason = "waits for stage baseline, 1 failed"
    assert f"– (0/2, 2 not run, {reason})" in layout.render(table, "md")
    (sam,) = [cell for row, _, cell in table.cells if row == ("sam",)]
    assert not sam.bold
    assert json.loads(layout.render(table, "json"))["cells"][1]["waits"] == reason


def test_a_cell_names_the_first_stage_that_it_waits_for() -> None:
    chain = staged().with_experiment(
        stages=(
            *staged().experiment.stages,
            Stage("last", {"method": "sam"}, seeds=2, after="sam", inherit=("method.rho",)),
        )
    )
    runs = [Run(t.trial_id, "failed") for t in planned(chain).trials]
    record = Record.from_runs(runs)
    assert cells(planned(chain, record), record)[1].waits == "waits for stage baseline, 6 failed"


@pytest.mark.timeout(60)
def test_a_cell_waits_though_its_trial_repeats_one_of_those_it_waits_for() -> None:
    """The winner repeated with more seeds: its first seeds are trials of the search."""
    made = artifact(
        ["sam"],
        stages=(
            Stage("tune", grid={"method.rho": (0.05, 0.1)}, seeds=2),
            Stage("final", seeds=3, after="tune", inherit=("method.rho",)),
        ),
    )
    (waiting, *_) = planned(made).stages[1].expected
    assert waiting.trial_id in waiting.awaits
    assert cells(planned(made), EMPTY)[0].waits == "waits for stage tune"


def test_each_stage_counts_the_trials_that_no_earlier_one_has() -> None:
    made = artifact(
        ["sam"],
        stages=(
            Stage("tune", grid={"method.rho": (0.05, 0.1)}, seeds=1),
            Stage("more", fields={"method.rho": 0.1}, seeds=3),
            Stage("final", seeds=3, after="tune", inherit=("method.rho",)),
        ),
    )
    found = planned(made)
    assert [(len(s.trials), s.pending) for s in found.stages] == [(2, 0), (3, 0), (0, 3)]
    assert [(len(s.trials), s.pending) for s in found.distinct] == [(2, 0), (2, 0), (0, 2)]
    assert found.size == sum(stage.size for stage in found.distinct) == 6


def test_a_stage_starts_from_the_winner_of_the_one_before() -> None:
    record = finished(staged(), **{"lr0.1": 0.3, "lr0.2": 0.2, "lr0.4": 0.25})
    second = planned(staged(), record).stages[1]
    assert {t.config.optimizer.lr for t in second.trials} == {0.2}
    assert sorted(t.config.method.options["rho"] for t in second.trials) == [0.05, 0.05, 0.1, 0.1]


def test_a_diverged_point_never_wins() -> None:
    trials = planned(staged()).trials
    record = Record.from_runs(
        Run(t.trial_id, "diverged", {})
        if t.config.optimizer.lr == 0.4
        else Run(t.trial_id, "done", {"test_error": t.config.optimizer.lr})
        for t in trials
    )
    assert {t.config.optimizer.lr for t in planned(staged(), record).stages[1].trials} == {0.1}


def test_selection_on_validation_holds_images_out_where_the_paper_did_not() -> None:
    assert {t.config.data.validation for t in planned(staged()).trials} == {0}
    held_out = planned(staged(), selection=VALIDATION)
    assert {t.config.data.validation for t in held_out.trials} == {0.1}
    own = planned(staged().with_experiment(base={"data.validation": 5}), selection=VALIDATION)
    assert {t.config.data.validation for t in own.trials} == {5}
    nothing_to_choose = planned(artifact(), selection=VALIDATION)
    assert {t.config.data.validation for t in nothing_to_choose.trials} == {0}


def test_missing_are_those_without_outcome_and_those_without_their_measure() -> None:
    made = artifact(seeds=1)
    one, two = planned(made).trials
    outcomes = [Run(one.trial_id, "done", {"test_error": 0.1}), Run(two.trial_id, "failed", {})]
    record = Record.from_runs(outcomes)
    assert planned(made).missing(record) == [two]
    measured = made.with_experiment(measures=(Measure("hessian_trace"),))
    assert {t.trial_id for t in planned(measured).missing(record)} == {one.trial_id, two.trial_id}
    traced = Run(one.trial_id, "done", {"test_error": 0.1, "hessian_trace": 2.0})
    assert planned(measured).missing(Record.from_runs([traced, outcomes[1]])) == [two]
    diverged = Run(two.trial_id, "diverged", {})  # that is an outcome, and there is no measuring
    assert planned(measured).missing(Record.from_runs([traced, diverged])) == []


def test_only_trials_whose_numbers_are_shown_are_measured() -> None:
    made = artifact(
        cells=(Cell({"method": "sam"}, {"method": "sam"}),),
        measures=(Measure("hessian_trace"),),
        stages=(
            Stage("search", grid={"method.rho": (0.05, 0.1)}, seeds=1),
            Stage("final", after="search", inherit=("method.rho",), fields={"epochs": 2}, seeds=1),
        ),
        selection=Selection("test_error"),
    )
    record = finished(made)
    second = planned(made, record)
    search, final = second.stages
    assert [second.measures_of(t) for t in search.trials] == [(), ()]
    assert [r.name for r in second.measures_of(final.trials[0])] == ["hessian_trace"]


def test_a_measure_is_made_of_the_cells_that_it_names() -> None:
    """Two of one label are of different cells; a trial that none is made of lacks none."""
    sizes = {"erm": 5, "sam": 10}
    measures = tuple(
        Measure("loss", label="both", samples=size, where={"method": (method, "nso")})
        for method, size in sizes.items()
    )
    made = artifact(("erm", "sam", "asam"), seeds=1, measures=measures)
    erm, sam, asam = planned(made).trials
    asked = {t.name: [r.samples for r in planned(made).measures_of(t)] for t in (erm, sam, asam)}
    assert asked == {erm.name: [5], sam.name: [10], asam.name: []}
    runs = [Run(t.trial_id, "done", {"test_error": 0.5}) for t in (erm, sam, asam)]
    assert planned(made).missing(Record.from_runs(runs)) == [erm, sam]
    runs[0] = Run(erm.trial_id, "done", {"test_error": 0.5, "both": 1.0})
    assert planned(made).missing(Record.from_runs(runs)) == [sam]


def test_cells_that_a_method_has_no_meaning_for_are_left_out() -> None:
    """Labels are smoothed where there are classes, and in no regression."""
    made = artifact(
        base={"epochs": 1, "data.source": "digits", "data.validation": 0},
        fan_out={"method": "methods"},
        cells=(
            Cell({"loss": "classes"}, {"loss": "cross_entropy"}),
            Cell({"loss": "numbers"}, {"loss": "mse"}),
        ),
    )
    everything = {(c.key["loss"], c.key["method"]) for c in every_cell(made)}
    fitting = every_cell(made.with_experiment(only_fitting=True))
    left = {(c.key["loss"], c.key["method"]) for c in fitting}
    assert everything - left == {("numbers", "label_smoothing")}


def test_a_search_by_an_error_is_refused_where_none_is_told() -> None:
    """A regression tells none; a language model tells the errors of its answers."""
    grid = (Stage("train", grid={"optimizer.lr": (0.1, 0.2)}, seeds=1),)
    regression = artifact(stages=grid, base={"loss": "mse", "data.validation": 0})
    with pytest.raises(ValueError, match="has no test_error to select on, its loss is mse"):
        planned(regression)
    text = {"loss": "token_cross_entropy", "data.source": "word_problems", "model": "gpt2_tiny"}
    assert len(ids(artifact(stages=grid, base={**text, "data.validation": 0}))) == 4


def test_a_blocked_artifact_says_what_it_needs() -> None:
    with pytest.raises(ValueError, match="test/table cannot run yet: it needs text"):
        planned(artifact(blocked="it needs text"))


def test_an_invalid_setting_is_named_before_anything_runs() -> None:
    with pytest.raises(ValueError, match="unknown option of method 'sam' 'roh'"):
        planned(artifact(cells=(Cell({"method": "sam"}, {"method": {"name": "sam", "roh": 1}}),)))


def test_a_trial_is_what_its_name_says() -> None:
    for trial in planned(artifact(seeds=3)).trials:
        assert (trial.config.trial_id, trial.config.seed) == (trial.trial_id, trial.seed)
        assert trial.config == trial.settings.model_copy(update={"seed": trial.seed})


def test_the_first_cell_may_select_where_another_cannot() -> None:
    """Every point's settings are looked at, not those of the first alone."""
    cells_ = (
        Cell({"method": "held"}, {"method": {"name": "erm"}, "data.validation": 0.1}),
        Cell({"method": "blind"}, {"method": {"name": "sam"}}),
    )
    searched = Stage("train", seeds=2, grid={"optimizer.lr": (0.1, 0.2)})
    on_validation = replace(PAPER.criterion(artifact()), on="validation_error")
    blind = artifact(cells=cells_, stages=(searched,)).with_experiment(selection=on_validation)
    with pytest.raises(ValueError, match="has no validation_error to select on: blind"):
        planned(blind)
