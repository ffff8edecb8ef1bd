"""What --read makes of an artifact that has a choice of every kind."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

import search_spaces
from search_spaces.choice import Lifted
from search_spaces.readings import read, read_all, taken
from search_spaces.spec import (
    Artifact,
    Cell,
    Choice,
    Experiment,
    MapView,
    Measure,
    Metric,
    Notes,
    Override,
    Reading,
    Reported,
    Selection,
    Stage,
    TableView,
)
from sweep.aggregate import selection
from sweep.plan.expand import PlannedTrial, plan
from sweep.record.record import Record
from trainables.errors import UsageError


def planned(artifact: Artifact) -> list[PlannedTrial]:
    stages = plan(artifact, "paper", selection("paper"), Record.from_runs([])).stages
    return [trial for stage in stages for trial in (*stage.trials, *stage.expected)]


SHARPNESS = Metric("sharpness@/rise", "rise")
TRACE = Metric("trace", "trace")
ONE = Reported(1.0)
GAP = Metric("trace", "gap", minus="trace_std_error")
COMMON = ("optimizer.lr", "optimizer.momentum")
FOUND = (*COMMON, "method.rho")
LISTED: dict[str, tuple[float, ...]] = dict.fromkeys(COMMON, (0.1, 0.5))
RADII = {"method.rho": (0.1, 0.2)}
GIVEN = Override({}, dict.fromkeys(COMMON, 0.3))
ON_TEST_IMAGES = {"split": "test", "samples": None}
ERM = {"method": "erm"}
WIDE_IN_FINAL = Reading("wide", grids={"method.rho": (1.0, 2.0)}, stages=("final",))
OF_B = Override({"method": "sam", "data": "b"}, {"method.rho": 0.7})


def of_method(name: str, **fields: Any) -> Override:
    return Override({"method": name}, {k.replace("__", "."): v for k, v in fields.items()})


def choice(name: str, others: dict[str, Reading], **more: str) -> Choice:
    return Choice(f"what {name} is", "as it is", "because", name=name, default="own", others=others,
                  **more)  # fmt: skip


MADE = Artifact(
    id="made/table",
    experiment=Experiment(
        base={"model": {"name": "mlp_tiny"}, "method": {"name": "erm"}, "epochs": 2},
        cells=(
            Cell({"method": "erm", "data": "a"}, reported={"trace": Reported(1.0, note="a slip")}),
            Cell({"method": "sam", "data": "a"}, {"method": "sam"}, {"trace": Reported(2.0)}),
            Cell({"method": "sam", "data": "b"}, {"method": "sam"}),
            Cell({"method": "common", "data": "b"}, hidden=True),
        ),
        stages=(
            Stage("common", {"method": "common"}, grid=LISTED, seeds=1),
            Stage("tune", {"method": "sam"}, {}, RADII, 1, "common", (), COMMON),
            Stage("final", {"method": "sam"}, {"epochs": 3}, {}, 3, "tune", None, FOUND),
            Stage("erm", {"method": "erm"}, {}, {}, 3, "common", (), COMMON),
        ),
        measures=(Measure("sharpness"), Measure("trace", {"half": False}, samples=100)),
        selection=Selection("trace"),
    ),
    view=TableView(rows=("method", "data"), metrics=(SHARPNESS, TRACE, GAP)),
    notes=Notes(
        "made",
        (
            choice("common", {"given": Reading("values", (GIVEN,))}, text="given"),
            choice("radius", {"b": Reading("of b", (OF_B,))}, code="b"),
            choice("rate", {"one": Reading("0.9", (of_method("sam", optimizer__lr=0.9),))},
                   text="one", code="own"),
            choice("grid", {"wide": Reading("wide", grids={"method.rho": (1.0, 2.0, 3.0)})}),
            choice("final-grid", {"wide": WIDE_IN_FINAL}),
            choice("seeds", {"five": Reading("five", seeds=5)}),
            choice("half", {"yes": Reading("half", measures={"trace": {"half": True}})}),
            choice("images", {"test": Reading("test", measures={"trace": ON_TEST_IMAGES})}),
            choice("exact", {"yes": Reading("exact", measures={"hessian_trace": {"samples": 50}},
                                            metrics={"trace": {"name": "hessian_trace"}})}),
            choice("part", {"half": Reading("a half", metrics={"trace": {"name": "trace/half"}})}),
            choice("column", {"best": Reading("best", metrics={"trace": {"epoch": "best_test"}})}),
            choice("rule", {"nll": Reading("nll", selection={"on": "test_nll"})}),
            choice("shown", {"only": Reading("other code", incomparable=({"method": "erm"},))}),
            choice("apart", {"trace": Reading("trace", incomparable=({"metric": "trace"},))}),
            choice("fixed", {"slip": Reading("mended", comparable=(Lifted(ERM, "a slip"),))}),
            choice("length", {"long": Reading("long", (Override({}, {"epochs": 7}),))}),
            choice("one", {}, single="there is no other"),
        ),
    ),
)  # fmt: skip


def by(*words: str) -> Artifact:
    return read_all(MADE, taken(MADE, words))


def stages(artifact: Artifact) -> dict[str, Stage]:
    return {stage.name: stage for stage in artifact.experiment.stages}


def test_a_stage_that_nothing_is_taken_from_any_more_is_not_run() -> None:
    """Nor the hidden cell that it was for; a stage that takes over nothing waits for nobody."""
    found = by("common=given")
    assert list(stages(found)) == ["tune", "final", "erm"]
    assert stages(found)["tune"].after is stages(found)["erm"].after is None
    assert stages(found)["final"].inherit == ("method.rho",)
    assert [cell.key["method"] for cell in found.experiment.cells] == ["erm", "sam", "sam"]
    assert {t.config.optimizer.lr for t in planned(found)} == {0.3}


def test_a_hidden_cell_that_a_ratio_is_taken_of_stays() -> None:
    related = replace(TRACE, relative_to={"method": "common"})
    artifact = MADE.with_view(metrics=(SHARPNESS, TRACE, GAP, related))
    found = read(artifact, "common", "given")
    assert list(stages(found)) == ["common", "tune", "final", "erm"]
    assert stages(found)["common"].grid == {}
    assert len(found.experiment.cells) == len(MADE.experiment.cells)


def test_a_stage_stays_as_it_is_for_cells_that_a_reading_leaves_alone() -> None:
    """Of two cells of one stage one has a radius of its own: it is not searched there."""
    found = by("radius=b")
    assert list(stages(found)) == list(stages(MADE))
    rhos: dict[tuple[str, str], set[float]] = {}
    for trial in planned(found):
        if trial.cell.key["method"] == "sam":
            place = trial.stage, trial.cell.key["data"]
            rhos.setdefault(place, set()).add(trial.config.method.options["rho"])
    assert rhos[("tune", "a")] == {0.1, 0.2}
    assert rhos[("tune", "b")] == rhos[("final", "b")] == {0.7}
    lengths = [len([t for t in planned(found) if t.cell.key["data"] == d]) for d in "ab"]
    assert lengths == [3 + 2 + 3, 4 + 1 + 3]


def test_a_field_that_a_reading_gives_is_taken_over_by_nobody() -> None:
    found = by("rate=one")
    assert stages(found)["tune"].inherit == stages(MADE)["tune"].inherit[1:]
    assert stages(found)["erm"].inherit == COMMON
    sam = [t for t in planned(found) if t.cell.key["method"] == "sam"]
    assert {t.config.optimizer.lr for t in sam} == {0.9}


def test_a_grid_and_the_number_of_seeds() -> None:
    assert stages(by("grid=wide"))["tune"].grid == {"method.rho": (1.0, 2.0, 3.0)}
    assert stages(by("final-grid=wide"))["tune"].grid == RADII
    seeds = {name: stage.seeds for name, stage in stages(by("seeds=five")).items()}
    assert seeds == {"common": 1, "tune": 1, "final": 5, "erm": 5}


def test_a_measure_with_another_option_has_a_label_of_its_own_that_columns_read() -> None:
    """The other reading would else show the first one's numbers."""
    found = by("half=yes")
    sharpness, trace = found.experiment.measures
    assert (sharpness.key, trace.key) == ("sharpness", "trace:half:true")
    assert trace.options == {"half": True}
    assert trace.samples == 100
    columns = [(m.name, m.minus) for m in found.view.metrics]
    assert columns == [
        ("sharpness@/rise", ""),
        ("trace:half:true", ""),
        ("trace:half:true", "trace:half:true_std_error"),
    ]
    assert found.experiment.selection.on == "trace:half:true"
    assert found.experiment.cells[0].reported == {"trace:half:true": Reported(1.0, note="a slip")}
    assert not any(trace.within({name: 0.0}) for name in ("trace", "trace_std_error", "trace/a"))
    assert trace.within({"trace:half:true/a": 0.0})


def test_what_a_measure_is_taken_of_is_no_option_of_it() -> None:
    (_, trace) = by("images=test").experiment.measures
    assert (trace.split, trace.samples, trace.options) == ("test", None, {"half": False})
    assert trace.key == "trace:samples:null:split:test"


def test_a_measure_that_the_artifact_lacks_is_measured_too() -> None:
    found = by("exact=yes")
    assert found.experiment.measures == (
        *MADE.experiment.measures,
        Measure("hessian_trace", samples=50),
    )
    assert [m.name for m in found.view.metrics][1] == "hessian_trace"


def test_a_column_by_one_reading_and_its_measure_by_another() -> None:
    """Whichever choice comes first: the column is of the label that is recorded."""
    found = by("half=yes", "part=half")
    assert [m.name for m in found.view.metrics][1] == "trace:half:true/half"
    choices = MADE.notes.choices
    turned = read_all(MADE.with_notes(choices=choices[::-1]), {"half": "yes", "part": "half"})
    assert turned.view == found.view
    assert list(found.experiment.cells[0].reported) == ["trace:half:true/half"]
    assert [m.key for m in by("part=half", "column=best").view.metrics][1] == "trace/half@best_test"
    both = by("half=yes", "column=best", "apart=trace")
    assert [m.key for m in both.view.metrics][1] == "trace:half:true@best_test"
    assert not both.experiment.cells[1].reported["trace:half:true@best_test"].comparable


def test_a_map_reads_the_measure_of_its_own_label() -> None:
    drawn = replace(MADE, view=MapView(rows=(), metrics=(TRACE,), over_plane="trace"))
    view = read(drawn, "half", "yes").view
    assert isinstance(view, MapView)
    assert view.over_plane == "trace:half:true"


def test_another_column_keeps_what_was_printed_in_it() -> None:
    found = by("column=best")
    assert [m.key for m in found.view.metrics] == ["sharpness@/rise", "trace@best_test", GAP.key]
    assert found.experiment.cells[1].reported == {"trace@best_test": Reported(2.0)}


def test_another_selection() -> None:
    assert by("rule=nll").experiment.selection.on == "test_nll"


def test_what_a_reading_makes_incomparable_is_shown_with_the_reason() -> None:
    erm, sam, *_ = by("shown=only").experiment.cells
    assert erm.reported["trace"] == Reported(
        1.0, note="a slip; shown = only: other code", comparable=False
    )
    assert sam.reported["trace"].comparable


def test_of_one_column_alone_numbers_are_made_incomparable() -> None:
    made = MADE.with_experiment(
        cells=(replace(MADE.experiment.cells[0], reported={"trace": ONE, "gap": ONE}),)
    )
    erm = read(made, "apart", "trace").experiment.cells[0].reported
    assert (erm["trace"].comparable, erm["gap"].comparable) == (False, True)


def test_a_note_that_no_longer_holds_makes_a_number_comparable() -> None:
    """If there is no other."""
    first = MADE.experiment.cells[0]
    one, two = first.stand_in("lost; all of it"), first.stand_in("another set")
    for cells, note, comparable in (
        ((first.stand_in(""),), "", True),
        ((one,), "lost; all of it", False),
        ((replace(two, key={"method": "sam"}),), "a slip; another set", False),
    ):
        found = read(MADE.with_experiment(cells=cells), "fixed", "slip").experiment.cells[0]
        assert (found.reported["trace"].note, found.reported["trace"].comparable) == (
            note, comparable,
        )  # fmt: skip
    assert one.lifted("lost; all of it").reported["trace"].note == "a slip"
    assert not one.lifted("lost; all of it").reported["trace"].comparable
    assert first.lifted("no such").reported == first.reported


def test_bundles_are_all_that_say_so_and_a_name_beside_wins() -> None:
    assert taken(MADE, ["text"]) == {"common": "given", "rate": "one"}
    assert taken(MADE, ["code"]) == {"radius": "b", "rate": "own"}
    assert by("code").variant.readings == {"radius": "b"}
    assert taken(MADE, ["text", "rate=own"]) == {"common": "given", "rate": "own"}
    assert taken(MADE, ["rate=own", "text"]) == taken(MADE, ["text", "rate=own"])


def test_against_takes_the_place_of_what_is_read() -> None:
    assert taken(MADE, ["rate=one", "seeds=five"], ["rate=own"]) == {"rate": "own", "seeds": "five"}
    assert taken(MADE, ["text"], ["code"]) == {"radius": "b", "rate": "own"}
    assert taken(MADE, ["rate=one", "grid=wide"], ["code"]) == {
        "rate": "own", "grid": "wide", "radius": "b",
    }  # fmt: skip
    assert taken(MADE, [], ["code", "rate=one"]) == {"radius": "b", "rate": "one"}


def test_the_order_of_words_makes_no_other_variant() -> None:
    one, two = by("rate=one", "grid=wide"), by("grid=wide", "rate=one", "seeds=own")
    assert str(one.variant) == str(two.variant) == "--read grid=wide --read rate=one"
    assert one == two


def test_of_two_readings_of_one_field_the_later_choice_counts() -> None:
    """Whichever is named first."""
    one, two = by("common=given", "rate=one"), by("rate=one", "common=given")
    assert one == two
    sam = [t for t in planned(one) if t.cell.key["method"] == "sam"]
    assert {t.config.optimizer.lr for t in sam} == {0.9}


def test_a_field_that_a_reading_gives_is_no_stages() -> None:
    found = by("length=long")
    assert {t.config.epochs for t in planned(MADE)} == {2, 3}
    assert {t.config.epochs for t in planned(found)} == {7}


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["rate"], "--read 'rate': give NAME=VALUE, text or code; see --read list"),
        (["=one"], "--read '=one': give NAME=VALUE, text or code; see --read list"),
        (["rates=one"], "made/table: unknown reading 'rates' (did you mean 'rate'?); known: com"),
        (["rate=two"], "made/table: unknown value of reading rate 'two'; known: own, one"),
        (["rate=one", "rate=own"], "--read has rate twice, as one and as own"),
        (["text", "code"], "--read text and --read code exclude each other"),
    ],
)  # fmt: skip
def test_a_mistake_is_one_sentence(words: list[str], sentence: str) -> None:
    with pytest.raises(UsageError) as error:
        by(*words)
    assert str(error.value).startswith(sentence)
    assert "\n" not in str(error.value)


def test_a_preset_drops_an_option_of_a_network_that_it_replaces() -> None:
    stem = Choice("stem", "own", "why", name="stem", default="own", others={
        "imagenet": Reading("as on ImageNet", (Override({}, {"model.stem": "imagenet"}),)),
    })  # fmt: skip
    artifact = MADE.with_experiment(base={**MADE.experiment.base, "model": {"name": "resnet18"}})
    found = read(artifact.with_notes(choices=(stem,)), "stem", "imagenet")
    assert all(cell.fixed == ("model.stem",) for cell in found.experiment.cells)
    shrunk = search_spaces.apply(found, "smoke")
    assert not any("model.stem" in cell.fields or cell.fixed for cell in shrunk.experiment.cells)
    assert planned(shrunk)
