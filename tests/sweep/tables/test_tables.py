"""Oracles: `statistics` for means and spreads, `scipy.stats` for intervals."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
from scipy import stats

from search_spaces.spec import Metric, Reported
from sweep.tables.layout import FORMATS, Table, render
from tests.sweep.tables.cases import ERROR, FOUR, SMALL, THREE, cell, grid_of, summary, table_of

# -- units and comparison ----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("shown", "mean", "std"),
    [
        ("plain", 0.02, 0.01),
        ("percent", 2.0, 1.0),
        ("accuracy", 0.98, 0.01),
        ("accuracy_percent", 98.0, 1.0),
        ("milliseconds", 20.0, 10.0),
    ],
)
def test_mean_and_std_are_in_the_unit_of_the_column(shown, mean, std):
    table = table_of({("erm",): THREE}, metrics=(Metric("test_error", "e", shown=shown),))
    assert cell(table, "erm").mean == pytest.approx(mean)
    assert cell(table, "erm").std == pytest.approx(std)


def test_difference_and_verdict_beside_the_printed_number():
    reported = {
        ("erm",): {"test_error": Reported(2.5, 1.0, 3)},
        ("sam",): {"test_error": Reported(14.0, 1.0, 3)},
        ("amp",): {"test_error": Reported(14.0)},
        ("nrs",): {"test_error": Reported(14.0, 1.0, 3, "another loss", comparable=False)},
        ("nso",): {"test_error": Reported(None)},
    }
    table = table_of(dict.fromkeys(reported, THREE), reported=reported)
    erm, sam, amp, nrs, nso = (cell(table, *key) for key in reported)
    assert (erm.difference, erm.inside) == (pytest.approx(-0.5), True)
    assert erm.half_width == pytest.approx(stats.t.ppf(0.975, 4) * math.sqrt(2 / 3))
    assert (sam.difference, sam.inside) == (pytest.approx(-12.0), False)
    assert (amp.difference, amp.half_width, amp.inside) == (pytest.approx(-12.0), None, None)
    assert (nrs.difference, nrs.inside, nrs.mark) == (None, None, "a")
    assert table.footnotes == (("a", "another loss"),)
    assert nso.reported is nso.difference is None


def test_difference_of_an_accuracy_has_the_sign_of_what_is_shown():
    metric = Metric("test_error", "accuracy %", better="higher", shown="accuracy_percent")
    reported = {("erm",): {"test_error": Reported(97.0, 1.0, 3)}}
    table = table_of({("erm",): THREE}, metrics=(metric,), reported=reported)
    assert cell(table, "erm").difference == pytest.approx(1.0)


@pytest.mark.parametrize("kind", FORMATS)
def test_only_a_comparable_preset_compares(kind):
    numbers, reported = {("erm",): THREE}, {("erm",): {"test_error": Reported(7.25, 0.5, 3)}}
    compared = table_of(numbers, reported=reported)
    beside = table_of(numbers, reported=reported, preset=SMALL)
    assert cell(beside, "erm").difference is cell(beside, "erm").inside is None
    assert "7.25" in render(compared, kind)
    assert "7.25" in render(beside, kind)
    if kind not in ("csv", "json"):
        difference = r"$\Delta$" if kind == "latex" else "Δ"
        assert difference in render(compared, kind)
        assert difference not in render(beside, kind)
        flat = " ".join(render(beside, kind).split())
        assert "only directions (which is better) can be compared" in flat


def test_directions_count_the_pairs_that_come_out_as_printed():
    numbers = {
        ("a",): summary([0.010, 0.011, 0.012]),
        ("b",): summary([0.020, 0.021, 0.022]),
        ("c",): summary([0.0205, 0.0215, 0.0225]),
        ("d",): summary([0.0, 0.1], diverged=1),
    }
    printed = {
        key: {"test_error": Reported(v)} for key, v in zip(numbers, (5, 6, 4, 1), strict=True)
    }
    table = table_of(numbers, reported=printed, preset=SMALL)
    assert table.directions == (
        "1 of 3 pairs come out in the printed order (1 distinguishably), "
        "2 do not (1 distinguishably)"
    )
    assert table.directions in " ".join(render(table, "md").split())


# -- ratios ------------------------------------------------------------------------------------

TIME = Metric("training_seconds", "time / ERM", relative_to={"method": "erm"})


def test_ratio_of_means_with_propagated_spread():
    erm, sam = summary([10.0, 11.0, 12.0]), summary([21.0, 23.0])
    table = table_of({("erm",): {TIME.key: erm}, ("sam",): {TIME.key: sam}}, metrics=(TIME,))
    ratio = cell(table, "sam")
    assert ratio.mean == pytest.approx(2.0)
    assert ratio.std == pytest.approx(2 * math.sqrt((math.sqrt(2) / 22) ** 2 + (1 / 11) ** 2))
    assert (ratio.n, ratio.asked) == (2, 2)
    assert (cell(table, "erm").mean, cell(table, "erm").std) == (1.0, None)


def test_a_scale_multiplies_numbers_and_cancels_in_ratios():
    seconds = {"training_seconds": summary([10.0, 12.0])}
    plain = Metric("training_seconds", "minutes", scale=1 / 60)
    table = table_of({("erm",): seconds}, metrics=(plain,))
    assert cell(table, "erm").mean == pytest.approx(11 / 60)
    assert cell(table, "erm").std == pytest.approx(math.sqrt(2) / 60)
    numbers = {("erm",): {TIME.key: summary([10.0])}, ("sam",): {TIME.key: summary([20.0])}}
    ratio = table_of(numbers, metrics=(replace(TIME, scale=1 / 60),))
    assert cell(ratio, "sam").mean == pytest.approx(2.0)


def test_ratio_to_the_reference_of_the_same_data_and_none_without_one():
    keys = [(m, d) for d in ("c10", "c100") for m in ("erm", "sam")]
    values = [10.0, 20.0, 100.0, 300.0]
    numbers = {k: {TIME.key: summary([v])} for k, v in zip(keys, values, strict=True)}
    numbers["erm", "c100"] = {TIME.key: summary([], diverged=1)}
    table = table_of(numbers, ("method", "data"), metrics=(TIME,))
    assert cell(table, "sam", "c10").mean == 2.0
    lost = cell(table, "sam", "c100")
    assert lost.mean is None
    assert lost.problems == ("nothing to relate it to",)
    assert "– (1, nothing to relate it to)" in render(table)


def test_ratio_reference_may_be_hidden_and_less_specific():
    numbers = {
        ("erm", ""): {TIME.key: summary([10.0])},
        ("amp", "0.5"): {TIME.key: summary([25.0])},
    }
    metric = Metric("training_seconds", "t", relative_to={"method": "erm", "epsilon": ""})
    table = table_of(numbers, ("method", "epsilon"), metrics=(metric,), hidden=(("erm", ""),))
    assert table.rows == (("amp", "0.5"),)
    assert cell(table, "amp", "0.5").mean == 2.5


# -- bold --------------------------------------------------------------------------------------


def bold(table: Table) -> set[str]:
    return {row[-1] for row, _, c in table.cells if c.bold}


def test_bold_is_the_best_and_all_not_distinguishable_from_it():
    numbers = {
        ("best",): summary([0.010, 0.011, 0.012]),
        ("near",): summary([0.011, 0.012, 0.013]),
        ("far",): summary([0.030, 0.031, 0.032]),
        ("wild",): summary([0.010, 0.040, 0.070]),
    }
    assert bold(table_of(numbers)) == {"best", "near", "wild"}
    del numbers["wild",]
    higher = (Metric("test_error", "e", better="higher"),)
    assert bold(table_of(numbers, metrics=higher)) == {"far"}
    neither = (Metric("test_error", "e", better="neither"),)
    assert bold(table_of(numbers, metrics=neither)) == set()


def test_bold_goes_by_what_is_shown():
    """``better`` is about the column: the lowest error is the highest accuracy."""
    numbers = {("a",): summary([0.010, 0.011, 0.012]), ("b",): summary([0.5, 0.501, 0.502])}
    accuracy = (Metric("test_error", "acc", better="higher", shown="accuracy_percent"),)
    assert bold(table_of(numbers, metrics=accuracy)) == {"a"}


def test_no_lucky_seed_is_bold():
    numbers = {
        ("lucky",): summary([0.001, 0.0011, 0.0012], diverged=1),
        ("good",): summary([0.010, 0.011, 0.012]),
        ("bad",): summary([0.5, 0.51, 0.52]),
    }
    assert bold(table_of(numbers)) == {"good"}
    assert bold(table_of(numbers, searched=(1, 2))) == set()  # every search is unfinished


@pytest.mark.parametrize("n", [1, 2])
def test_nothing_is_bold_below_three_seeds(n):
    """Neither the best nor what it would be compared with."""
    few, worse = summary([0.1, 0.11][:n]), summary([0.5, 0.51, 0.52])
    assert bold(table_of({("a",): few, ("b",): summary([0.2, 0.21][:n])})) == set()
    assert bold(table_of({("a",): few, ("b",): worse, ("c",): worse})) == {"b", "c"}
    assert bold(table_of({("a",): worse})) == set()  # nothing to compete with


def test_bold_is_family_wise():
    """p = 2.1 % alone is told from the best; among four rivals Holm asks the first for 1.25 %."""
    best = summary([0.010, 0.020, 0.030])
    near, like = summary([0.040, 0.050, 0.060]), summary([0.012, 0.022, 0.032])
    near_alone = table_of({("best",): best, ("near",): near})
    assert bold(near_alone) == {"best"}
    among = {("best",): best, ("near",): near, **{(name,): like for name in "xyz"}}
    assert bold(table_of(among)) == {"best", "near", "x", "y", "z"}


def test_rivals_of_the_same_trials_are_one_of_the_family():
    best = summary([0.010, 0.020, 0.030])
    near, like = summary([0.040, 0.050, 0.060]), summary([0.036, 0.046, 0.056])
    numbers = {("best",): best, ("near",): near, **{(name,): like for name in "xyz"}}
    once = table_of(numbers, trials={(name,): "the same" for name in "xyz"})
    assert bold(table_of(numbers)) == {"best", "near", "x", "y", "z"}
    assert bold(once) == {"best"}


def test_times_are_compared_by_their_ratio():
    """7.01 ± 3.60 s is not as fast as 0.26 s, though three seeds cannot tell the means apart."""
    slow, fast = summary([3.0, 8.0, 10.03]), summary([0.25, 0.26, 0.27])
    seconds = (Metric("training_seconds", "seconds"),)
    numbers = {("a",): {"training_seconds": slow}, ("b",): {"training_seconds": fast}}
    assert bold(table_of(numbers, metrics=seconds)) == {"b"}
    plain = {key: {"test_error": of["training_seconds"]} for key, of in numbers.items()}
    assert bold(table_of(plain)) == {"a", "b"}


def test_a_star_is_explained_where_it_stands_for_bold():
    numbers = {("a",): THREE, ("b",): FOUR}
    flat = " ".join(render(table_of(numbers), "terminal", color=False).split())
    assert "; *: best, or not distinguishable" in flat
    assert "bold:" not in flat
    colored = render(table_of(numbers), "terminal", color=True)
    assert "bold: best" in " ".join(colored.split())
    assert "bold: best" in render(table_of(numbers), "md")


def test_methods_compete_within_a_network_and_a_column():
    numbers = {
        (network, method, data): summary([x, x + 0.0001, x + 0.0002])
        for (network, data), (erm, sam) in {
            ("vgg", "c10"): (0.1, 0.2),
            ("resnet", "c10"): (0.02, 0.01),
            ("vgg", "c100"): (0.4, 0.3),
            ("resnet", "c100"): (0.3, 0.2),
        }.items()
        for method, x in (("erm", erm), ("sam", sam))
    }
    table = table_of(
        numbers, ("network", "method", "data"), rows=("network", "method"), columns=("data",)
    )
    found = {(*row, *column[:-1]) for row, column, c in table.cells if c.bold}
    assert found == {
        ("vgg", "erm", "c10"),
        ("resnet", "sam", "c10"),
        ("vgg", "sam", "c100"),
        ("resnet", "sam", "c100"),
    }


# -- arrangement -------------------------------------------------------------------------------


def test_metrics_are_innermost_across():
    table = grid_of()
    assert table.row_labels == ("network", "method")
    assert table.rows == (("vgg", "erm"), ("vgg", "sam"), ("resnet", "erm"), ("resnet", "sam"))
    assert table.column_labels == ("data", "metric")
    assert table.columns == (
        ("c10", "test error %"),
        ("c10", "NLL"),
        ("c100", "test error %"),
        ("c100", "NLL"),
    )
    assert all(cell is not None for line in table.grid for cell in line)


def test_groups_of_rows_are_set_apart_where_there_are_any():
    table = grid_of(preset=SMALL)  # two networks with two methods each
    alone = grid_of(rows=("network", "method", "data"), columns=(), preset=SMALL)  # data: one each
    alone = replace(alone, rows=alone.rows[::2], grid=alone.grid[::2])
    for kind, mark in (("latex", r"\addlinespace"), ("html", '<tr class="first">')):
        assert render(table, kind).count(mark) == 1
        assert render(alone, kind).count(mark) == 0
    assert render(table).splitlines().count("") == 1
    assert "" not in render(alone).splitlines()


def test_metrics_may_run_down():
    table = grid_of(metrics_down=True)
    assert table.row_labels == ("metric", "network", "method")
    assert table.rows[0] == ("test error %", "vgg", "erm")
    assert table.rows[4] == ("NLL", "vgg", "erm")
    assert table.columns == (("c10",), ("c100",))
    alone = grid_of(rows=("network", "method", "data"), columns=(), metrics_down=True)
    assert alone.columns == (("measured",),)
    for kind in FORMATS:
        assert "measured" in render(alone, kind)


def test_a_label_that_the_artifact_forgot_still_has_its_rows():
    table = grid_of(columns=())
    assert table.row_labels == ("network", "method", "data")
    assert len(table.rows) == 8


def test_two_numbers_in_one_place_are_an_error():
    metrics = (ERROR, Metric("test_nll", ERROR.label))
    with pytest.raises(ValueError, match="two numbers share"):
        table_of({("erm",): {"test_error": THREE, "test_nll": FOUR}}, metrics=metrics)


def test_hidden_cells_are_not_shown():
    table = table_of({("erm",): THREE, ("pilot",): FOUR}, hidden=(("pilot",),))
    assert table.rows == (("erm",),)


# -- what stands in for what the paper ran -----------------------------------------------------


def directions_of(orders: dict[str, tuple[float, float]], shared: bool) -> str:
    """Of methods a and b on each data set, printed as ``orders`` says, measured the same."""
    numbers = {
        (m, d): summary([0.010, 0.011, 0.012] if m == "a" else [0.020, 0.021, 0.022])
        for d in orders
        for m in "ab"
    }
    printed = {
        (m, d): {"test_error": Reported(value)}
        for d, pair in orders.items()
        for m, value in zip("ab", pair, strict=True)
    }
    trials = {(m, d): f"{m} on digits" for m, d in numbers} if shared else None
    return table_of(
        numbers, ("method", "data"), columns=("data",), reported=printed, trials=trials
    ).directions


def test_places_of_the_same_trials_are_one_pair():
    same = {"c10": (5.0, 6.0), "c100": (25.0, 26.0)}
    apart = directions_of(same, shared=False)
    assert apart.startswith("2 of 2 pairs come out in the printed order (2 distinguishably)")
    assert "same trials" not in apart
    once = directions_of(same, shared=True)
    assert once.startswith("1 of 1 pairs come out in the printed order (1 distinguishably)")
    assert once.endswith("; places that show the same trials count once")


def test_a_pair_that_is_printed_in_both_orders_says_nothing():
    both = {"c10": (5.0, 6.0), "c100": (26.0, 25.0)}
    assert directions_of(both, shared=False).startswith("1 of 2")
    assert directions_of(both, shared=True) == ""


def test_a_pair_is_the_same_in_either_order_of_its_rows():
    numbers = {(m, d): THREE if m == "b" else FOUR for m, d in ["ax", "bx", "by", "ay"]}
    values = {"a": Reported(9.0), "b": Reported(8.0)}
    printed = {(m, d): {"test_error": values[m]} for m, d in numbers}
    trials = {(m, d): m for m, d in numbers}
    table = table_of(numbers, ("method", "data"), reported=printed, trials=trials)
    assert table.directions.startswith("1 of 1 pairs come out in the printed order")


def test_a_trial_is_not_compared_with_itself():
    printed = {("a",): {"test_error": Reported(1.0)}, ("b",): {"test_error": Reported(2.0)}}
    trials = {("a",): "one", ("b",): "one"}
    assert (
        table_of({("a",): THREE, ("b",): THREE}, reported=printed, trials=trials).directions == ""
    )
