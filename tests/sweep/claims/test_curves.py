"""Claims about curves, over epochs and over numbers in names, on records with known answers."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import pytest
from scipy import stats

from search_spaces.claim import AllBetter, Approximates, Contrast, Place, Throughout, lower
from search_spaces.spec import (
    Artifact,
    Cell,
    CurveView,
    Experiment,
    InName,
    Metric,
    Notes,
    Stage,
)
from sweep.aggregate import CellResult
from sweep.claims.curves import at_point, over_epochs, over_names
from sweep.claims.evidence import Evidence, measured
from tests.sweep.claims.cases import NLL, around, at, record, verdict
from tests.sweep.tables.cases import summary

# -- over epochs ---------------------------------------------------------------------------------

EPOCHS = 10
NAN = math.nan


def trained(**curves: Sequence[float]) -> Evidence:
    """Three seeds of each method, 0.01 apart, whose means have these curves."""

    def curve(trial: str, name: str) -> list[tuple[int, float]]:
        method, _, seed = trial.partition(" on a, seed ")
        values = curves[method] if name == "test_nll" else [0.0] * EPOCHS
        return [(i, v + 0.01 * (int(seed) - 1)) for i, v in enumerate(values, start=1)]

    ends = {(method, "a"): around(values[-1], 0.01) for method, values in curves.items()}
    return record(ends, NLL, curve=curve)


def nll(method: str, point: float | None = None) -> Place:
    return Place("test_nll", at(method).key, point=point)


def below(*rivals: str, share: float = 0.9) -> Throughout:
    return Throughout((tuple(lower(nll("nrs"), nll(r)) for r in rivals),), share)


FLAT = [1.0] * EPOCHS


def with_lows(count: int) -> list[float]:
    """Below 1 but for ``count`` epochs at the beginning."""
    return [2.0] * count + [0.5] * (EPOCHS - count)


@pytest.mark.parametrize(("above", "expected"), [(0, "holds"), (1, "holds"), (2, "fails")])
def test_a_curve_is_below_another_at_most_points(above: int, expected: str) -> None:
    assert verdict(below("erm"), trained(nrs=with_lows(above), erm=FLAT)).verdict == expected


def test_at_one_point_all_of_a_group_are_meant() -> None:
    """Below each rival at nine of ten epochs, and below both at eight."""
    own, erm, sam = [0.5] * EPOCHS, [0.1, *FLAT[1:]], [*FLAT[1:], 0.1]
    numbers = trained(nrs=own, erm=erm, sam=sam)
    assert verdict(below("erm", "sam"), numbers).verdict == "fails"
    apart = Throughout((*below("erm").groups, *below("sam").groups))
    assert verdict(apart, numbers).verdict == "holds"


def test_what_seeds_do_not_settle_is_undecided() -> None:
    near = trained(nrs=[0.999] * EPOCHS, erm=FLAT)
    assert verdict(below("erm", share=0.5), near).verdict == "undecided"


def test_points_that_a_curve_lacks_are_left_out() -> None:
    """Measured at every other epoch alone, where it is below; between them it would not be."""
    sparse = [0.5 if i % 2 else NAN for i in range(EPOCHS)]
    rival = [1.0 if i % 2 else 0.1 for i in range(EPOCHS)]
    assert verdict(below("erm"), trained(nrs=sparse, erm=rival)).verdict == "holds"


def test_without_a_curve_it_is_not_yet() -> None:
    numbers = {(method, "a"): around(1.0) for method in ("nrs", "erm")}
    found = verdict(below("erm"), record(numbers, NLL))
    assert (found.verdict, found.note) == ("not yet", "no curve of it is recorded")


def test_a_cell_that_is_not_complete_makes_it_not_yet() -> None:
    def curve(trial: str, name: str) -> list[tuple[int, float]]:
        return [(1, 0.5), (2, 0.4)]

    lost = {("nrs", "a"): summary([0.2, 0.21], diverged=1), ("erm", "a"): around(1.0)}
    found = verdict(below("erm"), record(lost, NLL, curve=curve))
    assert (found.verdict, "1 diverged" in found.note) == ("not yet", True)


def test_the_last_point_is_below_the_first_seed_by_seed() -> None:
    """A fall that every seed shows, far below their spread."""
    falls = {0: 1.0, 1: 1.1, 2: 0.9}

    def curve(trial: str, name: str) -> list[tuple[int, float]]:
        seed = int(trial.rpartition(" ")[2])
        return [(1, NAN), (2, 20.0 + 5 * seed), (4, 20.0 + 5 * seed - falls[seed]), (5, NAN)]

    first, last = (Place("test_nll", at("nrs").key, point=p) for p in ("first", "last"))
    paired = AllBetter((lower(last, first, "last, first"),), paired=True)
    evidence = record({("nrs", "a"): around(20.0)}, NLL, curve=curve)
    found = verdict(paired, evidence)
    assert (found.verdict, found.test, found.margin_at) == ("holds", "paired", "last, first")
    assert found.p == pytest.approx(stats.ttest_1samp(list(falls.values()), 0).pvalue)


def test_a_gap_is_subtracted_trial_by_trial_and_epoch_by_epoch() -> None:
    gap = Metric("test_nll", "gap", minus="train_nll")
    known = {"test_nll": [2.0, 3.0, NAN, 5.0], "train_nll": [1.0, NAN, 1.0, 1.5]}

    def curve(trial: str, name: str) -> list[tuple[int, float]]:
        return list(enumerate(known[name], start=1))

    assert over_epochs(gap, ["x", "y"], curve) == {1.0: (1.0, 1.0), 4.0: (3.5, 3.5)}
    assert over_epochs(gap, [], curve) == {}


# -- over numbers in names -----------------------------------------------------------------------


def test_points_are_found_by_their_names() -> None:
    rise = Metric("line", "rise", minus="line/0.000")
    keys = ["line/0.500-line/0.000", "line/-1.000-line/0.000", "line/0.500", "other"]
    assert over_names(rise, keys) == [(-1.0, keys[1]), (0.5, keys[0])]
    assert over_names(Metric("gap@/hessian", ""), ["gap/0.1/hessian", "gap/0.1"]) == [
        (0.1, "gap/0.1/hessian")
    ]


def test_a_point_is_the_nearest_one() -> None:
    points = {-1.0: 0, -0.4: 0, 0.4: 0, 1.0: 0}
    assert [at_point(points, p) for p in (0.5, 0.9, "first", "last")] == [0.4, 1.0, -1.0, 1.0]


def network(**curves: Mapping[float, Sequence[float]]) -> Evidence:
    """Of one network, or of several: the recorded values of each curve's points."""
    metrics = {
        f"gap/{x}{tail}": summary(values)
        for name, points in curves.items()
        for tail in ("" if name == "gap" else "_std_error" if name == "error" else f"/{name}",)
        for x, values in points.items()
    }
    n = max(found.n for found in metrics.values())
    trials = tuple(f"seed {i}" for i in range(n))
    result = CellResult(Cell({"model": "mlp"}), metrics, "train", {}, trial_ids=trials)
    artifact = Artifact(
        "paper/table",
        Experiment((result.cell,), (Stage("train"),)),
        CurveView(
            x=InName("sigma"),
            rows=("model",),
            metrics=(Metric("gap", "gap"), Metric("gap@/hessian", "by the Hessian")),
            judged=(Metric("gap@_std_error", "error"),),
        ),
        Notes("made up"),
    )
    return measured([(artifact, [result])], comparable=False)


def place(column: str) -> Place:
    return Place(column, {"model": "mlp"})


CLOSE = Approximates(place("gap"), place("gap@/hessian"), place("gap@_std_error"), within=0.03)
EXACT = {0.1: [0.001], 0.2: [0.001]}


@pytest.mark.parametrize(
    ("predicted", "expected", "inside"),
    [
        ({0.1: [1.01], 0.2: [3.96]}, "holds", 2),
        ({0.1: [1.01], 0.2: [4.2]}, "fails", 1),
        ({0.1: [1.0295], 0.2: [4.0]}, "undecided", 1),  # 2.95 % and 0.3 % of error
        ({0.1: [1.0315], 0.2: [4.0]}, "undecided", 1),
    ],
)
def test_a_curve_predicts_another_up_to_its_error(predicted, expected, inside) -> None:
    found = verdict(CLOSE, network(gap={0.1: [1.0], 0.2: [4.0]}, hessian=predicted, error=EXACT))
    assert (found.verdict, found.held, found.of) == (expected, inside, 2)


def test_several_networks_have_a_smaller_error() -> None:
    near = {"gap": {0.1: [1.0] * 4}, "hessian": {0.1: [1.028] * 4}}
    one = verdict(CLOSE, network(**near, error={0.1: [0.001]}))
    four = verdict(CLOSE, network(**near, error={0.1: [0.001] * 4}))
    assert (one.verdict, four.verdict) == ("undecided", "holds")


def test_a_point_may_be_left_out() -> None:
    rise = Contrast(((1.0, place("gap")),), "rise")
    zero = network(gap={-0.1: [0.2, 0.21], 0.0: [0.0, 0.0], 0.1: [0.3, 0.31]})
    assert verdict(Throughout(((rise,),)), zero).verdict == "undecided"  # 0 is not above 0
    assert verdict(Throughout(((rise,),), without=(0.0,)), zero).verdict == "holds"
