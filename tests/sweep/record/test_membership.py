"""Which sweeps a recorded trial belongs to, and whether its protocol still counts."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
import typer

from search_spaces.spec import Artifact, Stage
from sweep.aggregate import SELECTIONS
from sweep.cli import listing, status
from sweep.cli.workflow import conclude, conclude_all
from sweep.plan.cost import estimate
from sweep.plan.expand import Plan, plan
from sweep.record.membership import TAG, Membership, as_tags, from_tags
from sweep.record.mlflow_store import Tracker, default_uri
from sweep.record.record import Record
from sweep.record.runs import Run
from sweep.run.loop import Tags
from tests.sweep.cases import EQUAL_ROWS, TINY
from trainables import config
from trainables.storage.result import TrialResult

OTHER = replace(TINY, id="test/other").with_experiment(cells=TINY.experiment.cells[:1])


def planned(artifact: Artifact, preset: str, record: Record | None = None) -> Plan:
    return plan(artifact, preset, SELECTIONS["paper"], record or Record.from_runs([]))


def joining(plan: Plan) -> dict[str, list[Membership]]:
    return {
        t.trial_id: [Membership(plan.artifact.id, plan.preset, plan.selection.name, t.stage)]
        for t in plan.trials
    }


@pytest.fixture(scope="module")
def tracker(tmp_path_factory: pytest.TempPathFactory) -> Tracker:
    """TINY at smoke: three trials done and one failed, of which OTHER at small has two."""
    made = Tracker(default_uri(str(tmp_path_factory.mktemp("record"))))
    tiny, other = planned(TINY, "smoke"), planned(OTHER, "small")
    for trial in tiny.trials[:3]:
        result = TrialResult(trial.trial_id, "done", {}, {"test_error": 0.5}, {})
        made.write(trial, result, Tags(tiny, "").of(trial))
    made.write_failure(tiny.trials[3], "no memory", Tags(tiny, "").of(tiny.trials[3]))
    made.join(made.load(), joining(other))
    return made


def test_memberships_are_kept_together() -> None:
    """Lists apart cannot tell two sweeps from four; a stage's name may have a space."""
    two = [
        Membership("nrs/table1", "small", "paper", "baseline (ViT)"),
        Membership("nrs/figure1", "smoke", "validation", "nrs"),
    ]
    assert from_tags(as_tags(two)) == two
    older = {name: value for name, value in as_tags(two).items() if name != TAG}
    assert len(from_tags(older)) == 4


def test_status_counts_a_trial_in_the_sweeps_that_it_belongs_to(tracker: Tracker) -> None:
    nobody = {"queued": 0, "waiting": 0, "running": 0, "retrying": 0, "drivers": []}
    rows = status.rows(tracker.load(), [])
    assert rows == [
        {"artifact": "test/other", "preset": "small", "variant": "", "done": 2,
         "diverged": 0, "pruned": 0, "failed": 0, "outdated": 0, **nobody},
        {"artifact": "test/tiny", "preset": "smoke", "variant": "", "done": 3,
         "diverged": 0, "pruned": 0, "failed": 1, "outdated": 0, **nobody},
    ]  # fmt: skip
    assert "no longer count" not in status.rows_text(rows, [])


def test_joining_again_changes_nothing(tracker: Tracker, monkeypatch: pytest.MonkeyPatch) -> None:
    written: list[object] = []
    record = tracker.load()
    monkeypatch.setattr(tracker._client, "log_batch", lambda run, tags: written.append(tags))
    vit = TINY.with_experiment(stages=(Stage("train (ViT)", seeds=2),))
    for made in (planned(TINY, "smoke"), planned(OTHER, "small")):
        tracker.join(record, joining(made))
    assert written == []
    tracker.join(record, dict(list(joining(planned(vit, "smoke")).items())[:1]))
    assert [len(tags) for tags in written] == [5]


def test_every_recorded_trial_has_its_protocol_as_a_parameter(tracker: Tracker) -> None:
    runs = list(tracker.load().runs(history=False))
    assert [run.settings["protocol"] for run in runs] == [str(config.PROTOCOL_VERSION)] * 4
    assert [run.protocol for run in runs] == [config.PROTOCOL_VERSION] * 4


def test_trials_of_an_older_protocol_are_counted_and_said(
    tracker: Tracker, monkeypatch: pytest.MonkeyPatch
) -> None:
    raised = config.PROTOCOL_VERSION + 1
    monkeypatch.setattr(config, "PROTOCOL_VERSION", raised)
    rows = {row["artifact"]: row for row in status.rows(tracker.load(), [])}
    assert [rows["test/tiny"][end] for end in status.ENDS] == [0, 0, 0, 0, 4]
    assert [rows["test/other"][end] for end in status.ENDS] == [0, 0, 0, 0, 2]
    assert status.rows_text(list(rows.values()), []).endswith("they no longer count")
    assert tracker.load().outdated("test/tiny", "smoke") == 4
    assert tracker.load().outdated("test/tiny", "small") == 0
    found, record = planned(TINY, "smoke"), Record.from_runs([])
    sentence = (
        f"4 recorded trials of test/tiny have a protocol older than {raised}: they no longer "
        "count, and what is needed is trained again"
    )
    cost = estimate(found, record)
    assert sentence in listing.plan_as_text(found, record, cost, 4).splitlines()
    assert listing.plan_as_dict(found, record, cost, 4)["outdated"] == 4
    assert "protocol" not in listing.plan_as_text(found, record, cost)


def test_the_lines_of_a_plan_add_up_to_its_sum() -> None:
    """Two rows of equal settings, one of two trials done; two wait for the winner."""
    erm, sam = EQUAL_ROWS.experiment.stages
    twice = EQUAL_ROWS.with_experiment(stages=(erm, replace(sam, seeds=2)))
    first = planned(twice, "smoke").trials[0]
    record = Record.from_runs([Run(first.trial_id, "done", {"test_error": 0.5})])
    found = planned(twice, "smoke", record)
    lines = listing.plan_as_text(found, record, estimate(found, record)).splitlines()
    assert (
        "stage erm: 2 trials = 2 cells x 2 grid points x 1 seeds less 2 repeated, 1 done" in lines
    )
    assert (
        "stage sam: 2 trials = 2 cells x 1 grid points x 2 seeds less 2 repeated, 0 done, "
        "2 once stage erm is done" in lines
    )
    assert "4 trials in all: 1 done, 1 to run now, 2 once winners are known" in lines
    data = listing.plan_as_dict(found, record, estimate(found, record))
    assert (data["trials"], data["missing"], data["waiting"]) == (4, 1, 2)
    assert [(s["distinct"], s["done"], s["waiting"]) for s in data["stages"]] == [
        (2, 1, 0), (2, 0, 2),
    ]  # fmt: skip
    assert listing._size(twice, "smoke") == 4


def test_a_sweep_ends_with_its_failed_trials_and_how_many_wait(
    capsys: pytest.CaptureFixture[str],
) -> None:
    staged = TINY.with_experiment(
        stages=(
            Stage("erm", {"method": "erm"}, grid={"optimizer.lr": (0.1, 0.2)}, seeds=1),
            Stage(
                "sam", {"method": "sam"}, after="erm", match=(), inherit=("optimizer.lr",), seeds=3
            ),
        )
    )
    done, failed = planned(staged, "smoke").trials
    record = Record.from_runs(
        [
            Run(done.trial_id, "done", {"test_error": 0.5}),
            Run(failed.trial_id, "failed", error="no memory"),
        ]
    )
    with pytest.raises(typer.Exit) as ended:
        conclude(planned(staged, "smoke", record), record)
    assert ended.value.exit_code == 1
    assert capsys.readouterr().err.splitlines() == [
        f"{failed.trial_id} failed: no memory",
        "1 of 5 trials failed and 3 wait for them; "
        "`sweep status` counts them, the same command tries them again",
    ]


def test_a_failed_trial_that_nothing_waits_for_is_said_too(
    capsys: pytest.CaptureFixture[str],
) -> None:
    trials = planned(TINY, "smoke").trials
    runs = [Run(t.trial_id, "done", {"test_error": 0.5}) for t in trials[1:]]
    record = Record.from_runs([*runs, Run(trials[0].trial_id, "failed", error="no memory")])
    with pytest.raises(typer.Exit):
        conclude(planned(TINY, "smoke", record), record)
    assert "1 of 4 trials failed; `sweep status`" in capsys.readouterr().err


def test_trials_that_were_cancelled_or_not_asked_for_are_said_to_be_queued(
    capsys: pytest.CaptureFixture[str],
) -> None:
    done, *left = planned(TINY, "smoke").trials
    record = Record.from_runs([Run(done.trial_id, "done", {"test_error": 0.5})])
    with pytest.raises(typer.Exit):
        conclude(planned(TINY, "smoke", record), record)
    assert capsys.readouterr().err == (
        "3 of 4 trials are queued; `sweep status` counts them, the same command goes on\n"
    )
    conclude_all([(planned(TINY, "smoke", record), record)], only_failed=True)
    assert capsys.readouterr().err == (
        "3 of 4 trials are queued; `sweep status` counts them, `sweep run` goes on\n"
    )
    record = Record.from_runs([Run(left[0].trial_id, "failed", error="no memory")])
    with pytest.raises(typer.Exit):
        conclude_all([(planned(TINY, "smoke", record), record)], only_failed=True)
    assert "1 of 4 trials failed, 3 of 4 trials are queued; " in capsys.readouterr().err


def test_a_list_counts_distinct_trials() -> None:
    """Those of ERM at nine radii are one per seed; two data sets made of digits are one, too."""
    import search_spaces

    sizes = {
        (name, preset): listing._size(search_spaces.apply(search_spaces.find(name), preset), preset)
        for name, preset in (("amp/figure8", "paper"), ("nrs/table1", "smoke"))
    }
    assert list(sizes.values()) == [30, 58]


def test_a_record_of_before_memberships_is_still_counted(tmp_path: Path) -> None:
    made = Tracker(default_uri(str(tmp_path)))
    found = planned(TINY, "smoke")
    tags = {k: v for k, v in Tags(found, "").of(found.trials[0]).items() if k != TAG}
    made.write_failure(found.trials[0], "no memory", tags)
    assert [row["failed"] for row in status.rows(made.load(), [])] == [1]


def test_an_entry_from_before_there_were_variants_is_of_the_empty_one() -> None:
    """In the tag of a run, in a record's rows, and in an exported line."""
    old = ["nrs/table1", "small", "paper", "train"]
    (member,) = from_tags({TAG: json.dumps([old])})
    assert member == Membership(*old, variant="")
    record = Record.from_runs([Run("a", "done", memberships=(tuple(old),))])  # type: ignore[arg-type]
    assert record.memberships("a") == [member]
    assert list(record.sweeps()) == [("nrs/table1", "small", "")]
    assert member.sweep == "nrs/table1 small (paper)"


def test_variants_of_a_trial_are_kept_apart_and_listed() -> None:
    plain = Membership("p/a", "small", "paper", "s")
    others = [plain._replace(variant=f"--set epochs={n}") for n in (2, 3)]
    members = [plain, *others]
    assert from_tags(as_tags(members)) == members
    assert as_tags(members)["variant"] == "--set epochs=2 | --set epochs=3"
    assert as_tags(members)["artifact"] == "p/a"
    record = Record.from_runs([Run("a", "done", memberships=tuple(members))])
    assert [variant for _, _, variant in record.sweeps()].count("") == 1
    assert len(record.sweeps()) == 3
    ends = record.ends().to_pylist()[0]
    assert ends["variant"] == "--set epochs=2 | --set epochs=3"
    assert ends["sweeps"].split("; ") == [member.sweep for member in members]


def test_the_run_of_a_sweep_is_found_again_by_its_variant(tmp_path: Path) -> None:
    """Whatever a variant has in it: what is set may hold quotes."""
    made = Tracker(default_uri(str(tmp_path)))
    variants = ["", "--set epochs=2", """--set 'model={"name": "mlp"}'""", """--set "it's" """]
    runs = [made.start_sweep("p/a", "smoke", "paper", "a title", variant) for variant in variants]
    assert len(set(runs)) == len(variants)
    again = [made.start_sweep("p/a", "smoke", "paper", "a title", variant) for variant in variants]
    assert again == runs
    assert made.start_sweep("p/a", "smoke", "validation", "a title") not in runs
